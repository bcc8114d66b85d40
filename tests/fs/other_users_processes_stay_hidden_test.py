# SPDX-License-Identifier: Apache-2.0
"""Root's mount, which every user may enter: what each of them meets there."""

import errno
import os
import unittest

from mounted import NOBODY, MountedCase, main, shell, write


def setUpModule():
    if os.geteuid() != 0:
        raise unittest.SkipTest("only root can make callers of two users")


class RootsMount(MountedCase):
    def assert_refused(self, pid):
        path = self.mount.path(pid)
        for command in [f"cat {path}/mempolicy", f"cat {path}/status", f"cat {path}/numa_maps",
                        f"ls {path}", f"ls {path}/task", f"stat {path}",
                        f"cat {path}/task/{pid}/mempolicy", f"echo local > {path}/mempolicy"]:
            done = shell(command, uid=NOBODY)
            self.assertNotEqual(done.returncode, 0, command)
            self.assertIn("Permission denied", done.stderr, command)
        self.assertNotIn(str(pid), shell(f"ls {self.mount.dir}", uid=NOBODY).stdout.split())
        self.assertIn(str(pid), os.listdir(self.mount.dir))

    def test_roots_process_is_hidden(self):
        target = self.target()
        write(self.mount.path(target.pid, "mempolicy"), "bind:0\n")
        self.assert_refused(target.pid)
        self.assertEqual(self.mount.read(target.pid, "mempolicy"), "bind:0\n")

    def test_ones_own_process_is_there(self):
        target = self.target(uid=NOBODY)
        path = self.mount.path(target.pid, "mempolicy")
        listed = shell(f"ls {self.mount.dir}", uid=NOBODY).stdout.split()
        self.assertIn(str(target.pid), listed)
        for pid in listed:
            self.assertEqual(os.stat(f"/proc/{pid}").st_uid, NOBODY)
        done = shell(f"echo interleave:0 > {path} && cat {path}", uid=NOBODY)
        self.assertEqual((done.stdout, done.stderr), ("interleave:0\n", ""))
        self.assertEqual(target.kernel_policies(self.mount), {"interleave:0"})
        status = self.mount.status(target.pid)
        self.assertTrue(status["set_by"].startswith(f"outside uid={NOBODY} "), status["set_by"])
        found = os.stat(path)
        self.assertEqual((found.st_uid, found.st_gid), (NOBODY, NOBODY))
        self.assertEqual(write(path, "bind:0\n"), 7)  # root may

    def test_process_that_is_not_dumpable_is_roots(self):
        target = self.target("hidden", uid=NOBODY)
        self.assert_refused(target.pid)
        self.assertEqual(os.stat(self.mount.path(target.pid, "mempolicy")).st_uid, 0)

    # By ids alone its user could see it: the kernel, asked with the caller's credentials, refuses.
    def test_process_with_capabilities_is_roots(self):
        launcher = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups",
                    "--inh-caps=+net_admin", "--ambient-caps=+net_admin"]
        target = self.target(uid=NOBODY, launcher=launcher)
        self.assertEqual(os.stat(f"/proc/{target.pid}/status").st_uid, NOBODY)
        listed = shell(f"ls {self.mount.dir}", uid=NOBODY).stdout.split()
        self.assertNotIn(str(target.pid), listed)
        for command in ["cat", "echo local >"]:
            done = shell(f"{command} {self.mount.path(target.pid)}/mempolicy", uid=NOBODY)
            self.assertNotEqual(done.returncode, 0, command)
        self.assertEqual(self.mount.read(target.pid, "mempolicy"), "default\n")

    # The policy file of a process is no way around the check when the file is already open.
    def test_open_file_is_checked_again(self):
        target = self.target()
        fd = os.open(self.mount.path(target.pid, "mempolicy"), os.O_RDWR)
        self.addCleanup(os.close, fd)
        child = os.fork()
        if child == 0:
            os.setgroups([])
            os.setresgid(NOBODY, NOBODY, NOBODY)
            os.setresuid(NOBODY, NOBODY, NOBODY)
            refused = 0
            for call in [lambda: os.pread(fd, 100, 0), lambda: os.pwrite(fd, b"local\n", 0)]:
                try:
                    call()
                except OSError as error:
                    refused += error.errno == errno.EACCES
            os._exit(refused)
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), 2)

    # The daemon's threads take on callers' ids; none may keep them.
    def test_daemon_stays_root(self):
        target = self.target(uid=NOBODY)
        for _ in range(20):
            shell(f"cat {self.mount.path(target.pid)}/mempolicy", uid=NOBODY)
        threads = f"/proc/{self.mount.process.pid}/task"
        for tid in os.listdir(threads):
            with open(f"{threads}/{tid}/status", encoding="ascii") as file:
                fields = dict(line.split(":", 1) for line in file)
            self.assertEqual(set(fields["Uid"].split()), {"0"}, tid)
            self.assertEqual(set(fields["Gid"].split()), {"0"}, tid)


if __name__ == "__main__":
    main()
