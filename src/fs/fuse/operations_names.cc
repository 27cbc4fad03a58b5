#include <sys/stat.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "fs/fuse/operations.h"
#include "fs/fuse/reply.h"
#include "fs/fuse/session_context.h"

namespace pfs::fs {

namespace {

// The kernel's two forms of a listed name, without the name's bytes. Source: linux/fuse.h,
// FUSE_NAME_OFFSET.
constexpr std::size_t kSmallestEntry = 32;
constexpr std::size_t kSmallestEntryPlus = 160;

void op_lookup(fuse_req_t request, fuse_ino_t parent, const char* name) {
  answer_later(request, "lookup", [&](Vfs& vfs, std::shared_ptr<Reply> reply) {
    vfs.lookup(caller_of(request), node_of(request, parent), name, [reply](const Result<NameReply>& found) {
      reply->result(found, [&](const NameReply& entry) { reply->name(entry); });
    });
  });
}

void forgotten(fuse_req_t request, fuse_ino_t node, std::uint64_t count) {
  if (node == FUSE_ROOT_ID) return;  // stays as long as the mount does
  SessionContext& context = context_of(request);
  if (!context.cached) context.held.forgot(node_of(request, node), count);
  context.vfs->forget(node_of(request, node), count);
}

void op_forget(fuse_req_t request, fuse_ino_t node, std::uint64_t count) {
  forgotten(request, node, count);
  fuse_reply_none(request);
}

void op_forget_multi(fuse_req_t request, std::size_t count, fuse_forget_data* forgets) {
  for (std::size_t i = 0; i < count; ++i) forgotten(request, forgets[i].ino, forgets[i].nlookup);
  fuse_reply_none(request);
}

void op_readlink(fuse_req_t request, fuse_ino_t node) {
  answer(request, "readlink", [&](Vfs& vfs, Reply& reply) {
    reply.result(vfs.read_link(node_of(request, node)),
                 [&](const std::string& body) { reply.link_body(body); });
  });
}

void op_opendir(fuse_req_t request, fuse_ino_t node, fuse_file_info* info) {
  answer(request, "opendir", [&](Vfs& vfs, Reply& reply) {
    reply.result(vfs.open_directory(node_of(request, node)),
                 [&](const OpenReply& opened) { reply.opened(opened, *info); });
  });
}

// What a name is without a node. The number is never 0: readdir(3) takes that for a deleted entry.
struct stat listed_stat(Vfs& vfs, HandleId directory, const Listing::Name& name) {
  NodeStat listed;
  listed.number =
      vfs.number_at_first_sight(directory, name).value_or(InodeNumber(~std::uint64_t{0}));
  listed.stat.attributes.kind = name.kind;
  return to_stat(listed);
}

void op_readdir(fuse_req_t request, fuse_ino_t, std::size_t size, off_t offset,
                fuse_file_info* info) {
  answer(request, "readdir", [&](Vfs& vfs, Reply& reply) {
    const HandleId handle(info->fh);
    auto names = vfs.list(handle, static_cast<std::uint64_t>(offset), size / kSmallestEntry);
    if (!names) return reply.error(names.error());
    std::string page(size, '\0');
    std::size_t used = 0;
    for (const auto& name : *names) {
      const struct stat attributes = listed_stat(vfs, handle, name);
      const std::size_t needed =
          fuse_add_direntry(request, page.data() + used, size - used, name.name.c_str(),
                            &attributes, static_cast<off_t>(name.next_offset));
      if (needed > size - used) break;
      used += needed;
    }
    reply.bytes({page.data(), used});
  });
}

// A name's entry, with one lookup counted; without one (and the kernel will look it up itself)
// where there is no node to give: the dots, and names of a directory that is open but no longer
// where it was.
fuse_entry_param entry_of(fuse_req_t request, const Caller& caller, NodeId directory, HandleId handle,
                          const Listing::Name& name) {
  Vfs& vfs = vfs_of(request);
  if (name.name != "." && name.name != "..") {
    if (auto found = vfs.lookup(caller, directory, name.name); found && found->node)
      return to_entry(context_of(request), *found);
  }
  fuse_entry_param entry{};
  entry.attr = listed_stat(vfs, handle, name);
  return entry;
}

void op_readdirplus(fuse_req_t request, fuse_ino_t node, std::size_t size, off_t offset,
                    fuse_file_info* info) {
  answer(request, "readdirplus", [&](Vfs& vfs, Reply& reply) {
    const HandleId handle(info->fh);
    auto names = vfs.list(handle, static_cast<std::uint64_t>(offset), size / kSmallestEntryPlus);
    if (!names) return reply.error(names.error());
    const Caller caller = caller_of(request);
    const NodeId directory = node_of(request, node);
    std::string page(size, '\0');
    std::size_t used = 0;
    for (const auto& name : *names) {
      // before the lookup, which the kernel would never forget if the name did not fit
      const std::size_t needed =
          fuse_add_direntry_plus(request, nullptr, 0, name.name.c_str(), nullptr, 0);
      if (needed > size - used) break;
      const fuse_entry_param entry = entry_of(request, caller, directory, handle, name);
      used += fuse_add_direntry_plus(request, page.data() + used, size - used, name.name.c_str(),
                                     &entry, static_cast<off_t>(name.next_offset));
    }
    reply.bytes({page.data(), used});
  });
}

void op_releasedir(fuse_req_t request, fuse_ino_t, fuse_file_info* info) {
  answer(request, "releasedir", [&](Vfs&, Reply& reply) {
    released(request, HandleId(info->fh));
    reply.ok();
  });
}

}  // namespace

void add_name_operations(fuse_lowlevel_ops& ops) {
  ops.lookup = op_lookup;
  ops.forget = op_forget;
  ops.forget_multi = op_forget_multi;
  ops.readlink = op_readlink;
  ops.opendir = op_opendir;
  ops.readdir = op_readdir;
  ops.readdirplus = op_readdirplus;
  ops.releasedir = op_releasedir;
}

}  // namespace pfs::fs
