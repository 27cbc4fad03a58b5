"""Where a benchmark works: a temporary directory, the children and mounts in it, and how all of it goes away."""

import ctypes
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

_libc = ctypes.CDLL(None, use_errno=True)


class CommandFailed(Exception):
    pass


def median(values):
    return sorted(values)[len(values) // 2]


def on_disk(path):
    """Bytes that a directory takes on the disk, as du(1) counts them; a file with two names once.

    Without a store's ballast: that is room kept free, whatever the store holds.
    """
    total, seen = 0, set()
    stack = [path]
    while stack:
        with os.scandir(stack.pop()) as entries:
            for entry in entries:
                info = entry.stat(follow_symlinks=False)
                if entry.name == "ballast":
                    continue
                if entry.is_dir(follow_symlinks=False):
                    stack.append(entry.path)
                elif info.st_nlink > 1:
                    if info.st_ino in seen:
                        continue
                    seen.add(info.st_ino)
                total += info.st_blocks * 512
    return total


class Workspace:
    """A context: whatever ends it (an error, Ctrl-C, SIGTERM), children are ended, mounts undone and files removed."""

    def __init__(self, base, rows_program):
        self.base = base
        self.rows_program = rows_program
        self.path = None
        self.peak_rss = {}  # of our rows, by name, in bytes
        self._mounts = {}  # mount point -> process that serves it, or None; there before it is mounted
        self._children = set()

    def __enter__(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda caught, frame: sys.exit(128 + caught))
        self.path = tempfile.mkdtemp(prefix="pfs-bench-", dir=self.base)
        os.makedirs(self.at("home"))
        self.environment = dict(os.environ, HOME=self.at("home"), LC_ALL="C", XDG_CACHE_HOME=self.at("home/cache"),
                                XDG_CONFIG_HOME=self.at("home/config"))
        return self

    def __exit__(self, *error):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)  # a second Ctrl-C does not stop the cleaning
        for child in list(self._children):
            self._end(child)
        for point in list(self._mounts):
            self.unmount(point)
        if self._mounts:
            print(f"store_bench: a mount below {self.path} could not be undone; unmount it and remove the directory", file=sys.stderr)
            return
        subprocess.run(["rm", "-rf", self.path], check=False)

    def at(self, *parts):
        return os.path.join(self.path, *parts)

    def fresh(self, *parts):
        """An empty directory of that name; what was there is removed."""
        path = self.at(*parts)
        self.remove(path)
        os.makedirs(path)
        return path

    def remove(self, path):
        if os.path.lexists(path):
            subprocess.run(["rm", "-rf", path], check=True)

    # ---- commands

    def run(self, command, cwd=None, env=None, stdin=None):
        """Its standard output as text. Raises CommandFailed with the end of what it said."""
        child = subprocess.Popen(command, cwd=cwd, env=dict(self.environment, **(env or {})), text=True,
                                 stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE, stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE)
        self._children.add(child)
        try:
            out, complaint = child.communicate(stdin)
        finally:
            if child.poll() is not None:
                self._children.discard(child)
        if child.returncode != 0:
            raise CommandFailed(f"{' '.join(command[:3])}: {complaint.strip()[-400:] or child.returncode}")
        return out

    def ours(self, row, counted=None, **arguments):
        """One of our rows in a process of its own. Shape: its figures by name. `counted`: its memory counts as that row's."""
        command = [self.rows_program, row] + [f"{name.rstrip('_')}={value}" for name, value in arguments.items()]
        figures = {name: float(value) for name, value in
                   (line.split("=") for line in self.run(command).splitlines() if "=" in line)}
        if counted:
            self.peak_rss[counted] = max(self.peak_rss.get(counted, 0), figures["peak_rss_bytes"])
        return figures

    @staticmethod
    def timed(action):
        begin = time.monotonic()
        action()
        return time.monotonic() - begin

    # ---- the disk

    def sync(self, path=None):
        """syncfs of the file system of `path`: only of that one, since sync(2) would wait for everybody's."""
        fd = os.open(path or self.path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            if _libc.syncfs(fd) != 0:
                raise OSError(ctypes.get_errno(), "syncfs")
        finally:
            os.close(fd)

    def make_cold(self, *directories):
        """What lies in the directories is not in the page cache any more; with root's rights nothing else is either."""
        self.sync()
        for directory in directories:
            for parent, _, names in os.walk(directory):
                for name in names:
                    fd = os.open(os.path.join(parent, name), os.O_RDONLY)
                    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
                    os.close(fd)
        if os.geteuid() == 0:
            with open("/proc/sys/vm/drop_caches", "w", encoding="ascii") as file:
                file.write("3")

    def make_warm(self, directory):
        for parent, _, names in os.walk(directory):
            for name in names:
                with open(os.path.join(parent, name), "rb", buffering=0) as file:
                    while file.read(1 << 20):
                        pass

    # ---- mounts

    def mount(self, command, point):
        self._mounts[point] = None
        self.run(command)

    def serve(self, command, point, ready, env=None):
        """A mount that a process in the foreground serves; returns when `ready()` is true."""
        self._mounts[point] = None
        server = subprocess.Popen(command, env=dict(self.environment, **(env or {})), stdin=subprocess.DEVNULL,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._mounts[point] = server
        for _ in range(600):
            if server.poll() is not None:
                break
            if os.path.ismount(point) and ready():
                return
            time.sleep(0.1)
        self.unmount(point)
        raise CommandFailed(f"{' '.join(command[:2])}: nothing was mounted")

    def unmount(self, point):
        server = self._mounts.get(point)
        if os.path.ismount(point):
            fuse = shutil.which("fusermount3") or shutil.which("fusermount") or "fusermount3"
            command = [fuse, "-u", point] if server else ["umount", point]
            for _ in range(50):
                done = subprocess.run(command, stderr=subprocess.DEVNULL, check=False).returncode == 0
                if done or not os.path.ismount(point):
                    break
                time.sleep(0.1)
            else:
                subprocess.run(["umount", "-l", point], check=False)
        if server:
            self._end(server)
        if not os.path.ismount(point):
            self._mounts.pop(point, None)

    @staticmethod
    def _end(child):
        if child.poll() is None:
            child.terminate()
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
