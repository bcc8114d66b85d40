# SPDX-License-Identifier: Apache-2.0
"""The cases of allocator-cases, run under an allocator: timed, or counted by callgrind as the
difference of two lengths of run."""

import json

import peers
import subject

# Case: operations of the shorter counted run; the longer has five times as many.
CASES = {"fixed": 2_000, "operators": 2_000, "mixed": 2_000, "batch": 4_000, "handover": 4_096,
         "handover-large": 4_096, "growth": 280, "large": 24, "zeroed": 2_000, "aligned": 2_000,
         "churn": 150}
LONGER = 5
# Of a run whose peak memory is looked at: as many under every allocator, a tenth of a second or so.
AT_PEAK = {"fixed": 5_000_000, "operators": 5_000_000, "mixed": 1_000_000, "batch": 5_000_000,
           "handover": 1_000_000, "handover-large": 1_000_000, "growth": 100_000, "large": 1_000,
           "zeroed": 3_000_000, "aligned": 3_000_000, "churn": 2_000}


def command(build, case, *more):
    return [f"{build}/bench/allocator-cases", "--hold", "--benchmark_format=json",
            f"--benchmark_filter=^{case}/", *more]


def run(build, peer, words, settings=None):
    """The case's own report, the peak of its memory and what it wrote to standard error."""
    with subject.Subject(words, peer.library, {**peer.settings, **(settings or {})}) as running_now:
        pid = running_now.pid
        peers.set_policies(build, peer, pid)
        report = json.loads(running_now.work())["benchmarks"][0]
        peers.check_policies(build, peer, pid)
        peak = running_now.status("VmHWM")
        return report, peak, running_now.finish()


def operations_made(report):
    return report["iterations"] * report["operations"]


def count(build, peer, case):
    """Instructions of one operation."""
    totals = []
    for operations in (CASES[case], CASES[case] * LONGER):
        words = [*subject.CALLGRIND, *command(build, case, f"--operations={operations}")]
        report, _, errors = run(build, peer, words, subject.ALONE)
        totals.append((operations_made(report), subject.collected(errors)))
    (few, short), (many, long) = totals
    return (long - short) / (many - few)
