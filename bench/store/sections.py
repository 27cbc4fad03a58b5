"""The rows, section by section. A section makes its files, runs ours and the peers on them in turn, and prints."""

import os
import random
import shutil
import struct

from peers import Borg, BorgZstd, Btrfs, Git, Ostree, Restic
from table import at_least, at_most, duration, megabytes, rate
from workspace import CommandFailed, median, on_disk


class Sizes:
    """How much there is of everything. `scale` shrinks it for trying the rows out; figures want scale 1."""

    def __init__(self, quick, scale):
        self.repeat = 1 if quick else 3
        self.big = max(4, int((256 if quick else 1024) * scale)) << 20
        self.small = [max(20, int(n * scale)) for n in ([10_000] if quick else [10_000, 100_000])]
        self.trees = [max(20, int(n * scale)) for n in ([1_000, 100_000] if quick else [1_000, 10_000, 100_000, 1_000_000])]
        self.copies = self.trees if quick else [self.trees[1], self.trees[3]]
        self.diff = self.trees[1] if quick else self.trees[2]
        self.version = max(1, int((32 if quick else 200) * scale)) << 20
        self.versions = 10 if quick else 20
        # quick: those that a target is about
        self.big_peers = [Restic, Borg] if quick else [Restic, Borg, BorgZstd, Ostree, Git]
        self.random_reads = int((5_000 if quick else 20_000) * max(scale, 0.1))


