#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Undo: every process, and every thread, has again what it had before the daemon touched it, to the
word: who had set it and when included. Also after the daemon was killed, and in copies of the
process. What somebody has set by hand since is left alone."""
import os
import signal
import sys
import unittest

import harness
from harness import BIND, DAEMON, DEFAULT, INTERLEAVE, Daemon, Subject, rule

THREAD_RULE = '\n[[rule.thread]]\nname = "worker"\npolicy = "bind:0"\n'


class UndoTest(unittest.TestCase):
    def undo(self, daemon, pid):
        """As (thread, done, policy, why) of each scope."""
        reply = daemon.call("Undo", pid=pid)
        self.assertIsInstance(reply, dict, reply)
        return [(one["tid"], one["done"], one["policy"], one["why"]) for one in reply["undone"]]

    def test_a_process_without_a_policy_has_none_again(self):
        with Daemon(rule("interleave:all")) as daemon, Subject(daemon, "wait") as subject:
            subject.wait_for(INTERLEAVE)
            self.assertEqual(subject.segment.origin(), DAEMON)
            self.assertEqual(self.undo(daemon, subject.pid), [(0, True, "", "")])
            self.assertEqual(subject.segment.policy(), (0, (0,) * harness.POLICY_WORDS))
            subject.wait_for(None)

    def test_a_policy_set_by_hand_comes_back_to_the_word(self):
        with Daemon() as daemon, Subject(daemon, "wait") as subject:
            self.assertEqual(harness.mpol("set", "--no-wait", subject.pid, "prefer:0").returncode, 0)
            before = subject.segment.policy()
            daemon.write_rules(rule("interleave:all"))
            subject.wait_for(INTERLEAVE)
            daemon.write_rules(rule("bind:0"))
            subject.wait_for(BIND)
            self.assertEqual(self.undo(daemon, subject.pid), [(0, True, "prefer:0", "")])
            self.assertEqual(subject.segment.policy(), before)

    def test_it_stays_undone(self):
        with Daemon(rule("interleave:all")) as daemon, Subject(daemon, "wait") as subject:
            subject.wait_for(INTERLEAVE)
            self.undo(daemon, subject.pid)
            daemon.write_rules(rule("bind:0"))
            daemon.end(signal.SIGKILL)
            daemon.start()
            with Subject(daemon, "wait") as witness:
                witness.wait_for(BIND)
            self.assertIsNone(subject.segment.mode())

    def test_after_the_daemon_was_killed(self):
        with Daemon() as daemon, Subject(daemon, "wait") as subject:
            harness.mpol("set", "--no-wait", subject.pid, "prefer:0")
            before = subject.segment.policy()
            daemon.write_rules(rule("interleave:all"))
            subject.wait_for(INTERLEAVE)
            daemon.end(signal.SIGKILL)
            done = harness.mpol("undo", subject.pid)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(subject.segment.policy(), before)
            daemon.start()
            with Subject(daemon, "wait") as witness:
                witness.wait_for(INTERLEAVE)
            self.assertEqual(subject.segment.policy(), before)

    def test_the_next_daemon_knows_what_was_before(self):
        with Daemon() as daemon, Subject(daemon, "wait") as subject:
            harness.mpol("set", "--no-wait", subject.pid, "prefer:0")
            before = subject.segment.policy()
            daemon.write_rules(rule("interleave:all"))
            subject.wait_for(INTERLEAVE)
            generation = subject.segment.generation()
            daemon.end(signal.SIGKILL)
            daemon.start()
            harness.wait_until(lambda: daemon.call("Status")["status"]["attached"] == 1, "it again")
            self.assertEqual(subject.segment.generation(), generation, "written again for nothing")
            self.assertEqual(self.undo(daemon, subject.pid), [(0, True, "prefer:0", "")])
            self.assertEqual(subject.segment.policy(), before)

    def test_what_was_set_by_hand_since_is_left_alone(self):
        with Daemon(rule("interleave:all")) as daemon, Subject(daemon, "wait") as subject:
            subject.wait_for(INTERLEAVE)
            harness.mpol("set", "--no-wait", subject.pid, "prefer:0")
            by_hand = subject.segment.policy()
            daemon.write_rules(rule("bind:0"))
            with Subject(daemon, "wait") as witness:
                witness.wait_for(BIND)
            self.assertEqual(subject.segment.policy(), by_hand)
            self.assertEqual(self.undo(daemon, subject.pid), [(0, False, "", "set by hand since")])
            self.assertEqual(subject.segment.policy(), by_hand)

    def test_a_forked_copy_has_what_its_parent_had_before(self):
        with Daemon(rule("interleave:all")) as daemon, Subject(daemon, "forks") as subject:
            subject.wait_for(INTERLEAVE)
            subject.poke()
            self.assertEqual(subject.process.stdout.readline(), "forked\n")
            child, = subject.children()
            segment = harness.segment_of(child)
            self.assertEqual((segment.mode(), segment.origin()), (INTERLEAVE, DAEMON))
            daemon.end(signal.SIGKILL)
            done = harness.mpol("undo", child)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIsNone(segment.mode())

    def test_a_program_that_a_process_executes_has_what_was_before(self):
        with Daemon(rule("interleave:all")) as daemon, Subject(daemon, "executes") as subject:
            harness.wait_until(lambda: subject.poke() or subject.words() == ["work"], "the other program")
            segment = harness.segment_in_force(subject.pid, INTERLEAVE)
            daemon.end(signal.SIGKILL)
            done = harness.mpol("undo", subject.pid)
            self.assertEqual(done.returncode, 0, done.stderr)
            harness.wait_until(lambda: harness.task_policy(subject.pid) == "default",
                               "the task policy of before")
            self.assertEqual(segment.mode(), DEFAULT)

    def test_a_program_that_comes_under_no_rule_has_what_was_before(self):
        by_verb = f'{harness.SUBJECTS}, argv = "*starts*"'
        with Daemon(rule("interleave:all", by_verb)) as daemon:
            with Subject(daemon, "starts") as subject:
                subject.wait_for(INTERLEAVE)
                subject.poke()
                self.assertEqual(subject.process.stdout.readline(), "ready\n")
                child, = subject.children()
                harness.segment_of(child)
                harness.wait_until(lambda: harness.task_policy(child) == "default",
                                   "the task policy of before")
                self.assertNotEqual(harness.task_policy(subject.pid), "default")

    def test_threads_too(self):
        rules = rule("interleave:all", more=THREAD_RULE)
        with Daemon(rules) as daemon, Subject(daemon, "threads", 5, "worker") as subject:
            def all_set():
                subject.poke()
                return list(subject.segment.thread_modes().values()).count(BIND) == 5
            harness.wait_until(all_set, "policies of the threads")
            self.assertEqual(len(self.undo(daemon, subject.pid)), 6)
            self.assertEqual(set(subject.segment.thread_modes().values()), {None})
            self.assertIsNone(subject.segment.mode())

    def test_a_rule_that_goes_takes_its_policy_along(self):
        with Daemon(rule("interleave:all")) as daemon, Subject(daemon, "wait") as subject:
            subject.wait_for(INTERLEAVE)
            daemon.write_rules("")
            subject.wait_for(None)
            self.assertEqual(subject.segment.policy(), (0, (0,) * harness.POLICY_WORDS))


if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    harness.main()
