# SPDX-License-Identifier: Apache-2.0
"""Starts programs under `mpol run`, and `mpol` itself, for the tests of this folder."""
import json
import os
import re
import subprocess
import sys
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
from process import Process  # noqa: E402  pylint: disable=wrong-import-position
MPOL = os.path.abspath(os.environ["MPOL_BIN"])
VICTIM = os.path.join(HERE, "victim.py")
SECONDS_MAX = 60  # of anything that should take milliseconds
NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
OK, FAILED, USAGE, NO_TARGET, NOT_PERMITTED, NOT_SUPPORTED, PARTLY = 0, 1, 2, 3, 4, 6, 7
with open(os.path.join(HERE, "../../include/mpol/control.h"), encoding="utf-8") as header:
    SEGMENT_ABI = int(re.search(r"#define MPOL_CTL_ABI (\d+)u", header.read())[1])
NO_SUCH_PID = 4194304  # one more than the kernel's PID_MAX_LIMIT leaves

# The library is found by mpol itself, and nothing of the caller's gets in between.
ENVIRONMENT = {name: value for name, value in os.environ.items()
               if not name.startswith("MPOL_") and name != "LD_PRELOAD"}
SAMPLES_ASLEEP = 3  # in a row, before all threads are taken to be blocked


def mpol(*words, prefix=(), env=None, **options):
    command = [*prefix, MPOL, *map(str, words)]
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    return subprocess.run(command, text=True, errors="replace",
                          timeout=SECONDS_MAX, check=False,
                          env={**ENVIRONMENT, **(env or {})}, **options)


class Victim(Process):
    """A program under control. `with Victim() as victim:`"""

    def __init__(self, *policy, env=None, prefix=(), launcher=None):
        launcher = [MPOL, "run", *policy, "--"] if launcher is None else launcher
        super().__init__([*prefix, *launcher, sys.executable, "-B", VICTIM],
                         {**ENVIRONMENT, **(env or {})})
        assert self.said == "ready\n"
        self.settle()

    def ask(self, *words):
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        answer = self.process.stdout.readline().rstrip("\n")
        self.settle()
        return answer

    def asleep(self):
        for tid in os.listdir(f"/proc/{self.pid}/task"):
            try:
                with open(f"/proc/{self.pid}/task/{tid}/stat", errors="replace") as stat:
                    if stat.read().rpartition(")")[2].split()[0] != "S":
                        return False
            except (FileNotFoundError, ProcessLookupError):
                return False  # It has exited since.
        return True

    def settle(self):
        """Returns when it has nothing left to do but to read the next line."""
        samples = 0
        while samples < SAMPLES_ASLEEP:
            samples = samples + 1 if self.asleep() else 0
            os.sched_yield()

    def start_thread(self):
        return int(self.ask("thread"))

    def policy_words(self, tid):
        """The first word of the process's policy, and of the thread's (include/mpol/control.h)."""
        with open(self.segment(), "rb") as file:
            data = file.read()
        for slot in range(8192, 8192 + (4096 << 8), 256):
            if int.from_bytes(data[slot + 8:slot + 12], "little") == tid:
                return [int.from_bytes(data[at:at + 8], "little") for at in (264, slot + 64)]
        raise AssertionError("no such thread")

    def overwrite(self, offset, data):
        fd = os.open(self.segment(), os.O_RDWR)
        try:
            assert os.pwrite(fd, data, offset) == len(data)
        finally:
            os.close(fd)


def segment_bytes():
    with Victim() as victim:
        return os.stat(victim.segment()).st_size


class CliTest(unittest.TestCase):
    maxDiff = None

    def expect(self, result, status, out=None, err=""):
        """out and err are the exact texts; out None: whatever it is."""
        self.assertEqual((result.returncode, result.stderr), (status, err), result.stdout)
        if out is not None:
            self.assertEqual(result.stdout, out)

    def expect_out(self, result, status, pattern):
        self.assertEqual((result.returncode, result.stderr), (status, ""), result.stdout)
        self.assertRegex(result.stdout, pattern)

    def value(self, *words, status=OK):
        result = mpol("--json", *words)
        self.assertEqual((result.returncode, result.stderr), (status, ""), result.stdout)
        return json.loads(result.stdout)

    def wait_until(self, condition):
        """For states that announce themselves to nobody."""
        deadline = time.monotonic() + SECONDS_MAX
        while not condition():
            self.assertLess(time.monotonic(), deadline)
            os.sched_yield()


def numa_maps_bytes(pid, region):
    """Bytes by node of the mappings that start in a region, as the kernel counts them."""
    end = region["start"] + region["reserved_bytes"]
    found = {}
    with open(f"/proc/{pid}/numa_maps", encoding="ascii", errors="replace") as file:
        for line in file:
            if region["start"] <= int(line.split()[0], 16) < end:
                size = int(re.search(r"kernelpagesize_kB=(\d+)", line + "kernelpagesize_kB=4")[1])
                for node, pages in re.findall(r" N(\d+)=(\d+)", line):
                    found[node] = found.get(node, 0) + int(pages) * size * 1024
    return found


def lines(*text):
    return "".join(line + "\n" for line in text)


def matching(*text):
    """A pattern of whole lines; <T> stands for a time, <N> for a number."""
    escaped = "".join(re.escape(line) + "\n" for line in text)
    time_pattern = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} [+-]\d{4}"
    return "^" + escaped.replace("<T>", time_pattern).replace("<N>", r"\d+") + "$"


def mbind_refused(err):
    """Prefix of a command whose mbind calls fail."""
    return [sys.executable, "-B", os.path.join(HERE, "syscalls.py"), "mbind", str(err)]


def needs_root(test):
    return unittest.skipUnless(os.geteuid() == 0, "needs root")(test)


def main():
    unittest.main(verbosity=2)
