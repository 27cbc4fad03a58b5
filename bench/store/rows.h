#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "../must.h"
#include "../table.h"
#include "base/clock.h"
#include "store/store.h"

namespace pfs::bench {

/// What a row was called with: `name=value` words.
class Arguments {
 public:
  Arguments(int argc, char** argv, int first);

  /// Ends the program when there is no such argument.
  std::string text(const std::string& name) const;
  std::uint64_t number(const std::string& name) const;
  std::string text_or(const std::string& name, const std::string& otherwise) const;

 private:
  std::map<std::string, std::string> values_;
};

/// Prints one line `name=value` of a row's result.
void report(const char* name, double value);
/// Prints `<name>_p50`, `<name>_p99` and `<name>_max`.
void report_spread(const std::string& name, std::vector<double> values);

/// A store with one branch, data@master, whose commits are made on request only.
class World {
 public:
  /// Opens the store, and makes it and the branch when they are not there.
  explicit World(const std::string& path);

  store::Store& store() { return *store_; }
  store::LiveTrees& trees() { return store_->trees(); }
  store::NodePtr root() { return trees().root(tree_); }
  const BranchRef& branch() const { return branch_; }

  /// Directories are made on the way; `path` is relative to the root.
  store::NodePtr directory(const std::string& path);
  store::NodePtr file(const std::string& path);
  /// A file of `directory` with these bytes, written in pieces of 1 MiB.
  void put(const store::NodePtr& directory, const std::string& name, std::string_view bytes);
  /// A file of `directory` with the bytes of a file of this machine; an existing one is overwritten. Returns its size.
  /// Any thread.
  std::uint64_t put_file(const store::NodePtr& directory, const std::string& name, const std::string& source);
  /// Finishes the commit: durable when it returns.
  void finish();
  /// The root of the commit so many before HEAD.
  store::Commit commit_back(std::uint64_t steps);

 private:
  SystemClock clock_;
  BranchRef branch_;
  std::unique_ptr<store::Store> store_;
  store::TreePtr tree_;
};

/// A row: runs, and prints its result.
using Row = void (*)(const Arguments&);
using Rows = std::map<std::string, Row>;

void add_source_rows(Rows& rows);
void add_limit_rows(Rows& rows);
void add_content_rows(Rows& rows);
void add_tree_rows(Rows& rows);

}  // namespace pfs::bench
