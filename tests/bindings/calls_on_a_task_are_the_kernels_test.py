# SPDX-License-Identifier: Apache-2.0
"""The four calls of the RFC, by thread id and by pidfd: what they set is what the kernel tells of
the task, and on the calling thread they are the kernel's own."""
import ctypes
import errno
import mmap
import os

from harness import BindingsTest, main, mpol
from mpol import Flag, Mode, Policy

GET_MEMPOLICY = {"x86_64": 239}.get(os.uname().machine, 236)
INTERLEAVE = Policy(Mode.INTERLEAVE, [0])
BIND = Policy(Mode.BIND, [0], Flag.STATIC_NODES)
MAPPED = 1 << 20


def kernels_own():
    """get_mempolicy(2) of this thread, past the library: mode word, first 64 nodes."""
    mode, mask = ctypes.c_int(), (ctypes.c_ulong * 16)()
    assert ctypes.CDLL(None).syscall(GET_MEMPOLICY, ctypes.byref(mode), mask, ctypes.c_ulong(1025),
                                     None, ctypes.c_ulong(0)) == 0
    return mode.value, mask[0]


class CallsOnATask(BindingsTest):
    def opened_pidfd(self, pid):
        pidfd = os.pidfd_open(pid)
        self.addCleanup(os.close, pidfd)
        return pidfd

    def test_on_the_calling_thread(self):
        self.addCleanup(mpol.set_task_mempolicy, 0, Mode.DEFAULT)
        for mode, nodes, flags in ((Mode.BIND, [0], Flag.STATIC_NODES), (Mode.LOCAL, [], Flag(0)),
                                   (Mode.INTERLEAVE, [0], Flag.RELATIVE_NODES)):
            mpol.set_task_mempolicy(0, mode, nodes, flags)
            self.assertEqual(kernels_own(), (mode | flags, sum(1 << node for node in nodes)))
            self.assertEqual(mpol.get_task_mempolicy(), Policy(mode, nodes, flags))
        self.assert_fails(errno.EINVAL, "can't set_task_mempolicy on the calling thread: Invalid "
                          "argument", mpol.set_task_mempolicy, 0, Mode.BIND)
        mpol.set_task_mempolicy(0, Mode.DEFAULT)
        self.assertEqual(kernels_own(), (0, 0))

    def test_on_another_by_thread_and_by_pidfd(self):
        victim = self.victim()
        pidfd = self.opened_pidfd(victim.pid)
        for write, read, task in (
                (mpol.set_task_mempolicy, mpol.get_task_mempolicy, victim.pid),
                (mpol.pidfd_set_mempolicy, mpol.pidfd_get_mempolicy, pidfd)):
            for policy in (INTERLEAVE, BIND):
                # A thread's own: what is waited for is its next allocation.
                try:
                    write(task, policy.mode, policy.nodes, policy.flags)
                except TimeoutError:
                    victim.ask("ping")
                self.assertEqual(read(task), policy)

    def setUp(self):
        self.addCleanup(mpol.set_timeout, mpol.timeout())

    def test_waits_no_longer_than_the_timeout(self):
        victim = self.victim()
        mpol.set_timeout(0.01)
        self.assert_fails(errno.ETIMEDOUT, f"thread {victim.worker} has not acted on it within "
                          "0.01 s: it will at its next allocation",
                          mpol.set_task_mempolicy, victim.worker, Mode.BIND, [0])

    def test_allowed_nodes_are_those_of_the_cpuset(self):
        with open("/proc/self/status", encoding="ascii") as status:
            text = next(line for line in status if line.startswith("Mems_allowed_list")).split()[1]
        with open("/sys/devices/system/node/has_memory", encoding="ascii") as nodes:
            if nodes.read().strip() == text:
                own = mpol.get_task_mems_allowed()
                self.assertEqual(str(Policy(Mode.BIND, own)), f"bind:{text}")
        self.assertEqual(mpol.get_task_mems_allowed(self.victim().pid),
                         mpol.get_task_mems_allowed())

    def test_ranges_of_the_own_address_space(self):
        with mmap.mmap(-1, MAPPED, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as memory:
            address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
            mpol.task_mbind(0, address, MAPPED, Mode.BIND, [0], move_flags=2)
            self.assertEqual(str(mpol.get_task_mempolicy(0, address)), "bind:0")
            self.assert_fails(errno.EINVAL, "can't task_mbind on the calling thread: Invalid "
                              "argument", mpol.task_mbind, 0, address + 1, 4096, Mode.BIND, [0])
            self.assertEqual(str(mpol.get_task_mempolicy()), "default")
            try:
                mpol.set_task_mempolicy_home_node(0, address, MAPPED, 0)
            except OSError as error:
                self.assertEqual(error.errno, errno.ENOSYS)  # before Linux 5.17

    def test_ranges_of_anothers_address_space(self):
        victim = self.victim()
        pidfd = self.opened_pidfd(victim.pid)
        address = -(-int(victim.ask("hold", 4 * MAPPED)) // 4096) * 4096
        mpol.task_mbind(victim.pid, address, MAPPED, Mode.BIND, [0])
        mpol.pidfd_mbind(pidfd, address + MAPPED, MAPPED, Mode.INTERLEAVE, [0])
        self.assertEqual(str(mpol.get_task_mempolicy(victim.pid, address)), "bind:0")
        self.assertEqual(str(mpol.pidfd_get_mempolicy(pidfd, address + MAPPED)), "interleave:0")
        for call, task in ((mpol.set_task_mempolicy_home_node, victim.pid),
                           (mpol.pidfd_set_mempolicy_home_node, pidfd)):
            try:
                call(task, address, MAPPED, 0)
            except OSError as error:
                self.assertEqual(error.errno, errno.ENOSYS)
        self.assert_fails(errno.EFAULT, "can't get_task_mempolicy on thread "
                          f"{victim.pid}: Bad address", mpol.get_task_mempolicy, victim.pid, 0)

    def test_what_is_no_task(self):
        self.assert_fails(errno.ESRCH, "there is no thread 4194304", mpol.get_task_mempolicy,
                          4194304)
        reader, writer = os.pipe()
        self.addCleanup(os.close, reader)
        self.addCleanup(os.close, writer)
        self.assert_fails(errno.EBADF, f"can't pidfd_get_mempolicy on the process of pidfd {reader}"
                          ": Bad file descriptor", mpol.pidfd_get_mempolicy, reader)
        with self.assertRaisesRegex(OverflowError, "^node is out of range: 1024$"):
            mpol.set_task_mempolicy(0, Mode.BIND, [1024])
        self.assertEqual(str(mpol.get_task_mempolicy()), "default")


if __name__ == "__main__":
    main()
