#include "trigger/internal/spec_image.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "base/names.h"
#include "trigger/internal/spec_reading.h"

namespace pfs::trigger {

namespace {

constexpr std::size_t kShownIdDigits = 12;
constexpr std::size_t kMaxImageName = 255;  // without tag and digest
constexpr std::size_t kMaxTag = 128;
constexpr std::string_view kDigits = "0123456789";
constexpr std::string_view kHexDigits = "0123456789abcdef";
constexpr std::string_view kLowerAndDigits = "abcdefghijklmnopqrstuvwxyz0123456789";

/// [registry[:port]/]path[:tag][@digest]. Source: the grammar of github.com/distribution/reference.
struct ImageName {
  std::string_view registry;
  std::string_view path;
  std::optional<std::string_view> tag;
  std::optional<std::string_view> digest;
};

/// Takes a name apart, whether the parts are what they should be or not.
ImageName parts_of(std::string_view image) {
  ImageName parts;
  if (const auto at = image.find('@'); at != image.npos) {
    parts.digest = image.substr(at + 1);
    image = image.substr(0, at);
  }
  const auto last = image.rfind('/') + 1;  // npos + 1 is 0
  if (const auto colon = image.find(':', last); colon != image.npos) {
    parts.tag = image.substr(colon + 1);
    image = image.substr(0, colon);
  }
  const std::string_view first = image.substr(0, image.find('/'));
  if (first.size() < image.size() && (first == "localhost" || first.find_first_of(".:") != first.npos)) {
    parts.registry = first;
    image.remove_prefix(first.size() + 1);
  }
  parts.path = image;
  return parts;
}

bool is_letter_or_digit(char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

bool is_all_of(std::string_view text, std::string_view characters) {
  return !text.empty() && text.find_first_not_of(characters) == text.npos;
}

/// The front of `text` up to `end`, which is taken off with it.
std::string_view take_up_to(std::string_view& text, char end) {
  const std::string_view front = text.substr(0, text.find(end));
  text.remove_prefix(std::min(front.size() + 1, text.size()));
  return front;
}

bool is_host_label(std::string_view text) {
  const auto is_known = [](char c) { return c == '-' || is_letter_or_digit(c); };
  return !text.empty() && text.front() != '-' && text.back() != '-' && std::all_of(text.begin(), text.end(), is_known);
}

/// A name or address, and perhaps a port.
bool is_registry(std::string_view text) {
  const auto port = text.starts_with('[') ? std::min(text.find(']'), text.size() - 1) + 1 : std::min(text.find(':'), text.size());
  if (port < text.size() && (text[port] != ':' || !is_all_of(text.substr(port + 1), kDigits))) return false;
  std::string_view host = text.substr(0, port);
  if (host.starts_with('[')) return host.ends_with(']') && is_all_of(host.substr(1, host.size() - 2), "0123456789abcdefABCDEF:");
  if (host.empty() || host.back() == '.') return false;
  while (!host.empty()) {
    if (!is_host_label(take_up_to(host, '.'))) return false;
  }
  return true;
}

/// Small letters and digits, and between them '.', '_', '__' or dashes.
bool is_path_component(std::string_view text) {
  while (true) {
    const auto word = std::min(text.find_first_not_of(kLowerAndDigits), text.size());
    if (word == 0) return false;
    text.remove_prefix(word);
    if (text.empty()) return true;
    const std::string_view between = text.substr(0, text.find_first_of(kLowerAndDigits));
    if (between != "." && between != "_" && between != "__" && !is_all_of(between, "-")) return false;
    text.remove_prefix(between.size());
  }
}

bool is_image_path(std::string_view text) {
  if (text.empty() || text.back() == '/') return false;
  while (!text.empty()) {
    if (!is_path_component(take_up_to(text, '/'))) return false;
  }
  return true;
}

bool is_tag(std::string_view text) {
  const auto may_begin = [](char c) { return c == '_' || is_letter_or_digit(c); };
  return !text.empty() && text.size() <= kMaxTag && may_begin(text.front()) &&
         std::all_of(text.begin(), text.end(), [&](char c) { return may_begin(c) || c == '.' || c == '-'; });
}

/// Source: the image specification of the Open Container Initiative, "Digests".
bool is_image_digest(std::string_view text) {
  constexpr std::array<std::pair<std::string_view, std::size_t>, 3> kAlgorithms{{{"sha256", 64}, {"sha384", 96}, {"sha512", 128}}};
  const std::string_view algorithm = take_up_to(text, ':');
  return std::any_of(kAlgorithms.begin(), kAlgorithms.end(), [&](const auto& known) {
    return algorithm == known.first && text.size() == known.second && is_all_of(text, kHexDigits);
  });
}

std::string in_small_letters(std::string_view text) {
  std::string small(text);
  for (char& c : small) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return small;
}

/// What keeps a text from being an image's name; empty where nothing does.
std::string trouble_with_image(std::string_view image) {
  const ImageName parts = parts_of(image);
  if (parts.digest && !is_image_digest(*parts.digest)) return "what follows '@' is sha256: and 64 of the digits 0-9 a-f";
  if (parts.tag && !is_tag(*parts.tag)) {
    return fmt::format("a tag is 1 to {} of the characters A-Z a-z 0-9 _ . - and begins with no '.' or '-'", kMaxTag);
  }
  if (!parts.registry.empty() && !is_registry(parts.registry)) {
    return fmt::format("'{}' is no registry, as registry.example.org:5000 is one", printable(parts.registry));
  }
  if (!is_image_path(parts.path)) {
    const std::string small = in_small_letters(parts.path);
    if (is_image_path(small)) return fmt::format("'{}' has capital letters; write '{}'", printable(parts.path), small);
    return "between '/' are a-z and 0-9, and between those '.', '_', '__' or '-'";
  }
  const auto length = parts.path.size() + (parts.registry.empty() ? 0 : parts.registry.size() + 1);
  return length > kMaxImageName ? fmt::format("it is longer than {} characters", kMaxImageName) : std::string();
}

/// An image's id, or as much of it as lists show.
bool is_image_id(std::string_view image) {
  return image.size() >= kShownIdDigits && is_all_of(image, kHexDigits);
}

}  // namespace

Result<void> check_image(const std::string& image) {
  const std::string trouble = trouble_with_image(image);
  if (trouble.empty()) return {};
  return invalid_field("transform.image", fmt::format("'{}' is no name of an image: {}", printable(image), trouble));
}

std::optional<std::string> image_note(const std::string& image) {
  if (image.find('@') != std::string::npos || is_image_id(image)) return std::nullopt;
  const std::string_view tag = parts_of(image).tag.value_or("");
  if (!tag.empty() && tag != "latest") return std::nullopt;
  return fmt::format("transform.image: '{}' has {}: what runs may change without the spec changing; name a version, or a digest",
                     printable(image), tag.empty() ? "no tag" : "the tag latest");
}

}  // namespace pfs::trigger
