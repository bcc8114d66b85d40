# SPDX-License-Identifier: Apache-2.0
"""What is said when a process can't be reached or won't act: the errno, the object and what helps,
word for word; and no number is cut down to another's."""
import errno
import fcntl
import os
import struct
import time

from harness import NO_SUCH_PID, NOBODY, BindingsTest, main, mpol


def as_another_user(call):
    """In a child, by the user ids; what OSError it says, errno and sentence."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
        try:
            said = repr(call())
        except OSError as error:
            said = f"{type(error).__name__} {errno.errorcode[error.errno]} {error.strerror}"
        os.write(writer, said.encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as answer:
        said = answer.read()
    os.waitpid(child, 0)
    return said


class Errors(BindingsTest):
    def test_no_such_process(self):
        error = self.assert_fails(errno.ESRCH, f"there is no process {NO_SUCH_PID}",
                                  mpol.open, NO_SUCH_PID)
        self.assertIs(type(error), ProcessLookupError)
        self.assertEqual(str(error), f"[Errno 3] there is no process {NO_SUCH_PID}")
        for pid in (-1, 0):
            self.assert_fails(errno.ESRCH, f"there is no process {pid}", mpol.open, pid)

    def test_process_without_the_library(self):
        pid = self.uncontrolled()
        for write in (False, True):
            self.assert_fails(errno.ENODEV, f"process {pid} does not run under libmpol-preload: "
                              "start it with mpol run", mpol.open, pid, write)
        self.assert_fails(errno.ENODEV, f"thread {pid} does not run under libmpol-preload: start "
                          "it with mpol run", mpol.set_task_mempolicy, pid, mpol.Mode.LOCAL)

    def test_process_of_another_user(self):
        if os.geteuid() != 0:
            self.assertIs(type(self.assert_fails(
                errno.EPERM, "not permitted to open the control segment of process 1: be its user "
                "or root; one that is not dumpable needs root", mpol.open, 1)), PermissionError)
            return
        pid = self.victim().pid
        said = as_another_user(lambda: mpol.open(pid))
        self.assertEqual(said, "PermissionError EPERM not permitted to open the control segment "
                               f"of process {pid}: be its user or root; one that is not dumpable "
                               "needs root")

    def test_segment_of_another_version(self):
        victim = self.victim()
        with open(victim.segment(), "r+b", buffering=0) as segment:
            segment.write(b"\xff" * 16)
        self.assert_fails(errno.EPROTO, f"the control segment of process {victim.pid} is damaged "
                          "or of another version: start it again with this version's mpol run",
                          mpol.open, victim.pid)

    def test_target_that_was_opened_for_reading(self):
        victim, target = self.opened(write=False)
        sentence = f"process {victim.pid} was opened for reading: open it with write=True"
        for call in (lambda: target.write("local"), target.unset, target.migrate,
                     lambda: target.write_kind(mpol.Kind.STACK, "local")):
            self.assert_fails(errno.EBADF, sentence, call)

    def test_nodes_that_the_target_may_not_use(self):
        victim, target = self.opened()
        policy = mpol.Policy(mpol.Mode.BIND, [1023])
        self.assert_fails(errno.EINVAL, f"bind:1023 leaves process {victim.pid} no node: "
                          f"/proc/{victim.pid}/status names those that are allowed, in "
                          "Mems_allowed_list", target.write, policy)
        self.assertIsNone(target.read().policy)

    def test_no_such_thread(self):
        victim, target = self.opened()
        for call in (lambda tid: target.write("local", tid), target.read, target.unset,
                     target.migrate, lambda tid: target.read_kind(mpol.Kind.LARGE, tid)):
            self.assert_fails(errno.ESRCH, f"process {victim.pid} has no thread {os.getpid()}",
                              call, os.getpid())

    def test_thread_without_a_slot(self):
        victim, target = self.opened()
        known = {victim.pid, victim.worker}
        target.write("bind:0")  # The library's own threads, which never allocate, are there now.
        others = {int(tid) for tid in os.listdir(f"/proc/{victim.pid}/task")} - known
        self.assertGreater(len(others), 0)
        for tid in others:
            self.assert_fails(errno.ENODEV, f"thread {tid} of process {victim.pid} has no slot of "
                              "its own and follows the process: write to the process",
                              target.read, tid)

    def test_target_that_is_stopped(self):
        victim, target = self.opened()
        target.write("bind:0")
        victim.stop()
        begin = time.monotonic()
        error = self.assert_fails(errno.ETIMEDOUT, f"process {victim.pid} has not acted on it "
                                  "within 0.05 s: local is published, and comes into force at its "
                                  "next allocation", target.write, "local", timeout=0.05)
        self.assertGreaterEqual(time.monotonic() - begin, 0.05)
        self.assertIs(type(error), TimeoutError)
        self.assertEqual(str(target.read().policy), "local")

    def test_another_writer_holds_the_lock(self):
        victim, target = self.opened()
        self.addCleanup(mpol.set_timeout, mpol.timeout())
        mpol.set_timeout(0.02)
        self.assertEqual(mpol.timeout(), 0.02)
        with open(victim.segment(), "r+b") as segment:
            whole = struct.pack("hhqqi", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
            fcntl.fcntl(segment, 37, whole)  # F_OFD_SETLK
            sentence = (f"another writer holds the control segment of process {victim.pid}: try "
                        "again, or find the holder with lslocks")
            self.assert_fails(errno.EBUSY, sentence, target.write, "local")
            self.assert_fails(errno.EBUSY, sentence.replace("process", "thread"),
                              mpol.set_task_mempolicy, victim.pid, mpol.Mode.LOCAL)
        target.write("local")

    def test_process_that_has_exited(self):
        victim, target = self.opened()
        victim.process.kill()
        victim.process.wait()
        self.assert_fails(errno.ESRCH, f"process {victim.pid} has exited", target.write, "local")

    # Cut to 32 bits, each would be the target's own number.
    def test_numbers_are_refused_that_c_would_cut(self):
        victim, target = self.opened()
        for call, what in ((mpol.open, "pid"), (target.read, "tid"), (target.migrate, "tid"),
                           (mpol.get_task_mempolicy, "tid"), (mpol.pidfd_get_mempolicy, "pidfd"),
                           (lambda tid: target.write("local", tid), "tid")):
            for number in (victim.pid + (1 << 32), victim.pid - (1 << 32)):
                with self.assertRaisesRegex(OverflowError, f"^{what} is out of range: {number}$"):
                    call(number)
        with self.assertRaises(TypeError):
            mpol.open(str(victim.pid))
        for rate in (-1, 1 << 64):
            with self.assertRaisesRegex(OverflowError, f"^rate is out of range: {rate}$"):
                target.migrate(rate=rate)

    def test_times_that_are_none(self):
        _, target = self.opened()
        for seconds in (-1, float("nan")):
            with self.assertRaisesRegex(ValueError, "^timeout is not a number of seconds: "):
                target.write("local", timeout=seconds)
            with self.assertRaisesRegex(ValueError, "^lease is not a number of seconds: "):
                target.migrate(lease=seconds)
        target.write("local", timeout=float("inf"))


if __name__ == "__main__":
    main()
