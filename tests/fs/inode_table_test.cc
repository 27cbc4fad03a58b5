#include <catch2/catch.hpp>

#include <string>

#include "fs/inode_table.h"

using namespace pfs;
using namespace pfs::fs;

namespace {

Found root() {
  Found found;
  found.role = Role::kMountRoot;
  return found;
}

Found link_to(const std::string& text) {
  Found found;
  found.role = Role::kRefLink;
  found.text = text;
  return found;
}

}  // namespace

TEST_CASE("a node keeps its id until every lookup of it is forgotten", "[fs]") {
  InodeTable table(root());
  const Inode& top = **table.find(kRootNode);
  const auto first = table.remember(link_to("x"), top, "x");
  CHECK(table.remember(link_to("x"), top, "x")->id == first->id);
  table.forget(first->id, 1);
  CHECK(table.find(first->id));
  table.forget(first->id, 1);
  REQUIRE_FALSE(table.find(first->id));
  CHECK(table.find(first->id).error().code == Code::kStale);
}

TEST_CASE("an id and generation are never given twice, and the number of a path always the same", "[fs]") {
  InodeTable table(root());
  const Inode& top = **table.find(kRootNode);
  const auto first = table.remember(link_to("x"), top, "x");
  table.forget(first->id, 1);
  const auto again = table.remember(link_to("x"), top, "x");
  CHECK((again->id != first->id || again->generation != first->generation));
  CHECK(again->number == first->number);
}

TEST_CASE("two nodes that are known have different numbers, whatever their names", "[fs]") {
  InodeTable table(root());
  const Inode& top = **table.find(kRootNode);
  const auto first = table.remember(link_to("one"), top, "x");
  const auto second = table.remember(link_to("two"), top, "x");
  CHECK(first->id != second->id);
  CHECK(first->number != second->number);
}

TEST_CASE("the root stays", "[fs]") {
  InodeTable table(root());
  table.forget(kRootNode, 100);
  CHECK(table.find(kRootNode));
}
