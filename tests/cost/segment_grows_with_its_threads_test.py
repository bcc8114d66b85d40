#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Memory behind a process's segment: small for one thread, a slot for each further one, and no more
once the slots are taken, however many threads there are."""

import cost
import expected

SLOTS = 4096
SOME, MANY = 1_000, 10_000


def run(table, threads):
    """Bytes, and what the segment shows; None when the machine refuses so many threads."""
    with cost.Subject(["threads", threads], cost.PRELOAD) as subject:
        if subject.values("started") != [threads]:
            return None, None
        generation = cost.probe("set", subject.pid, "bind:0").strip()
        subject.work()
        cost.probe("wait", subject.pid, generation)
        size, shown = cost.segment_bytes(subject.pid), cost.show(subject.pid)
        with_slot = min(threads + 1, SLOTS)
        table.require(f"{with_slot} of {threads + 1} threads have a slot: {shown}",
                      shown["threads"] == with_slot
                      and shown["slotless"] == threads + 1 - with_slot)
        table.require("the process's policy is in force",
                      shown["applied"] == int(generation) and shown["errors"] == 0)
        subject.finish()
        return size, shown


def main():
    table = cost.Table()
    one, _ = run(table, 0)
    table.check("one thread", one, expected.SEGMENT_BYTES_ONE_THREAD)
    some, _ = run(table, SOME)
    table.check(f"each of {SOME} further threads", (some - one) / SOME,
                expected.SEGMENT_BYTES_EACH_THREAD)
    many, shown = run(table, MANY)
    if many is None:
        if not table.failed:
            cost.skip(f"this machine does not let a process have {MANY} threads")
        table.finish()
    print(f"{MANY} threads: {many} bytes, {shown['slotless']} threads without a slot")
    table.check(f"each of {SLOTS} slots, with {MANY} threads", (many - one) / SLOTS,
                expected.SEGMENT_BYTES_EACH_THREAD)
    table.finish()


if __name__ == "__main__":
    main()
