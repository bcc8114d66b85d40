#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Resident memory and mappings of a process and of each of its threads, compared with Debian's
libjemalloc.so.2. Dirty pages only: how much of a library's text is resident is the page cache's
affair."""

import os
import re

import cost
import expected

MANY = 400


def dirty_bytes(pid):
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
        return sum(int(kib) << 10
                   for kib in re.findall(r"^(?:Shared|Private)_Dirty: +(\d+) kB", file.read(),
                                         re.MULTILINE))


def write_back(library):
    """Or the text of one that was just linked counts as dirty in every process."""
    with open(library, "rb") as file:
        os.fsync(file.fileno())


def initialised_bytes(pid, library):
    """Of the library's file, as much as is mapped to be written."""
    with open(f"/proc/{pid}/maps", encoding="ascii") as file:
        ranges = re.findall(rf"^(\w+)-(\w+) rw-p .*/{re.escape(os.path.basename(library))}$", file.read(),
                            re.MULTILINE)
    return sum(int(end, 16) - int(start, 16) for start, end in ranges)


def look(library, threads):
    """Dirty bytes, mappings and initialised bytes, with every thread asleep."""
    with cost.Subject(["threads", threads], library) as subject:
        subject.work()
        found = (dirty_bytes(subject.pid), cost.mappings(subject.pid),
                 initialised_bytes(subject.pid, library))
        if subject.values("started") != [threads]:
            cost.skip(f"this machine does not let a process have {threads} threads")
        subject.finish()
        return found


def main():
    jemalloc = cost.require_jemalloc()
    table = cost.Table()
    write_back(cost.PRELOAD)
    plain, plain_maps, _ = look(jemalloc, 0)
    ours, our_maps, initialised = look(cost.PRELOAD, 0)
    table.check(f"a process ({plain} under libjemalloc)", ours - plain,
                expected.PROCESS_BYTES_ABOVE_JEMALLOC)
    table.check(f"a process ({plain_maps} under libjemalloc)", our_maps - plain_maps,
                expected.PROCESS_MAPPINGS_ABOVE_JEMALLOC)
    table.check("the library's file", initialised, expected.INITIALISED_BYTES)
    plain_many, plain_many_maps, _ = look(jemalloc, MANY)
    many, many_maps, _ = look(cost.PRELOAD, MANY)
    plain_each = (plain_many - plain) / MANY
    table.check(f"each of {MANY} threads ({plain_each:.0f} under libjemalloc)",
                round((many - ours) / MANY - plain_each),
                expected.THREAD_BYTES_ABOVE_JEMALLOC)
    plain_each = (plain_many_maps - plain_maps) / MANY
    table.check(f"each of {MANY} threads ({plain_each:.2f} under libjemalloc)",
                (many_maps - our_maps) / MANY - plain_each,
                expected.THREAD_MAPPINGS_ABOVE_JEMALLOC)
    table.finish()


if __name__ == "__main__":
    main()
