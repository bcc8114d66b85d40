# SPDX-License-Identifier: Apache-2.0
"""What mpol migrate says where there is nothing to move, or no one to move it."""
import errno
import json
import os
import sys

from harness import (FAILED, NO_SUCH_PID, NOT_PERMITTED, NO_TARGET, OK, USAGE, CliTest, Victim, lines, main, mpol)

MIB = 1 << 20


class MigrateTest(CliTest):
    def start_victim(self, **options):
        victim = Victim(**options)
        self.addCleanup(victim.__exit__)
        victim.start_thread()  # And with it the helper, which acts while the victim sleeps.
        return victim

    def test_says_so_where_no_policy_names_nodes(self):
        victim = self.start_victim()
        self.expect(mpol("migrate", victim.pid), OK, lines(
            f"process {victim.pid}: nothing to move: no policy names nodes for its heap memory"))
        self.assertEqual(mpol("set", victim.pid, "local").returncode, OK)
        self.assertIn("nothing to move", mpol("migrate", victim.pid).stdout)

    def test_a_filter_that_refuses_move_pages_is_named_and_nothing_else_changes(self):
        refuse = os.path.join(os.path.dirname(os.path.abspath(__file__)), "syscalls.py")
        victim = self.start_victim(
            prefix=[sys.executable, "-B", refuse, "move_pages", str(errno.EPERM)])
        total = victim.ask("fill", 40 * MIB)
        self.assertEqual(mpol("set", victim.pid, "bind:0").returncode, OK)
        before = self.value("get", victim.pid)
        for words in ([], ["--json"]):
            result = mpol("migrate", victim.pid, *words)
            self.assertEqual(result.returncode, NOT_PERMITTED, result.stdout + result.stderr)
            if not words:
                self.assertEqual(result.stderr, lines(
                    f"mpol: process {victim.pid} can't move its pages: EPERM (Operation not "
                    "permitted)", "hint: a seccomp filter in the target refuses move_pages(2)"))
        self.assertEqual(mpol("set", victim.pid, "bind:0", "--migrate").returncode, NOT_PERMITTED)
        after = self.value("get", victim.pid)
        self.assertEqual((after["applied"], after["errno"], after["asked"]["text"]),
                         (True, None, "bind:0"))
        self.assertEqual((after["errors"], before["generation"] + 1), ([], after["generation"]))
        self.assertEqual(victim.ask("sum"), total)
        self.assertEqual(mpol("set", victim.pid, "interleave:0").returncode, OK)

    def test_finds_everything_in_place(self):
        victim = self.start_victim()
        victim.ask("fill", 40 * MIB)
        self.assertEqual(mpol("set", victim.pid, "bind:0").returncode, OK)
        self.expect_out(mpol("migrate", victim.pid), OK,
                        rf"^process {victim.pid}: 0 B moved in [\d.]+ s, \d+\.\d MiB in place "
                        r"already\n$")

    def test_json_is_one_object_a_line_and_the_last_is_done(self):
        victim = self.start_victim()
        victim.ask("fill", 40 * MIB)
        self.assertEqual(mpol("set", victim.pid, "bind:0").returncode, OK)
        result = mpol("migrate", victim.pid, "--json")
        self.assertEqual((result.returncode, result.stderr), (OK, ""))
        states = [json.loads(line) for line in result.stdout.splitlines()]
        self.assertEqual([state["done"] for state in states], [False] * (len(states) - 1) + [True])
        last = states[-1]
        self.assertEqual((last["pid"], last["phase"]), (victim.pid, "done"))
        self.assertEqual((last["moved_bytes"], last["remaining_bytes"]), (0, 0))
        self.assertGreaterEqual(last["in_place_bytes"], 40 * MIB)
        self.assertEqual(last["failed_bytes"],
                         {"busy": 0, "no_memory": 0, "shared": 0, "other": 0})

    def test_set_migrates_on_request(self):
        victim = self.start_victim()
        result = mpol("set", victim.pid, "bind:0", "--migrate", "--rate=1G")
        self.assertEqual((result.returncode, result.stderr), (OK, ""))
        self.assertRegex(result.stdout, r"(?s)bind:0 applied in .*\n.*: 0 B moved in ")
        last = json.loads(mpol("set", victim.pid, "bind:0", "--migrate", "--json")
                          .stdout.splitlines()[-1])
        self.assertTrue(last["applied"] and last["migration"]["done"])

    def test_without_a_helper_it_gives_up_and_takes_it_back(self):
        victim = Victim(env={"MPOL_HELPER": "0"})
        self.addCleanup(victim.__exit__)
        for _ in range(2):
            self.expect(mpol("migrate", victim.pid, "--timeout=50"), FAILED, "", lines(
                f"mpol: process {victim.pid} did not begin to migrate within 50 ms",
                "hint: it has no helper thread: MPOL_HELPER=0, or it has made no allocation since "
                "it was asked"))

    def test_a_thread_without_memory_of_its_own(self):
        victim = self.start_victim()
        self.expect(mpol("migrate", f"{victim.pid}/{victim.pid}"), FAILED, "", lines(
            f"mpol: thread {victim.pid}/{victim.pid} has no memory of its own: it allocates from "
            "its process's", f"hint: mpol migrate {victim.pid}"))

    def test_a_rate_that_is_none(self):
        for rate in ("0", "x", "1.5M", "1MB", "-1", "99999999999T"):
            result = mpol("migrate", "1", f"--rate={rate}")
            self.expect(result, USAGE, "", lines(
                f"mpol: '{rate}' is no rate: a number of bytes per second, with K, M, G or T",
                "hint: --rate 100M"))

    def test_words_that_exclude_each_other(self):
        self.assertEqual(mpol("set", "1", "bind:0", "--migrate", "--no-wait").returncode, USAGE)
        self.assertEqual(mpol("set", "1", "bind:0", "--rate=1M").returncode, USAGE)
        self.assertEqual(mpol("migrate", "1", "--cancel", "--background").returncode, USAGE)

    def test_cancelling_what_is_not_under_way(self):
        victim = self.start_victim()
        self.expect(mpol("migrate", victim.pid, "--cancel"), FAILED, "",
                    f"mpol: process {victim.pid} is not migrating\n")

    def test_a_process_that_does_not_exist(self):
        self.assertEqual(mpol("migrate", NO_SUCH_PID).returncode, NO_TARGET)


if __name__ == "__main__":
    main()
