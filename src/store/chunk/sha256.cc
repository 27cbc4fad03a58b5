#include "store/chunk/sha256.h"

#include <openssl/evp.h>

#include <cstdlib>

namespace pfs::store {

void Sha256::Free::operator()(evp_md_ctx_st* context) const { EVP_MD_CTX_free(context); }

Sha256::Sha256() : context_(EVP_MD_CTX_new()) {
  // fetched once: looking the algorithm up costs more than hashing a small node
  static EVP_MD* const algorithm = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  if (!context_ || EVP_DigestInit_ex(context_.get(), algorithm, nullptr) != 1) std::abort();  // out of memory
}

Sha256::Sha256(const Sha256& other) : context_(EVP_MD_CTX_new()) {
  if (!context_ || EVP_MD_CTX_copy_ex(context_.get(), other.context_.get()) != 1) std::abort();  // out of memory
}

Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

Sha256& Sha256::add(std::string_view bytes) {
  EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size());
  return *this;
}

Digest Sha256::finish() {
  Digest digest;
  unsigned size = 0;
  EVP_DigestFinal_ex(context_.get(), digest.array().data(), &size);
  EVP_DigestInit_ex(context_.get(), nullptr, nullptr);
  return digest;
}

Digest sha256(std::string_view bytes) {
  thread_local Sha256 hasher;
  return hasher.add(bytes).finish();
}

Digest sha256_tagged(std::string_view tag, std::string_view bytes) {
  thread_local Sha256 hasher;
  return hasher.add(tag).add(std::string_view("\0", 1)).add(bytes).finish();
}

}  // namespace pfs::store
