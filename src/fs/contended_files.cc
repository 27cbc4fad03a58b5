#include "fs/contended_files.h"

#include <algorithm>
#include <iterator>
#include <utility>
#include <vector>

namespace pfs::fs {

namespace {

constexpr std::uint64_t kPage = 4096;
constexpr std::size_t kMaxRanges = 256;
// What is read while pages are dropped may have been dropped with them or not: known after one that nothing was read beside.
constexpr int kDrops = 4;
constexpr std::chrono::milliseconds kLongestWait{1000};
// For the drop of a page that the write which waits may hold itself.
constexpr std::chrono::milliseconds kMoment{50};
constexpr std::uint64_t kWholeFile = std::uint64_t{1} << 62U;
// How long a write may be on its way to us.
constexpr std::chrono::seconds kRemembered{5};

std::uint64_t page_of(std::uint64_t offset) { return offset / kPage * kPage; }
std::uint64_t page_after(std::uint64_t end) { return page_of(end + kPage - 1); }

}  // namespace

void PageRanges::add(std::uint64_t offset, std::uint64_t length) {
  std::uint64_t begin = page_of(offset);
  std::uint64_t end = page_after(offset + length);
  auto it = ends_.upper_bound(begin);
  if (it != ends_.begin() && std::prev(it)->second >= begin) --it;
  while (it != ends_.end() && it->first <= end) {
    begin = std::min(begin, it->first);
    end = std::max(end, it->second);
    it = ends_.erase(it);
  }
  ends_[begin] = end;
  if (ends_.size() <= kMaxRanges) return;
  const std::pair<std::uint64_t, std::uint64_t> all{ends_.begin()->first, ends_.rbegin()->second};
  ends_.clear();
  ends_.insert(all);
}

PageRanges PageRanges::within(std::uint64_t offset, std::uint64_t length) const {
  PageRanges found;
  const std::uint64_t begin = page_of(offset);
  const std::uint64_t end = page_after(offset + length);
  auto it = ends_.upper_bound(begin);
  if (it != ends_.begin() && std::prev(it)->second > begin) --it;
  for (; it != ends_.end() && it->first < end; ++it) found.ends_[std::max(begin, it->first)] = std::min(end, it->second);
  return found;
}

void PageRanges::take_out(const PageRanges& others) {
  for (const auto& [begin, end] : others.ends_) {
    auto it = ends_.upper_bound(begin);
    if (it != ends_.begin() && std::prev(it)->second > begin) --it;
    while (it != ends_.end() && it->first < end) {
      const auto [its_begin, its_end] = *it;
      it = ends_.erase(it);
      if (its_begin < begin) ends_[its_begin] = begin;
      if (its_end > end) it = ends_.insert({end, its_end}).first;
    }
  }
}

void PageRanges::each(const std::function<void(std::uint64_t, std::uint64_t)>& visit) const {
  for (const auto& [begin, end] : ends_) visit(begin, end - begin);
}

ContendedFiles::Pages ContendedFiles::Pages::within(std::uint64_t offset, std::uint64_t length) const {
  return {surely.within(offset, length), perhaps.within(offset, length)};
}

void ContendedFiles::Pages::take_out(const Pages& others) {
  surely.take_out(others.surely);
  perhaps.take_out(others.perhaps);
}

void ContendedFiles::changed(NodeId file, std::uint64_t offset, std::uint64_t length, const Drop& drop) {
  const auto deadline = std::chrono::steady_clock::now() + kLongestWait;
  for (int i = 0; i < kDrops; ++i) {
    if (!drop_and_wait(file, offset, length, i == 0, deadline, drop)) return;
  }
}

void ContendedFiles::write_back(NodeId file, const Drop& drop) {
  drop_and_wait(file, 0, 0, true, std::chrono::steady_clock::now() + kLongestWait, drop);
}

bool ContendedFiles::drop_and_wait(NodeId file, std::uint64_t offset, std::uint64_t length, bool unread_too, Time deadline, const Drop& drop) {
  const auto state = state_;
  const std::uint64_t begin = length == 0 ? 0 : offset;
  const std::uint64_t size = length == 0 ? kWholeFile : length;
  std::uint64_t number = 0;
  {
    Lock lock(state->mutex);
    const auto now = std::chrono::steady_clock::now();
    if (unread_too) state->sweep(now);
    File& its = state->files[file];
    auto read = its.read.within(begin, size);
    if (read.empty() && !unread_too) return false;
    state->any = true;
    its.changed = now;
    PageRanges covers;
    covers.add(begin, size);
    number = state->begins(file, std::move(covers), std::move(read));
  }
  drop(offset, length, [state, file, number] { state->ends(file, number); });
  Lock lock(state->mutex);
  return state->wait(deadline, [&]() PFS_REQUIRES(state->mutex) { return !state->is_under_way(file, number); });
}

void ContendedFiles::dropped(NodeId file) {
  State& state = *state_;
  if (!state.any) return;
  Lock lock(state.mutex);
  const auto found = state.files.find(file);
  if (found == state.files.end()) return;
  Pages& read = found->second.read;
  read.surely.each([&](std::uint64_t offset, std::uint64_t length) { read.perhaps.add(offset, length); });
  read.surely = {};
}

void ContendedFiles::reading(NodeId file, std::uint64_t offset, std::uint64_t length) {
  State& state = *state_;
  if (!state.any || length == 0) return;
  Lock lock(state.mutex);
  const auto now = std::chrono::steady_clock::now();
  if (now - state.swept > kRemembered) state.sweep(now);
  if (!state.is_contended(file, now)) return;
  File& its = state.files.at(file);
  Pages now_read;
  now_read.surely.add(offset, length);
  for (const auto& dropping : its.dropping) {
    const auto both = dropping.covers.within(offset, length);
    both.each([&](std::uint64_t at, std::uint64_t size) { now_read.perhaps.add(at, size); });
  }
  now_read.surely.take_out(now_read.perhaps);
  its.read.perhaps.take_out(now_read.surely);
  now_read.surely.each([&](std::uint64_t at, std::uint64_t size) { its.read.surely.add(at, size); });
  now_read.perhaps.each([&](std::uint64_t at, std::uint64_t size) { its.read.perhaps.add(at, size); });
}

void ContendedFiles::written(NodeId file, std::uint64_t offset, std::uint64_t length, const Drop& drop) {
  const auto state = state_;
  if (!state->any || length == 0) return;
  const auto begun = std::chrono::steady_clock::now();
  for (int i = 0; i < kDrops; ++i) {
    Pages read;
    {
      Lock lock(state->mutex);
      if (!state->is_contended(file, std::chrono::steady_clock::now())) return;
      read = state->files.at(file).read.within(offset, length);
    }
    // those that somebody else drops at this moment are waited for as well
    if (!read.empty()) drop_for_write(state, file, read, drop);
    Lock lock(state->mutex);
    const auto is_over = [&](PageRanges Pages::*which) {
      return [&, which]() PFS_REQUIRES(state->mutex) { return !state->is_dropping(file, offset, length, which); };
    };
    if (!state->wait(begun + kLongestWait, is_over(&Pages::surely)) || !state->wait(begun + kMoment, is_over(&Pages::perhaps))) return;
    if (read.empty()) return;
  }
}

void ContendedFiles::drop_for_write(const std::shared_ptr<State>& state, NodeId file, const Pages& read, const Drop& drop) {
  const auto drop_each = [&](PageRanges Pages::*which) {
    (read.*which).each([&](std::uint64_t at, std::uint64_t size) {
      std::uint64_t number = 0;
      {
        Lock lock(state->mutex);
        Pages these;
        (these.*which).add(at, size);
        number = state->begins(file, these.*which, these);
      }
      drop(at, size, [state, file, number] { state->ends(file, number); });
    });
  };
  drop_each(&Pages::surely);
  drop_each(&Pages::perhaps);
}

void ContendedFiles::State::sweep(Time now) {
  swept = now;
  std::erase_if(files, [&](const auto& each) { return each.second.dropping.empty() && now - each.second.changed > kRemembered; });
  any = !files.empty();
}

bool ContendedFiles::State::is_contended(NodeId file, Time now) const {
  const auto found = files.find(file);
  return found != files.end() && now - found->second.changed < kRemembered;
}

std::uint64_t ContendedFiles::State::begins(NodeId file, PageRanges covers, Pages read) {
  File& its = files[file];
  its.read.take_out(read);
  its.dropping.push_front({next_number, std::move(covers), std::move(read)});
  return next_number++;
}

void ContendedFiles::State::ends(NodeId file, std::uint64_t number) {
  Lock lock(mutex);
  files[file].dropping.remove_if([&](const Dropping& dropping) { return dropping.number == number; });
  drop_ended.notify_all();
}

bool ContendedFiles::State::wait(Time deadline, const std::function<bool()>& is_over) {
  while (!is_over()) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0 || !drop_ended.wait_for(mutex, left)) return is_over();
  }
  return true;
}

bool ContendedFiles::State::is_under_way(NodeId file, std::uint64_t number) const {
  const auto found = files.find(file);
  if (found == files.end()) return false;
  const auto& all = found->second.dropping;
  return std::any_of(all.begin(), all.end(), [&](const Dropping& dropping) { return dropping.number == number; });
}

bool ContendedFiles::State::is_dropping(NodeId file, std::uint64_t offset, std::uint64_t length, PageRanges Pages::*which) const {
  const auto found = files.find(file);
  if (found == files.end()) return false;
  const auto& all = found->second.dropping;
  return std::any_of(all.begin(), all.end(), [&](const Dropping& dropping) { return !(dropping.read.*which).within(offset, length).empty(); });
}

}  // namespace pfs::fs
