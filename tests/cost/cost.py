# SPDX-License-Identifier: Apache-2.0
"""Runs the subject under a library and counts. Every figure that is checked is printed."""

import json
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../bench/harness"))

import subject  # noqa: E402
from subject import ALONE, CALLGRIND, SECONDS_MAX, collected, environment  # noqa: E402, F401

SKIP = 77
PRELOAD = os.environ["MPOL_PRELOAD"]
SUBJECT = os.environ["MPOL_COST_SUBJECT"]
PROBE = os.environ["MPOL_COST_PROBE"]
JEMALLOC = os.environ.get("MPOL_JEMALLOC", "")
KEPT = os.environ.get("MPOL_COST_FILE", "")  # receives a line of JSON for each figure
TEST = os.path.basename(sys.argv[0]).removesuffix("_test.py")


def skip(reason):
    print(f"skip: {reason}")
    sys.exit(SKIP)


def require(program, package):
    path = shutil.which(program)
    if path is None:
        skip(f"{program} is not installed (Debian package {package})")
    return path


def require_jemalloc():
    if not os.path.exists(JEMALLOC):
        skip("libjemalloc.so.2 is not installed (Debian package libjemalloc2)")
    return JEMALLOC


def traced_child(pid):
    """What strace runs, by strace's own pid."""
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return int(file.read().split()[0])


class Table:
    """Figures and their bounds; the test fails at the end if any was above."""

    def __init__(self):
        self.failed = False

    def check(self, name, measured, bound):
        within = measured <= bound.limit
        self.failed = self.failed or not within
        print(f"{'ok  ' if within else 'HIGH'} {name}: {measured:g} {bound.unit}, "
              f"at most {bound.limit:g}", flush=True)
        if not within:
            print(f"     the bound's reason: {bound.reason}")
        if KEPT:
            with open(KEPT, "a", encoding="utf-8") as file:
                file.write(json.dumps({"test": TEST, "name": name, "measured": measured,
                                       **bound._asdict()}) + "\n")

    def require(self, name, true):
        self.failed = self.failed or not true
        if not true:
            print(f"FAIL {name}", flush=True)

    def finish(self):
        sys.exit(1 if self.failed else 0)


def probe(*words):
    """What the second process prints."""
    done = subprocess.run([PROBE, *map(str, words)], stdout=subprocess.PIPE, text=True, check=True,
                          timeout=SECONDS_MAX)
    return done.stdout


def show(pid):
    return {name: int(value) for name, value in
            (line.split() for line in probe("show", pid).splitlines())}


class Subject(subject.Subject):
    """The program of this folder. `with Subject(...) as subject:`"""

    def __init__(self, words, library, prefix=(), settings=None):
        super().__init__([*prefix, SUBJECT, *map(str, words)], library, settings)


def mappings(pid):
    with open(f"/proc/{pid}/maps", encoding="ascii", errors="replace") as file:
        return sum(1 for _ in file)


def segment_bytes(pid):
    """Memory that the subject's segment occupies."""
    directory = f"/proc/{pid}/fd"
    for fd in os.listdir(directory):
        if os.readlink(f"{directory}/{fd}").startswith("/memfd:mpol-control"):
            return os.stat(f"{directory}/{fd}").st_blocks * 512
    raise RuntimeError("the subject has no segment")
