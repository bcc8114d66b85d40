#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""More processes knock than the kernel lets wait at the daemon's door, while the daemon does not get
round to it: all of them are found. In a network namespace where two may wait."""
import os
import signal
import sys
import unittest

import harness
from harness import BIND, Daemon, Subject, rule

FEW_PLACES = ("unshare", "--net", "sh", "-c",
              'echo 2 > /proc/sys/net/core/somaxconn && exec "$@"', "sh")
CROWD = 20


class CrowdTest(unittest.TestCase):
    @unittest.skipUnless(os.geteuid() == 0, "needs root for a network namespace")
    def test_all_are_found(self):
        with Daemon(rule("bind:0"), "--no-bpf", prefix=FEW_PLACES) as daemon:
            daemon.process.send_signal(signal.SIGSTOP)
            with Subject(daemon, "family", CROWD) as family:
                pids = [family.pid, *family.children()]
                self.assertEqual(len(pids), CROWD + 1)
                segments = [harness.segment_of(pid) for pid in pids]
                daemon.process.send_signal(signal.SIGCONT)
                harness.wait_until(lambda: all(one.mode() == BIND for one in segments), "policies")


if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    harness.main()
