#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "pfs/v1/transaction.pb.h"
#include "store/store.h"

namespace pfs::api {

/// What a change that a client asks for comes to in the store, as things are now. Some steps go
/// before the one that the request is named after: `main` is that one's place.
struct PlannedRequest {
  std::vector<store::RefStep> steps;
  std::size_t main = 0;
};

/// Shape: `before` are the requests of the same transaction, which have not been carried out.
/// Errors: kInvalid, kNameTooLong, kNotFound, kBusy.
Result<PlannedRequest> plan_request(store::Store& store, const v1::RefRequest& request,
                                    std::span<const v1::RefRequest> before);

/// The request as a line at a shell: `create branch data@master --head staging`.
std::string line_of(const v1::RefRequest& request);

}  // namespace pfs::api
