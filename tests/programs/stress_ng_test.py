#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""stress-ng --malloc: processes and threads that allocate, touch, resize and free at random, each
checking what it wrote.

Compared: all messages. Left out: process ids, durations."""

import re

import harness


def subject(stage):
    program = harness.require("stress-ng", "stress-ng")
    seconds = 60 if stage.arguments.full else 6
    # No more than 2 x 2000 x 128 KiB at once.
    bounds = ["--malloc", 2, "--malloc-max", 2000, "--malloc-bytes", "128k", "--timeout",
              f"{seconds}s"]
    for more in (["--malloc-pthreads", 3], ["--malloc-touch", "--malloc-thresh", "64k"]):
        output = stage.run([program, *bounds, "--verify", "--seed", 7, "--temp-path", stage.dir,
                            *more])
        stage.say(*re.sub(r"\[\d+\]|[\d.]+s\b", "", output).splitlines())


if __name__ == "__main__":
    harness.main(subject)
