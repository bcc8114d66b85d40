#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Instructions of the allocator benchmark's own cases, above those under Debian's
libjemalloc.so.2: what programs do, not only the pair of 64 bytes."""

import concurrent.futures
import os

import cost  # first: it says where the next ones are
import cases
import expected
import peers

BUILD = os.environ["MPOL_BUILD_DIR"]


def main():
    cost.require("valgrind", "valgrind")
    if not os.path.exists(f"{BUILD}/bench/allocator-cases"):
        cost.skip("allocator-cases is not built (Debian package libbenchmark-dev)")
    present, missing = peers.find(BUILD, [peers.BASE, "mpol"])
    for why in missing.values():
        cost.skip(why)
    table = cost.Table()
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        both = {case: [pool.submit(cases.count, BUILD, present[name], case)
                       for name in (peers.BASE, "mpol")]
                for case in expected.CASE_ABOVE_JEMALLOC}
        for case, (plain, ours) in both.items():
            table.check(f"{case} ({plain.result():.2f} under libjemalloc)",
                        round(ours.result() - plain.result(), 2), expected.CASE_ABOVE_JEMALLOC[case])
    table.finish()


if __name__ == "__main__":
    main()
