#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""With many attached processes that do nothing, the daemon makes no system call; each costs it little
memory; and a rule change that rewrites all of them few system calls each. Prints the curve, with the
processor time that a rewrite takes: a bound on that is for a machine that is quiet (MPOL_FULL=1).
MPOL_SIZES="10000": of these numbers of processes only.
Without process events, for which every program that anybody starts on the machine is one."""
import os
import resource
import sys
import unittest

import harness
from harness import BIND, Daemon, LogTail, Strace, Subject, rule

SIZES = [int(size) for size in os.environ.get(
    "MPOL_SIZES", "10 100 1000 10000" if harness.FULL else "100").split()]
QUIET_S = 10 if harness.FULL else 3
KIB_MAX = 16  # for each process
REWRITE_MS_MAX = 200  # of processor time, of 1,000
CALLS_MAX = 80  # system calls for each process that is rewritten, those of its log included


class AtRestTest(unittest.TestCase):
    rewrites = 0

    def test_curve(self):
        for size in SIZES:
            with self.subTest(size=size), Daemon(rule("interleave:all"), "--no-bpf") as daemon:
                self.measure(daemon, size)

    def measure(self, daemon, size):
        resident = daemon.resident_kib()
        with LogTail(daemon) as log, Subject(daemon, "family", size) as family:
            pids = [family.pid, *family.children()]
            for pid in pids:
                harness.wait_until(lambda: isinstance(daemon.call("Explain", pid=pid), dict), pid)
            kib = (daemon.resident_kib() - resident) / size
            self.rewrite(daemon, log, pids, "prefer:0")
            calls = harness.calls_at_rest(daemon, QUIET_S)
            # Twice, and the second counts: the first has to make room for what it remembers.
            for policy in ("bind:0", "interleave:all"):
                rewrite_ms = self.rewrite(daemon, log, pids, policy) / 1e6
            with Strace(daemon) as rewriting:
                self.rewrite(daemon, log, pids, "bind:0")
            modes = {harness.segment_of(pid).mode() for pid in pids}
        each = len(rewriting.lines) / size
        print(f"\n{size} processes: {kib:.1f} KiB resident each, {len(calls)} system calls in {QUIET_S} s "
              f"at rest, {rewrite_ms:.1f} ms of processor time to rewrite all, "
              f"{each:.1f} system calls each", file=sys.stderr)
        self.assertEqual(calls, [])
        self.assertEqual(modes, {BIND})
        if size >= 100:  # Of ten, what every daemon has once counts more.
            self.assertLessEqual(kib, KIB_MAX)
            self.assertLessEqual(each, CALLS_MAX)
        if size == 1000:
            self.assertLessEqual(rewrite_ms, REWRITE_MS_MAX)

    def rewrite(self, daemon, log, pids, policy):
        """Until it has told of all that it did, and sleeps. The processor time, ns."""
        before = daemon.processor_ns()
        self.rewrites += 1
        name = f"rewrite {self.rewrites}"
        daemon.write_rules(rule(policy, name=name))
        log.wait_for("apply", pids, name)
        harness.wait_until(daemon.sleeps, "rest")
        return daemon.processor_ns() - before


if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    # Every daemon finds every process of its pid namespace, and others' tests start and end some.
    harness.run_in_pid_namespace()
    harness.main()
