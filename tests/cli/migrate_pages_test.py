# SPDX-License-Identifier: Apache-2.0
"""mpol migrate where pages have somewhere to go: needs memory on nodes 0-3, as in the four-node machine.

MPOL_MIGRATE_KILLS is how often the command line is killed in the middle: 100 in the full form, fewer
unless it is set."""
import json
import os
import pty
import random
import signal
import subprocess
import unittest

from harness import (ENVIRONMENT, MPOL, OK, PARTLY, SECONDS_MAX, CliTest, Victim, main, mpol)
from replay import announced_seed

MIB = 1 << 20
SIZE = 24 * MIB
SLOW = "--rate=8M"
ROW, EXPIRED = 3712, 3  # struct mpol_ctl_migration in the segment; the low byte of its word
KILLS = int(os.environ.get("MPOL_MIGRATE_KILLS", "10"))


def have_four_nodes():
    try:
        with open("/sys/devices/system/node/has_memory", encoding="ascii") as nodes:
            return nodes.read() == "0-3\n"
    except OSError:
        return False


@unittest.skipUnless(have_four_nodes(), "needs memory on nodes 0-3")
class MigratePagesTest(CliTest):
    def setUp(self):
        self.victim = Victim("bind:1")
        self.addCleanup(self.victim.__exit__)
        self.victim.start_thread()
        self.set_policy("bind:1")
        self.sum = self.victim.ask("fill", SIZE)

    def set_policy(self, policy):
        self.assertEqual(mpol("set", self.victim.pid, policy).returncode, OK)

    def begin(self, *words, **options):
        """mpol migrate as JSON, and its second line: pages are moving."""
        process = subprocess.Popen([MPOL, "migrate", str(self.victim.pid), "--json", *words],
                                   stdout=subprocess.PIPE, text=True, env=ENVIRONMENT, **options)
        self.addCleanup(process.stdout.close)
        process.stdout.readline()
        return process, json.loads(process.stdout.readline())

    def pages_of_heap(self):
        """By node, of what it holds."""
        nodes = json.loads(self.victim.ask("nodes"))
        return {int(node): pages for node, pages in nodes.items()}

    def expect_whole(self):
        self.assertEqual(self.victim.ask("sum"), self.sum)

    def test_moves_what_lies_elsewhere(self):
        self.set_policy("bind:2")
        result = mpol("migrate", self.victim.pid)
        self.expect_out(result, OK, rf"^process {self.victim.pid}: \d+\.\d MiB moved in ")
        self.assertEqual(set(self.pages_of_heap()), {2})
        self.expect_whole()

    def test_set_with_migrate_is_one_command(self):
        result = mpol("set", self.victim.pid, "interleave:0,3", "--migrate")
        self.expect_out(result, OK, r"(?s)applied in .* MiB moved in ")
        self.assertEqual(set(self.pages_of_heap()), {0, 3})
        self.expect_whole()

    def test_interrupt_ends_it_and_says_what_moved(self):
        self.set_policy("bind:2")
        process, _ = self.begin(SLOW)
        process.send_signal(signal.SIGINT)
        last = json.loads(process.stdout.read().splitlines()[-1])
        self.assertEqual(process.wait(SECONDS_MAX), 128 + signal.SIGINT)
        self.assertEqual((last["phase"], last["done"]), ("cancelled", True))
        self.assertGreater(last["moved_bytes"], 0)
        self.assertGreater(last["remaining_bytes"], 0)
        pages = self.pages_of_heap()
        self.assertGreater(pages[1], 0)
        self.assertLessEqual(pages.get(2, 0) * 4096, last["moved_bytes"])
        self.expect_whole()
        result = mpol("migrate", self.victim.pid)
        self.expect_out(result, OK, r"in place already\n$")
        self.assertEqual(set(self.pages_of_heap()), {2})
        self.expect_whole()

    def test_terminal_gets_a_bar(self):
        self.set_policy("bind:2")
        ours, theirs = pty.openpty()
        result = mpol("migrate", self.victim.pid, "--rate=32M", stderr=theirs)
        os.close(theirs)
        bar = os.read(ours, 1 << 16).decode()
        os.close(ours)
        self.assertEqual(result.returncode, OK)
        self.assertRegex(bar, r"\r\[#+ *\] +\d+ %  [\d.]+ \w+ moved, [\d.]+ \w+ left, ")
        self.assertRegex(result.stdout, r"^process \d+: ")

    def test_background_goes_on_alone_and_can_be_cancelled(self):
        self.set_policy("bind:2")
        result = mpol("migrate", self.victim.pid, "--background", "--rate=1M")
        self.expect_out(result, OK, r"^process \d+: migration of [\d.]+ MiB has begun\n$")
        second = mpol("migrate", self.victim.pid)
        self.assertEqual(second.stderr.splitlines()[0],
                         f"mpol: process {self.victim.pid} is migrating already")
        self.expect_out(mpol("migrate", self.victim.pid, "--cancel"), OK, r": cancelled: ")
        self.assertEqual(mpol("migrate", self.victim.pid, "--background").returncode, OK)
        self.wait_until(lambda: set(self.pages_of_heap()) == {2})
        self.expect_whole()

    def test_stopped_asker_pauses_it_and_goes_on_when_continued(self):
        self.set_policy("bind:2")
        process, _ = self.begin(SLOW)
        process.send_signal(signal.SIGSTOP)
        with open(self.victim.segment(), "rb", buffering=0) as segment:
            self.wait_until(lambda: os.pread(segment.fileno(), 1, ROW)[0] == EXPIRED)
        self.expect_whole()
        process.send_signal(signal.SIGCONT)
        last = json.loads(process.stdout.read().splitlines()[-1])
        self.assertEqual((last["phase"], process.wait(SECONDS_MAX)), ("done", OK))
        self.assertEqual(set(self.pages_of_heap()), {2})
        self.expect_whole()

    def test_pages_that_stay_make_it_partly_applied(self):
        child = self.victim.ask("fork")
        self.set_policy("bind:2")
        result = mpol("migrate", self.victim.pid)
        self.expect_out(result, PARTLY, r"(?s)^process .*\nnote: [\d.]+ MiB stayed: shared with "
                                        r"other processes, as after fork \(EACCES\)\n$")
        os.kill(int(child), signal.SIGKILL)

    def test_killed_asker_leaves_the_target_whole(self):
        chance = random.Random(announced_seed())
        for number in range(KILLS):
            with self.subTest(number=number):
                # Where the fewest lie: most have to move, whatever the killed ones before moved.
                pages = self.pages_of_heap()
                self.set_policy(f"bind:{min((1, 2, 3), key=lambda node: pages.get(node, 0))}")
                process, state = self.begin(SLOW)
                for _ in range(chance.randrange(3)):
                    process.stdout.readline()
                process.kill()
                process.wait(SECONDS_MAX)
                self.assertFalse(state["done"])
                self.expect_whole()
        self.set_policy("bind:0")
        # The last one killed has a lease of a second: until then the target is busy with it.
        self.wait_until(lambda: mpol("migrate", self.victim.pid).returncode == OK)
        self.assertEqual(set(self.pages_of_heap()), {0})
        self.expect_whole()


if __name__ == "__main__":
    main()
