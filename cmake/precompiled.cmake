# What nearly every file includes, parsed once: the standard library, fmt and spdlog. `pfs_precompile(TARGET)` is for targets
# that compile with the same options as pfs_base; one with others (-pthread from gRPC, _FILE_OFFSET_BITS from FUSE) names
# ${PFS_COMMON_HEADERS} in a header of its own. Files still include what they use: the clang preset precompiles nothing.
set(PFS_COMMON_HEADERS
  <algorithm> <array> <atomic> <cerrno> <chrono> <cstdint> <cstdlib> <cstring> <functional> <map> <memory> <mutex> <optional>
  <set> <span> <string> <string_view> <thread> <unordered_map> <utility> <variant> <vector>
  <fmt/format.h> <spdlog/spdlog.h>)

function(pfs_precompile target)
  target_precompile_headers(${target} REUSE_FROM pfs_base)
endfunction()
