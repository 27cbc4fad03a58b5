#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// What pfsd and the worker inside a container say to each other over their socket. Both are of one build, but the
/// hello carries a number all the same. Nothing of ours is included here: the worker links statically and stays small.
///
/// A frame: u32 length of what follows the header, u8 type, then the fields. Integers are big endian, a string is a u32
/// length and its bytes, a list a u32 count and its strings.
namespace pfs::trigger::worker {

inline constexpr std::uint32_t kProtocol = 1;
inline constexpr std::size_t kHeaderBytes = 5;
/// More than the command line, environment and standard input of any sane spec.
inline constexpr std::uint32_t kMaxFrameBytes = 16u << 20;

enum class FrameType : std::uint8_t {
  kRun = 1,      ///< to the worker: list cmd, string stdin, list NAME=value, string working directory (empty: as it is)
  kHello = 64,   ///< from the worker, once: u32 protocol
  kOutput = 65,  ///< from the worker: string, a piece of standard output and error as it came
  kEnded = 66,   ///< from the worker: u32 End, u32 exit status, signal or errno, string why (kNotStarted)
};

/// How a command ended. By then nothing that it started is left.
enum class End : std::uint32_t { kExited = 0, kSignalled = 1, kNotStarted = 2 };

struct CommandRequest {
  std::vector<std::string> arguments;
  std::string input;                     ///< its standard input
  std::vector<std::string> environment;  ///< NAME=value, over the worker's own
  std::string directory;                 ///< empty: the worker's own
};

struct CommandEnd {
  End how = End::kExited;
  std::uint32_t code = 0;
  std::string why;
};

/// Builds a frame.
class FrameWriter {
 public:
  explicit FrameWriter(FrameType type) : bytes_(4, '\0') { bytes_ += static_cast<char>(type); }

  FrameWriter& number(std::uint32_t value) {
    for (int shift = 24; shift >= 0; shift -= 8) bytes_ += static_cast<char>(value >> shift);
    return *this;
  }
  FrameWriter& string(std::string_view value) {
    number(static_cast<std::uint32_t>(value.size()));
    bytes_ += value;
    return *this;
  }
  FrameWriter& list(const std::vector<std::string>& values) {
    number(static_cast<std::uint32_t>(values.size()));
    for (const auto& value : values) string(value);
    return *this;
  }
  /// The whole frame, its length filled in.
  std::string finish() {
    const auto length = static_cast<std::uint32_t>(bytes_.size() - kHeaderBytes);
    for (std::size_t i = 0; i < 4; ++i) bytes_[i] = static_cast<char>(length >> (24 - 8 * i));
    return std::move(bytes_);
  }

 private:
  std::string bytes_;
};

/// Reads the fields of a frame; after the first that does not fit every field is empty and `ok()` false.
class FrameReader {
 public:
  explicit FrameReader(std::string_view fields) : rest_(fields) {}

  std::uint32_t number() {
    const std::string_view raw = take(4);
    std::uint32_t value = 0;
    for (const char c : raw) value = (value << 8) | static_cast<unsigned char>(c);
    return value;
  }
  std::string string() { return std::string(take(number())); }
  std::vector<std::string> list() {
    std::vector<std::string> values;
    for (std::uint32_t count = number(); count > 0 && ok_; --count) values.push_back(string());
    return values;
  }
  bool ok() const { return ok_; }

 private:
  std::string_view take(std::size_t size) {
    if (size > rest_.size()) {
      ok_ = false;
      rest_ = {};
      return {};
    }
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }

  std::string_view rest_;
  bool ok_ = true;
};

struct Frame {
  FrameType type;
  std::string fields;
};

/// Collects bytes from a socket and cuts them into frames.
class FrameBuffer {
 public:
  void append(std::string_view bytes) { bytes_ += bytes; }
  /// The next whole frame, or nullopt when more bytes are needed.
  std::optional<Frame> next() {
    if (bytes_.size() < kHeaderBytes || oversized()) return std::nullopt;
    const std::size_t length = FrameReader(std::string_view(bytes_).substr(0, 4)).number();
    if (bytes_.size() < kHeaderBytes + length) return std::nullopt;
    Frame frame{static_cast<FrameType>(bytes_[4]), bytes_.substr(kHeaderBytes, length)};
    bytes_.erase(0, kHeaderBytes + length);
    return frame;
  }
  /// The other side announced more than any frame may have; the connection is of no use any more.
  bool oversized() const {
    return bytes_.size() >= 4 && FrameReader(std::string_view(bytes_).substr(0, 4)).number() > kMaxFrameBytes;
  }

 private:
  std::string bytes_;
};

}  // namespace pfs::trigger::worker
