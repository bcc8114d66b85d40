# SPDX-License-Identifier: Apache-2.0
"""Without allow_other: nobody but the user who mounted it enters, not even root."""

import ctypes
import os
import stat
import subprocess
import unittest

from mounted import NOBODY, Mount, Target, main, require_fuse, shell

CLONE_NEWNS = 0x20000


def open_fuse_to_all():
    """Some machines keep /dev/fuse to root. In a mount namespace of this test's own, it is not."""
    if stat.S_IMODE(os.stat("/dev/fuse").st_mode) & 0o006 == 0o006:
        return
    if ctypes.CDLL(None).unshare(CLONE_NEWNS) != 0:
        raise unittest.SkipTest("/dev/fuse is root's, and there are no mount namespaces")
    for command in ["mount --make-rprivate /", "mount -t tmpfs -o dev mpolfs-test /mnt",
                    "mknod -m 666 /mnt/fuse c 10 229", "mount --bind /mnt/fuse /dev/fuse",
                    "umount -l /mnt"]:
        done = subprocess.run(command.split(), capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise unittest.SkipTest(f"/dev/fuse is root's: {done.stderr.strip()}")


class UsersMount(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        if os.geteuid() != 0:
            raise unittest.SkipTest("only root can make callers of two users")
        require_fuse()
        open_fuse_to_all()

    def test_user_sees_his_own_processes_and_nobody_else_enters(self):
        mount = Mount(uid=NOBODY)
        self.addCleanup(lambda: self.assertTrue(mount.end()))
        own, roots = Target(uid=NOBODY), Target()
        self.addCleanup(own.end)
        self.addCleanup(roots.end)
        listed = shell(f"ls {mount.dir}", uid=NOBODY).stdout.split()
        self.assertIn(str(own.pid), listed)
        self.assertNotIn(str(roots.pid), listed)
        path = mount.path(own.pid, "mempolicy")
        done = shell(f"echo bind:0 > {path} && cat {path}", uid=NOBODY)
        self.assertEqual((done.stdout, done.stderr), ("bind:0\n", ""))
        done = shell(f"grep pending {mount.path(own.pid, 'status')}", uid=NOBODY)
        self.assertEqual(done.stdout, "pending:\tno\n")
        self.assertIn("Permission denied", shell(f"ls {mount.dir}").stderr)


if __name__ == "__main__":
    main()
