#include "cli/local_sender.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include <fmt/format.h>
#include <boost/filesystem/directory.hpp>
#include <boost/filesystem/operations.hpp>

#include "base/file.h"
#include "cli/url_source.h"

namespace pfs::cli {
namespace {

namespace fs = boost::filesystem;

constexpr std::size_t kReadBytes = 1 << 20;
constexpr std::uint32_t kPermissionBits = 0777;
constexpr std::size_t kMaxFailuresTold = 20;

}  // namespace

client::Upload::Attributes attributes_of(const struct stat& found) {
  const auto& time = found.st_mtim;
  return {found.st_mode & kPermissionBits,
          Timestamp{std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec}};
}

LocalSender::LocalSender(client::Upload& upload, Options options, Progress& progress)
    : upload_(upload),
      options_(options),
      progress_(progress),
      buffer_(kReadBytes, '\0') {}

Result<void> LocalSender::outcome() const {
  if (failures_.empty()) return {};
  if (failures_.size() == 1) return failures_.front();
  auto message = fmt::format("{} sources cannot be read; nothing was changed", failures_.size());
  for (std::size_t i = 0; i < failures_.size() && i < kMaxFailuresTold; ++i)
    message += "\n  " + failures_[i].message;
  if (failures_.size() > kMaxFailuresTold)
    message += fmt::format("\n  and {} more", failures_.size() - kMaxFailuresTold);
  return Error{failures_.front().code, std::move(message)};
}

Result<void> LocalSender::send(const std::string& source, const RepoPath& target) {
  if (source == "-") return send_open(STDIN_FILENO, "stdin", target, {});
  if (is_url(source)) return send_url(source, target);
  struct stat found {};
  if (stat(source.c_str(), &found) != 0) {
    fail(error_from_errno(errno, source));
    return {};
  }
  if (S_ISFIFO(found.st_mode)) {
    // without a writer yet it reads as empty; one that is named is waited for, but not in vain
    return failures_.empty() ? open_and_send(source, target, 0) : Result<void>();
  }
  if (!S_ISDIR(found.st_mode)) return send_file(source, target);
  if (options_.recursive) return send_directory(source, target);
  fail({Code::kIsDirectory, fmt::format("{}: is a directory; put it with -r", source)});
  return {};
}

Result<void> LocalSender::send_file(const std::string& source, const RepoPath& target) {
  // a device, or what has become a fifo since it was looked at, must not stop us here
  return open_and_send(source, target, O_NONBLOCK);
}

Result<void> LocalSender::open_and_send(const std::string& source, const RepoPath& target,
                                        int flags) {
  auto file = File::open(source, O_RDONLY | flags);
  struct stat found {};
  if (!file) {
    fail(std::move(file).error());
    return {};
  }
  if (fstat(file->fd(), &found) != 0 || fcntl(file->fd(), F_SETFL, 0) != 0) {
    fail(error_from_errno(errno, source));
    return {};
  }
  if (S_ISREG(found.st_mode) && !options_.counted) progress_.expect(static_cast<std::uint64_t>(found.st_size));
  return send_open(file->fd(), source, target, attributes_of(found));
}

Result<void> LocalSender::send_open(int fd, const std::string& source, const RepoPath& target,
                                    const client::Upload::Attributes& attributes) {
  return stream(target, attributes, source, [&](const Data& data) -> Result<void> {
    while (true) {
      const auto got = read(fd, buffer_.data(), buffer_.size());
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return error_from_errno(errno, "read " + source);
      if (got == 0) return {};
      PFS_TRY(data(std::string_view(buffer_.data(), static_cast<std::size_t>(got))));
    }
  });
}

Result<void> LocalSender::send_url(const std::string& url, const RepoPath& target) {
  return stream(target, {}, url, [&url](const Data& data) { return read_url(url, data); });
}

Result<void> LocalSender::stream(const RepoPath& target,
                                 const client::Upload::Attributes& attributes,
                                 const std::string& source,
                                 const std::function<Result<void>(const Data&)>& read) {
  if (!failures_.empty()) return {};  // nothing will come of it: looked at only
  Result<void> done;
  if (options_.split) {
    auto number = options_.first_split;
    PFS_TRY(upload_.directory(target, {0755, std::nullopt}));
    Splitter splitter(
        *options_.split,
        [&] {
          auto begun = upload_.begin_file(target.joined(split_name(number++)), attributes);
          upload_failed_ = !begun;
          return begun;
        },
        [this](std::string_view bytes) { return pass_on(bytes); });
    done = read([&](std::string_view bytes) { return splitter.add(bytes); });
    if (done) done = splitter.finish();
    if (!done && !upload_failed_) done = std::move(done).error().within(source);
  } else {
    PFS_TRY(upload_.begin_file(target, attributes));
    done = read([this](std::string_view bytes) { return pass_on(bytes); });
  }
  if (done || upload_failed_) return done;
  fail(std::move(done).error());
  return {};
}

Result<void> LocalSender::pass_on(std::string_view bytes) {
  auto sent = upload_.data(bytes);
  progress_.add(bytes.size());
  upload_failed_ = !sent;
  return sent;
}

Result<void> LocalSender::send_directory(const std::string& source, const RepoPath& target) {
  struct stat found {};
  if (stat(source.c_str(), &found) != 0) {
    fail(error_from_errno(errno, source));
    return {};
  }
  const bool send_itself = !target.is_root() && failures_.empty();
  if (send_itself) PFS_TRY(upload_.directory(target, attributes_of(found)));
  boost::system::error_code error;
  fs::directory_iterator entries(source, error);
  while (!error && entries != fs::directory_iterator()) {
    const auto name = entries->path().filename().native();
    PFS_TRY(send_entry(entries->path().native(), target.joined(name)));
    entries.increment(error);
  }
  if (error) fail(error_from_errno(error.value(), source));
  // once more, as what came into it has changed its time
  if (send_itself) PFS_TRY(upload_.directory(target, attributes_of(found)));
  return {};
}

Result<void> LocalSender::send_entry(const std::string& source, const RepoPath& target) {
  struct stat found {};
  if (lstat(source.c_str(), &found) != 0) {
    fail(error_from_errno(errno, source));
    return {};
  }
  if (S_ISREG(found.st_mode)) return send_file(source, target);
  if (S_ISDIR(found.st_mode)) return send_directory(source, target);
  if (S_ISLNK(found.st_mode)) return send_symlink(source, target);
  fmt::print(stderr, "{}: is no regular file, and is left out\n", printable(source));
  return {};
}

Result<void> LocalSender::send_symlink(const std::string& source, const RepoPath& target) {
  struct stat found {};
  boost::system::error_code error;
  const auto link = fs::read_symlink(source, error);
  if (error || lstat(source.c_str(), &found) != 0) {
    fail(error_from_errno(error ? error.value() : errno, source));
    return {};
  }
  if (!failures_.empty()) return {};
  return upload_.symlink(target, link.native(), attributes_of(found).modified);
}

}  // namespace pfs::cli
