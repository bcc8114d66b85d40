#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""With many attached processes that do nothing, the daemon makes no system call; each costs it little
memory; and a rule change that rewrites all of them little time. Prints the curve.
Without process events, for which every program that anybody starts on the machine is one."""
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

import harness
from harness import BIND, INTERLEAVE, Daemon, Subject, rule

SIZES = (10, 100, 1000) if harness.FULL else (100,)
QUIET_S = 10 if harness.FULL else 3
KIB_MAX = 16  # for each process
REWRITE_MS_MAX = 200  # of processor time, of 1,000


class AtRestTest(unittest.TestCase):
    def attached(self, daemon):
        return daemon.call("Status")["status"]["attached"]

    def test_curve(self):
        for size in SIZES:
            with self.subTest(size=size), Daemon(rule("interleave:all"), "--no-bpf") as daemon:
                self.measure(daemon, size)

    def measure(self, daemon, size):
        resident = daemon.resident_kib()
        with Subject(daemon, "family", size) as family:
            harness.wait_until(lambda: self.attached(daemon) == size + 1, "all to be attached")
            segments = [harness.segment_of(pid) for pid in family.children()]
            harness.wait_until(lambda: all(one.mode() == INTERLEAVE for one in segments), "policies")
            kib = (daemon.resident_kib() - resident) / size
            self.wait_for_rest(daemon)
            calls = self.system_calls(daemon)
            # Twice, and the second counts: the first has to make room for what it remembers.
            for policy, mode in (("bind:0", BIND), ("interleave:all", INTERLEAVE), ("bind:0", BIND)):
                before = daemon.processor_ns()
                daemon.write_rules(rule(policy))
                harness.wait_until(lambda: all(one.mode() == mode for one in segments), "a rewrite")
                self.wait_for_rest(daemon)
                rewrite_ms = (daemon.processor_ns() - before) / 1e6
        print(f"\n{size} processes: {kib:.1f} KiB resident each, {calls} system calls in {QUIET_S} s "
              f"at rest, {rewrite_ms:.1f} ms of processor time to rewrite all", file=sys.stderr)
        self.assertEqual(calls, 0)
        if size >= 100:  # Of ten, what every daemon has once counts more.
            self.assertLessEqual(kib, KIB_MAX)
        self.assertLessEqual(rewrite_ms, REWRITE_MS_MAX * max(size, 100) / 1000)

    def wait_for_rest(self, daemon):
        """It has told of all that it did, and sleeps."""
        quiet = [0, daemon.processor_ns()]

        def rests():
            time.sleep(0.05)
            now = daemon.processor_ns()
            quiet[0] = quiet[0] + 1 if now == quiet[1] else 0
            quiet[1] = now
            return quiet[0] >= 30  # longer than it looks whether a change is in force
        harness.wait_until(rests, "rest")

    def system_calls(self, daemon):
        if shutil.which("strace") is None:
            self.skipTest("no strace")
        with tempfile.NamedTemporaryFile("r", encoding="utf-8") as log:
            tracer = subprocess.Popen(
                ["strace", "-f", "-o", log.name, "-p", str(daemon.process.pid)],
                stderr=subprocess.PIPE, text=True)
            line = tracer.stderr.readline()
            if "attached" not in line:
                tracer.wait()
                self.skipTest(f"strace can't trace here: {line.strip()}")
            time.sleep(QUIET_S)
            tracer.terminate()
            tracer.wait()
            tracer.stderr.close()
            lines = log.read().splitlines()
        # The call that it sleeps in is told when strace comes, and again when it goes.
        calls = [line for line in lines if "epoll_wait" not in line and "detached" not in line]
        returned = [line for line in lines if "epoll_wait" in line and " = " in line]
        return len(calls) + len(returned)


if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    harness.main()
