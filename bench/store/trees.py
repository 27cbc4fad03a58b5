"""The rows about trees of many files: one change, a reference copy, a difference, as trees grow."""

import os

from peers import Btrfs, Git, Restic
from table import at_most, duration
from workspace import CommandFailed, median

CHANGES = 200
COPIES = 50
PAIRS = 100


def path_in_tree(index):
    """As path_in_tree() in half_compressible.cc."""
    return f"d{index // 10000:02}/d{index // 100 % 100:02}/f{index % 100:02}"


def path_of_change(number, files):
    """As index_of_change() there."""
    return path_in_tree(number * 7919 % files)


def overwrite(path, text):
    with open(path, "r+b", buffering=0) as file:
        file.write(text.encode())


class Trees:
    def __init__(self, bench):
        self.bench = bench
        self.space, self.table, self.sizes = bench.space, bench.table, bench.sizes
        self.changed = {}  # files -> seconds of ours at the median
        self.copied = {}

    def rows(self):
        for files in self.sizes.trees:
            self.one_size(files)
        self.flat("one change and commit", self.changed, self.sizes.trees)
        self.flat("reference copy and commit", self.copied, self.sizes.copies)

    def one_size(self, files):
        space = self.space
        store = space.at("store-tree")
        space.remove(store)
        planted = f"tree of {files:,} files planted"
        seconds = space.ours("plant", counted=planted, store=store, files=files)["seconds"]
        self.table.row(planted, f"{duration(seconds)}, {files / seconds:.0f}/s")
        source = space.at("tree-files")
        space.remove(source)
        os.makedirs(source)
        space.ours("make-tree", to=os.path.join(source, "tree"), files=files)

        few = files >= 1_000_000
        git, restic, btrfs = self.peers(f"one change in {files:,} files, commit", source)
        self.change(files, store, source, git, restic, btrfs, 3 if few else 20)
        if files == self.sizes.diff:
            self.diff(files, store, git)
        if files in self.sizes.copies:
            self.copy(files, store, git, btrfs)
        if btrfs:
            btrfs.close()
        for path in [source, store] + [peer.place for peer in (git, restic) if peer]:
            space.remove(path)

    def peers(self, row, source):
        found = self.bench.peers(row, Git, Restic)
        for peer in found.values():
            peer.start()
            peer.commit(source, "v0")
        why = Btrfs.why_not()
        btrfs = None
        if why:
            self.table.not_there(row, "", f"btrfs: left out, {why}")
        else:
            btrfs = Btrfs(self.space, "zstd:1")
            btrfs.subvolume("live")
            self.space.run(["cp", "-r", "--reflink=never", os.path.join(source, "tree"), btrfs.at("live", "tree")])
            btrfs.sync()
        return found.get("git"), found.get("restic"), btrfs

    def change(self, files, store, source, git, restic, btrfs, count):
        space = self.space
        row = f"one change in {files:,} files, commit"
        space.sync()
        figures = space.ours("change", counted=row, store=store, files=files, changes=CHANGES)
        self.changed[files] = figures["seconds_p50"]
        ours = f"{duration(figures['seconds_p50'])}, p99 {duration(figures['seconds_p99'])}"
        self.table.row(row, ours, "durable; the target is about the median", value=figures["seconds_p50"] * 1e3, target=at_most(2, "ms"))

        def sample(name, times, where, commit):
            values = []
            for number in range(times + 1):
                path = os.path.join("tree", path_of_change(number + 1, files))
                overwrite(os.path.join(where, path), f"change {name} {number}")
                seconds = space.timed(lambda: commit(path, number))
                if number > 0:  # the first commit of a peer also takes up what the others have changed
                    values.append(seconds)
            self.table.row(row, ours, f"{name}: {duration(median(values))}", figures["seconds_p50"] / median(values))

        if git:
            sample("git", count, source, lambda path, number: git.commit_path(path, f"c{number}"))
        if restic:
            sample("restic", 3, source, lambda path, number: restic.commit(source, f"c{number}"))
        if btrfs:
            sample("btrfs, snapshot", count, btrfs.at("live"), lambda path, number: btrfs.snapshot("live", f"c{number}"))

    def copy(self, files, store, git, btrfs):
        space = self.space
        row = f"reference copy of {files:,} files, commit"
        figures = space.ours("copy", counted=row, store=store, copies=COPIES)
        mine = figures["seconds_p50"]
        self.copied[files] = mine
        self.table.row(row, duration(mine), f"durable; the copy alone {duration(figures['copy_seconds_p50'])}", value=mine * 1e3,
                       target=at_most(2, "ms"))

        def sample(name, count, copy):
            values = []
            for number in range(count):
                space.sync()
                values.append(space.timed(lambda: copy(number)))
            self.table.row(row, duration(mine), f"{name}: {duration(median(values))}", mine / median(values))

        if git:
            sample("git, by tree", 10, lambda number: git.copy_by_tree("tree", f"copy{number}"))
        if btrfs:
            sample("btrfs, snapshot", 10, lambda number: btrfs.snapshot("live", f"copy{number}"))

            def reflinks(number):
                space.run(["cp", "-r", "--reflink=always", btrfs.at("live", "tree"), btrfs.at(f"reflinks{number}")])
                btrfs.sync()

            sample("btrfs, cp --reflink", 1 if files >= 100_000 else 3, reflinks)

    def diff(self, files, store, git):
        row = f"diff of two commits, one change in {files:,}"
        figures = self.space.ours("diff", counted=row, store=store, pairs=PAIRS)
        mine = figures["seconds_p50"]
        self.table.row(row, duration(mine), f"p99 {duration(figures['seconds_p99'])}", value=mine * 1e3, target=at_most(1.5, "ms"))
        if git:
            def theirs():
                if len(git.diff()) != 1:
                    raise CommandFailed("git diff-tree: not one difference")

            seconds = median([self.space.timed(theirs) for _ in range(20)])
            self.table.row(row, duration(mine), f"git diff-tree: {duration(seconds)}", mine / seconds)

    def flat(self, what, seconds, sizes):
        few, many = min(sizes), max(sizes)
        if few in seconds and many in seconds and few != many:
            self.table.row(f"{what}, {many:,} against {few:,}", duration(seconds[many]), f"{few:,} files: {duration(seconds[few])}",
                           seconds[many] / seconds[few], at_most(1.5))
