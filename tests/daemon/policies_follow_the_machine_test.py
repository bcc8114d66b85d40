#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""On the four-node machine with a fifth node that goes and comes back: policies of symbolic node sets
follow, what the program allocates then is where they say, a policy whose last node has gone is given
back with a reason and comes again, and weights=auto are those of the nodes that are there."""
import glob
import os
import sys
import time
import unittest

import harness
from harness import BIND, Daemon, Subject

WEIGHTED = 6
DIMM = 4
FOLLOWED_S_MAX = 1.0
# The machine is emulated: how late a timer is here tells by how much its second is longer.
SLEEP_S, SLEEPS, SLEEPS_IN_A_SECOND = 0.05, 10, 20
PAGES = 2048  # that a subject touches in one go
RULES = "".join(
    f'[[rule]]\nname = "{name}"\nmatch = {{ env = {{ WHICH = "{name}" }} }}\npolicy = "{policy}"\n\n'
    for name, policy in (("all", "interleave:all"), ("near", "bind:dist<=21"),
                         ("slow", "bind:memory-only!3"), ("moved", "interleave:0-1"),
                         ("auto", "weighted interleave:all;weights=auto")))


def blocks():
    return sorted(glob.glob(f"/sys/devices/system/node/node{DIMM}/memory[0-9]*/state"))


def turn(state):
    for block in blocks():
        with open(block, encoding="ascii") as file:
            if (file.read().strip() == "offline") == (state == "offline"):
                continue
        with open(block, "w", encoding="ascii") as file:
            file.write(state)


@unittest.skipUnless(blocks(), "no node to take away: tests/vm/run --dimm")
class MachineTest(unittest.TestCase):
    def setUp(self):
        self.daemon = Daemon(RULES)
        self.addCleanup(self.daemon.__exit__)
        self.daemon.start()
        self.addCleanup(turn, "online_movable")

    def subject(self, which, words=("wait",)):
        subject = Subject(self.daemon, *words, environment={"WHICH": which})
        self.addCleanup(subject.__exit__)
        return subject

    def nodes(self, subject):
        mask = subject.segment.words(264 + 3 * 8)[0]
        return [node for node in range(64) if mask >> node & 1]

    def weights(self, subject):
        return [one for one in os.pread(subject.segment.fd, 8, 264 + 19 * 8) if one]

    def latest_s(self):
        """By how much a timer was late, at worst."""
        late = []
        for _ in range(SLEEPS):
            begin = time.monotonic()
            time.sleep(SLEEP_S)
            late.append(time.monotonic() - begin - SLEEP_S)
        return max(late)

    def turned(self, state, subject, nodes):
        """The node goes or comes; policy and new pages follow, both in time."""
        may_s = FOLLOWED_S_MAX + SLEEPS_IN_A_SECOND * self.latest_s()
        turn(state)
        begin = time.monotonic()
        harness.wait_until(lambda: self.nodes(subject) == nodes, f"{nodes}, {self.nodes(subject)}")
        policy_s = time.monotonic() - begin
        self.wait_for_pages(subject, nodes)
        pages_s = time.monotonic() - begin
        print(f"{state}: after the kernel's last word, policy rewritten in {policy_s:.2f} s, new "
              f"pages where it says in {pages_s:.2f} s; {may_s:.2f} s is what this emulated "
              "machine makes of a second", file=sys.stderr)
        self.assertLessEqual(pages_s, may_s)

    def pages_by_node(self, subject, policy):
        """Of the ranges that are bound to that policy."""
        pages = {}
        with open(f"/proc/{subject.pid}/numa_maps", encoding="ascii") as file:
            for line in file:
                words = line.split()
                if words[1] != policy:
                    continue
                for word in words:
                    if word[0] == "N" and "=" in word:
                        node, count = word[1:].split("=")
                        pages[int(node)] = pages.get(int(node), 0) + int(count)
        return pages

    def new_pages(self, subject):
        subject.poke()
        return [int(word) for word in subject.process.stdout.readline().split()]

    def wait_for_pages(self, subject, nodes):
        harness.wait_until(lambda: self.new_pages(subject) == nodes, f"pages on {nodes}")

    def test_all_follows_a_node_that_goes_and_comes(self):
        subject = self.subject("all", ("pages",))
        harness.wait_until(lambda: self.nodes(subject) == [0, 1, 2, 3, 4], "all nodes")
        self.wait_for_pages(subject, [0, 1, 2, 3, 4])
        self.turned("offline", subject, [0, 1, 2, 3])
        self.turned("online_movable", subject, [0, 1, 2, 3, 4])

    def test_a_rule_that_migrates_moves_the_pages_that_exist(self):
        subject = self.subject("moved", ("pages",))
        self.wait_for_pages(subject, [0, 1])
        old = 'name = "moved"\nmatch = { env = { WHICH = "moved" } }\npolicy = "interleave:0-1"\n'
        # Without migrate first: pages that exist stay.
        self.daemon.write_rules(RULES.replace(old, old.replace("interleave:0-1", "bind:1")))
        self.wait_for_pages(subject, [1])
        self.assertGreaterEqual(self.pages_by_node(subject, "bind:1")[0], PAGES // 2)
        self.daemon.write_rules(
            RULES.replace(old, old.replace("interleave:0-1", "bind:2") + "migrate = true\n"))

        def moved():
            pages = self.pages_by_node(subject, "bind:2")
            return pages.keys() == {2} and pages[2] >= 2 * PAGES
        harness.wait_until(moved, "its pages on node 2")

    def test_a_policy_without_nodes_is_given_back_and_comes_again(self):
        subject = self.subject("slow")
        subject.wait_for(BIND)
        self.assertEqual(self.nodes(subject), [DIMM])
        turn("offline")
        subject.wait_for(None)
        account = self.daemon.call("Explain", pid=subject.pid)["account"]
        self.assertRegex(account["process"]["note"], "^degraded: bind:memory-only!3: ")
        turn("online_movable")
        subject.wait_for(BIND)
        account = self.daemon.call("Explain", pid=subject.pid)["account"]
        self.assertEqual(account["process"]["note"], "")
        self.assertEqual([entry["event"] for entry in account["history"]][:4],
                         ["apply", "give back", "degrade", "restore"])

    def test_distances_pick_the_right_nodes(self):
        os.sched_setaffinity(0, {0})
        self.addCleanup(os.sched_setaffinity, 0, range(os.cpu_count()))
        subject = self.subject("near")
        subject.wait_for(BIND)
        self.assertEqual(self.nodes(subject), [0, 1])

    def test_auto_weights_are_of_the_nodes_that_are_there(self):
        subject = self.subject("auto")
        subject.wait_for(WEIGHTED)
        # 40000 MB/s of nodes 0 to 2 against 10000 MB/s of 3 and 4, in small whole numbers.
        five = self.weights(subject)
        print(f"weights=auto: {five}", file=sys.stderr)
        self.assertEqual((len(five), len(set(five[:3])), len(set(five[3:]))), (5, 1, 1))
        self.assertIn(five[0] // five[3], (4, 5))
        turn("offline")
        harness.wait_until(lambda: len(self.weights(subject)) == 4, "weights of four nodes")
        turn("online_movable")
        harness.wait_until(lambda: self.weights(subject) == five, "weights of five again")


if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    harness.main()
