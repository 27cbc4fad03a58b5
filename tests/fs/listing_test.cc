#include <catch2/catch.hpp>

#include <set>
#include <string>

#include "fs/listing.h"

using namespace pfs;
using fs::Listing;

namespace {

// A directory as the store lists it: sorted, from a name on.
Listing listing_of(std::set<std::string>& names) {
  return Listing([&names](std::string_view after, const Listing::Visit& visit) -> Result<void> {
    for (auto it = names.upper_bound(std::string(after)); it != names.end(); ++it) {
      if (!visit(*it, store::Kind::kFile, 0)) break;
    }
    return {};
  });
}

std::string text_of(const Result<std::vector<Listing::Name>>& names) {
  REQUIRE(names);
  std::string text;
  for (const auto& name : *names) text += name.name + " ";
  return text;
}

}  // namespace

TEST_CASE("a listing begins with the dots and goes on page by page", "[fs]") {
  std::set<std::string> names{"a", "b", "c"};
  Listing listing = listing_of(names);
  CHECK(text_of(listing.read(0, 3)) == ". .. a ");
  CHECK(text_of(listing.read(3, 3)) == "b c ");
  CHECK(text_of(listing.read(5, 3)).empty());
}

TEST_CASE("names removed between two pages do not make others be skipped", "[fs]") {
  std::set<std::string> names{"a", "b", "c", "d"};
  Listing listing = listing_of(names);
  CHECK(text_of(listing.read(0, 4)) == ". .. a b ");
  names.erase("a");
  names.erase("b");
  CHECK(text_of(listing.read(4, 4)) == "c d ");
}

TEST_CASE("the part of a page that the kernel had no room for is given again", "[fs]") {
  std::set<std::string> names{"a", "b", "c", "d"};
  Listing listing = listing_of(names);
  CHECK(text_of(listing.read(0, 5)) == ". .. a b c ");
  names.erase("a");
  CHECK(text_of(listing.read(3, 5)) == "b c d ");
}

TEST_CASE("offset 0 begins anew with what is there now", "[fs]") {
  std::set<std::string> names{"b"};
  Listing listing = listing_of(names);
  CHECK(text_of(listing.read(0, 9)) == ". .. b ");
  names.insert("a");
  CHECK(text_of(listing.read(0, 9)) == ". .. a b ");
}

TEST_CASE("an offset that no page remembers is counted from the start", "[fs]") {
  std::set<std::string> names{"a", "b", "c"};
  Listing listing = listing_of(names);
  CHECK(text_of(listing.read(4, 9)) == "c ");
}
