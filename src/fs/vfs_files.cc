#include <algorithm>
#include <cstring>
#include <utility>

#include <fmt/format.h>

#include "base/file.h"
#include "fs/vfs.h"

namespace pfs::fs {

namespace {

// the answer to the kernel is a signed 32 bit number in effect; whole pages keep the next call
// aligned
constexpr std::uint64_t kZeros = std::uint64_t{1} << 20;
// A page that is locked by the very write that waits for us holds nothing old: no longer than that.
constexpr std::chrono::milliseconds kStalePage{100};
constexpr std::size_t kMaxCopy = (std::size_t{1} << 31) - 4096;

std::optional<std::uint64_t> seek_data_alone(std::uint64_t size, std::uint64_t offset, store::Seek wanted) {
  if (offset >= size) return std::nullopt;
  return wanted == store::Seek::kData ? offset : size;
}

}  // namespace

OpenReply Vfs::add_handle(const Caller& caller, const InodePtr& inode, OpenMode mode, std::string text) {
  OpenReply reply;
  reply.direct = !inode->is_stored();
  // a node's content never changes behind the kernel: what comes from elsewhere is another node
  reply.keep_pages = inode->is_stored();
  reply.immutable = is_immutable(*inode);
  reply.flush = mode.write && inode->is_stored();
  reply.handle = handles_.add(Handle{inode, mode.read, mode.write, caller.uncached, std::move(text), nullptr});
  return reply;
}

Result<OpenReply> Vfs::open(const Caller& caller, NodeId node, OpenMode mode) {
  PFS_TRY_ASSIGN(auto inode, inodes_.find(node));
  const Role role = inode->what.role;
  if (role == Role::kCommitFile || role == Role::kLogFile) {
    if (mode.write && role == Role::kLogFile)
      return Error{Code::kDenied, where(*inode) + ": is only read"};
    if (mode.write) PFS_TRY(check_may_write(caller, inode->what.branch));
    std::string text;
    if (mode.read) {
      PFS_TRY_ASSIGN(text, control_text(*inode));
    }
    return add_handle(caller, inode, mode, std::move(text));
  }
  if (!inode->is_stored()) return Error{Code::kInvalid, where(*inode) + ": not a file"};
  if (is_orphan(*inode)) return Error{Code::kStale, "a file of a branch that points elsewhere now"};
  if (mode.write || mode.truncate) PFS_TRY(check_changeable(*inode));
  return open_stored(caller, inode, mode);
}

Result<OpenReply> Vfs::open_stored(const Caller& caller, const InodePtr& inode, OpenMode mode) {
  if (mode.truncate) {
    clear_privileges(caller, *inode);
    store::AttributeChange empty;
    empty.size = 0;
    auto cut = change_content(caller, *inode, 0, 0, [&]() -> Result<void> {
      PFS_TRY(trees_.set_attributes(inode->what.node, empty));
      return {};
    });
    kernel_drops_pages(caller, *inode);
    if (!cut) return std::move(cut).error().within(where(*inode));
  }
  if (mode.write) trees_.opened_for_write(inode->what.node, caller.pid);
  return add_handle(caller, inode, mode, {});
}

Result<Vfs::Created> Vfs::create(const Caller& caller, NodeId directory, std::string_view name,
                                 const store::MakeRequest& asked, OpenMode mode) {
  PFS_TRY_ASSIGN(auto target, directory_for_change(directory, name));
  store::MakeRequest request = asked;
  made_by(caller, request);
  // A file that was made behind the kernel's back since it has looked is not of the caller's making, and its mode counts: the
  // kernel asks again, and opens what it finds. Source: do_filp_open() in fs/namei.c.
  request.exclusive = true;
  auto node = make_stored(target, name, std::move(request));
  if (!node && node.error().code == Code::kExists && !asked.exclusive) {
    return Error{Code::kStale, where(*target.inode, name) + ": was made meanwhile"};
  }
  if (!node) return std::move(node).error();
  forget_name(caller, directory, name);
  Created created;
  PFS_TRY_ASSIGN(created.name, remember_made(target, name, *std::move(node)));
  auto opened = inodes_.find(created.name.node).and_then([&](const InodePtr& inode) {
    return open_stored(caller, inode, mode);
  });
  if (!opened) {
    inodes_.forget(created.name.node, 1);
    return std::move(opened).error();
  }
  created.open = *opened;
  return created;
}

Result<std::size_t> Vfs::read(const Caller& caller, HandleId id, std::uint64_t offset, std::span<std::byte> out) {
  PFS_TRY_ASSIGN(auto handle, handles_.find(id));
  if (handle->inode->is_stored()) {
    if (!caller.uncached) contended_files_.reading(handle->inode->id, offset, out.size());
    auto got = trees_.read(handle->inode->what.node, offset, out);
    if (!got) return std::move(got).error().within(where(*handle->inode));
    if (const auto& context = *handle->inode->what.context; context.ownership) context.traffic.read(*got);
    return got;
  }
  const std::string& text = handle->text;
  if (offset >= text.size()) return std::size_t{0};
  const std::size_t size = std::min(out.size(), text.size() - static_cast<std::size_t>(offset));
  std::memcpy(out.data(), text.data() + offset, size);
  return size;
}

void Vfs::write(const Caller& caller, HandleId id, std::uint64_t offset,
                std::span<const std::byte> bytes, WriteMode mode, Done<std::size_t> done) {
  auto handle = handles_.find(id);
  if (!handle) return done(std::move(handle).error());
  Inode& inode = *(*handle)->inode;
  if (inode.what.role == Role::kCommitFile) {
    return finish_by_message(caller, inode.what.branch, as_text(bytes), std::move(done));
  }
  if (!inode.is_stored()) return done(Error{Code::kInvalid, where(inode) + ": is only read"});
  done(write_stored(caller, inode, offset, bytes, mode));
}

Result<std::size_t> Vfs::write_stored(const Caller& caller, Inode& inode, std::uint64_t offset,
                                      std::span<const std::byte> bytes, WriteMode mode) {
  const TreeContext& context = *inode.what.context;
  if (!mode.from_cache) clear_privileges(caller, inode);
  auto written = mode.from_cache  ? write_pages(inode, offset, bytes)
                 : mode.append ? append_bytes(caller, inode, offset, bytes)
                               : write_bytes(caller, inode, offset, bytes);
  if (!written) {
    context.refused(written.error());
    return std::move(written).error().within(where(inode));
  }
  if (context.ownership) context.traffic.written(bytes.size());
  if (!mode.from_cache) correct_pages(caller, inode.id, offset, bytes.size());
  return bytes.size();
}

// Of a shared mapping. They may be from before another mount has cut the file, or written there, which it is told.
Result<void> Vfs::write_pages(const Inode& inode, std::uint64_t offset, std::span<const std::byte> bytes) {
  const auto& node = inode.what.node;
  if (has_uncached()) {
    PFS_TRY_ASSIGN(const auto stat, trees_.stat(node));
    bytes = bytes.first(static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size(), stat.size - std::min(stat.size, offset))));
  }
  PFS_TRY(trees_.write(node, offset, bytes));
  changes_under_way_.overwritten(inode.id, offset, bytes.size());
  return {};
}

