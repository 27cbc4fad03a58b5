# gRPC, protobuf and what they stand on as archives, for a program that starts often and lives for milliseconds: to map
# and relocate their eighty shared objects costs more than a whole command does (docs/performance.md). What is patched
# for security by itself (OpenSSL) and what every process has (libc, libstdc++) stay shared.
pkg_check_modules(rpc REQUIRED grpc++ protobuf)
set(archives)
set(others)
list(REMOVE_DUPLICATES rpc_STATIC_LIBRARIES)
foreach(name ${rpc_STATIC_LIBRARIES})
  if(name MATCHES "^(ssl|crypto|dl|rt|atomic|pthread|m)$")
    list(APPEND others ${name})
    continue()
  endif()
  find_library(rpc_archive_${name} NAMES lib${name}.a HINTS ${rpc_STATIC_LIBRARY_DIRS} REQUIRED)
  mark_as_advanced(rpc_archive_${name})
  list(APPEND archives ${rpc_archive_${name}})
endforeach()
list(JOIN archives "," archives)  # they name each other in circles
add_library(pfs_rpc_archives INTERFACE)
target_link_libraries(pfs_rpc_archives INTERFACE "$<LINK_GROUP:RESCAN,${archives}>" ${others} Threads::Threads)

# What links gRPC: archives for a target with the property PFS_RPC_ARCHIVES, else the shared objects.
add_library(pfs_rpc INTERFACE)
target_link_libraries(pfs_rpc INTERFACE
  $<IF:$<BOOL:$<TARGET_PROPERTY:PFS_RPC_ARCHIVES>>,pfs_rpc_archives,gRPC::grpc++>
  $<$<NOT:$<BOOL:$<TARGET_PROPERTY:PFS_RPC_ARCHIVES>>>:protobuf::libprotobuf>)
