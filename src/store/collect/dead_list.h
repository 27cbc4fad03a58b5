#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "store/pack/pack_format.h"
#include "store/store.h"

namespace pfs::store {

/// Objects that nothing led to at the moment of a view, in the order of object_key(), as a file in the view's directory.
/// Each is there once for its row in `hot` and once for that in the index.
struct DeadObject {
  ObjectId id;
  PackNumber pack;           ///< 0: a row in `hot`
  std::uint32_t length = 0;  ///< of the object, raw

  bool operator==(const DeadObject&) const = default;
};

/// Writes a list. Not thread-safe.
class DeadListWriter {
 public:
  explicit DeadListWriter(std::string path) : path_(std::move(path)) {}
  Result<void> add(const DeadObject& object);
  /// The list is whole with it: one without it is refused.
  Result<void> end(const ObjectTotals& live);

 private:
  Result<void> write_out();

  const std::string path_;
  std::string waiting_;
  std::uint64_t written_ = 0;
  ObjectTotals dead_;
};

struct DeadList {
  std::string path;
  ObjectTotals live;
  ObjectTotals dead;

  /// Errors: kCorrupt (it was cut short), kIo.
  static Result<DeadList> open(const std::string& path);
  /// Calls `visit` with some at a time, in order.
  Result<void> each(const std::function<Result<void>(const std::vector<DeadObject>&)>& visit) const;
};

}  // namespace pfs::store
