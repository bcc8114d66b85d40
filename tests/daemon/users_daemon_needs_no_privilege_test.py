#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A user's daemon keeps his processes by his rules, without any privilege, and nobody else's; what
the system's daemon has set stays."""
import os
import sys
import unittest

import harness
from harness import BIND, INTERLEAVE, NOBODY, Daemon, Subject, rule


@unittest.skipUnless(os.geteuid() == 0, "needs root to be somebody else")
class UserTest(unittest.TestCase):
    def note(self, daemon, subject):
        """Empty: it was not looked at yet."""
        reply = daemon.call("Explain", pid=subject.pid)
        return reply["account"]["process"]["note"] if isinstance(reply, dict) else ""

    def test_its_own_processes_and_no_others(self):
        with Daemon.of_nobody(rule("interleave:all")) as daemon:
            self.assertEqual(daemon.call("Status")["status"]["events"], "hello")
            with Subject(daemon, "wait") as roots, Subject(daemon, "wait", prefix=NOBODY) as his:
                his.wait_for(INTERLEAVE)
                # It has knocked before, and was heard.
                self.assertEqual(roots.segment.policy(), (0, (0,) * harness.POLICY_WORDS))
                self.assertEqual(daemon.call("Status")["status"]["attached"], 1)

    def test_the_systems_rules_go_first(self):
        with Daemon(rule("bind:0")) as system:
            with Subject(system, "wait", prefix=NOBODY) as his:
                his.wait_for(BIND)
                generation = his.segment.generation()
                same = f'env = {{ MPOL_TEST = "{system.folder.name}" }}'
                with Daemon.of_nobody(rule("interleave:all", same)) as daemon:
                    note = "set by the system's daemon, whose rules go before a user's"
                    harness.wait_until(lambda: self.note(daemon, his) == note, "the note")
                    self.assertEqual(his.segment.generation(), generation)


if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    harness.main()
