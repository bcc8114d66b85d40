#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A program in a container (process ids and mounts of its own), be it root there: it finds nobody
outside, whatever pid it names, and whoever is outside rewrites those inside."""
import os
import subprocess
import unittest

from harness import NO_TARGET, OK, CliTest, Victim, mpol

CONTAINER = ["unshare", "--pid", "--mount", "--fork", "--kill-child", "--mount-proc"]


def have_containers():
    return os.geteuid() == 0 and subprocess.run([*CONTAINER, "true"], check=False,
                                                stderr=subprocess.DEVNULL).returncode == 0


@unittest.skipUnless(have_containers(), "needs root and a mount namespace")
class ContainerTest(CliTest):
    def test_nobody_outside_is_found(self):
        with Victim() as victim:
            with open(victim.segment(), "rb") as segment:
                before = segment.read()[256:512]
            for words in (["get", victim.pid], ["set", victim.pid, "bind:0"], ["unset", victim.pid]):
                result = mpol(*words, prefix=CONTAINER)
                self.assertEqual(result.returncode, NO_TARGET, result)
                self.assertIn(f"no process {victim.pid}", result.stderr)
            listed = mpol("ls", prefix=CONTAINER)
            self.assertEqual(listed.returncode, OK)
            self.assertNotIn(str(victim.pid), listed.stdout)
            with open(victim.segment(), "rb") as segment:
                self.assertEqual(segment.read()[256:512], before)

    def test_those_inside_are_found_from_outside(self):
        with Victim(prefix=CONTAINER) as launcher:
            path = f"/proc/{launcher.pid}/task/{launcher.pid}/children"
            with open(path, encoding="ascii") as children:
                inside = int(children.read())
            launcher.start_thread()  # And with it the helper, which acts while it sleeps.
            result = mpol("set", inside, "bind:0")
            self.assertEqual(result.returncode, OK, result)
            self.assertIn("bind:0", mpol("get", inside).stdout)


if __name__ == "__main__":
    unittest.main()
