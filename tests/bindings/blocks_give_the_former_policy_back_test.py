# SPDX-License-Identifier: Apache-2.0
"""with mpol.policy(): the thread's own policy in the block, and the very one of before after it."""
import threading

from harness import BindingsTest, main, mpol
from mpol import Flag, Mode, Policy

FORMER = [(Mode.DEFAULT, [], Flag(0)), (Mode.LOCAL, [], Flag(0)), (Mode.BIND, [0], Flag(0)),
          (Mode.PREFERRED, [0], Flag(0)), (Mode.INTERLEAVE, [0], Flag.RELATIVE_NODES),
          (Mode.BIND, [0, 5, 63], Flag.STATIC_NODES), (Mode.PREFERRED_MANY, [0], Flag(0)),
          (Mode.BIND, [0], Flag.NUMA_BALANCING)]


def now():
    return str(mpol.get_task_mempolicy())


class Blocks(BindingsTest):
    def setUp(self):
        self.addCleanup(mpol.set_task_mempolicy, 0, Mode.DEFAULT)

    def test_every_former_policy_comes_back(self):
        for mode, nodes, flags in FORMER:
            with self.subTest(mode=mode, nodes=nodes, flags=flags):
                mpol.set_task_mempolicy(0, mode, nodes, flags)
                before = mpol.get_task_mempolicy()
                self.assertEqual(before, Policy(mode, nodes, flags))
                with mpol.policy("interleave=static:0"):
                    self.assertEqual(now(), "interleave=static:0")
                self.assertEqual(mpol.get_task_mempolicy(), before)

    def test_also_after_an_exception_and_around_a_function(self):
        with self.assertRaises(ZeroDivisionError):
            with mpol.policy("bind:0"):
                raise ZeroDivisionError
        self.assertEqual(now(), "default")
        decorated = mpol.policy(Policy.parse("bind:0"))(now)
        self.assertEqual([decorated(), now(), decorated()], ["bind:0", "default", "bind:0"])

    def test_blocks_nest(self):
        with mpol.policy("bind:0"):
            with mpol.policy("local"):
                self.assertEqual(now(), "local")
            self.assertEqual(now(), "bind:0")
        self.assertEqual(now(), "default")

    def test_other_threads_keep_theirs(self):
        seen = []
        with mpol.policy("bind:0"):
            go, done = threading.Event(), threading.Event()

            def look():
                seen.append(now())  # A new thread has a copy.
                go.wait()
                seen.append(now())
                done.set()
            thread = threading.Thread(target=look)
            thread.start()
        go.set()
        thread.join()
        self.assertTrue(done.is_set())
        self.assertEqual((seen, now()), (["bind:0", "bind:0"], "default"))

    def test_what_was_set_in_between_stays(self):
        with mpol.policy("bind:0"):
            mpol.set_task_mempolicy(0, Mode.LOCAL)
        self.assertEqual(now(), "local")

    def test_block_that_ends_on_another_thread_is_told(self):
        block = mpol.policy("bind:0")
        block.__enter__()
        raised = []

        def leave():
            try:
                block.__exit__(None, None, None)
            except RuntimeError as error:
                raised.append(str(error))
        thread = threading.Thread(target=leave)
        thread.start()
        thread.join()
        self.assertEqual(raised, ["a policy's block ended on another thread than it began on"])
        self.assertEqual(now(), "bind:0")

    def test_what_a_task_cannot_have_is_refused(self):
        for text in ("bind:0;home=0", "weighted interleave:0;weights=2"):
            with self.assertRaisesRegex(ValueError, "a task has no home node and no weights of its "
                                                    "own$"):
                with mpol.policy(text):
                    self.fail("the block was entered")
        with self.assertRaises(mpol.PolicyError):
            mpol.policy("bind").__enter__()
        self.assertEqual(now(), "default")


if __name__ == "__main__":
    main()
