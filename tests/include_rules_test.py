#!/usr/bin/env python3
"""Includes point down: who may include whom, as data.

Fails on an include that points up or sideways, and on a third party's header outside the rooms that own it.
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

# Room (the longest matching path is a file's room) -> rooms that it may include beside itself.
ROOMS = {
    "src/base": [],
    "src/store": ["src/base"],
    "src/auth": ["src/base", "src/store"],
    "src/trigger": ["src/base", "src/store"],
    "src/worker": ["src/base"],
    "src/fs": ["src/base", "src/store", "src/auth"],
    "src/fs/fuse": ["src/base", "src/fs"],
    "src/api": ["src/base", "src/store", "src/auth", "src/trigger", "src/api/proto", "src/api/wire"],
    "src/api/proto": [],
    "src/api/wire": ["src/base", "src/api/proto"],
    "src/api/client": ["src/base", "src/api/proto", "src/api/wire"],
    "src/cli": ["src/base", "src/api/client", "src/api/proto", "src/api/wire"],
    "src/daemon": ["src/base", "src/store", "src/auth", "src/trigger", "src/fs", "src/fs/fuse", "src/api"],
    "mount-helper": [],
}
OPEN_ROOMS = ["tests", "bench", "examples"]  # may include everything

# The store's own layers, lowest first; its faces (src/store/*.h) belong to all of them.
STORE_LAYERS = ["chunk", "pack", "tree", "refs", "repo"]

# Third party header (a regular expression for what stands between the brackets) -> rooms that may use it.
EVERYONE = [room for room in ROOMS if room != "mount-helper"]
THIRD_PARTIES = {
    r"(mutex|shared_mutex|condition_variable)": ["src/base"],
    r"rocksdb/.*": ["src/store"],
    r"zstd.*\.h": ["src/store"],
    r"xxhash\.h": ["src/store", "src/fs"],
    r"openssl/.*": ["src/store", "src/auth", "src/trigger", "src/api", "src/cli"],
    r"curl/.*": ["src/cli"],
    r"yaml\.h": ["src/cli"],
    r"pcre2\.h": ["src/store", "src/trigger"],
    r"fuse.*": ["src/fs/fuse"],
    r"linux/fuse\.h": ["src/fs/fuse"],
    r"(grpc|grpcpp|grpc\+\+|google/protobuf)/.*": ["src/api", "src/api/client", "src/api/proto", "src/api/wire"],
    r"CLI/.*": ["src/cli", "src/daemon"],
    r"nlohmann/.*": ["src/trigger", "src/api", "src/cli"],
    r"catch2/.*": [],
    r"(spdlog|fmt)/.*": EVERYONE,
    r"boost/filesystem.*": EVERYONE,
    r"boost/.*": [],
}

GENERATED = re.compile(r"pfs/v1/\w+(\.grpc)?\.pb\.h")  # from src/api/proto/pfs/v1
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def room_of(path):
    """The room of a path below the root, or None."""
    fits = [room for room in ROOMS if path == room or path.startswith(room + "/")]
    return max(fits, key=len) if fits else None


def store_layer_of(path):
    parts = path.split("/")
    return parts[2] if parts[:2] == ["src", "store"] and len(parts) > 3 else None


def fault_of(path, kind, header):
    """What is wrong with the file at `path` including `header`; None when nothing is."""
    if any(path.startswith(room + "/") for room in OPEN_ROOMS):
        return None
    room = room_of(path)
    if room is None:
        return "the folder is no room: add it to the table"
    if kind == "<":
        for pattern, allowed in THIRD_PARTIES.items():
            if re.fullmatch(pattern, header):
                return None if room in allowed else f"{room} must not use <{header}>"
        return None
    if GENERATED.fullmatch(header):
        target = "src/api/proto/" + header
    else:
        target = header if header.startswith("mount-helper/") else "src/" + header
    target_room = room_of(target)
    if target_room is None:
        return f'"{header}" is in no room (paths start below src/, or with mount-helper/)'
    if target_room != room and target_room not in ROOMS[room]:
        return f"{room} must not include {target_room}"
    if target_room != room and "/internal/" in target:
        return f'"{header}" is internal to {target_room}'
    layer, target_layer = store_layer_of(path), store_layer_of(target)
    if layer in STORE_LAYERS and target_layer in STORE_LAYERS:
        if STORE_LAYERS.index(target_layer) > STORE_LAYERS.index(layer):
            return f"layer store/{layer} must not include the higher store/{target_layer}"
    return None


def sources():
    for top in ["src", "mount-helper"]:
        for path in sorted((ROOT / top).rglob("*")):
            if path.suffix in (".h", ".cc"):
                yield path


def check_tree():
    faults = []
    for path in sources():
        name = path.relative_to(ROOT).as_posix()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            include = INCLUDE.match(line)
            fault = include and fault_of(name, include[1], include[2])
            if fault:
                faults.append(f"{name}:{number}: {fault}")
    return faults


def check_the_check():
    """Crimes that must be found, and lawful acts that must not."""
    crimes = [
        ("src/base/a.cc", '"', "store/store.h"),
        ("src/store/a.cc", '"', "fs/vfs.h"),
        ("src/trigger/a.cc", '"', "fs/vfs.h"),
        ("src/fs/a.cc", '"', "fs/fuse/session.h"),
        ("src/cli/a.cc", '"', "api/server.h"),
        ("mount-helper/a.cc", '"', "base/file.h"),
        ("src/daemon/a.cc", '"', "mount-helper/bind.h"),
        ("src/fs/a.cc", '"', "store/internal/x.h"),
        ("src/store/chunk/a.cc", '"', "store/tree/node.h"),
        ("src/store/a.cc", "<", "mutex"),
        ("src/fs/a.cc", "<", "rocksdb/db.h"),
        ("src/api/a.cc", "<", "fuse3/fuse_lowlevel.h"),
        ("src/elsewhere/a.cc", "<", "vector"),
        ("src/store/a.cc", '"', "nowhere.h"),
        ("mount-helper/a.cc", "<", "spdlog/spdlog.h"),
    ]
    lawful = [
        ("src/store/a.cc", '"', "base/result.h"),
        ("src/store/tree/a.cc", '"', "store/chunk/chunker.h"),
        ("src/store/pack/a.cc", '"', "store/local_db.h"),
        ("src/fs/fuse/a.cc", '"', "fs/vfs.h"),
        ("src/store/refs/a.cc", "<", "rocksdb/db.h"),
        ("src/base/sync.h", "<", "mutex"),
        ("tests/store/a.cc", "<", "catch2/catch.hpp"),
    ]
    return [f"not found: {crime}" for crime in crimes if fault_of(*crime) is None] + [
        f"wrongly found: {act}" for act in lawful if fault_of(*act) is not None
    ]


def main():
    faults = check_the_check() + check_tree()
    for fault in faults:
        print(fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
