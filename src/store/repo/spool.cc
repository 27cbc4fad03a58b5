#include "store/repo/spool.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <iterator>

#include <boost/filesystem.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "base/bug.h"
#include "base/fault.h"

namespace pfs::store {

namespace {

constexpr std::uint64_t kMinBlock = 4096;
constexpr std::uint64_t kMaxBlock = std::uint64_t{1} << 20U;
constexpr std::uint64_t kWordBits = 64;

}  // namespace

std::uint64_t Spool::size() const {
  Lock lock(mutex_);
  return size_;
}

std::uint64_t Spool::bytes() const {
  Lock lock(mutex_);
  return blocks_ * block_;
}

Timestamp Spool::changed() const {
  Lock lock(mutex_);
  return changed_;
}

bool Spool::valid(std::uint64_t block_index) const {
  Lock lock(mutex_);
  const auto page = valid_.find(block_index / kPageBlocks);
  return page != valid_.end() && (page->second[block_index % kPageBlocks / kWordBits] >> (block_index % kWordBits) & 1U) != 0;
}

std::uint64_t Spool::next_valid(std::uint64_t offset) const {
  Lock lock(mutex_);
  const std::uint64_t block = next_valid_locked(offset / block_);
  return block == kNone ? kNone : std::max(offset, block * block_);
}

std::uint64_t Spool::valid_to(std::uint64_t offset, std::uint64_t end) const {
  std::uint64_t block = offset / block_;
  Lock lock(mutex_);
  for (bool whole = true; whole && block * block_ < end;) {
    const auto page = valid_.find(block / kPageBlocks);
    if (page == valid_.end()) break;
    const std::uint64_t bit = block % kWordBits;
    const auto ones = static_cast<unsigned>(std::countr_one(page->second[block % kPageBlocks / kWordBits] >> bit));
    whole = ones == kWordBits - bit;
    block += ones;
  }
  return std::clamp(block * block_, offset, end);
}

std::uint64_t Spool::added_by(std::uint64_t offset, std::uint64_t length) const {
  std::uint64_t begin = offset / block_ * block_;
  const std::uint64_t end = (offset + length + block_ - 1) / block_ * block_;
  std::uint64_t added = end - begin;
  for (const auto& [from, to] : valid_ranges(begin, end)) added -= to - from;
  return added;
}

std::vector<std::pair<std::uint64_t, std::uint64_t>> Spool::valid_ranges(std::uint64_t begin, std::uint64_t end) const {
  std::vector<std::pair<std::uint64_t, std::uint64_t>> ranges;
  if (begin >= end) return ranges;
  const std::uint64_t last = (end - 1) / block_;
  Lock lock(mutex_);
  for (auto block = next_valid_locked(begin / block_); block <= last;) {
    const std::uint64_t ones = valid_.at(block / kPageBlocks)[block % kPageBlocks / kWordBits] >> (block % kWordBits);
    const std::uint64_t run = std::min<std::uint64_t>(static_cast<unsigned>(std::countr_one(ones)), last + 1 - block);
    const std::uint64_t from = std::max(begin, block * block_);
    const std::uint64_t to = std::min(end, (block + run) * block_);
    if (!ranges.empty() && ranges.back().second == from) {
      ranges.back().second = to;
    } else {
      ranges.emplace_back(from, to);
    }
    block = next_valid_locked(block + run);
  }
  return ranges;
}

// The first valid block from `block` on; kNone where there is none.
std::uint64_t Spool::next_valid_locked(std::uint64_t block) const {
  for (auto page = valid_.lower_bound(block / kPageBlocks); page != valid_.end(); ++page) {
    block = std::max(block, page->first * kPageBlocks);
    for (std::uint64_t word = block % kPageBlocks / kWordBits; word < page->second.size(); ++word) {
      const std::uint64_t rest = page->second[word] >> (block % kWordBits);
      if (rest != 0) return block + static_cast<unsigned>(std::countr_zero(rest));
      block = (block / kWordBits + 1) * kWordBits;
    }
  }
  return kNone;
}

void Spool::add_valid_locked(std::uint64_t first, std::uint64_t last) {
  for (std::uint64_t block = first; block <= last;) {
    auto& page = valid_[block / kPageBlocks];
    const std::uint64_t end = std::min(last + 1, (block / kPageBlocks + 1) * kPageBlocks);
    for (; block < end; ++block) {
      auto& word = page[block % kPageBlocks / kWordBits];
      const std::uint64_t bit = std::uint64_t{1} << (block % kWordBits);
      if ((word & bit) == 0) ++blocks_;
      word |= bit;
    }
  }
}

void Spool::cut_valid_locked(std::uint64_t blocks) {
  for (auto page = valid_.lower_bound(blocks / kPageBlocks); page != valid_.end();) {
    std::uint64_t begin = page->first * kPageBlocks;
    const bool goes = begin >= blocks;
    for (auto& word : page->second) {
      std::uint64_t kept = 0;
      if (begin < blocks) kept = blocks - begin < kWordBits ? (std::uint64_t{1} << (blocks - begin)) - 1 : ~std::uint64_t{0};
      blocks_ -= static_cast<unsigned>(std::popcount(word & ~kept));
      word &= kept;
      begin += kWordBits;
    }
    page = goes ? valid_.erase(page) : std::next(page);
  }
}

Result<void> Spool::write(std::uint64_t offset, std::span<const std::byte> bytes) {
  if (bytes.empty()) return {};
  PFS_TRY_ASSIGN(const auto file, spools_.file_of(*this));
  const std::uint64_t first = offset / block_;
  const std::uint64_t last = (offset + bytes.size() - 1) / block_;
  Result<void> wrote = fault_point("store.spool.write");
  if (wrote) wrote = file->write_at(offset, bytes);
  if (!wrote) {
    // What was written of it must not show after the next start either: those blocks are holes again.
    const std::uint64_t old_size = size();
    for (std::uint64_t block = first; block <= last; ++block) {
      if (valid(block)) continue;
      ::fallocate(file->fd(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(block * block_), static_cast<off_t>(block_));
    }
    if (auto cut = file->truncate(old_size); !cut) spdlog::error("{}", cut.error().message);
  }
  Lock lock(mutex_);
  dirty_ = true;  // not before: a sync that began meanwhile may have a part of it only
  if (!wrote) return wrote;
  add_valid_locked(first, last);
  size_ = std::max(size_, offset + bytes.size());
  return {};
}

Result<void> Spool::resize(std::uint64_t size) {
  PFS_TRY_ASSIGN(const auto file, spools_.file_of(*this));
  PFS_TRY(file->truncate(size));
  Lock lock(mutex_);
  dirty_ = true;
  size_ = size;
  cut_valid_locked((size + block_ - 1) / block_);
  return {};
}

Result<void> Spool::read(std::uint64_t offset, std::span<std::byte> out) const {
  PFS_TRY_ASSIGN(const auto file, spools_.file_of(const_cast<Spool&>(*this)));
  PFS_TRY_ASSIGN(const auto got, file->read_at(offset, out));
  std::fill(out.begin() + static_cast<std::ptrdiff_t>(got), out.end(), std::byte{0});
  return {};
}

// Concurrent callers share: who comes while a sync is under way waits for it, and then one of them syncs for all.
Result<void> Spool::sync() {
  mutex_.lock();
  while (syncing_) synced_.wait(mutex_);
  if (failed_ || !dirty_) {
    const bool failed = failed_;
    mutex_.unlock();
    if (!failed) return {};
    return Error{Code::kIo, fmt::format("spool {:x}: an earlier sync failed, so what it holds is not certain", number_)};
  }
  dirty_ = false;
  syncing_ = true;
  const bool named = named_;
  mutex_.unlock();
  auto outcome = fault_point("store.spool.sync");
  if (outcome) {
    const auto file = spools_.file_of(*this);
    outcome = file ? (*file)->sync_data() : Result<void>(file.error());
  }
  if (outcome && !named) outcome = sync_directory(spools_.directory_);
  mutex_.lock();
  syncing_ = false;
  if (outcome) {
    named_ = true;
  } else {
    failed_ = dirty_ = true;
  }
  mutex_.unlock();
  synced_.notify_all();
  return outcome;
}

// After a restart: st_size is its size, and where it has data its blocks are valid.
Result<void> Spool::find_blocks() {
  PFS_TRY_ASSIGN(const auto file, File::open(spools_.path_of(number_), O_RDONLY));
  ::posix_fadvise(file.fd(), 0, 0, POSIX_FADV_DONTNEED);  // as StagingLog does
  struct stat info {};
  if (::fstat(file.fd(), &info) != 0) return error_from_errno(errno, "stat " + file.path());
  Lock lock(mutex_);
  size_ = static_cast<std::uint64_t>(info.st_size);
  changed_.nanoseconds = std::int64_t{info.st_mtim.tv_sec} * 1'000'000'000 + info.st_mtim.tv_nsec;
  off_t at = 0;
  while (at < info.st_size) {
    const off_t data = ::lseek(file.fd(), at, SEEK_DATA);
    if (data < 0 && errno == ENXIO) break;
    if (data < 0) return error_from_errno(errno, "look for data in " + file.path());
    const off_t hole = ::lseek(file.fd(), data, SEEK_HOLE);
    if (hole < 0) return error_from_errno(errno, "look for holes in " + file.path());
    add_valid_locked(static_cast<std::uint64_t>(data) / block_, (static_cast<std::uint64_t>(hole) - 1) / block_);
    at = hole;
  }
  return {};
}

Result<std::unique_ptr<Spools>> Spools::open(const std::string& directory) {
  std::unique_ptr<Spools> spools(new Spools(directory));
  struct statvfs info {};
  if (::statvfs(directory.c_str(), &info) != 0) return error_from_errno(errno, "statvfs " + directory);
  spools->block_ = std::clamp<std::uint64_t>(info.f_bsize, kMinBlock, kMaxBlock);
  boost::system::error_code error;
  Lock lock(spools->mutex_);
  for (boost::filesystem::directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
    unsigned long long number = 0;
    if (std::sscanf(it->path().filename().c_str(), "%16llx.spool", &number) != 1 || number == 0) continue;
    spools->spools_[number] = std::make_shared<Spool>(*spools, number, spools->block_);
    spools->next_number_ = std::max<std::uint64_t>(spools->next_number_, number + 1);
  }
  if (error) return error_from_errno(error.value(), "list " + directory);
  for (const auto& [number, spool] : spools->spools_) PFS_TRY(spool->find_blocks());
  return spools;
}

std::string Spools::path_of(std::uint64_t number) const { return fmt::format("{}/{:016x}.spool", directory_, number); }

Result<SpoolPtr> Spools::make() {
  PFS_FAULT_POINT("store.spool.make");
  std::uint64_t number = 0;
  {
    Lock lock(mutex_);
    number = next_number_++;
  }
  PFS_TRY_ASSIGN(auto file, File::open(path_of(number), O_RDWR | O_CREAT | O_EXCL));
  auto spool = std::make_shared<Spool>(*this, number, block_);
  Lock lock(mutex_);
  spool->claims_ = 1;
  keep_open(*spool, std::make_shared<const File>(std::move(file)));
  spools_[number] = spool;
  return spool;
}

Result<SpoolPtr> Spools::find(std::uint64_t number) {
  Lock lock(mutex_);
  const auto found = spools_.find(number);
  return found == spools_.end() ? SpoolPtr{} : found->second;
}

Result<std::shared_ptr<const File>> Spools::file_of(Spool& spool) {
  Lock lock(mutex_);
  if (spool.file_) {
    if (open_.front() != &spool) {
      const auto at = std::find(open_.begin(), open_.end(), &spool);
      open_.splice(open_.begin(), open_, at);
    }
    return spool.file_;
  }
  PFS_TRY_ASSIGN(auto file, File::open(path_of(spool.number_), O_RDWR));
  keep_open(spool, std::make_shared<const File>(std::move(file)));
  return spool.file_;
}

void Spools::keep_open(Spool& spool, std::shared_ptr<const File> file) {
  spool.file_ = std::move(file);
  open_.push_front(&spool);
  if (open_.size() <= kOpenFiles) return;
  open_.back()->file_.reset();  // whoever uses it still holds it
  open_.pop_back();
}

void Spools::claim(std::uint64_t number, std::uint64_t claims) {
  Lock lock(mutex_);
  const auto found = spools_.find(number);
  if (found == spools_.end()) return;
  found->second->claims_ += claims;
  found->second->condemned_ = 0;
}

void Spools::release(std::uint64_t number, std::uint64_t claims) {
  Lock lock(mutex_);
  const auto found = spools_.find(number);
  if (found == spools_.end()) return;
  if (claims > found->second->claims_) {
    (void)PFS_BUG(fmt::format("spool {:x}: {} claims are released, and {} were there", number, claims, found->second->claims_));
    return;  // it stays until the next start, which counts anew
  }
  found->second->claims_ -= claims;
}

std::vector<std::uint64_t> Spools::unclaimed() const {
  std::vector<std::uint64_t> numbers;
  Lock lock(mutex_);
  for (const auto& [number, spool] : spools_) {
    if (spool->claims_ == 0) numbers.push_back(number);
  }
  return numbers;
}

void Spools::remove(const std::vector<std::uint64_t>& numbers, std::uint64_t generation, std::uint64_t oldest_reader) {
  for (const auto number : numbers) {
    Lock lock(mutex_);
    const auto found = spools_.find(number);
    if (found == spools_.end() || found->second->claims_ > 0) continue;
    auto& condemned = found->second->condemned_;
    if (condemned == 0) condemned = generation;
    if (oldest_reader <= condemned) continue;
    open_.remove(found->second.get());
    found->second->file_.reset();
    spools_.erase(found);
    ::unlink(path_of(number).c_str());
  }
}

void Spools::seal_shared() {
  Lock lock(mutex_);
  for (const auto& [number, spool] : spools_) {
    if (spool->claims_ > 1) spool->seal();
  }
}

Result<void> Spools::sync_replacing() {
  std::vector<SpoolPtr> replacing;
  {
    Lock lock(mutex_);
    for (const auto& [number, spool] : spools_) {
      if (spool->replaces_ && spool->claims_ > 0) replacing.push_back(spool);
    }
  }
  for (const auto& spool : replacing) {
    spool->replaces_ = false;  // before: what comes meanwhile asks again
    if (auto synced = spool->sync(); !synced) {
      spool->replaces_ = true;
      return synced;
    }
  }
  return {};
}

Spools::Usage Spools::usage() const {
  Usage usage;
  Lock lock(mutex_);
  for (const auto& [number, spool] : spools_) {
    const auto bytes = spool->bytes();
    usage.bytes += bytes;
    if (spool->claims_ > 0) usage.live += bytes;
  }
  return usage;
}

}  // namespace pfs::store
