#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`mpol rules apply` by the daemon waits until the process tells that its policy is in force, and says
so of one that does not: exit status 7."""
import json
import os
import signal
import sys
import unittest

import harness
from harness import BIND, Daemon, Subject, mpol, rule

PARTLY = 7


class ApplyTest(unittest.TestCase):
    def apply(self, daemon, pid, *options):
        done = mpol("rules", "apply", pid, "--socket", daemon.run, "--json", *options)
        rows = json.loads(done.stdout)["applied"]
        self.assertEqual([(row["to"], row["done"]) for row in rows], [("bind:0", True)], done.stdout)
        self.assertGreater(rows[0]["generation"], 0)
        return done.returncode, rows[0]

    def undo(self, daemon, subject):
        self.assertEqual(mpol("undo", subject.pid, "--socket", daemon.run).returncode, 0)

    def test_it_waits(self):
        with Daemon(rule("bind:0")) as daemon, Subject(daemon, "work") as subject:
            subject.wait_for(BIND)
            self.undo(daemon, subject)
            status, row = self.apply(daemon, subject.pid)
            self.assertEqual((status, row["applied"]), (0, True))
            self.assertTrue(subject.segment.in_force(BIND))

    def test_it_says_who_has_not_taken_it_up(self):
        with Daemon(rule("bind:0")) as daemon, Subject(daemon, "wait") as subject:
            subject.wait_for(BIND)
            self.undo(daemon, subject)
            os.kill(subject.pid, signal.SIGSTOP)
            os.waitpid(subject.pid, os.WUNTRACED)
            status, row = self.apply(daemon, subject.pid, "--timeout", "20")
            self.assertEqual((status, row["applied"], row["stopped"]), (PARTLY, False, True))
            self.undo(daemon, subject)
            status, row = self.apply(daemon, subject.pid, "--no-wait")
            self.assertEqual((status, row["applied"]), (0, False))


if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    harness.main()
