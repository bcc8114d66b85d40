#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""mbind calls of a rewrite in a process with 64 GiB reserved, counted by strace. How long they take
depends on the machine and is printed only."""

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
            pid = traced_child(subject.pid)
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


def traced_child(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return int(file.read().split()[0])


def run_ns(pid, tid):
    with open(f"/proc/{pid}/task/{tid}/schedstat", encoding="ascii") as file:
        return int(file.read().split()[0])


def helper(pid):
    for tid in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{tid}/comm", encoding="ascii") as file:
            if file.read().strip() == "mpol-helper":
                return tid
    return None


def report_times():
    with cost.Subject(["reserve", GIB], cost.PRELOAD) as subject:
        rewrite(subject.pid, 0)
        tid = helper(subject.pid)
        processor, elapsed = [], []
        for number in range(1, REWRITES + 1):
            before = run_ns(subject.pid, tid) if tid else 0
            rewrite(subject.pid, number)
            processor.append((run_ns(subject.pid, tid) - before) / 1000 if tid else 0)
            elapsed.append(cost.show(subject.pid)["apply_ns_last"] / 1000)
        subject.work()
        subject.finish()
    for name, times in (("processor time of the helper", processor),
                        ("from noticing to all regions bound", elapsed)):
        print(f"one rewrite, {name}: median {statistics.median(times):.0f} µs, "
              f"{min(times):.0f} to {max(times):.0f}")


def main():
    cost.require("strace", "strace")
    table = cost.Table()
    count_mbinds(table)
    report_times()
    table.finish()


if __name__ == "__main__":
    main()
