#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Rules that hold at some times of the day, for processes of some age or of some size, come into
force and go out of it by themselves: the clock by a timer at the minute in question, age and size,
of which nothing tells, by a look a second. Without such rules there is neither."""
import os
import sys
import time
import unittest

import harness
from harness import BIND, INTERLEAVE, PREFER, Daemon, LogTail, Subject, rule

LOOK_S = 1  # that often age and size are looked at
SLACK_S = 4  # of a busy machine
QUIET_S = 3
AGE_S = 3
MIB = 64


def minute(offset):
    """Of the day, so many from now, as a schedule has it."""
    return time.strftime("%H:%M", time.localtime(time.time() // 60 * 60 + 60 * offset))


class FollowTest(unittest.TestCase):
    def test_a_schedule_begins_and_ends_at_its_minute(self):
        # Not so late in a minute that the next has begun before the daemon has.
        if time.time() % 60 > 55:
            harness.wait_until(lambda: time.time() % 60 < 55, "the next minute")
        now = rule("prefer:0", name="until then", more=f'schedule = {{ from = "{minute(-1)}", '
                                                       f'to = "{minute(1)}" }}')
        then = rule("bind:0", name="from then on", more=f'schedule = {{ from = "{minute(1)}", '
                                                        f'to = "{minute(5)}" }}')
        with Daemon(now + then) as daemon, Subject(daemon, "wait") as subject:
            subject.wait_for(PREFER)
            turns = time.time() // 60 * 60 + 60
            while time.time() < turns:
                self.assertEqual(subject.segment.mode(), PREFER)
                time.sleep(min(LOOK_S, max(0, turns - time.time())))
            subject.wait_for(BIND)
            late_s = time.time() - turns
            print(f"\nin force {late_s:.2f} s after the minute's begin", file=sys.stderr)
            self.assertLess(late_s, SLACK_S)

    def test_an_age_is_reached(self):
        rules = rule("bind:0", f'{harness.SUBJECTS}, age = ">= {AGE_S}s"', "old") + \
            rule("interleave:all", name="young")
        with Daemon(rules, "--no-bpf") as daemon, Subject(daemon, "wait") as subject:
            begin = time.monotonic()
            subject.wait_for(INTERLEAVE)
            subject.wait_for(BIND)
            # Ages are whole seconds.
            self.assertGreaterEqual(time.monotonic() - begin, AGE_S - 2)
            self.assertLess(time.monotonic() - begin, AGE_S + LOOK_S + SLACK_S)

    def test_a_process_that_grows_is_under_another_rule(self):
        rules = rule("bind:0", f'{harness.SUBJECTS}, resident = ">= {MIB}M"', "large") + \
            rule("interleave:all", name="small")
        with Daemon(rules, "--no-bpf") as daemon, Subject(daemon, "grow", MIB) as subject:
            harness.wait_until(lambda: subject.segment.mode() == INTERLEAVE, "the rule for small ones")
            begin = time.monotonic()
            subject.poke()
            harness.wait_until(lambda: subject.segment.mode() == BIND, "the rule for large ones")
            self.assertLess(time.monotonic() - begin, LOOK_S + SLACK_S)

    def test_without_such_a_rule_nobody_looks(self):
        with Daemon(rule("bind:0"), "--no-bpf") as daemon, LogTail(daemon) as log, \
                Subject(daemon, "wait") as subject:
            log.wait_for("apply", [subject.pid])
            daemon.write_rules(rule("prefer:0"))
            log.wait_for("apply", [subject.pid])
            self.assertEqual(harness.calls_at_rest(daemon, QUIET_S), [])


if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    harness.run_in_pid_namespace()
    harness.main()
