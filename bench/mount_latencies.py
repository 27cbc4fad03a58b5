#!/usr/bin/env -S python3 -B
"""How long single operations of the mount take: each several times, each against the same or the nearest thing on ext4.

Commands (`mv`, `ln`, `cp`, `ls`) are timed from before the process is started until it has ended, so that its start is in the
figure, on both sides; what is measured without a process says so.
"""

import argparse
import ctypes
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "store"))

from table import Table, at_most, duration  # noqa: E402
from workspace import CommandFailed, Workspace, median  # noqa: E402

FEW, MANY = 1_000, 100_000
ROUNDS = 9
ROUNDS_OF_MANY = 5  # of rows in which every file is looked at before each
CLOSES = 50
_libc = ctypes.CDLL(None, use_errno=True)
SYS_GETDENTS64 = {"x86_64": 217, "aarch64": 61}.get(os.uname().machine)


def process(*command):
    """Seconds from the start of a command to its end."""
    begin = time.monotonic()
    pid = os.posix_spawnp(command[0], command, dict(os.environ, LC_ALL="C"))
    _, status = os.waitpid(pid, 0)
    took = time.monotonic() - begin
    if status != 0:
        raise CommandFailed(f"{' '.join(command)}: status {status}")
    return took


def first_line(script):
    """Seconds from the start of a shell's pipeline to its first line, and to its end."""
    begin = time.monotonic()
    with subprocess.Popen(["sh", "-c", script], stdout=subprocess.PIPE, env=dict(os.environ, LC_ALL="C")) as child:
        child.stdout.readline()
        first = time.monotonic() - begin
        child.stdout.read()
        child.wait()
        return first, time.monotonic() - begin


def first_names(path):
    """Seconds for open(2) and one getdents64(2), without a process."""
    buffer = ctypes.create_string_buffer(32768)
    begin = time.monotonic()
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    got = _libc.syscall(SYS_GETDENTS64, fd, buffer, len(buffer))
    took = time.monotonic() - begin
    os.close(fd)
    if got <= 0:
        raise CommandFailed(f"getdents64 of {path}: {os.strerror(ctypes.get_errno())}")
    return took


def plant(directory, count, words):
    os.makedirs(directory)
    for number in range(count):
        with open(os.path.join(directory, f"file-{number:06}"), "w", encoding="ascii") as file:
            file.write(words)


def synced(path):
    fd = os.open(path, os.O_RDONLY)
    os.fsync(fd)
    os.close(fd)


