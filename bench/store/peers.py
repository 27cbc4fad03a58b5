"""What the store is measured against, each with the fastest settings that a sensible user has, and durable."""

import fcntl
import glob
import os
import shutil

from workspace import CommandFailed, on_disk

REFLINK = 0x40049409  # FICLONE
SUBVOLUME_CREATE = 0x5000940E  # BTRFS_IOC_SUBVOL_CREATE
SNAPSHOT_CREATE = 0x50009401  # BTRFS_IOC_SNAP_CREATE


class Peer:
    """A repository of a tool. commit() is what is timed; all of it ends with syncfs where the tool may not have synced."""

    program = None
    name = None

    def __init__(self, space, place):
        self.space = space
        self.place = place

    @classmethod
    def why_not(cls):
        """Why it cannot be measured here, or None."""
        return None if shutil.which(cls.program) else f"{cls.program} is not installed"

    def call(self, *words, cwd=None, stdin=None):
        return self.space.run([self.program, *words], cwd=cwd, env=self.environment(), stdin=stdin)

    def environment(self):
        return {}

    def start(self):
        """An empty repository, whatever was there before."""
        self.space.remove(self.place)
        os.makedirs(self.place)

    def commit(self, source, label):
        raise NotImplementedError

    def size(self):
        self.space.sync()
        return on_disk(self.place)


class Restic(Peer):
    program = name = "restic"

    def environment(self):
        return {"RESTIC_REPOSITORY": os.path.join(self.place, "repo"), "RESTIC_PASSWORD": "bench",
                "RESTIC_CACHE_DIR": self.place + ".cache", "RESTIC_COMPRESSION": "auto"}

    def start(self):
        super().start()
        self.space.remove(self.place + ".cache")
        self.call("init", "-q", "--repository-version", "2")

    def commit(self, source, label):
        self.call("backup", "-q", "--tag", label, ".", cwd=source)
        self.space.sync()

    def extract(self, label, name, to):
        self.call("restore", "-q", "latest", "--tag", label, "--include", name, "--target", to)

    def mounted(self, point):
        command = [self.program, "mount", "-q", point]
        pattern = os.path.join(point, "snapshots", "latest", "**", "big0")
        self.space.serve(command, point, lambda: glob.glob(pattern, recursive=True), env=self.environment())
        return os.path.dirname(glob.glob(pattern, recursive=True)[0])


class Borg(Peer):
    program = "borg"
    name = "borg (lz4)"
    compression = "lz4"

    def environment(self):
        return {"BORG_REPO": os.path.join(self.place, "repo"), "BORG_BASE_DIR": self.place + ".base",
                "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes", "BORG_RELOCATED_REPO_ACCESS_IS_OK": "yes"}

    def start(self):
        super().start()
        self.space.remove(self.place + ".base")
        self.call("init", "-e", "none")

    def commit(self, source, label):
        self.call("create", "-C", self.compression, "::" + label, ".", cwd=source)
        self.space.sync()

    def extract(self, label, name, to):
        self.call("extract", "::" + label, name, cwd=to)

    def mounted(self, point):
        pattern = os.path.join(point, "*", "big0")
        self.space.serve([self.program, "mount", "-f", "::", point], point, lambda: glob.glob(pattern), env=self.environment())
        return os.path.dirname(glob.glob(pattern)[0])


class BorgZstd(Borg):
    name = "borg (zstd,1)"
    compression = "zstd,1"


