# SPDX-License-Identifier: Apache-2.0
"""Runs the subject under a library and counts. Every figure that is checked is printed."""

import os
import re
import shutil
import subprocess
import sys
import threading

SKIP = 77
SECONDS_MAX = 600
PRELOAD = os.environ["MPOL_PRELOAD"]
SUBJECT = os.environ["MPOL_COST_SUBJECT"]
PROBE = os.environ["MPOL_COST_PROBE"]
JEMALLOC = os.environ.get("MPOL_JEMALLOC", "")


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


def environment(library, settings=None):
    """As now, but for what would change the subject's course."""
    kept = {name: value for name, value in os.environ.items()
            if name not in ("LD_PRELOAD", "MALLOC_CONF") and not name.startswith("MPOL_")}
    return {**kept, "LD_PRELOAD": library, **(settings or {})}


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


class Subject:
    """A running subject, from its "ready" on. `with Subject(...) as subject:`"""

    def __init__(self, words, library, prefix=(), settings=None):
        command = [*prefix, SUBJECT, *map(str, words)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True, bufsize=1,
                                        env=environment(library, settings))
        self.watchdog = threading.Timer(SECONDS_MAX, self.process.kill)
        self.watchdog.start()
        self.pid = self.process.pid
        self.said = []
        self.hear("ready")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.watchdog.cancel()
        self.process.kill()
        self.process.communicate()

    def hear(self, wanted):
        for line in self.process.stdout:
            words = line.split()
            if words == [wanted]:
                return
            self.said.append(words)
        raise RuntimeError(f"the subject ended: {self.process.stderr.read()[-4000:]}")

    def values(self, name):
        return [int(value) for key, value in self.said if key == name]

    def work(self):
        self.process.stdin.write("\n")
        self.hear("done")

    def finish(self):
        """Its standard error."""
        _, errors = self.process.communicate(timeout=SECONDS_MAX)
        if self.process.returncode != 0:
            raise RuntimeError(f"the subject ended with {self.process.returncode}: "
                               f"{errors[-4000:]}")
        return errors


def collected(errors):
    """The number of instructions in callgrind's standard error."""
    return int(re.search(r"Collected : (\d+)", errors)[1])


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