Result<void> Vfs::write_bytes(const Caller& caller, const Inode& inode, std::uint64_t offset, std::span<const std::byte> bytes) {
  return change_content(caller, inode, offset, bytes.size(), [&]() -> Result<void> { return trees_.write(inode.what.node, offset, bytes); });
}

Result<void> Vfs::append_bytes(const Caller& caller, const Inode& inode, std::uint64_t offset, std::span<const std::byte> bytes) {
  std::optional<std::uint64_t> at;
  // repeated, it is at the same place
  PFS_TRY(change_content(caller, inode, offset, 0, [&]() -> Result<void> {
    if (at) return trees_.write(inode.what.node, *at, bytes);
    PFS_TRY_ASSIGN(at, trees_.append(inode.what.node, bytes));
    return {};
  }));
  // the end that the kernel knows, where it has put the bytes into its page, is an old one
  if (*at != offset && !caller.uncached) caches_.drop_range_now(inode.id, offset, bytes.size(), kStalePage);
  return {};
}

Result<std::size_t> Vfs::copy_range(const Caller& caller, HandleId source, std::uint64_t source_offset, HandleId target,
                                    std::uint64_t target_offset, std::size_t length) {
  PFS_TRY_ASSIGN(auto from, handles_.find(source));
  PFS_TRY_ASSIGN(auto to, handles_.find(target));
  if (!from->inode->is_stored() || !to->inode->is_stored()) {
    return Error{Code::kInvalid, "a control file is not copied by reference"};
  }
  write_back_before(caller, *from->inode);
  clear_privileges(caller, *to->inode);
  std::uint64_t copied = 0;
  auto done = change_content(caller, *to->inode, target_offset, length, [&]() -> Result<void> {
    PFS_TRY_ASSIGN(copied, trees_.copy_range(from->inode->what.node, source_offset, to->inode->what.node,
                                             target_offset, std::min(length, kMaxCopy)));
    return {};
  });
  kernel_drops_pages(caller, *to->inode);
  if (!done) {
    to->inode->what.context->refused(done.error());
    return std::move(done).error().within(where(*to->inode));
  }
  return static_cast<std::size_t>(copied);
}