class Bench:
    def __init__(self, space, table, sizes):
        self.space, self.table, self.sizes = space, table, sizes

    def peers(self, row, *classes):
        """A peer of each class that is there; a line in the table for the others."""
        found = {}
        for peer in classes:
            why = peer.why_not()
            if why:
                self.table.not_there(row, "", f"{peer.name}: left out, {why}")
            else:
                found[peer.name] = peer(self.space, self.space.at("peer-" + peer.__name__))
        return found

    def in_turn(self, row, subjects, once=()):
        """Runs the subjects in turn, each repetition with another of them first, and all that is dirty written out
        before each. Shape: `subjects` maps names to functions that return seconds; returns the medians. A subject
        that fails is left out with a line in the table, unless it is one of ours."""
        samples = {name: [] for name in subjects}
        failed = {}
        for repetition in range(self.sizes.repeat):
            names = list(subjects)
            for name in names[repetition % len(names):] + names[:repetition % len(names)]:
                if name in failed or (name in once and repetition > 0):
                    continue
                self.space.sync()
                try:
                    samples[name].append(subjects[name]())
                except CommandFailed as failure:
                    if name == "ours":
                        raise
                    failed[name] = failure
                    self.table.not_there(row, "", f"{name} failed: {failure}")
        return {name: median(values) for name, values in samples.items() if name not in failed}

    def ingest_peer(self, peer, source):
        def action():
            peer.start()
            self.space.sync()
            return self.space.timed(lambda: peer.commit(source, "v0"))

        return action

    # ---- bytes

    def big(self):
        """1 GiB in four files: ingest, space, the same again, reading back."""
        space, table, sizes = self.space, self.table, self.sizes
        what = f"{sizes.big >> 20} MiB"
        row = f"ingest + commit, {what}"
        source = space.fresh("big")
        space.ours("make-big", to=source, files=4, bytes=sizes.big, seed=1)
        space.make_warm(source)
        peers = self.peers(row, *sizes.big_peers)
        store = space.at("store-big")
        limits = []

        def limit():
            limits.append(space.ours("limits", source=source))
            return limits[-1]["ingest_seconds"]

        def ours():
            space.remove(store)
            return space.ours("ingest", counted=row, store=store, source=source)["seconds"]

        def copy():
            place = space.at("copied")
            space.remove(place)

            def action():
                space.run(["cp", "-r", source, place])
                space.sync()

            return space.timed(action)

        subjects = {"limit": limit, "ours": ours, "cp": copy}
        subjects.update({name: self.ingest_peer(peer, source) for name, peer in peers.items()})
        seconds = self.in_turn(row, subjects, once=("git", "ostree", "borg (zstd,1)"))
        mine = seconds["ours"]
        cores = f"{limits[0]['cores']:.0f} cores"
        hash_limit = median([one["hash_seconds"] for one in limits])
        decode_limit = median([one["decode_seconds"] for one in limits])
        table.row(row, rate(sizes.big, mine), f"cut + SHA-256 + zstd-1, {cores}: {rate(sizes.big, seconds['limit'])}",
                  seconds["limit"] / mine, at_least(0.85))
        space.remove(space.at("copied"))
        table.row(row, rate(sizes.big, mine), f"cp -r and sync: {rate(sizes.big, seconds['cp'])}", mine / seconds["cp"])
        for name in peers:
            if name in seconds:
                table.row(row, rate(sizes.big, mine), f"{name}: {rate(sizes.big, seconds[name])}", mine / seconds[name],
                          at_most(0.4) if name == "restic" else None)
        table.note(f"(zstd-1: {limits[0]['zstd_ratio']:.2f}x, chunk by chunk)")

        sizes_of_peers = self.big_space(what, source, store, {name: peer for name, peer in peers.items() if name in seconds})
        self.big_again(what, source, store, hash_limit, cores)
        self.big_read(what, store, decode_limit, cores, {name: peer for name, peer in peers.items() if name in seconds})
        self.big_repacked(what, store, sizes_of_peers, decode_limit, cores)
        for peer in peers.values():
            space.remove(peer.place)
        space.remove(store)
        space.remove(source)

    def big_again(self, what, source, store, hash_limit, cores):
        row = f"identical {what} put again"
        samples = [self.space.ours("ingest", counted=row, store=store, source=source, as_=f"again{i}") for i in range(self.sizes.repeat)]
        mine = median([one["seconds"] for one in samples])
        stored = max(one["packed_bytes"] for one in samples)
        self.table.row(row, rate(self.sizes.big, mine), f"cut + SHA-256, {cores}: {rate(self.sizes.big, hash_limit)}",
                       hash_limit / mine, at_least(0.7))
        self.table.row(f"{row}: stored", f"{stored:.0f} B", value=stored, target=at_most(0, "B"))

    def big_space(self, what, source, store, peers):
        row = f"space of {what}"
        sizes = {name: peer.size() for name, peer in peers.items()}
        with_btrfs = self.btrfs_copy(row, source, "zstd")
        if with_btrfs:
            sizes["btrfs (zstd)"] = with_btrfs
        mine = on_disk(store)
        for name, size in sizes.items():
            self.table.row(f"{row}, as ingested", megabytes(mine), f"{name}: {megabytes(size)}", mine / size,
                           at_most(1) if name.startswith("btrfs") else None)
        return sizes

    def big_repacked(self, what, store, sizes_of_peers, decode_limit, cores):
        row = f"space of {what}, repacked"
        borgs = [size for name, size in sizes_of_peers.items() if name.startswith("borg")]
        theirs = f"borg, its smaller: {megabytes(min(borgs))}" if borgs else "no borg"
        repacked = self.space.ours("repack", counted=f"repack of {what}", store=store)
        mine = on_disk(store)
        self.table.row(row, megabytes(mine), theirs, mine / min(borgs) if borgs else None, at_most(1.05))
        self.table.row(f"repack of {what}", rate(self.sizes.big, repacked["seconds"]))
        self.our_reads(f"cold read, {what}, repacked", "cold random reads of 4 KiB, repacked", store, decode_limit, cores)

    def btrfs_copy(self, row, source, compression):
        """What a directory takes on a btrfs; None where there is none."""
        why = Btrfs.why_not()
        if why:
            self.table.not_there(row, "", f"btrfs: left out, {why}")
            return None
        btrfs = Btrfs(self.space, compression)
        self.space.run(["cp", "-r", "--reflink=never", source, btrfs.at("copy")])
        size = btrfs.size()
        btrfs.close()
        return size

    def big_read(self, what, store, decode_limit, cores, peers):
        space, table, sizes = self.space, self.table, self.sizes
        row = f"cold read, {what}"
        random_row = "cold random reads of 4 KiB"
        mine, reads = self.our_reads(row, random_row, store, decode_limit, cores)
        for name in ("restic", "borg (lz4)"):
            if name not in peers:
                continue
            point = space.at("mounted")
            try:
                for at_random in (False, True):  # each from a mount of its own: a process has caches too
                    space.fresh("mounted")
                    space.make_cold(peers[name].place)
                    top = peers[name].mounted(point)
                    if at_random:
                        theirs = self.random_reads(top, 200)
                        table.row(random_row, f"{reads:.0f}/s", f"{name} mount: {theirs:.0f}/s", reads / theirs)
                    else:
                        theirs = space.timed(lambda: space.make_warm(top))
                        table.row(f"{row}, 1 reader", rate(sizes.big, mine), f"{name} mount: {rate(sizes.big, theirs)}", mine / theirs)
                    space.unmount(point)
            except CommandFailed as failure:
                table.not_there(row, "", f"{name} mount: left out, {failure}")
            finally:
                space.unmount(point)

    def our_reads(self, row, random_row, store, decode_limit, cores):
        """Shape: seconds of one reader from front to back; random reads a second."""
        space, table, sizes = self.space, self.table, self.sizes
        by_readers = {}
        for readers in sorted({1, os.cpu_count()}):
            samples = []
            for _ in range(sizes.repeat):
                space.make_cold(store)
                samples.append(space.ours("read", counted=row, store=store, readers=readers)["seconds"])
            mine = by_readers[readers] = median(samples)
            table.row(f"{row}, {readers} reader{'s' if readers > 1 else ''}", rate(sizes.big, mine),
                      f"zstd decodes, {cores}: {rate(sizes.big, decode_limit)}", decode_limit / mine,
                      at_least(0.85) if readers == os.cpu_count() else None)
            alone = []
            for _ in range(sizes.repeat):
                space.make_cold(store)
                alone.append(space.ours("read-packs", store=store, readers=readers)["seconds"])
            table.row(f"{row}, {readers} reader{'s' if readers > 1 else ''}", rate(sizes.big, mine),
                      f"its packs read and not decoded: {duration(median(alone))}", median(alone) / mine)
        space.make_cold(store)
        figures = space.ours("read-random", counted=random_row, store=store, reads=sizes.random_reads)
        reads = figures["reads_per_second"]
        spread = f"p50 {duration(figures['read_seconds_p50'])}, p99 {duration(figures['read_seconds_p99'])}"
        table.row(random_row, f"{reads:.0f}/s", spread, value=reads, target=at_least(6000, "/s"))
        return by_readers[1], reads

    def random_reads(self, directory, count):
        generator = random.Random(11)
        files = [os.open(os.path.join(directory, name), os.O_RDONLY) for name in sorted(os.listdir(directory))]
        blocks = os.fstat(files[0]).st_size // 4096

        def action():
            for _ in range(count):
                os.pread(generator.choice(files), 4096, generator.randrange(blocks) * 4096)

        try:
            return count / self.space.timed(action)
        finally:
            for fd in files:
                os.close(fd)

    # ---- many small files

    def small(self):
        """Files of 4 KiB: ingest and space."""
        for files in self.sizes.small:
            space, table = self.space, self.table
            row = f"ingest + commit, {files:,} files of 4 KiB"
            source = space.fresh("small")
            space.ours("make-small", to=source, files=files, seed=3)
            space.make_warm(source)
            peers = self.peers(row, Restic, Git, Borg)
            store = space.at("store-small")

            def ours():
                space.remove(store)
                return space.ours("ingest", counted=row, store=store, source=source)["seconds"]

            subjects = {"ours": ours}
            subjects.update({name: self.ingest_peer(peer, source) for name, peer in peers.items()})
            seconds = self.in_turn(row, subjects)
            mine = seconds["ours"]
            stored = on_disk(store)
            for name in peers:
                if name in seconds:
                    table.row(row, f"{duration(mine)}, {files / mine:.0f}/s", f"{name}: {duration(seconds[name])}",
                              mine / seconds[name], at_most(0.7) if name == "restic" else None)
            for name in peers:
                if name in seconds:
                    size = peers[name].size()
                    table.row(f"space of {files:,} files of 4 KiB", megabytes(stored), f"{name}: {megabytes(size)}", stored / size,
                              at_most(1.1) if name == "restic" else None)
            for path in [source, store] + [peer.place for peer in peers.values()]:
                space.remove(path)

    # ---- versions of one file

    def edits(self, version):
        path = self.space.at("edits")
        self.space.ours("make-edits", version=version, size=self.sizes.version, to=path)
        with open(path, "rb") as file:
            data = file.read()
        edits, at = [], 0
        while at < len(data):
            offset, length = struct.unpack_from("=QQ", data, at)
            edits.append((offset, data[at + 16:at + 16 + length]))
            at += 16 + length
        return edits

    def versions(self):
        """One file, 1 % of it changed in place in 20 places, 20 times; then 1,000 bytes put in front, 5 times."""
        space, table, sizes = self.space, self.table, self.sizes
        what = f"{sizes.version >> 20} MiB"
        row = f"commit of 1 % of {what}, edited in 20 places"
        source = space.fresh("versions")
        big = os.path.join(source, "big0")
        space.ours("make-big", to=source, files=1, bytes=sizes.version, seed=5)
        first = space.at("first")
        shutil.copyfile(big, first)
        peers = self.peers(row, Restic, Borg, Git)
        for peer in peers.values():
            peer.start()
            peer.commit(source, "v0")
        why = Btrfs.why_not()
        btrfs = None if why else Btrfs(space, "zstd:1")
        if btrfs:
            shutil.copyfile(big, btrfs.at("v0"))
            btrfs.sync()
        else:
            table.not_there(row, "", f"btrfs: left out, {why}")
        store = space.at("store-versions")
        space.ours("ingest", counted=f"ingest of {what}", store=store, source=source)
        space.sync()
        figures = space.ours("edit", counted=row, store=store, file="big0", versions=sizes.versions)
        mine = figures["seconds_p50"]

        times = {name: [] for name in peers}
        times["btrfs"] = []
        for version in range(1, sizes.versions + 1):
            edits = self.edits(version)
            with open(big, "r+b") as file:
                for offset, data in edits:
                    os.pwrite(file.fileno(), data, offset)
            space.sync()
            for name, peer in peers.items():
                times[name].append(space.timed(lambda: peer.commit(source, f"v{version}")))
            if btrfs:
                times["btrfs"].append(space.timed(lambda: btrfs.reflink_and_edit(f"v{version - 1}", f"v{version}", edits)))
        for name, values in times.items():
            if values:
                label = "btrfs (zstd:1), reflink + edits + sync" if name == "btrfs" else name
                table.row(row, f"{duration(mine)}, p99 {duration(figures['seconds_p99'])}", f"{label}: {duration(median(values))}",
                          mine / median(values), at_most(2) if name == "btrfs" else None)
        self.version_space(f"space after {sizes.versions} such versions", store, peers, btrfs)
        for insertion in range(1, 6):
            self.insert(big, insertion)
            for peer in peers.values():
                peer.commit(source, f"i{insertion}")
            space.ours("ingest", counted=f"ingest of {what}", store=store, source=source)
            if btrfs:
                shutil.copyfile(big, btrfs.at(f"i{insertion}"))
        self.version_space("the same and 5 insertions in front", store, peers, btrfs)
        self.version_extract(what, big, first, store, peers)
        if btrfs:
            btrfs.close()
        for path in [source, store, first] + [peer.place for peer in peers.values()]:
            space.remove(path)

    @staticmethod
    def insert(path, number):
        with open(path, "rb") as old, open(path + ".new", "wb") as new:
            new.write(random.Random(number).randbytes(1000))
            shutil.copyfileobj(old, new, 1 << 20)
        os.rename(path + ".new", path)

    def version_space(self, row, store, peers, btrfs):
        mine = on_disk(store)
        sizes = {name: peer.size() for name, peer in peers.items()}
        if btrfs:
            sizes["btrfs"] = btrfs.size()
        targets = {"btrfs": at_most(1.2), "restic": at_most(0.4)}
        for name, size in sizes.items():
            label = "btrfs (zstd:1)" if name == "btrfs" else name
            self.table.row(row, megabytes(mine), f"{label}: {megabytes(size)}", mine / size, targets.get(name))

    def version_extract(self, what, newest, first, store, peers):
        """The first version into a plain file; what came back is compared with what was put."""
        space = self.space
        row = f"an old version of {what} read back"
        to = space.fresh("extracted")

        def same(path, expected):
            space.run(["cmp", path, expected])

        def ours():
            space.make_cold(store)
            path = os.path.join(to, "ours")
            seconds = space.ours("extract", counted=row, store=store, file="big0", back=self.sizes.versions + 5, to=path)["seconds"]
            same(path, first)
            return seconds

        def theirs(peer):
            def action():
                space.remove(os.path.join(to, "big0"))
                space.make_cold(peer.place)
                seconds = space.timed(lambda: peer.extract("v0", "big0", to))
                same(os.path.join(to, "big0"), first)
                return seconds

            return action

        subjects = {"ours": ours}
        subjects.update({name: theirs(peer) for name, peer in peers.items() if hasattr(peer, "extract")})
        seconds = self.in_turn(row, subjects)
        for name in subjects:
            if name != "ours" and name in seconds:
                self.table.row(row, duration(seconds["ours"]), f"{name}: {duration(seconds[name])}", seconds["ours"] / seconds[name],
                               at_most(0.6) if name.startswith("borg") else None)
        path = os.path.join(to, "ours")
        space.ours("extract", store=store, file="big0", back=0, to=path)
        same(path, newest)
        space.remove(to)

    # ---- memory

    def memory(self):
        limit = 256 << 20
        for row, peak in sorted(self.space.peak_rss.items(), key=lambda item: -item[1]):
            self.table.row(f"peak RSS: {row}", f"{peak / (1 << 20):.0f} MiB", value=peak, target=None if peak <= limit else at_most(limit, "B"))
        if self.space.peak_rss:
            peak = max(self.space.peak_rss.values())
            self.table.row("peak RSS, highest of all rows", f"{peak / (1 << 20):.0f} MiB", value=peak / (1 << 20), target=at_most(256, "MiB"))
