#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "store/local_db.h"
#include "store/pack/pack_set.h"
#include "store/store.h"

namespace pfs::store {

/// Writes sealed packs anew: compressed harder, without what the index no longer names there, small ones together.
///
/// Data keeps its order, which is that of directories (as commits and the packer wrote it); nodes and lists are laid beside
/// those that they resemble, whatever commit they are of. Takes packs that gain: small ones where there are several, ones
/// of which a fifth or more is not named any more, ones that no repack has made and that a trial shows to shrink by 3 %.
///
/// One run at a time; the packs' readers and writers go on. At every moment the index names a synced copy of each object; a
/// pack goes once it names none in it. Every object is proved by SHA-256; a pack with a damaged one stays.
/// Memory: about 48 MiB. Not thread-safe.
class Repack {
 public:
  /// `going` is told of each pack before it is removed.
  Repack(LocalDb& local, PackSet& packs, const RepackOptions& options, std::function<void(PackNumber)> going = nullptr)
      : local_(local), packs_(packs), options_(options), going_(std::move(going)) {}

  Result<RepackResult> run();

 private:
  struct Source;
  struct Output;

  bool stopped();
  Result<std::vector<Source>> next_sources(const std::vector<PackSet::SealedPack>& packs, std::size_t& next, bool several_small);
  Result<bool> gains(const Source& source, bool several_small);
  Result<bool> trial_gains(const Source& source);
  Result<void> rewrite_in_order(Source& source, Output& output);
  Result<void> rewrite_by_likeness(std::vector<Source>& group, Output& output);
  /// Whether the index names this place for the object.
  Result<bool> is_named(const ObjectId& id, const Location& location) const;
  Result<void> add(Output& output, const ObjectId& id, const Location& from, std::string_view bytes);
  Result<void> close_frame(Output& output);
  Result<void> publish(Output& output);
  Result<void> remove_emptied(const std::vector<Source>& sources);

  LocalDb& local_;
  PackSet& packs_;
  const RepackOptions options_;
  const std::function<void(PackNumber)> going_;
  RepackResult result_;
};

}  // namespace pfs::store
