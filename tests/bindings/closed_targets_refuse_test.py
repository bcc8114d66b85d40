# SPDX-License-Identifier: Apache-2.0
"""The end of a target: closed it refuses as files do, a call that is under way in another thread is
not cut off, and a forked child can't write through its parent's."""
import gc
import os
import threading
import warnings

from harness import BindingsTest, main, mpol, wait_until
from mpol import Kind


def segments_held():
    """How many control segments this process has mapped."""
    with open("/proc/self/maps", encoding="utf-8") as maps:
        return sum("mpol-control" in line for line in maps)


class ClosedTargets(BindingsTest):
    def test_every_call_is_a_value_error(self):
        victim, target = self.opened()
        migration = target.migrate()
        self.assertEqual(segments_held(), 1)
        target.close()
        target.close()
        self.assertTrue(target.closed)
        self.assertEqual(segments_held(), 0)
        for call in (target.read, target.unset, target.migrate, target.migration,
                     lambda: target.write("local"), lambda: target.read_kind(Kind.LARGE),
                     lambda: target.write_kind(Kind.STACK, "local"),
                     lambda: target.unset_kind(Kind.STACK), target.__enter__,
                     migration.progress, migration.wait, migration.cancel, migration.renew):
            with self.assertRaisesRegex(ValueError, f"^the target of process {victim.pid} is "
                                                    "closed$"):
                call()

    def test_with_closes_it_whatever_happens(self):
        victim = self.victim()
        with self.assertRaises(ZeroDivisionError):
            with mpol.open(victim.pid) as target:
                self.assertFalse(target.closed)
                raise ZeroDivisionError
        self.assertTrue(target.closed)
        self.assertEqual(segments_held(), 0)

    def test_call_in_another_thread_ends_first(self):
        victim, target = self.opened()
        target.write("bind:0")
        victim.stop()
        outcome = []

        def write():
            target.write("local", timeout=60)
            outcome.append("in force")

        with mpol.open(victim.pid) as reader:
            thread = threading.Thread(target=write)
            thread.start()
            wait_until(lambda: str(reader.read().policy) == "local")
            target.close()
            self.assertEqual(segments_held(), 2)
            with self.assertRaises(ValueError):
                target.read()
            victim.go_on()
            thread.join()
            self.assertEqual(outcome, ["in force"])
            self.assertEqual(segments_held(), 1)

    def test_forgotten_target_is_closed_with_a_warning(self):
        victim = self.victim()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            mpol.open(victim.pid)
            gc.collect()
        self.assertEqual([(one.category, str(one.message)) for one in caught],
                         [(ResourceWarning, f"unclosed target <mpol.Target of process "
                                            f"{victim.pid}, for reading>")])
        self.assertEqual(segments_held(), 0)

    def test_target_that_never_opened_is_none(self):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            for pid in (os.getpid(), 1 << 40):
                with self.assertRaises((OSError, OverflowError)):
                    mpol.open(pid)
            gc.collect()

    # It shares its parent's lock on the segment, which would then keep neither out.
    def test_forked_child_reads_and_opens_its_own(self):
        victim, target = self.opened()
        child = os.fork()
        if child == 0:
            good = target.read().policy is None
            try:
                target.write("local")
                good = False
            except ValueError as error:
                good = good and str(error) == (f"the target of process {victim.pid} was opened "
                                               "before a fork: open it again to write")
            with mpol.open(victim.pid, write=True) as own:
                own.write("bind:0")
            os._exit(0 if good else 1)
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), 0)
        self.assertEqual(str(target.read().policy), "bind:0")
        target.write("local")


if __name__ == "__main__":
    main()
