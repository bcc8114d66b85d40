# SPDX-License-Identifier: Apache-2.0
"""One clear error each, a documented exit status, no change, no crash, on both sides."""
import fcntl
import os
import random
import subprocess

from harness import (ENVIRONMENT, FAILED, NOBODY, NO_SUCH_PID, NO_TARGET, NOT_PERMITTED, OK, PARTLY,
                     SEGMENT_ABI, USAGE, CliTest, Victim, lines, main, mpol, needs_root,
                     segment_bytes)
from replay import announced_seed

SEGMENT_BYTES = segment_bytes()
SLOTS_AT = 8192
SAME_VERSION = "hint: was it started with the same version of mpol?"


class BadInputTest(CliTest):
    def unchanged(self, victim):
        self.assertEqual(self.value("get", victim.pid)["generation"], 1)

    def expect_of_all(self, pid, status, *text):
        """get, set and unset say the same."""
        for words in (["get", pid], ["set", pid, "bind:0"], ["unset", pid]):
            self.expect(mpol(*words), status, "", lines(*text))

    def lives(self, victim):
        self.assertEqual(victim.ask("ping"), "pong")
        self.assertEqual(victim.ask("allocate", victim.start_thread()), "65536")
        victim.process.stdin.close()
        self.assertEqual(victim.process.wait(), 0)

    def test_a_policy_that_does_not_parse(self):
        with Victim() as victim:
            result = mpol("set", victim.pid, "bind:0-")
            self.assertEqual((result.returncode, result.stdout), (USAGE, ""))
            self.assertTrue(result.stderr.startswith("mpol: this is no policy\nbind:0-\n"))
            self.unchanged(victim)

    def test_a_node_that_does_not_exist(self):
        with Victim() as victim:
            result = mpol("set", victim.pid, "bind:0,1000")
            self.assertEqual(result.returncode, USAGE)
            self.assertIn("\nbind:0,1000\n       ^^^^\nnode 1000 does not exist", result.stderr)
            self.unchanged(victim)

    def test_a_pid_that_is_not_there(self):
        self.expect_of_all(NO_SUCH_PID, NO_TARGET, f"mpol: no process {NO_SUCH_PID}")

    def test_a_thread_that_is_not_there(self):
        with Victim() as victim:
            self.expect(mpol("set", f"{victim.pid}/{NO_SUCH_PID}", "bind:0"), NO_TARGET, "", lines(
                f"mpol: process {victim.pid} has no thread {NO_SUCH_PID}",
                f"hint: mpol get {victim.pid} lists its threads"))

    def test_a_process_without_the_preload(self):
        for words in (["set", os.getpid(), "bind:0"], ["unset", os.getpid()]):
            self.expect(mpol(*words), NO_TARGET, "", lines(
                f"mpol: process {os.getpid()} does not run under mpol's allocator",
                "hint: start it with: mpol run -- COMMAND"))

    @needs_root
    def test_a_process_of_another_user(self):
        with Victim() as victim:
            pid = victim.pid
            for words in (["get", pid], ["set", pid, "bind:0"], ["unset", pid]):
                self.expect(mpol(*words, prefix=NOBODY), NOT_PERMITTED, "", lines(
                    f"mpol: not permitted to open the control segment of process {victim.pid}",
                    "hint: run as its user or as root; a process that is not dumpable needs root"))
            self.unchanged(victim)

    @needs_root
    def test_errors_are_json_on_request(self):
        with Victim() as victim:
            result = mpol("--json", "set", victim.pid, "bind:0", prefix=NOBODY)
            self.assertEqual((result.returncode, result.stderr), (NOT_PERMITTED, ""))
            self.assertIn('{"error":{"status":4,"errno":"EPERM","message":"not permitted to open ',
                          result.stdout)

    def test_a_segment_of_another_abi_version(self):
        with Victim() as victim:
            victim.overwrite(8, (99).to_bytes(4, "little"))
            self.expect_of_all(victim.pid, FAILED,
                               f"mpol: the control segment of process {victim.pid} is not usable: "
                               f"its ABI version is 99, and this mpol speaks {SEGMENT_ABI}",
                               SAME_VERSION)
            self.lives(victim)

    def test_a_segment_of_other_sizes(self):
        with Victim() as victim:
            victim.overwrite(28, (512).to_bytes(4, "little"))
            self.expect_of_all(victim.pid, FAILED,
                               f"mpol: the control segment of process {victim.pid} is not usable: "
                               "its sizes are not those of its ABI version", SAME_VERSION)
            self.lives(victim)

    def test_a_segment_whose_bytes_are_random(self):
        with Victim() as victim:
            victim.overwrite(0, random.Random(announced_seed()).randbytes(SEGMENT_BYTES))
            self.expect_of_all(victim.pid, FAILED,
                               f"mpol: the control segment of process {victim.pid} is not usable: "
                               "it does not begin with the segment's magic", SAME_VERSION)
            self.lives(victim)

    def test_a_segment_whose_bytes_are_random_behind_an_honest_header(self):
        with Victim() as victim:
            victim.overwrite(
                SLOTS_AT, random.Random(announced_seed()).randbytes(SEGMENT_BYTES - SLOTS_AT))
            victim.overwrite(64, (0xFFFFFFFF).to_bytes(4, "little") * 2)
            for words in (["get", victim.pid, "--threads"], ["ls"]):
                result = mpol(*words)
                self.assertEqual((result.returncode, result.stderr), (OK, ""))
                self.assertTrue(result.stdout.replace("\n", "").isprintable())
            self.value("get", victim.pid)
            result = mpol("set", victim.pid, "--process", "bind:0", "--timeout", "50")
            self.assertIn(result.returncode, (OK, PARTLY), result.stderr)
            self.lives(victim)

    def test_a_policy_whose_bytes_are_random(self):
        with Victim() as victim:
            victim.overwrite(128, random.Random(announced_seed()).randbytes(1120 - 128))
            for words in (["get", victim.pid], ["ls"]):
                result = mpol(*words)
                self.assertEqual((result.returncode, result.stderr), (OK, ""))
            self.lives(victim)

    def test_a_policy_that_makes_no_sense_is_said_to_be_unreadable(self):
        with Victim() as victim:
            victim.overwrite(264, (0x7F).to_bytes(8, "little"))  # a mode that is none
            victim.overwrite(256, ((9 << 8) | 0xA).to_bytes(8, "little"))
            out = mpol("get", victim.pid).stdout
            self.assertIn("  policy:     unreadable: its bytes in the segment are no policy\n", out)

    def test_a_segment_that_is_another_processs(self):
        with Victim() as victim:
            fd = os.open(victim.segment(), os.O_RDWR)
            sleeper = subprocess.Popen(["sleep", "1000"], pass_fds=[fd], env=ENVIRONMENT)
            try:
                result = mpol("set", sleeper.pid, "bind:0")
                self.assertEqual((result.returncode, result.stdout), (FAILED, ""))
                self.assertRegex(result.stderr, (
                    rf"^mpol: the control segment of process {sleeper.pid} is not usable: it "
                    rf"belongs to process {victim.pid} started at tick \d+\n"))
                self.unchanged(victim)
            finally:
                sleeper.kill()
                sleeper.wait()
                os.close(fd)

    def expect_of_memfd(self, fd, complaint):
        sleeper = subprocess.Popen(["sleep", "1000"], pass_fds=[fd], env=ENVIRONMENT)
        try:
            self.expect_of_all(sleeper.pid, FAILED,
                               f"mpol: the control segment of process {sleeper.pid} is not usable: "
                               f"{complaint}", SAME_VERSION)
        finally:
            sleeper.kill()
            sleeper.wait()
            os.close(fd)

    def test_a_memfd_of_the_segments_name_and_another_size(self):
        fd = os.memfd_create("mpol-control", 0)
        self.expect_of_memfd(fd, f"its size is 0 bytes, not {SEGMENT_BYTES}")

    def test_a_memfd_that_could_be_truncated_under_a_reader(self):
        fd = os.memfd_create("mpol-control", os.MFD_ALLOW_SEALING)
        os.ftruncate(fd, SEGMENT_BYTES)
        fcntl.fcntl(fd, 1033, 4)  # F_ADD_SEALS, F_SEAL_GROW alone
        self.expect_of_memfd(fd, "it is not sealed against shrinking and growing")

    def test_another_writer_that_holds_the_lock(self):
        with Victim() as victim:
            fd = os.open(victim.segment(), os.O_RDWR)
            fcntl.lockf(fd, fcntl.LOCK_EX)
            result = mpol("set", victim.pid, "bind:0")
            os.close(fd)
            self.expect(result, FAILED, "", lines(
                f"mpol: another writer holds the control segment of process {victim.pid}",
                "hint: try again, or find the holder with: lslocks"))
            self.unchanged(victim)


if __name__ == "__main__":
    main()
