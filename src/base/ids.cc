#include "base/ids.h"

#include <sys/random.h>

#include <cerrno>
#include <cstdlib>

namespace pfs {

namespace {

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

}  // namespace

std::string to_hex(std::string_view bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (char c : bytes) {
    auto byte = static_cast<unsigned char>(c);
    text.push_back(kDigits[byte >> 4U]);
    text.push_back(kDigits[byte & 15U]);
  }
  return text;
}

Result<std::string> bytes_from_hex(std::string_view text) {
  if (text.size() % 2 != 0) return Error{Code::kInvalid, "an odd number of hex digits"};
  std::string raw;
  raw.reserve(text.size() / 2);
  for (std::size_t i = 0; i < text.size(); i += 2) {
    int high = hex_value(text[i]);
    int low = hex_value(text[i + 1]);
    if (high < 0 || low < 0) {
      return Error{Code::kInvalid, "'" + std::string(text) + "' has a character that is no lower-case hex digit"};
    }
    raw.push_back(static_cast<char>(high * 16 + low));
  }
  return raw;
}

std::array<std::uint8_t, 16> random_bytes_16() {
  std::array<std::uint8_t, 16> bytes{};
  std::size_t done = 0;
  while (done < bytes.size()) {
    ssize_t got = ::getrandom(bytes.data() + done, bytes.size() - done, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) std::abort();  // no kernel that pfs runs on lacks it
    done += static_cast<std::size_t>(got);
  }
  return bytes;
}

CommitId new_commit_id() { return CommitId(random_bytes_16()); }

}  // namespace pfs
