// Has staged bytes that were synced moved by the store itself, or a branch retargeted: staging_victim STORE moved|merged|retargeted.
// A fault point kills it in the middle of that. Prints `synced` before it begins, and `survived` where nothing has killed it.
#include "fault/staging_victim.h"

#include <cstdio>
#include <exception>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/file.h"
#include "store/store.h"
#include "support/must.h"

namespace pfs::test {
namespace {

using namespace pfs::store;

void say(const char* line) {
  std::puts(line);
  std::fflush(stdout);
}

class Victim {
 public:
  explicit Victim(const std::string& path) {
    StoreOptions options;
    options.path = path;
    options.clock = &clock_;
    options.automatic_commits = false;
    options.staging.segment_bytes = std::uint64_t{1} << 20U;
    store_ = must(Store::open(options));
    for (const auto& ref : {kept_, quick_}) must(store_->catalog().create_branch(ref, std::nullopt, true));
  }

  // Small files that were synced stay behind in a segment whose other bytes a commit takes.
  void move_sparse() {
    for (int file = 0; file < kKeptFiles; ++file) put(kept_, kept_name(file), kept_bytes(file));
    put(quick_, "in the same segment", std::string(900'000, 'q'));
    put(quick_, "in the next one", std::string(900'000, 'q'));
    for (int file = 0; file < kKeptFiles; ++file) must(trees().sync(must(trees().lookup(root(kept_), kept_name(file)))));
    say("synced");
    must(store_->catalog().finish(quick_, {}));
  }

  // From one commit to another, with changes that come to nothing.
  void retarget() {
    put(quick_, "file", "new");
    must(store_->catalog().finish(quick_, {}));
    const auto target = must(store_->catalog().branch(quick_)).head;
    put(kept_, "file", "old");
    must(store_->catalog().finish(kept_, {}));
    put(kept_, "temporary", "gone again");
    must(trees().remove(root(kept_), "temporary", false));
    say("synced");
    must(store_->catalog().retarget(kept_, CommitRef{kept_.repo, {}, *target, {}}));
  }

  // Each copy seals the file's spool, so that the next write begins another, until they are merged.
  void merge_spools() {
    const auto file = put(kept_, "file", spooled_bytes(1));
    must(trees().sync(file));
    for (int spool = 2; spool <= 4; ++spool) {
      must(trees().copy_entry(file, root(kept_), "copy" + std::to_string(spool)));
      const auto at = static_cast<std::size_t>(spool - 1) * 100'000;
      if (spool == 4) say("synced");
      must(trees().write(file, at, as_bytes(spooled_bytes(spool).substr(at, 5000))));
      must(trees().sync(file));
    }
  }

 private:
  LiveTrees& trees() { return store_->trees(); }
  NodePtr root(const BranchRef& ref) { return trees().root(must(trees().branch(ref))); }
  NodePtr put(const BranchRef& ref, const std::string& name, const std::string& bytes) {
    auto file = must(trees().make(root(ref), name, {}));
    must(trees().write(file, 0, as_bytes(bytes)));
    return file;
  }

  const BranchRef kept_ = must(BranchRef::parse("kept@master"));
  const BranchRef quick_ = must(BranchRef::parse("kept@quick"));
  SystemClock clock_;  // before the store, which uses it to the end
  std::unique_ptr<Store> store_;
};

}  // namespace
}  // namespace pfs::test

int main(int argc, char** argv) try {
  if (argc != 3) return 2;
  pfs::test::Victim victim(argv[1]);
  const std::string action = argv[2];
  if (action == "moved") victim.move_sparse();
  else if (action == "merged") victim.merge_spools();
  else victim.retarget();
  pfs::test::say("survived");
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "staging_victim: %s\n", error.what());
  return 1;
}
