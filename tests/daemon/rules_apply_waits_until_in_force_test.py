#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`mpol rules apply` by the daemon waits until the process tells that its policy is in force, and says
so of one that does not, or can't: exit status 7; of one that ends meanwhile: 3."""
import errno
import json
import os
import signal
import subprocess
import sys
import unittest

import harness
from harness import BIND, Daemon, Subject, mpol, rule

NO_TARGET, PARTLY = 3, 7
SYSCALLS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../cli/syscalls.py")
REFUSAL = ("could not apply the policy: EPERM (Operation not permitted); the old one stays in force")


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

    def test_it_says_what_the_kernel_refuses(self):
        refuse = (sys.executable, "-B", SYSCALLS, "mbind", str(errno.EPERM))
        with Daemon(rule("bind:0")) as daemon, Subject(daemon, "work", prefix=refuse) as subject:
            subject.wait_for(BIND)  # published, and answered
            self.undo(daemon, subject)
            for _ in range(2):  # the second finds it published, and refused
                done = mpol("rules", "apply", subject.pid, "--socket", daemon.run, "--json")
                rows = json.loads(done.stdout)["applied"]
                self.assertEqual([(row["done"], row["why"]) for row in rows], [(False, REFUSAL)])
                self.assertEqual(done.returncode, PARTLY)

    def test_a_process_that_ends_meanwhile_is_not_waited_for(self):
        with Daemon(rule("bind:0")) as daemon, Subject(daemon, "wait") as subject:
            subject.wait_for(BIND)
            self.undo(daemon, subject)
            os.kill(subject.pid, signal.SIGSTOP)
            os.waitpid(subject.pid, os.WUNTRACED)
            with subprocess.Popen(
                    [harness.MPOL, "rules", "apply", str(subject.pid), "--socket", daemon.run,
                     "--timeout", str(10_000 * harness.SECONDS_MAX)],
                    stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as waiting:
                self.addCleanup(waiting.kill)
                harness.wait_until(lambda: subject.segment.mode() == BIND, "the policy")
                os.kill(subject.pid, signal.SIGKILL)
                out, errors = waiting.communicate(timeout=harness.SECONDS_MAX)
            self.assertEqual((waiting.returncode, out, errors),
                             (NO_TARGET, "", f"mpol: process {subject.pid} has exited\n"))


if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    harness.main()
