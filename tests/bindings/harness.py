# SPDX-License-Identifier: Apache-2.0
"""Starts preloaded programs for the tests of this folder, which call mpol in their own process.
Each file is a plain unittest program and one test of meson's; it exits 77 when a case was
skipped."""
import errno
import os
import signal
import subprocess
import sys
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(HERE)
sys.path[1:1] = [TESTS, os.path.join(TESTS, "cli")]
import syscalls  # noqa: E402  pylint: disable=wrong-import-position
from process import Process  # noqa: E402  pylint: disable=wrong-import-position

import mpol  # noqa: E402  pylint: disable=wrong-import-position

SKIP = 77
SECONDS_MAX = 60  # of anything that should take milliseconds
NO_SUCH_PID = 4194304  # one more than the kernel's PID_MAX_LIMIT leaves
NOBODY = 65534
VICTIM = os.path.join(TESTS, "cli", "victim.py")


def wait_until(condition):
    """For states that announce themselves to nobody."""
    deadline = time.monotonic() + SECONDS_MAX
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError("waited in vain")
        os.sched_yield()


class Victim(Process):
    """Python under the preloaded library, which does what it is told (tests/cli/victim.py)."""

    def __init__(self, prefix=()):
        environment = {**os.environ, "LD_PRELOAD": os.environ["MPOL_PRELOAD"]}
        super().__init__([*prefix, sys.executable, "-B", VICTIM], environment)
        assert self.said == "ready\n"
        # With it comes the library's helper thread, which acts while all others are blocked.
        self.worker = self.start_thread()

    def ask(self, *words):
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        return self.process.stdout.readline().rstrip("\n")

    def start_thread(self):
        return int(self.ask("thread"))

    def stop(self):
        """Returns when all its threads have stopped, of which the kernel tells the parent."""
        os.kill(self.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, self.pid, os.WSTOPPED)

    def go_on(self):
        os.kill(self.pid, signal.SIGCONT)

    def set_worker(self, target, text):
        """Its worker has that policy, in force: a thread's first one waits for its allocation."""
        target.write(text, tid=self.worker, timeout=0)
        self.ask("allocate", self.worker)
        wait_until(lambda: target.read(self.worker).in_force)

    def nodes_of(self, address, size):
        """How many pages of its memory lie on which node, by the kernel: {node: pages}."""
        pages = syscalls.nodes_of_pages(self.pid, range(address, address + size, 4096))
        return {node: pages.count(node) for node in set(pages)}


class BindingsTest(unittest.TestCase):
    maxDiff = None

    def victim(self):
        victim = Victim()
        self.addCleanup(victim.__exit__)
        return victim

    def opened(self, write=True):
        """A victim, and it opened."""
        victim = self.victim()
        target = mpol.open(victim.pid, write)
        self.addCleanup(target.close)
        return victim, target

    def uncontrolled(self):
        """A process that knows nothing of the library."""
        process = subprocess.Popen(["sleep", "1000"])
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process.pid

    def assert_fails(self, number, sentence, call, *arguments, **named):
        """The errno and all of what is said."""
        with self.assertRaises(OSError) as caught:
            call(*arguments, **named)
        self.assertEqual((errno.errorcode[caught.exception.errno], caught.exception.strerror),
                         (errno.errorcode[number], sentence))
        return caught.exception


def four_nodes(test):
    """A class or a case that needs memory on nodes 0-3, as in the four-node machine."""
    with open("/sys/devices/system/node/has_memory", encoding="ascii") as nodes:
        return unittest.skipUnless(nodes.read() == "0-3\n", "needs memory on nodes 0-3")(test)


def main():
    suite = unittest.defaultTestLoader.loadTestsFromModule(sys.modules["__main__"])
    result = unittest.TextTestRunner(verbosity=2).run(suite)
    for case, reason in result.skipped:
        print(f"skip: {case}: {reason}")
    sys.exit(1 if not result.wasSuccessful() else SKIP if result.skipped else 0)
