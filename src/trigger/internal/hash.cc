#include "trigger/internal/hash.h"

#include <openssl/evp.h>

#include "base/bug.h"

namespace pfs::trigger {

Digest sha256(std::string_view bytes) {
  Digest digest;
  if (EVP_Digest(bytes.data(), bytes.size(), digest.array().data(), nullptr, EVP_sha256(), nullptr) != 1) {
    PFS_BUG("SHA-256 of OpenSSL failed");
  }
  return digest;
}

}  // namespace pfs::trigger
