# SPDX-License-Identifier: Apache-2.0
"""The pictures of the drivers' data, described for bench/draw."""

import figures
import peers

# Curve: title, and what it is measured over.
CURVES = {
    "heap": ("Over the heap that is reserved", "MiB reserved"),
    "threads": ("Over threads", "threads"),
    "resident": ("Over resident memory: a rewrite", "MiB resident"),
    "restart": ("Over resident memory: restart under numactl", "MiB resident"),
    "cpuset": ("Over resident memory: a change of the cgroup's cpuset", "MiB resident"),
    "migratepages": ("Over resident memory: migratepages (moves pages, changes no policy)",
                     "MiB resident"),
    "processes": ("Over processes: one writer, all of them", "processes"),
    "read": ("Reading a policy from outside", "MiB resident"),
}


def points_of(result, curve):
    return sorted(((int(point), row) for point, row in result["curves"][curve].items()),
                  key=lambda each: each[0])


def caption(result, title, better):
    facts = result["machine"]
    where = "virtual machine, " if facts["virtual"] else ""
    return {"title": title, "better": better,
            "machine": f"{facts['processor']}, {where}{facts['processors']} CPUs, "
                       f"{max(1, len(facts['nodes']))} memory node(s), Linux {facts['kernel']}, "
                       f"{facts['time'][:10]}, commit {facts['commit']}"}


def series(name, points, sample_of):
    samples = []
    for point, row in points:
        found = figures.summary(sample_of(row, point))
        samples.append([point, found["median"], found["low"], found["high"]])
    return {"name": name, "samples": samples}


def microseconds(name):
    return lambda row, _: [sample / 1000 for sample in row[name]]


def lines(caption_of, x, y, all_series, logarithmic=True):
    return {"kind": "lines", **caption_of, "x": {"title": x, "logarithmic": True},
            "y": {"title": y, "logarithmic": logarithmic}, "series": all_series}


def heap(result):
    points = points_of(result, "heap")
    return lines(
        caption(result, "Time of a rewrite over the heap that is reserved",
                "lower is better; one mbind a region, "
                f"{points[0][1]['regions']} region(s) at the left and {points[-1][1]['regions']} at "
                "the right; medians and quartiles"),
        "heap reserved, MiB", "microseconds",
        [series("write to first page", points, microseconds("latency_ns")),
         series("of it: binding the regions", points, microseconds("apply_ns"))])


def alternatives(result):
    names = {"resident": "mpol: rewrite", "restart": "restart under numactl",
             "cpuset": "cgroup cpuset change", "migratepages": "migratepages (pages only)"}
    return lines(
        caption(result, "Until a running program's next page is under another policy",
                "lower is better; over the memory that it has filled, which a restart has to fill "
                "again; medians and quartiles"),
        "resident memory, MiB", "microseconds",
        [series(name, points_of(result, curve), microseconds("latency_ns"))
         for curve, name in names.items() if curve in result["curves"]])


def threads(result):
    return lines(
        caption(result, "Time of a rewrite over threads",
                "lower is better; write to first page under the new policy; medians and quartiles"),
        "threads of the program", "microseconds",
        [series("write to first page", points_of(result, "threads"), microseconds("latency_ns"))])


def processes(result):
    points = points_of(result, "processes")
    return lines(
        caption(result, "Rewrites per second of one writer over many processes",
                "higher is better; every process once, in turn; medians and quartiles"),
        "processes", "rewrites per second",
        [series("written", points,
                lambda row, count: [count * 1e9 / ns for ns in row["publish_ns"]]),
         series("in force", points,
                lambda row, count: [count * 1e9 / ns for ns in row["in_force_ns"]])])


def reads(result):
    names = {"segment_ns": "mpol: all of the process's state",
             "numa_maps_ns": "the kernel: /proc/PID/numa_maps",
             "get_mempolicy_self_ns": "get_mempolicy(2), of oneself only"}
    return lines(
        caption(result, "Reading a policy from outside",
                "lower is better; over the memory that the process has filled; medians and quartiles"),
        "resident memory, MiB", "microseconds",
        [series(label, points_of(result, "read"), microseconds(name))
         for name, label in names.items()])


def allocators(result):
    columns = [name for name in peers.ORDER
               if any(name in rows for rows in result["cases"].values())]

    def panel(title, ratio_of):
        return {"title": title, "values": [[ratio_of(case, name) for name in columns]
                                           for case in result["cases"]]}

    def measured(figure):
        def ratio(case, name):
            rows = result["cases"][case]
            if name not in rows or peers.BASE not in rows or not rows[name][figure]:
                return None
            return figures.summary(rows[name][figure],
                                   rows[peers.BASE][figure])["ratio"]["median"]
        return ratio

    def counted(case, name):
        counts = result["instructions"].get(case, {})
        return counts[name] / counts[peers.BASE] if name in counts and peers.BASE in counts else None

    panels = [panel("processor time", measured("processor_ns")),
              panel("instructions", counted), panel("peak memory", measured("peak_bytes"))]
    return [{"kind": "heat map",
             **caption(result, f"Allocators: {each['title']}, as a ratio to jemalloc's",
                       "lower is better; medians of interleaved rounds"
                       if each["title"] != "instructions"
                       else "lower is better; of one operation, counted by callgrind"),
             "row_title": "case", "column_title": "allocator", "rows": list(result["cases"]),
             "columns": [peers.LABELS.get(name, name) for name in columns],
             "lower_is_better": True, "neutral": 1, "digits": 2, "panels": [each]}
            for each in panels]


def every(results):
    out = {}
    if "rewrites" in results:
        result = results["rewrites"]
        for curve, name, draw in (("heap", "rewrite-heap", heap),
                                  ("resident", "rewrite-alternatives", alternatives),
                                  ("threads", "rewrite-threads", threads),
                                  ("processes", "rewrite-processes", processes),
                                  ("read", "reads", reads)):
            if curve in result["curves"]:
                out[name] = draw(result)
    if "allocators" in results:
        names = ("allocators", "allocators-instructions", "allocators-memory")
        out.update((name, picture) for name, picture in
                   zip(names, allocators(results["allocators"]))
                   if any(value is not None for row in picture["panels"][0]["values"]
                          for value in row))
    return out
