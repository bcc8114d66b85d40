#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Lines of /proc/PID/maps after 1,000,000 allocations of 16 B to 16 MiB by eight threads with eight
policies, compared with the same run without a policy."""

import cost
import expected

ALLOCATIONS = 1_000_000
# All usable on a machine of one node, and all different, so that neighbours can't merge.
POLICIES = ["bind:0", "interleave:0", "prefer:0", "local", "prefer (many):0", "bind=static:0",
            "interleave=static:0", "prefer=static:0"]


def run(table, policies):
    with cost.Subject(["mixed", len(POLICIES), ALLOCATIONS], cost.PRELOAD) as subject:
        for tid, policy in zip(subject.values("tid"), policies):
            cost.probe("set-thread", subject.pid, tid, policy)
        subject.work()
        count = cost.mappings(subject.pid)
        shown = cost.show(subject.pid)
        print(f"{len(policies)} policies: {count} mappings, {shown}", flush=True)
        table.require("each policy has a scope", shown["scopes"] == len(policies))
        table.require("every mbind succeeded",
                      shown["errors"] == 0 and shown["mbind_failures"] == 0)
        subject.finish()
        return count


def main():
    table = cost.Table()
    plain = run(table, [])
    table.check(f"{ALLOCATIONS} mixed allocations ({plain} mappings without policies)",
                run(table, POLICIES) - plain, expected.MIXED_MAPPINGS_ABOVE_NO_POLICY)
    table.finish()


if __name__ == "__main__":
    main()
