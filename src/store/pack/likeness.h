#pragma once

#include <cstdint>
#include <string_view>

namespace pfs::store {

/// Equal for objects that share most of their bytes, wherever they lie; most likely different for others: the least hash of
/// all stretches of eight bytes. Versions of which a share p is new differ with a chance of about p.
/// Source: Broder, "On the resemblance and containment of documents", 1997.
std::uint64_t likeness(std::string_view bytes);

}  // namespace pfs::store
