#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Instructions of an object that one thread allocates and another, of another scope, frees: above
what the same pair costs under Debian's libjemalloc.so.2, which keeps it in the freeing thread's
cache."""

import concurrent.futures
import os

import cost
import expected

SHORT, LONG = 8 * 2048, 40 * 2048


def run(library, size, count):
    with cost.Subject(["hand-over", count, size], library, cost.CALLGRIND, cost.ALONE) as subject:
        if library == cost.PRELOAD:
            cost.probe("set-thread", subject.pid, subject.values("tid")[0], "bind:0")
        subject.work()
        if library == cost.PRELOAD and cost.show(subject.pid)["scopes"] != 1:
            raise RuntimeError("the freeing thread has no scope of its own")
        return cost.collected(subject.finish())


def instructions(library, size):
    short, long = (run(library, size, count) for count in (SHORT, LONG))
    return (long - short) / (LONG - SHORT)


def main():
    cost.require("valgrind", "valgrind")
    jemalloc = cost.require_jemalloc()
    table = cost.Table()
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        both = {size: [pool.submit(instructions, library, size)
                       for library in (jemalloc, cost.PRELOAD)]
                for size in expected.FOREIGN_PAIR_ABOVE_JEMALLOC}
        for size, (plain, ours) in both.items():
            table.check(f"{size} bytes ({plain.result():.2f} under libjemalloc), freed by another "
                        "scope", round(ours.result() - plain.result(), 2),
                        expected.FOREIGN_PAIR_ABOVE_JEMALLOC[size])
    table.finish()


if __name__ == "__main__":
    main()
