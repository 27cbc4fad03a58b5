#pragma once

#define FUSE_USE_VERSION 314
#include <fuse_lowlevel.h>

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "fs/vfs.h"

namespace pfs::fs {

struct SessionContext;

/// The answer to one request of the kernel: given exactly once, on any thread; if nobody gave it,
/// the destructor answers EIO. Errors are logged here, once: what is missing at debug, a refusal at
/// info, damage at error.
///
/// Hold no lock while answering: an answer may be what lets the kernel drop the last reference to a
/// node.
class Reply {
 public:
  /// `operation` is a literal, for the log.
  Reply(fuse_req_t request, const char* operation);
  ~Reply();
  Reply(const Reply&) = delete;
  Reply& operator=(const Reply&) = delete;

  void error(const Error& error);
  void ok();
  void name(const NameReply& name);
  void created(const Vfs::Created& created, const fuse_file_info& asked);
  void stat(const NodeStat& stat);
  /// Attributes after a change of them.
  void changed(const NodeStat& stat);
  void opened(const OpenReply& opened, const fuse_file_info& asked);
  void link_body(const std::string& body);
  void bytes(std::string_view bytes);
  void count(std::size_t bytes);
  /// What lseek(2) has found; none: ENXIO.
  void place(std::optional<std::uint64_t> offset);
  void space(const store::Store::Space& space);
  /// An extended attribute or a list of names: `room` is 0 when only the size was asked for.
  void attribute(std::string_view value, std::size_t room);

  /// What a request gives when it is carried out, or its error.
  template <class T, class Give>
  void result(const Result<T>& result, Give&& give) {
    if (!result) return error(result.error());
    give(*result);
  }

 private:
  fuse_req_t take();
  /// What the kernel was not told of after all.
  void take_back(NodeId node);
  void take_back(HandleId handle);

  fuse_req_t request_;
  SessionContext& context_;
  const char* const operation_;
};

/// The mount that a request came by.
SessionContext& context_of(fuse_req_t request);
Vfs& vfs_of(fuse_req_t request);
/// The node that the kernel means, which calls the root of each mount the same.
NodeId node_of(fuse_req_t request, fuse_ino_t node);
Caller caller_of(fuse_req_t request);
/// The kernel has released it.
void released(fuse_req_t request, HandleId handle);

/// stat(2)'s structure. Shape: st_blocks as if nothing were sparse, so that cp copies by
/// copy_file_range and does not look for holes.
struct stat to_stat(const NodeStat& stat);
/// A name as the kernel of that mount is told of it; from then on it has one lookup more to forget.
fuse_entry_param to_entry(SessionContext& context, const NameReply& name);

/// Runs a handler that answers before it returns; an exception is a bug of ours, and ~Reply has
/// answered EIO by then.
template <class Body>
void answer(fuse_req_t request, const char* operation, Body&& body) noexcept;

/// Runs a handler that may answer later; whoever holds the reply last has answered.
template <class Body>
void answer_later(fuse_req_t request, const char* operation, Body&& body) noexcept;

void log_bug(const char* operation, const std::exception& e) noexcept;

template <class Body>
void answer(fuse_req_t request, const char* operation, Body&& body) noexcept {
  try {
    Reply reply(request, operation);
    body(vfs_of(request), reply);
  } catch (const std::exception& e) {
    log_bug(operation, e);
  }
}

template <class Body>
void answer_later(fuse_req_t request, const char* operation, Body&& body) noexcept {
  try {
    Vfs& vfs = vfs_of(request);
    body(vfs, std::make_shared<Reply>(request, operation));
  } catch (const std::exception& e) {
    log_bug(operation, e);
  }
}

}  // namespace pfs::fs
