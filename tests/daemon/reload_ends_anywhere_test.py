#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The daemon dies, stops, or has a call fail at every fail point of reading its rules again: its
processes go on with the policies that they have, and the next daemon, or the next reload, gives them
what the rules say. The fail points are those of lib/sys/fail_points.def."""
import errno
import mmap
import os
import pathlib
import re
import signal
import struct
import sys
import unittest

import harness
from harness import BIND, INTERLEAVE, Daemon, Subject, rule

LIST = pathlib.Path(__file__).resolve().parents[2] / "lib/sys/fail_points.def"
DIE, STOP = 1000, 1001  # sys::kDie, sys::kStop


def fail_points():
    """(number, text, names of errnos) of each."""
    found = re.findall(r'^MPOL_FAIL_POINT\(\w+, "([a-z-]+)"(.*)\)$', LIST.read_text(), re.MULTILINE)
    return [(number, text, re.findall(r"E\w+", errnos))
            for number, (text, errnos) in enumerate(found)]


ALL = fail_points()
RELOADS = [point for point in ALL if point[1].startswith("reload-")]


class Board:
    """struct FailBoard of lib/sys/fail_point.h."""

    def __init__(self):
        self.file = os.memfd_create("fail-board")
        os.ftruncate(self.file, 16 + 4 * len(ALL))
        self.memory = mmap.mmap(self.file, 0)
        self.path = f"/proc/{os.getpid()}/fd/{self.file}"
        self.arm(len(ALL), 0)

    def arm(self, point, deed):
        self.memory[4:16] = struct.pack("<III", 1, deed, 0)
        self.memory[0:4] = struct.pack("<I", point)

    def struck(self):
        return struct.unpack("<I", self.memory[12:16])[0] != 0

    def close(self):
        self.memory.close()
        os.close(self.file)


class FailingDaemon(Daemon):
    def __init__(self, board, rules):
        super().__init__(rules)
        self.board = board

    def start(self):
        os.environ["MPOL_FAIL_BOARD"] = self.board.path
        harness.MPOLD = os.environ["MPOLD_FAIL_POINTS"]
        try:
            super().start()
        finally:
            harness.MPOLD = os.environ["MPOLD_BIN"]
            del os.environ["MPOL_FAIL_BOARD"]


def is_stopped(pid):
    with open(f"/proc/{pid}/stat", encoding="utf-8") as stat:
        return stat.read().rsplit(")", 1)[1].split()[0] == "T"


class ReloadTest(unittest.TestCase):
    def setUp(self):
        self.board = Board()
        self.addCleanup(self.board.close)
        self.daemon = FailingDaemon(self.board, rule("interleave:all"))
        self.addCleanup(self.daemon.__exit__)
        self.daemon.start()
        self.subject = Subject(self.daemon, "wait")
        self.addCleanup(self.subject.__exit__)
        self.wait_for(INTERLEAVE)

    def wait_for(self, mode):
        """And hears the daemon out meanwhile: it would wait for that."""
        def there():
            self.daemon.drain()
            self.subject.poke()
            return self.subject.segment.in_force(mode)
        harness.wait_until(there, f"mode {mode}")

    def reload_under(self, point, deed):
        """The rules change below a daemon that the fail point awaits."""
        self.board.arm(point, deed)
        self.daemon.write_rules(rule("bind:0"))
        self.daemon.process.send_signal(signal.SIGHUP)
        harness.wait_until(self.board.struck, f"{ALL[point][1]} to be passed")
        self.assertIn(self.subject.segment.mode(), (INTERLEAVE, BIND))
        self.subject.poke()

    def test_it_dies(self):
        for point, text, _ in RELOADS:
            with self.subTest(text):
                self.reload_under(point, DIE)
                self.assertEqual(self.daemon.process.wait(harness.SECONDS_MAX), -signal.SIGKILL)
                self.assertTrue(self.subject.segment.in_force(self.subject.segment.mode()))
                self.daemon.process = None
                self.board.arm(len(ALL), 0)
                self.daemon.drain()
                self.daemon.start()
                self.wait_for(BIND)
                self.go_back()

    def test_it_stops(self):
        for point, text, _ in RELOADS:
            with self.subTest(text):
                self.reload_under(point, STOP)
                harness.wait_until(lambda: is_stopped(self.daemon.process.pid), "it to stop")
                self.subject.poke()
                self.daemon.process.send_signal(signal.SIGCONT)
                self.wait_for(BIND)
                self.go_back()

    def test_its_calls_fail(self):
        for point, text, errnos in RELOADS:
            for name in errnos:
                with self.subTest(f"{text} {name}"):
                    self.reload_under(point, getattr(errno, name))
                    self.assertIsNone(self.daemon.process.poll())
                    self.daemon.process.send_signal(signal.SIGHUP)
                    self.wait_for(BIND)
                    self.go_back()

    def go_back(self):
        self.board.arm(len(ALL), 0)
        self.daemon.write_rules(rule("interleave:all"))
        self.daemon.process.send_signal(signal.SIGHUP)
        self.wait_for(INTERLEAVE)


if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    harness.main()
