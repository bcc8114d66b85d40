# SPDX-License-Identifier: Apache-2.0
"""docs/measurements.md and its pictures, as values of the raw data."""

import os

import charts
import figures
import peers

INTRODUCTION = """\
<!-- Written by bench/measure from bench/results. Change those, not this. -->
# Measurements

What mpol costs and what it does, beside the alternatives, on one machine. All figures come from
`bench/results`, the raw data of one run of `bench/measure`; a second run differs by noise only.
Times are processor time, so that what else the machine did counts little; a ratio is the median of
the rounds' own ratios to jemalloc, with its quartiles in brackets. Instructions are counted by
callgrind and repeat.
"""
CASES = {
    "fixed": "64 bytes, one pair after the other",
    "operators": "the same by new and sized delete",
    "mixed": "16 B to 64 KiB, 2,048 live, replaced in turn",
    "batch": "1,000 of 16 to 512 B, then freed",
    "handover": "one thread allocates, another one frees",
    "handover-large": "the same in a program that holds 64 MiB",
    "growth": "realloc by half from 16 B to 1 MiB",
    "large": "256 KiB to 8 MiB, every page touched",
    "zeroed": "calloc of 16 B to 4 KiB",
    "aligned": "aligned to 64, 256 and 4096 bytes",
    "churn": "threads that make a hundred pairs and end, four at a time",
}
PROGRAMS = {
    "redis": "redis-server under redis-benchmark (set, get, lpush, hset, zadd)",
    "sqlite": "sqlite3: insert, index, group, update in memory",
    "python": "python3: JSON out and in, PYTHONMALLOC=malloc",
    "compile": "g++ -O1 of a file that uses the standard library",
}
# What is aimed at: a ratio to jemalloc at most.
TIME_NO_POLICY, TIME_ONE_POLICY, PEAK_NO_POLICY = 1.02, 1.05, 1.03


# Of the processors' time. What a system does by itself is less.
OTHER_WORK_MAX = 0.1


def table(header, rows):
    lines = ["| " + " | ".join(header) + " |",
             "|---" + "|---:" * (len(header) - 1) + "|"]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows]) + "\n"


def share(facts, name):
    return f"{facts[name]:.1%}" if name in facts else "not looked at"


def machine_text(facts):
    nodes = ", ".join(f"node {node}: {each['mib'] / 1024:.1f} GiB, processors "
                      f"{each['processors'] or 'none'}" for node, each in facts["nodes"].items())
    rows = [("processor", facts["processor"] + (", in a virtual machine" if facts["virtual"] else "")),
            ("processors", str(facts["processors"])), ("memory", nodes or "one node"),
            ("kernel", f"Linux {facts['kernel']}, {facts['system']}, {facts['libc']}"),
            ("huge pages", facts["huge_pages"]), ("governor", facts["governor"]),
            ("processor time of other work", share(facts, "other_work")),
            ("and of the host's", share(facts, "host")),
            ("commit", facts["commit"]), ("time", facts["time"])]
    return "\n".join(["| fact | |", "|---|---|"] + [f"| {a} | {b} |" for a, b in rows]) + "\n"


def with_spread(ratio):
    return f"{ratio['median']:.3f} ({ratio['low']:.3f}-{ratio['high']:.3f})"


def ratio_of(rows, name, figure):
    """To jemalloc's; None where one of them is not there."""
    if name not in rows or peers.BASE not in rows or not rows[name].get(figure):
        return None
    return figures.summary(rows[name][figure], rows[peers.BASE][figure])["ratio"]


def allocators(result):
    out = ["## Allocators", "", f"{result['rounds']} interleaved rounds; each case is a process of its "
           "own.", "", "![time](pictures/allocators.svg)",
           "![instructions](pictures/allocators-instructions.svg)" if result["instructions"]
           else "Instructions were not counted in this run.",
           "![memory](pictures/allocators-memory.svg)", ""]
    for case, rows in result["cases"].items():
        counts = result["instructions"].get(case, {})
        lines = []
        for name, row in by_label(rows):
            time, peak = (ratio_of(rows, name, figure) for figure in ("processor_ns", "peak_bytes"))
            spent = figures.summary(row["processor_ns"])["median"]
            counted = counts.get(name)
            lines.append([peers.LABELS.get(name, name), f"{spent:,.1f}",
                          with_spread(time) if time else "-",
                          f"{figures.summary(row['peak_bytes'])['median'] / 2**20:.1f}",
                          f"{peak['median']:.3f}" if peak else "-",
                          f"{counted:,.1f}" if counted else "-",
                          f"{counted / counts[peers.BASE]:.3f}"
                          if counted and peers.BASE in counts else "-"])
        out += [f"### {case}: {CASES[case]}", "",
                table(["", "ns", "ratio", "peak MiB", "ratio", "instructions", "ratio"], lines)]
    return "\n".join(out)


