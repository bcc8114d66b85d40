#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A process that has nothing to show knocks until the daemon does not look at it any more, and then
executes a program that has: it is found, by its one knock. Without process events, which would tell
of the new program."""
import os
import sys
import unittest

import harness
from harness import BIND, Daemon, Subject, rule

# To look through its descriptors takes some milliseconds: its share is used up after a few knocks,
# and the last look leaves the daemon unwilling for longer than executing a program takes.
KNOCKER = """
import os, socket, sys
held = [os.memfd_create("mpol-control") for _ in range(900)]
for _ in range(500):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
        peer.connect(os.environ["MPOL_HELLO"])
os.environ["LD_PRELOAD"] = sys.argv[1]
os.execv(sys.argv[2], sys.argv[2:])
"""


ROUNDS = 5  # On a busy machine a program may take so long to begin that the daemon is willing again.


class KnockTest(unittest.TestCase):
    def test_it_is_found(self):
        with Daemon(rule("bind:0"), "--no-bpf") as daemon:
            environment = {**daemon.environment(), "LD_PRELOAD": ""}
            for _ in range(ROUNDS):
                with Subject(daemon, "wait", preload=False, environment=environment,
                             prefix=(sys.executable, "-c", KNOCKER, harness.PRELOAD)) as subject:
                    self.wait_for_policy(subject.pid)

    def wait_for_policy(self, pid):
        segment = harness.segment_of(pid)
        harness.wait_until(lambda: segment.mode() == BIND, f"a policy of {pid}")


if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    harness.main()
