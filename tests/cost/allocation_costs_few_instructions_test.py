#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Instructions of one allocation and its release, counted by callgrind as the difference of two
lengths of run, and compared with Debian's libjemalloc.so.2 in the same place."""

import concurrent.futures
import os

import cost
import expected

SHORT, LONG = 2_000, 12_000


def nothing(_):
    pass


def process_policy(pid):
    cost.probe("set", pid, "bind:0")


def thread_policy(pid):
    cost.probe("set-thread", pid, pid, "bind:0")


def large_policy(pid):
    thread_policy(pid)
    cost.probe("set-large", pid, pid, "bind:0")


def in_force(setting, pid):
    """The loop ran under what it is said to have run under."""
    if setting is nothing:
        return True
    shown = cost.show(pid)
    if setting is process_policy:
        return shown["applied"] == shown["asked"] > 1 and shown["errors"] == 0
    return shown["scopes"] == (2 if setting is large_policy else 1) and shown["errors"] == 0


def run(library, kind, count, setting):
    with cost.Subject(["loop", kind, count], library, cost.CALLGRIND, cost.ALONE) as subject:
        setting(subject.pid)
        subject.work()
        if not in_force(setting, subject.pid):
            raise RuntimeError(f"{setting.__name__} was not in force")
        return cost.collected(subject.finish())


def instructions(library, kind, setting=nothing):
    short, long = (run(library, kind, count, setting) for count in (SHORT, LONG))
    return (long - short) / (LONG - SHORT)


def main():
    cost.require("valgrind", "valgrind")
    jemalloc = cost.require_jemalloc()
    table = cost.Table()
    settings = {
        "no policy": (nothing, expected.PAIR_ABOVE_JEMALLOC),
        "the process's policy": (process_policy, expected.PAIR_ABOVE_JEMALLOC),
        "several scopes, by the owner": (thread_policy, expected.OWNER_PAIR_ABOVE_JEMALLOC),
        "the thread's large apart": (large_policy, expected.LARGE_APART_PAIR_ABOVE_JEMALLOC),
    }
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        base = {kind: pool.submit(instructions, jemalloc, kind)
                for kind in expected.PAIR_ABOVE_JEMALLOC}
        ours = {(name, kind): pool.submit(instructions, cost.PRELOAD, kind, setting)
                for name, (setting, bounds) in settings.items() for kind in bounds}
        for (name, kind), future in ours.items():
            plain = base[kind].result()
            table.check(f"{kind} ({plain:.2f} under libjemalloc), {name}",
                        round(future.result() - plain, 2), settings[name][1][kind])
    table.finish()


if __name__ == "__main__":
    main()