def by_label(rows):
    order = list(peers.ORDER)
    return sorted(rows.items(), key=lambda item: order.index(item[0]))


def programs(result):
    out = ["## Whole programs", "", f"{result['rounds']} interleaved rounds.", ""]
    for program, rows in result["programs"].items():
        lines = []
        for name, row in by_label(rows):
            time, peak = (ratio_of(rows, name, figure) for figure in ("processor_ns", "peak_bytes"))
            lines.append([peers.LABELS.get(name, name),
                          f"{figures.summary(row['processor_ns'])['median'] / 1e9:.3f}",
                          with_spread(time) if time else "-",
                          f"{figures.summary(row['peak_bytes'])['median'] / 2**20:.1f}",
                          with_spread(peak) if peak else "-"])
        out += [f"### {program}: {PROGRAMS[program]}", "",
                table(["", "s", "ratio", "peak MiB", "ratio"], lines)]
    return "\n".join(out)


def aims(results):
    """Each aim, and where it is met; the cases that are over, by name."""
    rows = []

    def judge(what, name, figure, limit, sets):
        over, count = [], 0
        for label, each in sets:
            ratio = ratio_of(each, name, figure)
            if ratio is None:
                continue
            count += 1
            if ratio["median"] > limit:
                over.append(f"{label} {ratio['median']:.3f}")
        rows.append([what, f"{limit}", f"{count - len(over)} of {count}", ", ".join(over) or "-"])

    cases = list(results.get("allocators", {}).get("cases", {}).items())
    whole = list(results.get("programs", {}).get("programs", {}).items())
    judge("time, no policy", "mpol", "processor_ns", TIME_NO_POLICY, cases)
    judge("time, one policy", "mpol-one", "processor_ns", TIME_ONE_POLICY, cases)
    judge("peak memory, no policy", "mpol", "peak_bytes", PEAK_NO_POLICY, cases)
    judge("time of programs, no policy", "mpol", "processor_ns", TIME_NO_POLICY, whole)
    judge("time of programs, one policy", "mpol-one", "processor_ns", TIME_ONE_POLICY, whole)
    judge("peak memory of programs, no policy", "mpol", "peak_bytes", PEAK_NO_POLICY, whole)
    against = {f"{case} ({peer})": figures.summary(each["mpol"]["processor_ns"],
                                                   each[peer]["processor_ns"])["ratio"]["median"]
               for case, each in cases for peer in ("memkind", "memkind-regular", "memtier")
               if peer in each and "mpol" in each}
    slower = [f"{name} {ratio:.3f}" for name, ratio in against.items() if ratio >= 1]
    rows.append(["time against memkind's, no policy", "below 1",
                 f"{len(against) - len(slower)} of {len(against)}", ", ".join(slower) or "-"])
    faster = [f"{case}: {peer} {ratio['median']:.2f}" for case, each in cases
              for peer in ("glibc", "mimalloc", "tcmalloc")
              if (ratio := ratio_of(each, peer, "processor_ns")) and ratio["median"] < 1]
    return "\n".join(["## What is aimed at", "", "Ratios to plain jemalloc, medians.", "",
                      table(["", "at most", "met in", "over in"], rows),
                      "Faster than jemalloc itself: " + ("; ".join(faster) or "none") + ".", ""])


def microseconds(samples):
    found = figures.summary([sample / 1000 for sample in samples])
    return f"{found['median']:,.1f} ({found['low']:,.1f}-{found['high']:,.1f})"


