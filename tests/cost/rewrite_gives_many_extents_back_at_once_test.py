#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Calls that give memory back at a rewrite of a process in which much is free in many places, counted
by strace, that it has gone, and that the helper does not hurry for so much."""

import ctypes
import errno
import mmap
import struct
import tempfile

import cost
import expected

EXTENTS = 512
EXTENT_KIB = 64
PROCESS_MADVISE = 440
SELF_THREAD = -10000
MADV_DONTNEED = 4


def require_process_madvise():
    """Of the calling process itself."""
    page = mmap.mmap(-1, mmap.PAGESIZE, flags=mmap.MAP_PRIVATE)
    start = ctypes.c_char.from_buffer(page)
    stretch = ctypes.create_string_buffer(struct.pack("QQ", ctypes.addressof(start), mmap.PAGESIZE))
    libc = ctypes.CDLL(None, use_errno=True)
    done = libc.syscall(PROCESS_MADVISE, SELF_THREAD, stretch, ctypes.c_ulong(1), MADV_DONTNEED, 0)
    if done < 0:
        cost.skip("this kernel takes no process_madvise of the calling process "
                  f"({errno.errorcode[ctypes.get_errno()]})")


def resident_kib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
        return int(next(line for line in file if line.startswith("RssAnon:")).split()[1])


def count_hurried(calls):
    """Those that give memory back while their thread has the lowest nice value."""
    lowest, hurried = {}, 0
    for line in calls.splitlines():
        tid, call = line.split(maxsplit=1)
        if call.startswith("setpriority(") and call.endswith("= 0"):
            lowest[tid] = "-20)" in call
        elif "madvise(" in call:
            hurried += lowest.get(tid, False)
    return hurried


def main():
    cost.require("strace", "strace")
    require_process_madvise()
    table = cost.Table()
    with tempfile.NamedTemporaryFile("r", encoding="utf-8", errors="replace") as log:
        tracer = ["strace", "-f", "-qq", "-o", log.name, "-e", "trace=madvise,process_madvise,setpriority",
                  "-E", f"LD_PRELOAD={cost.PRELOAD}", "-E", "MALLOC_CONF=dirty_decay_ms:-1"]
        with cost.Subject(["holes", EXTENTS], "", tracer) as subject:
            pid = cost.traced_child(subject.pid)
            earlier = log.read()
            before = resident_kib(pid)
            cost.probe("wait", pid, cost.probe("set", pid, "bind:0").strip())
            calls = log.read()
            gone = before - resident_kib(pid)
            subject.work()
            subject.finish()
    table.require(f"{gone} KiB have gone, of {EXTENTS} times {EXTENT_KIB}",
                  gone >= EXTENTS * EXTENT_KIB * 0.95)
    hurried = count_hurried(earlier + calls)
    table.require(f"{hurried} of the calls were made in a hurry, at most the last batch", hurried <= 1)
    table.check(f"calls that give {EXTENTS} extents back", calls.count("madvise("),
                expected.REWRITE_MADVISES_OF_512_EXTENTS)
    table.finish()


if __name__ == "__main__":
    main()
