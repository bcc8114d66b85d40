# SPDX-License-Identifier: Apache-2.0
"""A running process and its threads: read, rewritten, given back; in force by the kernel's word."""
import errno
import os
import time

from harness import BindingsTest, main, mpol, wait_until
from mpol import Origin, Policy


def task_policy(pid):
    """Its main thread's, as the kernel tells it of the stack, which has no policy of its own."""
    with open(f"/proc/{pid}/numa_maps", encoding="ascii", errors="replace") as maps:
        return next(line for line in maps if " stack " in line).split()[1]


class RunningProcess(BindingsTest):
    def test_nobody_has_set_anything(self):
        _, target = self.opened(write=False)
        state = target.read()
        self.assertEqual((state.policy, state.origin, state.error, state.threshold),
                         (None, Origin.NONE, 0, 0))

    def test_write_is_in_force_when_it_returns(self):
        victim, target = self.opened()
        before = target.read()
        begin = time.time_ns()
        self.assertIsNone(target.write("interleave:0"))
        state = target.read()
        self.assertEqual((state.policy, state.in_force, state.generation, state.error),
                         (Policy.parse("interleave:0"), True, before.generation + 1, 0))
        self.assertEqual((state.origin, state.origin_uid, state.origin_pid),
                         (Origin.OUTSIDE, os.geteuid(), os.getpid()))
        self.assertTrue(begin <= state.set_at_ns <= time.time_ns())
        victim.ask("ping")
        self.assertEqual(task_policy(victim.pid), "interleave:0")

    def test_policy_is_a_value_or_a_text_and_comes_back_whole(self):
        _, target = self.opened()
        for text in ("bind=static:0", "prefer (many):0;home=0", "local", "default",
                     "weighted interleave:0;weights=9"):
            for wanted in (text, Policy.parse(text)):
                target.write(wanted)
                read = target.read().policy
                self.assertEqual((str(read), read), (text, Policy.parse(text)))

    def test_unset_gives_back_what_the_program_had(self):
        victim, target = self.opened()
        target.write("bind:0")
        victim.ask("ping")
        self.assertEqual(task_policy(victim.pid), "bind:0")
        target.unset()
        state = target.read()
        self.assertEqual((state.policy, state.in_force), (None, True))
        self.assertEqual((state.origin, state.origin_uid, state.origin_pid, state.set_at_ns),
                         (Origin.NONE, 0, 0, 0))
        victim.ask("ping")
        self.assertEqual(task_policy(victim.pid), "default")

    def test_without_waiting_it_is_published_only(self):
        victim, target = self.opened()
        target.write("bind:0")
        victim.stop()
        target.write("local", timeout=0)
        state = target.read()
        self.assertEqual((str(state.policy), state.in_force), ("local", False))
        victim.go_on()
        victim.ask("ping")
        wait_until(lambda: target.read().in_force)

    def test_threads_have_their_own(self):
        victim, target = self.opened()
        first, second = victim.worker, victim.start_thread()
        target.write("interleave:0")
        self.assert_fails(errno.ETIMEDOUT, f"thread {first} of process {victim.pid} has not acted "
                          "on it within 0.01 s: bind:0 is published, and comes into force at its "
                          "next allocation", target.write, "bind:0", first, timeout=0.01)
        own = target.read(first)
        self.assertEqual((str(own.policy), own.in_force), ("bind:0", False))
        victim.ask("allocate", first)
        wait_until(lambda: target.read(first).in_force)
        self.assertEqual(mpol.get_task_mempolicy(first), Policy.parse("bind:0"))
        target.write("local", tid=first)
        self.assertEqual(str(target.read(first).policy), "local")
        self.assertIsNone(target.read(second).policy)
        self.assertEqual(str(target.read().policy), "interleave:0")
        target.unset(first)
        self.assertIsNone(target.read(first).policy)

    # What a reader sees is one whole publication, by the number that counts them.
    def test_reader_follows_a_writer(self):
        victim, target = self.opened()
        with mpol.open(victim.pid) as reader:
            texts = ["bind:0", "interleave:0"] * 20
            before = reader.read().generation
            for text in texts:
                target.write(text)
                self.assertEqual(str(reader.read().policy), text)
            self.assertEqual(reader.read().generation - before, len(texts))

    def test_cached_memory_is_given_back_unless_it_is_kept(self):
        victim, target = self.opened()
        for keep, kept in ((True, 1), (False, 0)):
            target.write("bind:0", keep_cached=keep)
            with open(victim.segment(), "rb") as segment:
                # The first word of a policy, behind the latch's word; its last byte says how.
                words = segment.read(320)[264:272]
            self.assertEqual(words[7] & 1, kept)

    def test_target_knows_what_it_is(self):
        victim, target = self.opened()
        self.assertEqual((target.pid, target.writable, target.closed), (victim.pid, True, False))
        self.assertEqual(repr(target), f"<mpol.Target of process {victim.pid}, for writing>")
        with mpol.open(victim.pid) as reader:
            self.assertFalse(reader.writable)
            self.assertIn("for reading", repr(reader))
        self.assertIn("closed", repr(reader))


if __name__ == "__main__":
    main()