class Git(Peer):
    """One repository beside its work tree. Commits name what changed, which is the quickest that people type."""

    program = name = "git"
    work_tree = None

    def environment(self):
        return {"GIT_DIR": os.path.join(self.place, "repo"), "GIT_WORK_TREE": self.work_tree or self.place,
                "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null",
                "GIT_AUTHOR_NAME": "bench", "GIT_AUTHOR_EMAIL": "bench", "GIT_COMMITTER_NAME": "bench", "GIT_COMMITTER_EMAIL": "bench"}

    def start(self):
        super().start()
        self.call("init", "-q", "-b", "master")
        self.call("config", "gc.auto", "0")

    def commit(self, source, label):
        self.work_tree = source
        self.call("add", "-A", ".", cwd=source)
        self.call("commit", "-q", "--allow-empty", "-m", label, cwd=source)
        self.space.sync()

    def commit_path(self, path, label):
        self.call("commit", "-q", "-m", label, "--", path, cwd=self.work_tree)
        self.space.sync()

    def copy_by_tree(self, name, copy):
        """The tree's object under a second name: one process, no index, no file."""
        self.call("fast-import", "--quiet", stdin=f"commit refs/heads/master\ncommitter b <b> 0 +0000\ndata 1\nc\n"
                                                  f"from refs/heads/master^0\nC {name} {copy}\n\n")
        self.space.sync()

    def diff(self):
        return self.call("diff-tree", "-r", "--name-only", "HEAD~1", "HEAD").split()


class Ostree(Peer):
    program = name = "ostree"

    def start(self):
        super().start()
        self.call("init", f"--repo={self.place}/repo", "--mode=bare" if os.geteuid() == 0 else "--mode=bare-user")

    def commit(self, source, label):
        self.call("commit", f"--repo={self.place}/repo", "--branch=b", "-s", label, f"--tree=dir={source}")
        self.space.sync()


class Btrfs:
    """A btrfs of its own in a file, mounted through a loop device that goes with the mount. Snapshots and reflinks are
    made by ioctl(2), in this process, so that no start of a command is counted. Compression is forced: its guess from a
    few samples takes our data, half of which is random, for incompressible."""

    name = "btrfs"

    def __init__(self, space, compression):
        self.space = space
        self.point = space.fresh("btrfs")
        self.image = space.at("btrfs.image")
        with open(self.image, "wb") as file:
            file.truncate(48 << 30)
        space.run(["mkfs.btrfs", "-q", "-f", "-m", "single", "-d", "single", self.image])
        space.mount(["mount", "-o", f"loop,noatime,compress-force={compression}", self.image, self.point], self.point)
        self.sync()
        self.empty = self._used()

    @staticmethod
    def why_not():
        if os.geteuid() != 0:
            return "btrfs needs root, for its loop device"
        if not shutil.which("mkfs.btrfs"):
            return "btrfs-progs are not installed"
        with open("/proc/filesystems", encoding="ascii") as file:
            known = "\tbtrfs\n" in file.read()
        if not known and os.system("modprobe btrfs 2> /dev/null") != 0:
            return "the kernel has no btrfs"
        return None

    def at(self, *parts):
        return os.path.join(self.point, *parts)

    def close(self):
        self.space.unmount(self.point)
        self.space.remove(self.image)

    def sync(self):
        self.space.sync(self.point)

    def size(self):
        self.sync()
        return self._used() - self.empty

    def subvolume(self, name):
        self._ioctl(SUBVOLUME_CREATE, name, 0)
        return self.at(name)

    def snapshot(self, name, copy):
        source = os.open(self.at(name), os.O_RDONLY)
        try:
            self._ioctl(SNAPSHOT_CREATE, copy, source)
        finally:
            os.close(source)
        self.sync()

    def reflink_and_edit(self, name, copy, edits):
        with open(self.at(name), "rb") as source, open(self.at(copy), "wb") as target:
            fcntl.ioctl(target.fileno(), REFLINK, source.fileno())
            for offset, data in edits:
                os.pwrite(target.fileno(), data, offset)
        self.sync()

    def _ioctl(self, request, name, fd):
        directory = os.open(self.point, os.O_RDONLY)
        try:
            fcntl.ioctl(directory, request, bytearray(fd.to_bytes(8, "little") + name.encode().ljust(4088, b"\0")))
        finally:
            os.close(directory)

    def _used(self):
        for line in self.space.run(["btrfs", "filesystem", "usage", "-b", self.point]).splitlines():
            if line.strip().startswith("Used:"):
                return int(line.split()[1])
        raise CommandFailed("btrfs filesystem usage: no line Used:")
