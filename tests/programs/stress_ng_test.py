#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""stress-ng. malloc: processes and threads that allocate, touch, resize and free at random, each
checking what it wrote. classes: what else goes on around an allocator, a stressor at a time: virtual
memory with its patterns checked, mappings, forks, clones, threads, memory policies.

Compared: all messages. Left out: process ids, durations."""

import argparse
import re

import harness


CLASSES = [
    ["--vm", 2, "--vm-bytes", "64m", "--vm-method", "all"],
    ["--mmap", 2, "--mmap-bytes", "64m", "--mmap-mprotect"],
    ["--fork", 2],
    ["--clone", 1, "--clone-max", 32],
    ["--pthread", 1, "--pthread-max", 64],
    ["--numa", 1],
]


DURATIONS_AND_PIDS = r"\[\d+\]|[\d.]+s\b|\((\d+ \w+, )*[\d.]+ secs?\)"


def run(stage, program, seconds, options):
    output = stage.run([program, *options, "--timeout", f"{seconds}s", "--verify", "--seed", 7,
                        "--temp-path", stage.dir])
    stage.say(*re.sub(DURATIONS_AND_PIDS, "", output).splitlines())


def subject(stage):
    program = harness.require("stress-ng", "stress-ng")
    if stage.arguments.what == "classes":
        for options in CLASSES:
            run(stage, program, 120 if stage.arguments.full else 1, options)
        return
    # No more than 2 x 2000 x 128 KiB at once.
    bounds = ["--malloc", 2, "--malloc-max", 2000, "--malloc-bytes", "128k"]
    for more in (["--malloc-pthreads", 3], ["--malloc-touch", "--malloc-thresh", "64k"]):
        run(stage, program, 60 if stage.arguments.full else 6, [*bounds, *more])


if __name__ == "__main__":
    command = argparse.ArgumentParser()
    command.add_argument("what", choices=["malloc", "classes"])
    harness.main(subject, command)
