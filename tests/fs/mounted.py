# SPDX-License-Identifier: Apache-2.0
"""What the tests of a mounted mpolfs share: a mount in a directory of its own that is always taken
down again, targets under the preloaded library, and callers with other ids.

main() runs the tests of the file that calls it; it exits 77 when one of them was skipped."""

import argparse
import errno
import os
import pathlib
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

SKIP = 77
NOBODY = 65534
WAIT_SECONDS = 20
KERNEL_LINE = re.compile(
    r"(?P<start>[0-9a-f]+) (?P<policy>(prefer \(many\)|weighted interleave|\w+)\S*)")

# Two threads that allocate, say their ids, and stay until they are ended.
TARGET = """
import ctypes, os, sys, threading, time
def work():
    while True:
        block = bytearray(1 << 20)
        time.sleep(0.005)
worker = threading.Thread(target=work, daemon=True)
worker.start()
if "crowd" in sys.argv:
    for _ in range(40):
        threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
if "hidden" in sys.argv:
    ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)  # PR_SET_DUMPABLE
print(os.getpid(), worker.native_id, flush=True)
work()
"""

options = argparse.Namespace(mpolfs=None, preload=None)


def require_fuse():
    if not os.path.exists("/dev/fuse"):
        raise unittest.SkipTest("there is no /dev/fuse")
    if shutil.which("fusermount3") is None:
        raise unittest.SkipTest("fusermount3 is not installed (Debian package fuse3)")


def wait_for(condition, what):
    """For what the target does inside, of which nobody is told."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {WAIT_SECONDS} s: {what}")
        time.sleep(0.01)


def wait_for_mount(is_there, process):
    """Returns when it is there, or the process has ended. Every change of the mounts wakes."""
    deadline = time.monotonic() + WAIT_SECONDS
    ended = os.pidfd_open(process.pid)
    try:
        # Opened before the first look: what changes after that is told.
        with open("/proc/self/mountinfo", "rb") as mounts:
            events = select.poll()
            events.register(mounts, select.POLLPRI)
            events.register(ended, select.POLLIN)
            while not is_there() and process.poll() is None:
                left = deadline - time.monotonic()
                if left <= 0 or not events.poll(left * 1000):
                    raise AssertionError(f"not within {WAIT_SECONDS} s: the mount")
    finally:
        os.close(ended)


def ids(uid):
    """For subprocess: run as that user, in no other group than its own."""
    return {} if uid == os.geteuid() else {"user": uid, "group": uid, "extra_groups": []}


def python(uid):
    """An interpreter that the user may execute: this one may lie in somebody's home."""
    if uid is None:
        return sys.executable
    found = shutil.which("python3", path="/usr/local/bin:/usr/bin:/bin")
    if found is None:
        raise unittest.SkipTest("there is no python3 that all users may execute")
    return found


class Target:
    """A process under the preloaded library."""

    def __init__(self, *words, uid=None, launcher=()):
        self.process = subprocess.Popen(
            [*launcher, python(uid), "-c", TARGET, *words], stdout=subprocess.PIPE, text=True,
            env=dict(os.environ, LD_PRELOAD=str(options.preload), PYTHONMALLOC="malloc"),
            **ids(os.geteuid() if uid is None or launcher else uid))
        line = self.process.stdout.readline().split()
        self.pid, self.worker = int(line[0]), int(line[1])

    def end(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def stop(self):
        """Returns when all its threads have stopped, of which the kernel tells the parent."""
        os.kill(self.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, self.pid, os.WSTOPPED)

    def kernel_policies(self, mount):
        """The kernel's words on the target's regions."""
        regions = {line.split()[0] for line in mount.read(self.pid, "numa_maps").splitlines()}
        with open(f"/proc/{self.pid}/numa_maps", encoding="ascii", errors="replace") as lines:
            fields = [KERNEL_LINE.match(line) for line in lines]
        return {field["policy"] for field in fields if field["start"] in regions}


class Mount:
    """mpolfs in the foreground, so that it is our child and can't be left behind."""

    def __init__(self, uid=None):
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="mpolfs-"))
        uid = os.geteuid() if uid is None else uid
        os.chown(self.dir, uid, -1)
        self.log = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen([str(options.mpolfs), "-f", str(self.dir)],
                                        stderr=self.log, **ids(uid))
        try:
            wait_for_mount(self.mounted, self.process)
            if not self.mounted() and re.search("not permitted|ermission denied", self.said()):
                raise unittest.SkipTest(f"this machine forbids FUSE mounts: {self.said()}")
            if not self.mounted():
                raise AssertionError(f"mpolfs could not be mounted: {self.said()}")
        except BaseException:
            self.end()
            raise

    def said(self):
        self.log.seek(0)
        return self.log.read().strip()

    def mounted(self):
        with open("/proc/self/mounts", encoding="ascii") as mounts:
            return any(line.split()[1] == str(self.dir) for line in mounts)

    def end(self):
        """True when it left no mount and ended by itself."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            clean = self.process.wait(WAIT_SECONDS) == 0
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            clean = False
        if self.mounted():
            clean = False
            subprocess.run(["fusermount3", "-u", "-z", str(self.dir)], check=False)
        self.log.close()
        shutil.rmtree(self.dir, ignore_errors=True)
        return clean

    def path(self, *parts):
        return self.dir.joinpath(*map(str, parts))

    def read(self, *parts):
        return self.path(*parts).read_text(encoding="ascii")

    def status(self, pid):
        pairs = [line.split(":\t", 1) for line in self.read(pid, "status").splitlines()]
        return dict(pairs)


def write(path, text):
    """One write(2), as `echo` makes it."""
    fd = os.open(path, os.O_WRONLY | os.O_TRUNC | os.O_CREAT, 0o666)
    try:
        return os.write(fd, text if isinstance(text, bytes) else text.encode())
    finally:
        os.close(fd)


def shell(command, uid=None):
    return subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False,
                          env=dict(os.environ, LC_ALL="C"),
                          **ids(os.geteuid() if uid is None else uid))


class MountedCase(unittest.TestCase):
    """One mount for all tests of a class, and one target for each test."""

    @classmethod
    def setUpClass(cls):
        require_fuse()
        cls.mount = Mount()

    @classmethod
    def tearDownClass(cls):
        if not cls.mount.end():
            raise AssertionError("mpolfs did not end cleanly")

    def target(self, *words, **how):
        target = Target(*words, **how)
        self.addCleanup(target.end)
        return target

    def assert_errno(self, number, call, *arguments):
        with self.assertRaises(OSError) as caught:
            call(*arguments)
        self.assertEqual(errno.errorcode[caught.exception.errno], errno.errorcode[number])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--mpolfs", required=True)
    parser.add_argument("--preload", required=True)
    parser.parse_known_args(namespace=options)
    suite = unittest.defaultTestLoader.loadTestsFromModule(sys.modules["__main__"])
    result = unittest.TextTestRunner(verbosity=2).run(suite)
    if not result.wasSuccessful():
        sys.exit(1)
    sys.exit(SKIP if result.skipped else 0)
