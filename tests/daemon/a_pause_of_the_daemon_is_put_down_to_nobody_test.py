#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The daemon does not run for a second while it rewrites many processes: stopped, traced, or kept from
the processor or the disk. The process that it was looking at has its policy at once afterwards, as the
others do: its share of the daemon's time is not used up by that."""
import os
import signal
import sys
import time
import unittest

import harness
from harness import BIND, INTERLEAVE, Daemon, Subject, rule

SIZE = 200
PAUSES = 4  # one may begin between two processes, or when all are done
PAUSE_S = 1
LATE_S = 10  # the pause, put down to one process whose share is a twentieth, makes it wait for 20 s


class PauseTest(unittest.TestCase):
    def test_all_have_their_policy_soon(self):
        with Daemon(rule("interleave:all"), "--no-bpf") as daemon:
            with Subject(daemon, "family", SIZE) as family:
                pids = [family.pid, *family.children()]
                segments = [harness.segment_of(pid) for pid in pids]
                for pause in range(PAUSES):
                    self.pause_amid(daemon, segments, (BIND, INTERLEAVE)[pause % 2])

    def pause_amid(self, daemon, segments, mode):
        daemon.write_rules(rule({BIND: "bind:0", INTERLEAVE: "interleave:all"}[mode]))
        harness.wait_until(lambda: any(one.mode() == mode for one in segments), "one policy")
        daemon.process.send_signal(signal.SIGSTOP)
        time.sleep(PAUSE_S)
        daemon.process.send_signal(signal.SIGCONT)
        begin = time.monotonic()
        harness.wait_until(lambda: all(one.mode() == mode for one in segments), "policies")
        self.assertLess(time.monotonic() - begin, LATE_S)


if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    harness.main()
