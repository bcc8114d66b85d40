#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Short processes started one after the other: each has the policy of its rule in force, and none is
missed. The times from just before exec are printed."""
import os
import subprocess
import sys
import time
import unittest

import harness


class EveryProcessGetsItsPolicyTest(unittest.TestCase):
    processes = 2000 if harness.FULL else 500

    def run_all(self, *options):
        times = []
        with harness.Daemon(harness.rule("interleave:all"), *options) as daemon:
            environment = daemon.environment()
            for _ in range(self.processes):
                done = subprocess.run(
                    [harness.SUBJECT, "until", str(time.clock_gettime_ns(time.CLOCK_MONOTONIC))],
                    stdout=subprocess.PIPE, text=True, env=environment, check=False)
                times.append(done.stdout.strip())
            events = daemon.call("Status")["status"]["events"]
            processor_us = daemon.processor_ns() // 1000
        missed = times.count("never")
        times = [int(one) for one in times if one != "never"]
        print(f"\n{self.processes} processes, events by {events}: policy in force after a median of "
              f"{harness.median(times)} us, 99 % {harness.percentile(times, 99)} us, at most "
              f"{max(times)} us; {processor_us // self.processes} us of processor time of mpold each",
              file=sys.stderr)
        self.assertEqual(missed, 0)
        return events

    def test_by_what_the_processes_tell(self):
        self.assertEqual(self.run_all("--no-bpf"), "hello")

    def test_with_process_events(self):
        if self.run_all() != "bpf":
            self.skipTest("no CAP_BPF here")

    def test_without_a_hello_by_process_events_alone(self):
        with harness.Daemon(harness.rule("interleave:all")) as daemon:
            if daemon.call("Status")["status"]["events"] != "bpf":
                self.skipTest("no CAP_BPF here")
            environment = {**daemon.environment(), "MPOL_HELLO": "/nowhere"}
            for _ in range(20):
                done = subprocess.run(
                    [harness.SUBJECT, "until", str(time.clock_gettime_ns(time.CLOCK_MONOTONIC))],
                    stdout=subprocess.PIPE, text=True, env=environment, check=False)
                self.assertNotEqual(done.stdout, "never\n")


if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    harness.main()
