#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""One of the python3 interpreter's own regression test modules.

Compared: the result of every single test case, failures and skips included, and the exit status.
Left out: everything else it prints, which is times and addresses."""

import argparse
import resource
import xml.etree.ElementTree

import harness

# Debian's interpreter, whatever else the machine has: the tests belong to it.
PYTHON = "/usr/bin/python3"
# Module, and what continuous integration leaves out of it: cases that mostly sleep, and variants
# on threads and managers of what remains on processes.
SLEEPERS = ["TestWait", "TestResourceTracker", "WithProcessesTestFinalize", "test_boundaries",
            "WithThreads*", "WithManagerTestBarrier", "WithManagerTestCondition"]
MODULES = {
    "test_threading": [],
    "test_subprocess": [],
    "test_ctypes": [],
    "test_multiprocessing_fork": SLEEPERS,
    "test_multiprocessing_spawn": [*SLEEPERS, "TestSyncManagerTypes", "WithProcessesTestBarrier",
                                   "WithProcessesTestCondition", "WithManager*"],
    "test_multiprocessing_forkserver": [],  # Not in continuous integration.
}
# Debian's soft limit of open files, whatever this machine's is: some tests look at every number below
# it, and the control segment's descriptor is to lie beyond.
DESCRIPTORS = 1024


def results(path):
    lines = []
    for case in xml.etree.ElementTree.parse(path).iter("testcase"):
        outcome = [f"{child.tag} {child.text or ''}" if child.tag == "skipped" else child.tag
                   for child in case if child.tag not in ("system-out", "system-err")]
        lines.append(f"{case.get('name')}: {' '.join(outcome) or 'ok'}")
    return sorted(lines)


def subject(stage):
    module = stage.arguments.module
    harness.require(PYTHON, "python3")
    listed = stage.run([PYTHON, "-m", "test", "--list-cases", module])
    if "No module named" in listed or "ImportError" in listed:
        raise harness.Skip("python3's tests are not installed (Debian package "
                           "libpython3.11-testsuite)")
    ignored = [] if stage.arguments.full else MODULES[module]
    found = stage.dir / "results.xml"
    output = stage.run([PYTHON, "-m", "test", "--junit-xml", found, "-v",
                        *[word for name in ignored for word in ("--ignore", name)], module])
    (stage.dir / "output").write_text(output)
    stage.say(*results(found))


if __name__ == "__main__":
    hard_limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, hard_limit))
    command = argparse.ArgumentParser()
    command.add_argument("module", choices=MODULES)
    harness.main(subject, command)
