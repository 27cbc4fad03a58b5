#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "store/ref_db.h"

namespace pfs::store {

// The rows in which RocksRefDb keeps what a RefDb is asked to. Source: docs/format.md "Refs".

std::string encode_seq(Seq seq);
Result<Seq> decode_seq(std::string_view bytes);

std::string encode_value(Seq seq, std::string_view value);
/// `key` is for the error. Errors: kCorrupt, kUnsupported.
Result<RefValue> decode_value(std::string_view key, std::string_view row);

/// The key of a transaction's event, by its number in it.
std::string event_key(Seq seq, std::size_t number);
std::string encode_event(const RefEvent& event);
/// Errors: kCorrupt, kUnsupported.
Result<RefEvent> decode_event(std::string_view key, std::string_view row);

}  // namespace pfs::store
