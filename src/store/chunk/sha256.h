#pragma once

#include <memory>
#include <string_view>

#include "base/ids.h"

struct evp_md_ctx_st;

namespace pfs::store {

/// SHA-256 of bytes that come in pieces. Source: FIPS 180-4, by OpenSSL's EVP (the CPU's SHA instructions).
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256& other);  ///< goes on from the same bytes
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;

  Sha256& add(std::string_view bytes);
  /// The digest of everything added; the object is then as new.
  Digest finish();

 private:
  struct Free {
    void operator()(evp_md_ctx_st* context) const;
  };
  std::unique_ptr<evp_md_ctx_st, Free> context_;
};

Digest sha256(std::string_view bytes);
/// Domain separation: `tag` and a zero byte in front of the bytes, so that a file can never have a node's digest.
Digest sha256_tagged(std::string_view tag, std::string_view bytes);

}  // namespace pfs::store
