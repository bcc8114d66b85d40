#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The system's daemon hears from the kernel, and still makes no system call while nobody executes a
program: forks, new names and ends of processes that it does not keep wake nobody."""
import ctypes
import os
import sys
import time
import unittest

import harness
from harness import Daemon, LogTail, Strace, Subject, rule

FAMILY = 20
STRANGERS = 50
QUIET_S = 3
TRIES = 10
LAST_LOOK_S = 1  # strace is a new program, too, which is looked at three times within 0.6 s
PR_SET_NAME = 15


def forks():
    """On the whole machine, ever."""
    with open("/proc/stat", encoding="ascii") as file:
        return int(file.read().split("\nprocesses ")[1].split()[0])


def strangers_live():
    libc = ctypes.CDLL(None)
    for _ in range(STRANGERS):
        child = os.fork()
        if child == 0:
            libc.prctl(PR_SET_NAME, b"stranger", 0, 0, 0)
            os._exit(0)
        os.waitpid(child, 0)


class AtRestTest(unittest.TestCase):
    def test_strangers_wake_nobody(self):
        with Daemon(rule("interleave:all")) as daemon, LogTail(daemon) as log, \
                Subject(daemon, "family", FAMILY) as family:
            if daemon.call("Status")["status"]["events"] != "bpf":
                self.skipTest("no CAP_BPF here")
            pids = [family.pid, *family.children()]
            for pid in pids:
                harness.wait_until(lambda: isinstance(daemon.call("Explain", pid=pid), dict), pid)
            daemon.write_rules(rule("bind:0"))
            log.wait_for("apply", pids)
            for _ in range(TRIES):
                harness.wait_until(daemon.sleeps, "rest")
                with Strace(daemon) as calls:
                    time.sleep(LAST_LOOK_S)
                    calls.forget()
                    before = forks()
                    strangers_live()
                    time.sleep(QUIET_S)
                    others = forks() - before - STRANGERS
                if not calls.lines:
                    return
                # Who forks executes something, as a rule; and who is kept may have ended.
                if others == 0:
                    self.assertEqual(calls.lines, [])
            self.skipTest("others on this machine start programs all the time")


if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    harness.main()
