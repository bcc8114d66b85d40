# SPDX-License-Identifier: Apache-2.0
"""A migration from Python on any machine, with one node too, where all pages are in place already:
followed, waited for, taken back, and another's in its place. One that goes on for long needs nodes:
pages_follow_what_python_sets_test.py."""
import errno
import os
import signal
import sys
import time

from harness import SECONDS_MAX, TESTS, BindingsTest, Victim, main, mpol, wait_until
from mpol import Phase

SIZE = 64 << 20


class Migrations(BindingsTest):
    def filled(self):
        """A victim whose heap has pages that a policy names nodes for."""
        victim, target = self.opened()
        target.write("bind:0")
        victim.ask("fill", SIZE)
        return victim, target

    def test_wait_returns_what_came_of_it(self):
        victim, target = self.filled()
        self.assertIsNone(target.migration())
        migration = target.migrate()
        self.assertEqual(repr(migration), f"<mpol.Migration {migration.generation} of process "
                                          f"{victim.pid}>")
        found = migration.wait()
        self.assertEqual((found.phase, found.ended, found.error, found.remaining_bytes),
                         (Phase.DONE, True, 0, 0))
        self.assertGreaterEqual(found.in_place_bytes, SIZE)
        self.assertGreaterEqual(found.total_bytes, found.in_place_bytes + found.moved_bytes)
        self.assertEqual(migration.progress(), found)
        self.assertEqual(target.migration().generation, migration.generation)

    def test_of_a_thread_looks_at_its_own_memory(self):
        victim, target = self.filled()
        victim.set_worker(target, "bind:0")
        self.assertLess(target.migrate(victim.worker).wait().total_bytes, SIZE)

    # Nobody takes it up: its target has stopped.
    def test_wait_has_an_end_and_what_has_not_begun_is_taken_back(self):
        victim, target = self.filled()
        victim.stop()
        migration = target.migrate()
        self.assertEqual((migration.progress().phase, migration.progress().ended),
                         (Phase.ASKED, False))
        for timeout in (0.15, 0):
            begin = time.monotonic()
            self.assert_fails(errno.ETIMEDOUT, f"the migration of process {victim.pid} has not "
                              f"ended within {timeout} s", migration.wait, timeout)
            self.assertGreaterEqual(time.monotonic() - begin, timeout)
        migration.cancel()
        found = migration.wait()
        self.assertEqual((found.phase, found.batches), (Phase.CANCELLED, 0))
        migration.cancel()
        victim.go_on()
        self.assertIs(target.migrate().wait().phase, Phase.DONE)

    def test_wait_is_interrupted_by_a_signal(self):
        victim, target = self.filled()
        victim.stop()
        migration = target.migrate()
        self.addCleanup(signal.signal, signal.SIGALRM, signal.getsignal(signal.SIGALRM))

        def interrupt(*_):
            raise InterruptedError
        signal.signal(signal.SIGALRM, interrupt)
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        begin = time.monotonic()
        self.assertRaises(InterruptedError, migration.wait, SECONDS_MAX)
        self.assertLess(time.monotonic() - begin, SECONDS_MAX / 2)
        self.assertIs(migration.progress().phase, Phase.ASKED)

    def test_without_a_lease_it_ends_alone(self):
        victim, target = self.filled()
        target.migrate(lease=0)
        with mpol.open(victim.pid) as reader:
            wait_until(lambda: reader.migration().progress().phase is Phase.DONE)

    def test_who_may_only_read_may_only_look(self):
        victim, target = self.filled()
        target.migrate().wait()
        with mpol.open(victim.pid) as reader:
            migration = reader.migration()
            self.assertIs(migration.progress().phase, Phase.DONE)
            sentence = f"process {victim.pid} was opened for reading: open it with write=True"
            for call in (migration.renew, migration.cancel, migration.wait):
                self.assert_fails(errno.EBADF, sentence, call)

    def test_another_takes_its_place(self):
        victim, target = self.filled()
        first = target.migrate()
        first.wait()
        second = target.migrate()
        second.wait()
        for call in (first.progress, first.wait, first.renew):
            self.assert_fails(errno.ESTALE, f"another migration of process {victim.pid} has taken "
                              "its place", call)
        first.cancel()
        self.assertIs(second.progress().phase, Phase.DONE)

    def test_process_that_exits_ends_the_wait(self):
        victim, target = self.filled()
        victim.stop()
        migration = target.migrate()
        victim.process.kill()
        victim.process.wait()
        self.assert_fails(errno.ESRCH, f"process {victim.pid} has exited", migration.wait)

    def test_target_that_may_not_move_pages_is_an_error(self):
        victim = Victim([sys.executable, "-B", os.path.join(TESTS, "cli", "syscalls.py"),
                         "move_pages", str(errno.EPERM)])
        self.addCleanup(victim.__exit__)
        with mpol.open(victim.pid, write=True) as target:
            target.write("bind:0")
            victim.ask("fill", SIZE)
            migration = target.migrate()
            self.assert_fails(errno.EPERM, f"process {victim.pid} may not call move_pages(2): a "
                              "seccomp filter is in the way", migration.wait)
            self.assertEqual((migration.progress().phase, migration.progress().error),
                             (Phase.REFUSED, errno.EPERM))


if __name__ == "__main__":
    main()