def rewrites(result):
    out = ["## Rewrites from outside", "", "From the write to the first page that the program faults "
           "under the new policy; median and quartiles in microseconds.", "",
           "![heap](pictures/rewrite-heap.svg)", "![alternatives](pictures/rewrite-alternatives.svg)",
           "![threads](pictures/rewrite-threads.svg)", "![processes](pictures/rewrite-processes.svg)",
           "![reads](pictures/reads.svg)", ""]
    for curve, (title, unit) in charts.CURVES.items():
        if curve not in result["curves"]:
            continue
        points = charts.points_of(result, curve)
        names = [name for name, value in points[0][1].items()
                 if isinstance(value, list) and name != "apply_ns"]
        lines = [[f"{point:,}", *(microseconds(row[name]) for name in names),
                  *([f"{row['regions']}"] if "regions" in row else [])] for point, row in points]
        regions = ["regions"] if "regions" in points[0][1] else []
        header = [unit, *(name.removesuffix("_ns").replace("_", " ") + ", us" for name in names)]
        out += [f"### {title}", "", table(header + regions, lines)]
    rate = charts.points_of(result, "processes") if "processes" in result["curves"] else []
    for point, row in rate[-1:]:
        per_s = point * 1e9 / figures.summary(row["in_force_ns"])["median"]
        out += [f"One writer over {point:,} processes: {per_s:,.0f} rewrites a second, all in force.", ""]
    out += [f"Left out: {curve}: {why}." for curve, why in result["missing"].items()] + [""]
    return "\n".join(out)


def cost(result):
    lines = [[each["name"], f"{each['measured']:g}", f"{each['limit']:g}", each["unit"],
              each["reason"]] for each in result["figures"]]
    return "\n".join(["## Counted, and guarded by the tests", "", "What `tests/cost` holds the code to; "
                      "each bound with its reason.", "",
                      table(["", "counted", "at most", "unit", "why that much"], lines)])


def nodes(result, folder):
    found = result["found"]
    shown = [name for name in ("latency", "bandwidth", "policies", "weights", "timeline")
             if os.path.exists(f"{folder}/nodes-{name}.svg")]
    lines = [[str(pair["cpu_node"]), str(pair["memory_node"]),
              "huge" if pair["huge_pages"] else "small", pair["work"],
              f"{pair['mean']:.1f} ± {pair['half_width']:.1f} {pair['unit']}"]
             for pair in found["pairs"]]
    return "\n".join(["## This machine's nodes", "", "By `mpol bench`.", "",
                      *(f"![{name}](pictures/nodes-{name}.svg)" for name in shown), "",
                      table(["CPU node", "memory node", "pages", "work", "mean, 95 %"], lines),
                      *(f"Note: {note}" for note in found["notes"]), ""])


def peer_versions(results):
    versions = {**results.get("allocators", {}).get("versions", {}),
                **results.get("programs", {}).get("versions", {})}
    missing = {**results.get("allocators", {}).get("missing", {}),
               **results.get("programs", {}).get("missing", {}),
               **results.get("programs", {}).get("broken", {})}
    return "\n".join(["Debian's packages: " + ", ".join(
        f"{peers.LABELS.get(name, name)} {version}" for name, version in versions.items()) + ".",
        *(f"Left out: {name}: {why}." for name, why in missing.items()), ""])


def busy(results):
    """A warning where the machine had other work than this."""
    busy_in = [kind for kind, result in results.items()
               if result["machine"].get("other_work", 0) > OTHER_WORK_MAX]
    if not busy_in:
        return ""
    return ("**A trial run, not the measurement: the machine was busy with other work** in "
            + ", ".join(f"{kind} ({share(results[kind]['machine'], 'other_work')})" for kind in busy_in)
            + ". Times below show that the harness works; counted figures hold.\n")


def text(results, folder):
    first = next(iter(results.values()))
    parts = [INTRODUCTION, busy(results), machine_text(first["machine"]), peer_versions(results)]
    if "allocators" in results:
        parts += [aims(results)]
    for kind, render in (("rewrites", rewrites), ("allocators", allocators),
                         ("programs", programs), ("cost", cost)):
        if kind in results:
            parts.append(render(results[kind]))
    if "nodes" in results:
        parts.append(nodes(results["nodes"], folder))
    return "\n".join(parts)


def pictures(results):
    return charts.every(results)
