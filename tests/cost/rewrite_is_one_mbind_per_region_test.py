#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""mbind calls of a rewrite in a process with 64 GiB reserved, counted by strace, and the mappings
that they have to walk. How long they take depends on the machine and is printed only."""

import os
import statistics
import tempfile

import cost
import expected

GIB = 64
REWRITES = 20
POLICIES = ["bind:0", "interleave:0"]


def rewrite(pid, number):
    cost.probe("wait", pid, cost.probe("set", pid, POLICIES[number % len(POLICIES)]).strip())


def count_mbinds(table):
    with tempfile.NamedTemporaryFile("r", encoding="utf-8", errors="replace") as log:
        tracer = ["strace", "-f", "-qq", "-o", log.name, "-e", "trace=mbind",
                  "-E", f"LD_PRELOAD={cost.PRELOAD}"]
        with cost.Subject(["reserve", GIB], "", tracer) as subject:
            pid = cost.traced_child(subject.pid)
            before = log.read().count("mbind(")
            for number in range(REWRITES):
                rewrite(pid, number)
            shown = cost.show(pid)
            subject.work()
            subject.finish()
            mbinds = log.read().count("mbind(")
    print(f"{shown['reserved'] >> 30} GiB in {shown['regions']} regions: {mbinds} mbind calls for "
          f"{REWRITES} rewrites, {before} before the first")
    table.require("64 GiB are reserved", shown["reserved"] >= GIB << 30)
    table.require("the process counts what strace counts", shown["mbinds"] == mbinds + before)
    table.check(f"rewrite of {shown['regions']} regions, beyond one for each",
                mbinds / REWRITES - shown["regions"], expected.REWRITE_MBINDS_ABOVE_REGIONS)


def run_ns(pid, tid):
    with open(f"/proc/{pid}/task/{tid}/schedstat", encoding="ascii") as file:
        return int(file.read().split()[0])


def helper(pid):
    for tid in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{tid}/comm", encoding="ascii") as file:
            if file.read().strip() == "mpol-helper":
                return tid
    return None


class Rewritten:
    """A process whose rewrites are timed: processor time of its helper, and wall time, in µs."""

    def __init__(self, gib):
        self.name = f"{gib} GiB reserved"
        self.subject = cost.Subject(["reserve", gib], cost.PRELOAD)
        self.processor, self.elapsed = [], []

    def __enter__(self):
        self.subject.__enter__()
        rewrite(self.subject.pid, 0)
        self.tid = helper(self.subject.pid)
        return self

    def __exit__(self, *error):
        return self.subject.__exit__(*error)

    def rewrite(self, number):
        before = run_ns(self.subject.pid, self.tid)
        rewrite(self.subject.pid, number)
        self.processor.append((run_ns(self.subject.pid, self.tid) - before) / 1000)
        self.elapsed.append(cost.show(self.subject.pid)["apply_ns_last"] / 1000)

    def report(self):
        self.subject.work()
        self.subject.finish()
        for name, times in (("processor time of the helper", self.processor),
                            ("from noticing to all regions bound", self.elapsed)):
            print(f"one rewrite, {self.name}, {name}: mean {statistics.mean(times):.0f} µs, "
                  f"median {statistics.median(times):.0f}, {min(times):.0f} to {max(times):.0f}")


def mappings(pid):
    with open(f"/proc/{pid}/maps", encoding="ascii", errors="replace") as file:
        return sum(1 for _ in file)


def report_times(table):
    """Beside a process that has next to nothing to bind: the rest of its time is the machine's."""
    with Rewritten(1) as small, Rewritten(GIB) as large:
        table.check(f"a heap of {GIB} GiB", mappings(large.subject.pid) - mappings(small.subject.pid),
                    expected.MAPPINGS_OF_64_GIB)
        for number in range(1, REWRITES + 1):
            for process in (small, large):
                process.rewrite(number)
        small.report()
        large.report()


def main():
    cost.require("strace", "strace")
    table = cost.Table()
    count_mbinds(table)
    report_times(table)
    table.finish()


if __name__ == "__main__":
    main()
