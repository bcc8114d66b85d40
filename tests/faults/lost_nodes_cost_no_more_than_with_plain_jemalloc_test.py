# SPDX-License-Identifier: Apache-2.0
"""The nodes of a program's policy are taken away while it allocates, forks and makes threads: by its
cgroup, by the one above, by the end of its own cpuset, and by memory that goes offline. It says exactly
what it says with plain jemalloc under the same policy of numactl's, and `mpol doctor` names the cause.
Needs four nodes, a fifth that can go, and cgroup v2: runs in tests/vm/run --dimm."""
import glob
import os
import subprocess
import sys
import unittest

MPOL, PRELOAD, SUBJECT, JEMALLOC = (os.environ[name] for name in (
    "MPOL_BIN", "MPOL_PRELOAD", "MPOL_FAULT_SUBJECT", "MPOL_JEMALLOC"))
OUTER, INNER = "/sys/fs/cgroup/mpol-lost-nodes", "/sys/fs/cgroup/mpol-lost-nodes/inner"
DIMM = 4
DIMM_BLOCKS = sorted(glob.glob(f"/sys/devices/system/node/node{DIMM}/memory[0-9]*/state"))
STAGES = 7
IN_FORCE_LATER = 7  # exit status: it waits, and has no helper thread yet
NOTHING_WRONG = "corrupt 0 errno 0 nulls 0 refused 0"


def write(path, text):
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def turn_dimm(state):
    for block in DIMM_BLOCKS:
        with open(block, encoding="ascii") as file:
            if (file.read().strip() == "offline") == (state == "offline"):
                continue
        write(block, state)


def mpol(*words):
    return subprocess.run([MPOL, *map(str, words)], text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=120, check=False)


class Program:
    """The subject of this folder, which goes from stage to stage as it is told."""

    def __init__(self, ours, node, cgroup=None):
        library = PRELOAD if ours else JEMALLOC
        command = [] if ours else ["numactl", f"--membind={node}"]
        self.process = subprocess.Popen(
            [*command, "env", f"LD_PRELOAD={library}", SUBJECT], text=True, bufsize=1,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            preexec_fn=lambda: cgroup and write(f"{cgroup}/cgroup.procs", str(os.getpid())))
        self.pid = self.process.pid
        self.said = ""

    def await_stage(self, number):
        for line in self.process.stdout:
            if line == f"stage {number}\n":
                return
            self.said += line
        raise AssertionError(f"it ended before stage {number}: {self.said} {self.process.wait()}")

    def go_on(self):
        self.process.stdin.write(".")
        self.process.stdin.flush()

    def end(self):
        self.go_on()
        self.said += self.process.stdout.read()
        return self.process.wait()

    def close(self):
        self.process.kill()
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()


@unittest.skipUnless(DIMM_BLOCKS and os.access("/sys/fs/cgroup/cgroup.subtree_control", os.W_OK),
                     "needs a node to take away and cgroup v2: tests/vm/run --dimm")
class LostNodesTest(unittest.TestCase):
    def run_program(self, ours, node, deeds, cgroup=None):
        """What it said; deeds are done while it works at its stages. And what the doctor says then."""
        program = Program(ours, node, cgroup)
        self.addCleanup(program.close)
        doctor = ""
        for number in range(STAGES):
            program.await_stage(number)
            if number == 0 and ours:
                done = mpol("set", program.pid, f"bind:{node}")
                self.assertIn(done.returncode, (0, IN_FORCE_LATER), done.stdout)
            if number == STAGES - 1:
                doctor = mpol("doctor", program.pid).stdout if ours else ""
                self.assertEqual(program.end(), 0)
                break
            program.go_on()
            deeds.get(number, lambda: None)()
        print(f"{'ours' if ours else 'plain'}: {program.said}", end="", file=sys.stderr)
        return program.said, doctor

    def make_cgroups(self):
        for folder in (OUTER, INNER):
            os.makedirs(folder, exist_ok=True)
            self.addCleanup(os.rmdir, folder)
            if folder == OUTER:
                write(f"{OUTER}/cgroup.subtree_control", "+cpuset")
        write(f"{OUTER}/cpuset.mems", "0-3")
        write(f"{INNER}/cpuset.mems", "0-1")

    def test_by_cpusets(self):
        said = []
        for ours in (False, True):
            self.make_cgroups()
            said.append(self.run_program(ours, 1, {
                1: lambda: write(f"{INNER}/cpuset.mems", "2"),
                2: lambda: write(f"{OUTER}/cpuset.mems", "3"),
                3: lambda: write(f"{OUTER}/cgroup.subtree_control", "-cpuset"),
                4: lambda: write(f"{OUTER}/cpuset.mems", "0"),
            }, INNER))
            self.doCleanups()
        (plain, _), (ours, doctor) = said
        self.assertIn(NOTHING_WRONG, plain)
        self.assertEqual(ours, plain)
        print(doctor, file=sys.stderr)
        self.assertIn("its cpuset allows nodes 0 of 0-4", doctor)
        self.assertIn("bind:1 names nodes that it may not use; 0 are allowed", doctor)
        self.assertIn("cpuset.mems of its cgroup", doctor)

    def test_by_memory_that_goes_offline(self):
        said = []
        for ours in (False, True):
            self.addCleanup(turn_dimm, "online_movable")
            said.append(self.run_program(ours, DIMM, {1: lambda: turn_dimm("offline")}))
            self.doCleanups()
        (plain, _), (ours, doctor) = said
        self.assertIn(NOTHING_WRONG, plain)
        self.assertEqual(ours, plain)
        print(doctor, file=sys.stderr)
        self.assertIn(f"bind:{DIMM} names nodes that have no memory now: {DIMM}", doctor)
        self.assertIn(f"/sys/devices/system/node/node{DIMM}/memory*/state", doctor)


if __name__ == "__main__":
    unittest.main(verbosity=2)
