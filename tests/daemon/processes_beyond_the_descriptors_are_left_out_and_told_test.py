#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""With few descriptors the daemon keeps as many processes as they suffice for, all of them as well as
ever; says that others are left out; and takes those in as soon as there is room."""
import os
import signal
import sys
import unittest

import harness
from harness import BIND, NOBODY, Daemon, Subject, rule

LIMIT = 64
FAMILY = 40
# Half of them is for processes, each of which takes one; a quarter of these have a second.
KEPT = 24


@unittest.skipUnless(os.geteuid() == 0, "needs root to be somebody else, whose limit is one")
class DescriptorsTest(unittest.TestCase):
    def status(self, daemon):
        return daemon.call("Status")["status"]

    def modes(self, segments):
        return [segment.mode() for segment in segments]

    def test_left_out_until_there_is_room(self):
        limited = (*NOBODY, "prlimit", f"--nofile={LIMIT}:{LIMIT}")
        with Daemon.of_nobody(rule("interleave:all"), prefix=limited) as daemon, \
                Subject(daemon, "family", FAMILY, prefix=NOBODY) as family:
            segments = [harness.segment_of(pid) for pid in family.children()] + [family.segment]
            harness.wait_until(lambda: self.status(daemon)["attached"] == KEPT, "all places taken")
            harness.wait_until(
                lambda: self.status(daemon)["left_out"] == FAMILY + 1 - KEPT, "the others")
            self.assertEqual(self.status(daemon)["descriptors"], LIMIT)
            full = [entry for entry in daemon.log() if entry["event"] == "full"]
            self.assertEqual(len(full), 1)
            self.assertEqual(full[0]["why"], f"{LIMIT} descriptors suffice for {KEPT} processes; "
                             "others are left out until some end (RLIMIT_NOFILE, LimitNOFILE= of "
                             "the unit)")
            # Those without a descriptor of their segment are rewritten as the others are.
            daemon.write_rules(rule("bind:0"))
            harness.wait_until(lambda: self.modes(segments).count(BIND) == KEPT, "a rewrite")
            out = [one for one in segments if one.mode() != BIND]
            for segment in segments[:-1]:
                if segment.mode() == BIND:
                    os.kill(segment.pid, signal.SIGKILL)
            harness.wait_until(lambda: set(self.modes(out)) == {BIND}, "those left out before")
            self.assertEqual(self.status(daemon)["left_out"], 0)


if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    harness.main()