Result<void> Vfs::allocate(const Caller& caller, HandleId id, AllocateMode mode,
                           std::uint64_t offset, std::uint64_t length) {
  PFS_TRY_ASSIGN(auto handle, handles_.find(id));
  Inode& inode = *handle->inode;
  if (!handle->writes_content())
    return Error{Code::kInvalid, where(inode) + ": not open for writing"};
  auto allocated = change_content(caller, inode, 0, 0, [&] { return allocate_stored(caller, inode, mode, offset, length); });
  kernel_drops_pages(caller, inode);
  if (!allocated) inode.what.context->refused(allocated.error());
  return allocated;
}

Result<void> Vfs::allocate_stored(const Caller& caller, Inode& inode, AllocateMode mode, std::uint64_t offset,
                                  std::uint64_t length) {
  const auto& node = inode.what.node;
  PFS_TRY_ASSIGN(const auto stat, trees_.stat(node));
  const std::uint64_t end = offset + length;
  clear_privileges(caller, inode);
  if (mode.zero) {
    const std::vector<std::byte> zeros(
        static_cast<std::size_t>(std::min<std::uint64_t>(length, kZeros)));
    const std::uint64_t last = std::min(end, stat.size);
    for (std::uint64_t at = offset; at < last; at += zeros.size()) {
      const auto part = static_cast<std::size_t>(std::min<std::uint64_t>(zeros.size(), last - at));
      auto written = trees_.write(node, at, std::span(zeros).first(part));
      if (!written) return std::move(written).error().within(where(inode));
    }
  } else {
    PFS_TRY_ASSIGN(const auto space, store_.space());
    if (end > stat.size && end - stat.size > space.free_bytes) {
      return Error{Code::kNoSpace, fmt::format("{}: no room for {} bytes more", where(inode),
                                               end - stat.size)};
    }
  }
  if (mode.keep_size || end <= stat.size) return {};
  store::AttributeChange longer;
  longer.size = end;
  if (auto changed = trees_.set_attributes(node, longer); !changed)
    return std::move(changed).error().within(where(inode));
  return {};
}

// The kernel asks without looking at the pages that it has. Of a file that may be mapped shared they are written first; where
// that takes too long, all of the file counts as data.
void Vfs::seek(HandleId id, std::uint64_t offset, store::Seek wanted, Done<std::optional<std::uint64_t>> done) {
  auto handle = handles_.find(id);
  if (!handle) return done(std::move(handle).error());
  const InodePtr inode = (*handle)->inode;
  if (!inode->is_stored()) return done(seek_data_alone((*handle)->text.size(), offset, wanted));
  const auto mappable = handles_.mappable();
  if (std::find(mappable.begin(), mappable.end(), inode) == mappable.end()) {
    return done(seek_stored(*inode, offset, wanted));
  }
  parking_.post([this, inode, offset, wanted, done = std::move(done)] {
    if (write_back_now({inode->id})) return done(seek_stored(*inode, offset, wanted));
    const auto stat = trees_.stat(inode->what.node);
    if (!stat) return done(stat.error());
    done(seek_data_alone(stat->size, offset, wanted));
  });
}

Result<std::optional<std::uint64_t>> Vfs::seek_stored(const Inode& inode, std::uint64_t offset, store::Seek wanted) {
  auto found = trees_.seek(inode.what.node, offset, wanted);
  if (!found) return std::move(found).error().within(where(inode));
  return found;
}

Result<void> Vfs::sync(HandleId id) {
  PFS_TRY_ASSIGN(auto handle, handles_.find(id));
  if (!handle->inode->is_stored()) return {};
  return trees_.sync(handle->inode->what.node);
}

void Vfs::release(HandleId id) {
  const HandlePtr handle = handles_.remove(id);
  if (handle && handle->writes_content()) trees_.released_for_write(handle->inode->what.node);
}

}  // namespace pfs::fs
