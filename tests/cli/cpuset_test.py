# SPDX-License-Identifier: Apache-2.0
"""What mpol says of nodes that the target's cpuset does not allow. Four memory nodes and a cgroup v2
of its own are needed: runs in the four-node machine."""
import json
import os
import subprocess
import unittest

from harness import FAILED, MPOL, OK, Victim, mpol

CGROUP = "/sys/fs/cgroup/mpol-cpuset-test"


def have_four_nodes():
    try:
        with open("/sys/devices/system/node/has_memory", encoding="ascii") as nodes:
            return nodes.read() == "0-3\n" and os.access("/sys/fs/cgroup/cgroup.procs", os.W_OK)
    except OSError:
        return False


@unittest.skipUnless(have_four_nodes(), "needs memory on nodes 0-3 and a writable cgroup v2")
class CpusetTest(unittest.TestCase):
    def setUp(self):
        os.makedirs(CGROUP, exist_ok=True)
        self.allow("0-1")
        enter = f'echo $$ > {CGROUP}/cgroup.procs; exec "$@"'
        self.victim = Victim(prefix=["sh", "-c", enter, "sh"])
        self.addCleanup(os.rmdir, CGROUP)
        self.addCleanup(self.victim.__exit__)
        self.victim.start_thread()  # And with it the helper, which acts while the victim sleeps.

    def allow(self, nodes):
        with open(f"{CGROUP}/cpuset.mems", "w", encoding="ascii") as mems:
            mems.write(nodes)

    def test_names_the_nodes_that_the_cpuset_drops(self):
        result = mpol("set", self.victim.pid, "bind:0-2")
        self.assertEqual(result.returncode, OK)
        self.assertIn("effective nodes 0-1\n", result.stdout)
        self.assertIn(f"dropped nodes 2: the cpuset of process {self.victim.pid} allows 0-1\n",
                      result.stdout + result.stderr)

    def test_refuses_a_policy_of_which_the_cpuset_leaves_nothing(self):
        self.assertEqual(mpol("set", self.victim.pid, "interleave:0-1").returncode, OK)
        result = mpol("set", self.victim.pid, "bind:3")
        self.assertEqual((result.returncode, result.stdout), (FAILED, ""))
        self.assertEqual(result.stderr.splitlines()[0],
                         f"mpol: process {self.victim.pid} may use none of the nodes 3: its cpuset "
                         "allows 0-1")
        state = json.loads(mpol("get", "--json", self.victim.pid).stdout)
        self.assertIn("interleave:0-1", json.dumps(state))

    def test_shows_the_nodes_that_a_changed_cpuset_leaves(self):
        self.assertEqual(mpol("set", self.victim.pid, "interleave:0-1").returncode, OK)
        self.allow("2-3")
        shown = ""
        for _ in range(1000):  # Until the target has noticed; each look takes milliseconds.
            shown = mpol("get", self.victim.pid).stdout
            if "effective:  2-3\n" in shown:
                break
        self.assertIn("effective:  2-3\n", shown)
        self.assertIn("policy:     interleave:0-1\n", shown)

    def test_follows_a_cpuset_that_changes_before_it_is_watched(self):
        self.allow("0-3")
        tasks = f"/proc/{self.victim.pid}/task"
        before = len(os.listdir(tasks))
        with open(f"{CGROUP}/cpuset.mems", "w", encoding="ascii") as mems:
            with subprocess.Popen([MPOL, "set", str(self.victim.pid), "interleave:0-3"],
                                  stdout=subprocess.DEVNULL):
                while len(os.listdir(tasks)) == before:  # The thread that is to watch it begins.
                    pass
                mems.write("0-1")
                mems.flush()
        shown = ""
        for _ in range(100):
            shown = mpol("get", self.victim.pid).stdout
            if "effective:  0-1\n" in shown:
                break
        self.assertIn("effective:  0-1\n", shown)

    def test_shows_the_weights_of_the_nodes_that_are_left(self):
        self.allow("0-3")
        result = mpol("set", self.victim.pid, "weighted interleave:0-3;weights=5,3,2,1")
        self.assertEqual(result.returncode, OK, result.stderr)
        for nodes, shares in (("0-1", {"0": 5 / 8, "1": 3 / 8}), ("2", {"2": 1}),
                              ("0-3", {"0": 5 / 11, "1": 3 / 11, "2": 2 / 11, "3": 1 / 11})):
            self.allow(nodes)
            for _ in range(1000):
                shown = json.loads(mpol("get", "--json", self.victim.pid).stdout)
                if shown["shares"] == shares:
                    break
            self.assertEqual(shown["shares"], shares)


if __name__ == "__main__":
    unittest.main()
