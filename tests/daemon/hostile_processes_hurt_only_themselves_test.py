#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Processes that do their worst: the daemon lives on, others get their policies in time meanwhile, and
nothing is written to any process but theirs. What the daemon's own time goes into is told."""
import fcntl
import os
import random
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import unittest

import harness
from harness import INTERLEAVE, Daemon, Subject, rule
from replay import announced_seed

THREADS = 10000 if harness.FULL else 1000
WITNESSES = 50
LATENCY_US_MAX = 2_000_000  # of a process that waits for nobody: far above what a busy machine needs
F_OFD_SETLK = 37
PID_AT = 48  # in struct mpol_ctl_header


class HostileTest(unittest.TestCase):
    def setUp(self):
        self.daemon = Daemon(rule("interleave:all"))
        self.addCleanup(self.daemon.__exit__)
        self.daemon.start()
        # No rule matches it.
        self.bystander = subprocess.Popen(
            ["sleep", "1000"], env=self.daemon.environment())
        self.addCleanup(self.bystander.wait)
        self.addCleanup(self.bystander.kill)
        self.stranger = harness.segment_of(self.bystander.pid)
        harness.wait_until(lambda: self.kept(self.bystander.pid), "the bystander to be kept")

    def kept(self, pid):
        return isinstance(self.daemon.call("Explain", pid=pid), dict)

    def subject(self, *words):
        subject = Subject(self.daemon, *words)
        self.addCleanup(subject.__exit__)
        return subject

    def check_witnesses(self):
        """The daemon serves others meanwhile."""
        times = []
        for _ in range(WITNESSES):
            begin = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
            done = subprocess.run([harness.SUBJECT, "until", str(begin)], stdout=subprocess.PIPE,
                                  text=True, env=self.daemon.environment(), check=False)
            self.assertNotEqual(done.stdout, "never\n")
            times.append(int(done.stdout))
        print(f"{self.id().split('.')[-1]}: others after a median of {harness.median(times)} us, at "
              f"most {max(times)} us; mpold has used {self.daemon.processor_ns() // 1000000} ms",
              file=sys.stderr)
        self.assertLess(max(times), LATENCY_US_MAX)
        self.assertIsNone(self.daemon.process.poll())
        self.assertEqual(self.stranger.policy(), (0, (0,) * harness.POLICY_WORDS))

    def meanwhile(self, deed):
        """deed again and again in the background, until the test ends."""
        over = threading.Event()

        def work():
            while not over.is_set():
                deed()
        thread = threading.Thread(target=work)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(over.set)

    def test_random_bytes_all_over_its_segment(self):
        subject = self.subject("wait")
        subject.wait_for(INTERLEAVE)
        size = os.fstat(subject.segment.fd).st_size
        dice = random.Random(announced_seed())
        self.meanwhile(lambda: os.pwrite(subject.segment.fd, dice.randbytes(size // 4),
                                         dice.randrange(4) * (size // 4)))
        for _ in range(20):
            subject.process.send_signal(0)
            self.daemon.process.send_signal(signal.SIGHUP)
            self.daemon.hear("READY=1")
        self.daemon.call("Undo", pid=subject.pid)
        self.check_witnesses()

    def test_lies_about_its_pid(self):
        subject = self.subject("wait")
        os.pwrite(subject.segment.fd, struct.pack("<I", self.bystander.pid), PID_AT)
        self.meanwhile(lambda: self.knock())
        self.check_witnesses()

    def knock(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
            try:
                peer.connect(os.path.join(self.daemon.run, "hello"))
            except (BlockingIOError, ConnectionError):
                pass

    def test_knocks_without_end(self):
        self.meanwhile(self.knock)
        self.check_witnesses()

    def test_is_stopped(self):
        subject = self.subject("wait")
        subject.wait_for(INTERLEAVE)
        os.kill(subject.pid, signal.SIGSTOP)
        self.daemon.write_rules(rule("bind:0"))
        harness.wait_until(lambda: subject.segment.mode() == harness.BIND, "a policy")
        self.check_witnesses()
        os.kill(subject.pid, signal.SIGCONT)
        subject.wait_for(harness.BIND)

    def test_unmaps_its_segment(self):
        subject = self.subject("unmaps")
        subject.poke()
        self.assertEqual(subject.process.stdout.readline(), "unmapped\n")
        # Its own helper thread may fall over that; nobody else does.
        self.daemon.write_rules(rule("bind:0"))
        self.check_witnesses()

    def test_seals_its_segment(self):
        size = os.fstat(self.stranger.fd).st_size
        fd = os.memfd_create("mpol-control", os.MFD_ALLOW_SEALING)
        self.addCleanup(os.close, fd)
        os.ftruncate(fd, size)
        os.pwrite(fd, os.pread(self.stranger.fd, 4096, 0), 0)
        os.pwrite(fd, struct.pack("<I", os.getpid()), PID_AT)
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS,
                    fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE)
        self.meanwhile(self.knock)
        self.check_witnesses()

    def test_holds_the_writers_lock_for_ever(self):
        subject = self.subject("wait")
        subject.wait_for(INTERLEAVE)
        fcntl.fcntl(subject.segment.fd, F_OFD_SETLK, struct.pack("hhqqi", fcntl.F_WRLCK, 0, 0, 0, 0))
        self.daemon.write_rules(rule("bind:0"))
        self.check_witnesses()
        self.assertEqual(subject.segment.mode(), INTERLEAVE)
        fcntl.fcntl(subject.segment.fd, F_OFD_SETLK, struct.pack("hhqqi", fcntl.F_UNLCK, 0, 0, 0, 0))
        subject.wait_for(harness.BIND)

    def test_has_thousands_of_threads_with_a_rule_each(self):
        self.daemon.write_rules(rule(
            "interleave:all", more='[[rule.thread]]\nname = "worker"\npolicy = "bind:0"\n'))
        try:
            subject = self.subject("threads", THREADS, "worker")
        except AssertionError:
            self.skipTest(f"{THREADS} threads can't be had here")
        self.check_witnesses()

        def all_there():
            subject.poke()
            modes = list(subject.segment.thread_modes().values())
            return modes.count(harness.BIND) == min(THREADS, 4095)
        harness.wait_until(all_there, "policies of the threads")
        self.check_witnesses()

    def test_renames_itself_without_end(self):
        self.subject("renames")
        self.check_witnesses()

    def test_brings_segments_that_are_none(self):
        held = [os.memfd_create("mpol-control") for _ in range(100)]
        self.addCleanup(lambda: [os.close(fd) for fd in held])
        os.ftruncate(held[0], 4096)
        self.meanwhile(self.knock)
        self.check_witnesses()


if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    harness.main()
