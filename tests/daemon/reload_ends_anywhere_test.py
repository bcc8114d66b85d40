#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The daemon dies, stops, or has a call fail at every fail point of reading its rules again: its
processes go on with the policies that they have, and the next daemon, or the next reload, gives them
what the rules say. The fail points are those of lib/sys/fail_points.def.

A failure prints which strike it was: MPOL_FAIL_POINTS=reload-watch:1:ENOSPC runs that one alone. It is
POINT:PASS:DEED; a deed is die, stop, or an errno that the point's call may fail with."""
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
from replay import commit

LIST = pathlib.Path(__file__).resolve().parents[2] / "lib/sys/fail_points.def"
DIE, STOP = 1000, 1001  # sys::kDie, sys::kStop


def fail_points():
    """(number, text, names of errnos) of each."""
    found = re.findall(r'^MPOL_FAIL_POINT\(\w+, "([a-z-]+)"(.*)\)$', LIST.read_text(), re.MULTILINE)
    return [(number, text, re.findall(r"E\w+", errnos))
            for number, (text, errnos) in enumerate(found)]


ALL = fail_points()
WANTED = os.environ.get("MPOL_FAIL_POINTS", "")


def parse_strike(text):
    """(point, pass, deed), as tests/chaos/fail_board.cc has it; ends the program on another text."""
    def refuse(why):
        print(f"MPOL_FAIL_POINTS: {why}", file=sys.stderr)
        sys.exit(2)
    if text.count(":") != 2:
        refuse(f'"{text}" is neither "all" nor POINT:PASS:DEED as in reload-watch:1:ENOSPC')
    name, number, deed = text.split(":")
    errnos = {point: names for _, point, names in ALL}
    if name not in errnos:
        refuse(f'"{name}" is no fail point; there are {", ".join(errnos)}')
    if not re.fullmatch("[0-9]+", number) or int(number) == 0:
        refuse(f'"{number}" is no pass; they are counted from 1')
    deeds = ["die", "stop", *errnos[name]]
    if deed not in deeds:
        refuse(f'"{deed}" is no deed of {name}; there are {", ".join(deeds)}')
    return name, int(number), deed


ONE = parse_strike(WANTED) if WANTED not in ("", "all") else None


def reloads(deeds):
    """(number of the point, pass, deed) of the strikes that are wanted; deeds tells those of a point from
    the names of its errnos."""
    for number, text, errnos in ALL:
        if not text.startswith("reload-"):
            continue
        for deed in deeds(errnos):
            if ONE is None:
                yield number, 1, deed
            elif (text, deed) == (ONE[0], ONE[2]):
                yield number, ONE[1], deed


class Board:
    """struct FailBoard of lib/sys/fail_point.h."""

    def __init__(self):
        self.file = os.memfd_create("fail-board")
        os.ftruncate(self.file, 16 + 4 * len(ALL))
        self.memory = mmap.mmap(self.file, 0)
        self.path = f"/proc/{os.getpid()}/fd/{self.file}"
        self.disarm()

    def disarm(self):
        self.arm(len(ALL))

    def arm(self, point, number=1, deed=0):
        self.memory[4:16] = struct.pack("<III", number, deed, 0)
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

    def each(self, deeds, number_of, check):
        """check after each strike that is wanted, by a name that replays it. number_of a deed: for the
        board."""
        strikes = list(reloads(deeds))
        if not strikes:
            self.skipTest("MPOL_FAIL_POINTS names another strike")
        for point, number, deed in strikes:
            strike = f"{ALL[point][1]}:{number}:{deed}"
            with self.subTest(f"MPOL_FAIL_POINTS={strike} at commit {commit()}"):
                self.reload_under(point, number, number_of(deed))
                check()
                self.go_back()

    def reload_under(self, point, number, deed):
        """The rules change below a daemon that the fail point awaits."""
        self.board.arm(point, number, deed)
        self.daemon.write_rules(rule("bind:0"))
        self.daemon.process.send_signal(signal.SIGHUP)
        harness.wait_until(self.board.struck, f"{ALL[point][1]} to be passed")
        self.assertIn(self.subject.segment.mode(), (INTERLEAVE, BIND))
        self.subject.poke()

    def test_it_dies(self):
        def check():
            self.assertEqual(self.daemon.process.wait(harness.SECONDS_MAX), -signal.SIGKILL)
            self.assertTrue(self.subject.segment.in_force(self.subject.segment.mode()))
            self.daemon.process = None
            self.board.disarm()
            self.daemon.drain()
            self.daemon.start()
            self.wait_for(BIND)
        self.each(lambda _: ["die"], lambda _: DIE, check)

    def test_it_stops(self):
        def check():
            harness.wait_until(lambda: is_stopped(self.daemon.process.pid), "it to stop")
            self.subject.poke()
            self.daemon.process.send_signal(signal.SIGCONT)
            self.wait_for(BIND)
        self.each(lambda _: ["stop"], lambda _: STOP, check)

    def test_its_calls_fail(self):
        def check():
            self.assertIsNone(self.daemon.process.poll())
            self.daemon.process.send_signal(signal.SIGHUP)
            self.wait_for(BIND)
        self.each(lambda errnos: errnos, lambda name: getattr(errno, name), check)

    def go_back(self):
        self.board.disarm()
        self.daemon.write_rules(rule("interleave:all"))
        self.daemon.process.send_signal(signal.SIGHUP)
        self.wait_for(INTERLEAVE)


if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    harness.main()
