#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The daemon is killed at random instants while it works: no process is disturbed, the next daemon
finds all of them within a second, and undo is exact still. MPOL_TEST_SEED repeats a run."""
import os
import random
import signal
import sys
import time
import unittest

import harness
from harness import Daemon, Subject, rule
from replay import announced_seed

KILLS = 1000 if harness.FULL else 50
PROCESSES = 100 if harness.FULL else 30
# Process events take a busy machine a second to load, each time.
OPTIONS = () if harness.FULL else ("--no-bpf",)
POLICIES = ("interleave:all", "bind:0", "prefer:0")
FOUND_S_MAX = 1.0


class KilledDaemonTest(unittest.TestCase):
    def test_kills(self):
        dice = random.Random(announced_seed())
        slowest_s = 0.0
        with Daemon("", *OPTIONS) as daemon, Subject(daemon, "family", PROCESSES) as family:
            pids = family.children()
            segments = [harness.segment_of(pid) for pid in pids]
            # Some had a policy before.
            for pid in pids[::10]:
                self.assertEqual(harness.mpol("set", "--no-wait", pid, "prefer:0").returncode, 0)
            before = [segment.policy() for segment in segments]
            for kill in range(KILLS):
                policy = POLICIES[kill % len(POLICIES)]
                daemon.write_rules(rule(policy))
                # Reading the rules takes it 0.1 s, rewriting all a few ms; or it is started just now.
                daemon.process.send_signal(signal.SIGHUP)
                time.sleep(dice.random() * 0.02)
                daemon.end(signal.SIGKILL)
                begin = time.monotonic()
                daemon.start()
                # Not by their number: the daemon finds whatever else is on the machine, too.
                for pid in pids:
                    harness.wait_until(
                        lambda: isinstance(daemon.call("Explain", pid=pid), dict), f"{pid} again")
                slowest_s = max(slowest_s, time.monotonic() - begin)
            mode = {"interleave:all": 3, "bind:0": 2, "prefer:0": 1}[policy]
            harness.wait_until(lambda: all(one.mode() == mode for one in segments), "the last rule")
            daemon.end(signal.SIGKILL)
            daemon.start()
            self.undo_all(daemon, pids)
            self.assertEqual([segment.policy() for segment in segments], before)
            self.assertEqual(family.children(), pids, "a process died")
        print(f"{KILLS} kills, {PROCESSES} processes: all found again within {slowest_s:.2f} s",
              file=sys.stderr)
        self.assertLess(slowest_s, FOUND_S_MAX * (1 if harness.FULL else 5))

    def undo_all(self, daemon, pids):
        for pid in pids:
            harness.wait_until(lambda: isinstance(daemon.call("Explain", pid=pid), dict), "it")
            reply = daemon.call("Undo", pid=pid)
            self.assertIsInstance(reply, dict, reply)
            self.assertEqual([one["done"] for one in reply["undone"]], [True], (pid, reply))


if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    harness.main()