class Latencies:
    def __init__(self, space, table, binaries):
        self.space, self.table, self.binaries = space, table, binaries
        self.mount = space.fresh("mnt")
        self.plain = space.fresh("plain")
        self.address = f"unix:{space.at('pfsd.sock')}"
        self.start()

    def start(self):
        command = [os.path.join(self.binaries, "pfsd"), "--store", self.space.at("store"), "--mount", self.mount, "--socket",
                   self.space.at("pfsd.sock"), "--log-level", "warn"]
        self.space.serve(command, self.mount, lambda: os.path.isdir(os.path.join(self.mount, ".pfs")))

    def pfs(self, *words):
        return self.space.run([os.path.join(self.binaries, "pfs"), *words], env={"PFS_ADDRESS": self.address})

    def branch(self, name):
        path = os.path.join(self.mount, f"data@{name}")
        if not os.path.isdir(path):
            os.mkdir(path)
        return path

    def commit(self, name):
        """Finishes what is open; returns the id of HEAD."""
        with open(os.path.join(self.mount, f"data@{name}", ".pfs", "commit"), "w", encoding="ascii") as file:
            file.write("bench")
        return self.head(name)

    def head(self, name):
        return os.readlink(os.path.join(self.mount, ".pfs", "heads", f"data@{name}")).rpartition("@")[2]

    def plain_files(self, count):
        """A directory of so many files beside the mount."""
        path = self.space.at("plain", f"planted-{count}")
        if not os.path.isdir(path):
            plant(path, count, "content")
        return path

    def grow(self, branch, name, count):
        """The same directory in a branch, by reference, as it was put once."""
        source = f"data@planted:/{count}"
        if not os.path.isdir(os.path.join(self.branch("planted"), str(count))):
            self.pfs("put", "file", source, "-r", "-f", self.plain_files(count))
            self.commit("planted")
        self.branch(branch)
        self.pfs("copy", "file", source, f"data@{branch}:/{name}")

    # ---- rows

    def moves(self):
        """`mv` of a committed directory to another branch and back."""
        for count, target in ((FEW, None), (MANY, at_most(5, "ms"))):
            name = f"d{count}"
            one, other = self.branch("one"), self.branch("other")
            self.grow("one", name, count)
            plant(self.space.at("plain", name), 1, "content")  # ext4 renames a directory of any size alike
            os.makedirs(self.space.at("plain", "other"), exist_ok=True)
            ours, plain = [], []
            for turn in range(ROUNDS):
                self.commit("one"), self.commit("other")
                source, to = (one, other) if turn % 2 == 0 else (other, one)
                ours.append(process("mv", os.path.join(source, name), to))
                places = self.plain, self.space.at("plain", "other")
                source, to = places if turn % 2 == 0 else places[::-1]
                plain.append(process("mv", os.path.join(source, name), to))
            self.row(f"mv of a directory of {count:,} files to another branch", ours, "mv within ext4", plain, target)
            process("mv", os.path.join(other, name), one)  # the rounds are odd
            self.commit("one"), self.commit("other")

    def retargets(self):
        """`ln` between two commits whose files the kernel knows; each moves HEAD durably."""
        for count in (FEW, MANY):
            top = self.branch(f"r{count}")
            self.grow(f"r{count}", "d", count)
            ids = [self.commit(f"r{count}")]
            with open(os.path.join(top, "d", "more"), "w", encoding="ascii") as file:
                file.write("more")
            ids.append(self.commit(f"r{count}"))
            ours, plain = [], []
            link = self.space.at("plain", "link")
            for turn in range(ROUNDS if count == FEW else ROUNDS_OF_MANY):
                subprocess.run(["ls", "-lR", top], stdout=subprocess.DEVNULL, check=True)
                ours.append(process("ln", "-s", f"data@{ids[turn % 2]}", top))
                plain.append(process("ln", "-sfn", f"data@{ids[turn % 2]}", link) + Workspace.timed(lambda: synced(self.plain)))
            self.row(f"ln retargets a branch of {count:,} files", ours, "ln within ext4 and fsync of its directory", plain, at_most(5, "ms"))

    def copies(self, size):
        """`cp` of a file within the mount."""
        top = self.branch("big")
        source, plain_source = os.path.join(top, "big"), self.space.at("plain", "big")
        piece = os.urandom(1 << 20)
        for path in (source, plain_source):
            with open(path, "wb") as file:
                for _ in range(size >> 20):
                    file.write(piece)
        self.commit("big")
        ours = [process("cp", source, os.path.join(top, f"copy-{turn}")) for turn in range(ROUNDS)]
        plain = process("cp", plain_source, plain_source + ".copy") + Workspace.timed(lambda: self.space.sync())
        self.row(f"cp of {size / (1 << 30):g} GiB within the mount, by reference", ours, "cp within ext4 and sync", [plain], at_most(5, "ms"))

    def closes(self):
        """From close(2) of a new file of 4 KiB, policy `close`, to the moment in which readlink(2) of the branch's head says
        another commit; it is asked without a pause."""
        top = self.branch("close")
        self.pfs("update", "branch", "data@close", "--commit", "close")
        pointer = os.path.join(self.mount, ".pfs", "heads", "data@close")
        ours, plain = [], []
        for turn in range(CLOSES):
            before = os.readlink(pointer)
            fd = os.open(os.path.join(top, f"f{turn}"), os.O_WRONLY | os.O_CREAT, 0o644)
            os.write(fd, os.urandom(4096))
            begin = time.monotonic()
            os.close(fd)
            while os.readlink(pointer) == before:
                pass
            ours.append(time.monotonic() - begin)
            fd = os.open(self.space.at("plain", f"f{turn}"), os.O_WRONLY | os.O_CREAT, 0o644)
            os.write(fd, os.urandom(4096))
            plain.append(Workspace.timed(lambda: os.fsync(fd)))
            os.close(fd)
            time.sleep(0.02)
        self.row("close of 4 KiB to its commit, policy close", ours, "fsync of 4 KiB on ext4", plain, at_most(3, "ms"))

    def listings(self):
        """A commit that this pfsd has never looked at, its packs and the kernel's names cold."""
        self.grow("listed", "d", MANY)
        commit = self.commit("listed")
        directory = os.path.join(self.mount, f"data@{commit}", "d")
        plain = self.plain_files(MANY)

        def cold():
            self.space.unmount(self.mount)
            self.space.make_cold(self.space.at("store"), plain)
            self.start()

        rows = {
            "ls -U, first line,": (lambda at: first_line(f"ls -U '{at}' | head -n 1")[0], at_most(50, "ms")),
            "one getdents, no process": (first_names, at_most(50, "ms")),
            "ls (sorted), to its end": (lambda at: first_line(f"ls '{at}'")[1], None),
        }
        for name, (measure, target) in rows.items():
            ours, theirs = [], []
            for _ in range(3):
                cold()
                theirs.append(measure(plain))
                ours.append(measure(directory))
            self.row(f"{name} of {MANY:,} names, commit never read", ours, "on ext4, cold", theirs, target)

    def row(self, name, ours, against, theirs, target):
        mine, other = median(ours), median(theirs)
        spread = f"{duration(mine)} ({duration(min(ours))} to {duration(max(ours))})"
        self.table.row(name, spread, f"{against}: {duration(other)}", mine / max(other, 1e-9), target, mine * 1e3 if target else None)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("binaries", help="the directory of pfsd and pfs")
    parser.add_argument("--dir", default=os.environ.get("TMPDIR", "/tmp"), help="where to work; about 5 GB")
    parser.add_argument("--rows", default="moves,retargets,copies,closes,listings", help="of %(default)s")
    chosen = parser.parse_args()
    table = Table()
    table.head(["medians of nine (five retargets of many files, 50 closes, 3 listings), with the least and the most"])
    try:
        with Workspace(chosen.dir, "") as space:
            latencies = Latencies(space, table, os.path.abspath(chosen.binaries))
            rows = {"moves": latencies.moves, "retargets": latencies.retargets, "copies": lambda: latencies.copies(1 << 30),
                    "closes": latencies.closes, "listings": latencies.listings}
            for name in chosen.rows.split(","):
                rows[name]()
    except (CommandFailed, OSError) as failure:
        print(f"mount_latencies: {failure}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
