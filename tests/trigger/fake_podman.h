#pragma once

#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <boost/filesystem.hpp>

#include "base/clock.h"
#include "base/file.h"
#include "store/store.h"
#include "support/must.h"
#include "support/tree_view_host.h"
#include "trigger/pipelines.h"

namespace pfs::test {

/// A program in podman's place: its containers are files with their labels, and no worker runs in them. It can be held in the
/// middle of a `run`, as a podman that is slow.
class FakePodman {
 public:
  /// Two of one directory are the same.
  explicit FakePodman(std::string directory) : directory_(std::move(directory)) {
    boost::filesystem::create_directories(directory_ + "/containers");
    if (boost::filesystem::exists(program())) return;
    std::ofstream(program()) << kScript;
    boost::filesystem::permissions(program(), boost::filesystem::owner_all);
  }

  std::string program() const { return directory_ + "/podman"; }

  /// The next `run` begins, and makes its container once it is let go.
  void hold_a_run() const { std::ofstream(directory_ + "/hold") << "x"; }
  bool holds_a_run() const { return boost::filesystem::exists(directory_ + "/held"); }
  void let_go() const { boost::filesystem::remove(directory_ + "/held"); }

  /// What it does when it is asked for an image (`image`) or a container (`container`), to pull an image (`pull`), who a user is
  /// (`whoami`) or to run something in its user namespace (`unshare`): lines of sh.
  void answer(const std::string& what, const std::string& script) const { std::ofstream(directory_ + "/" + what) << script << "\n"; }

  /// Names and labels, a line for each, of what is there.
  std::map<std::string, std::string> containers() const {
    std::map<std::string, std::string> found;
    for (const auto& entry : boost::filesystem::directory_iterator(directory_ + "/containers")) {
      if (const auto labels = read_file(entry.path().string())) found[entry.path().filename().string()] = *labels;
    }
    return found;
  }
  /// How many there have been.
  std::size_t made() const {
    std::ifstream names(directory_ + "/made");
    std::size_t count = 0;
    for (std::string name; std::getline(names, name);) ++count;
    return count;
  }

 private:
  // a container is there before it is counted
  static constexpr const char* kScript = R"sh(#!/bin/sh
here=${0%/*}
case $1 in
  run)
    case " $* " in
      *' --detach '*) ;;
      *' --whoami '*) test ! -e "$here/whoami" || . "$here/whoami"; exit 0 ;;
      *) exit 0 ;;
    esac
    if mv "$here/hold" "$here/held" 2> /dev/null; then
      while test -e "$here/held"; do sleep 0.01; done
    fi
    name=
    while test $# -gt 0; do
      case $1 in
        --name) name=$2 ;;
        --label) echo "$2" >> "$here/new.$$" ;;
      esac
      shift
    done
    mv "$here/new.$$" "$here/containers/$name"
    echo "$name" >> "$here/made"
    echo "$name" ;;
  ps)
    for container in "$here"/containers/*; do
      test -e "$container" || continue
      fits=yes
      for word in "$@"; do
        case $word in label=*) grep -qxF "${word#label=}" "$container" || fits= ;; esac
      done
      test -z "$fits" || echo "${container##*/}"
    done ;;
  rm)
    for name in "$@"; do :; done
    rm -f "$here/containers/$name" ;;
  container)
    test ! -e "$here/container" || { . "$here/container"; exit 0; }
    echo "Error: no such container" >&2; exit 125 ;;
  unshare)
    test ! -e "$here/unshare" || { . "$here/unshare"; exit; }
    shift; exec "$@" ;;
  image | pull) test ! -e "$here/$1" || . "$here/$1" ;;
  *) exit 1 ;;
esac
)sh";

  const std::string directory_;
};

/// What pfsd does with pipelines, over a store below `directory` and the fake podman in it.
class FakePodmanPfsd {
 public:
  explicit FakePodmanPfsd(const std::string& directory) {
    store::StoreOptions options;
    options.path = directory + "/store";
    options.clock = &clock_;
    options.automatic_commits = false;
    store_ = must(store::Store::open(options));
    trigger::PipelinesOptions pipelines;
    pipelines.store = store_.get();
    pipelines.views = &views_;
    pipelines.clock = &clock_;
    pipelines.worker_path = "/worker";
    pipelines.state_path = directory + "/jobs";
    pipelines.container_engine = FakePodman(directory).program();
    pipelines_ = must(trigger::Pipelines::open(pipelines));
    store_->set_publish_hook(pipelines_.get());
    must(pipelines_->start());
  }
  ~FakePodmanPfsd() {
    pipelines_->stop();
    store_->set_publish_hook(nullptr);
  }

  /// One that has nothing to do: its container is made ready.
  void make_pipeline() {
    must(store_->catalog().create_branch(must(BranchRef::parse("text@master")), std::nullopt, true));
    must(pipelines_->create(R"({"pipeline": {"name": "work"}, "transform": {"image": "image:1", "cmd": ["work"]},
                                "input": {"pfs": {"repo": "text", "glob": "/*"}}})", false, false));
  }

 private:
  SystemClock clock_;
  TreeViewHost views_;
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<trigger::Pipelines> pipelines_;
};

}  // namespace pfs::test
