# SPDX-License-Identifier: Apache-2.0
"""mpol doctor: each cause is made, and has to be named with its remedy."""
import errno
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

from harness import (FAILED, NO_SUCH_PID, NO_TARGET, NOBODY, NOT_PERMITTED, OK, USAGE,
                     CliTest, Process, Victim, lines, main, mbind_refused, mpol, needs_root)


class Sleeper(Process):
    """A program that is not under control, ready when it has said so."""

    def __init__(self, *command, env=None):
        super().__init__(command, {**os.environ, **(env or {})})


READY = "print('ready', flush=True); input()"


class DoctorTest(CliTest):
    def findings(self, pid, status):
        return self.value("doctor", pid, status=status)["process"]

    def expect_problem(self, pid, area, what, remedy):
        found = [one for one in self.findings(pid, FAILED)
                 if one["health"] == "problem" and one["area"] == area]
        self.assertEqual(len(found), 1, found)
        self.assertRegex(found[0]["what"], what)
        self.assertRegex(found[0]["remedy"], remedy)

    def test_a_process_in_order_has_nothing_wrong(self):
        with Victim("bind:0") as victim:
            found = self.findings(victim.pid, OK)
            self.assertNotIn("problem", [one["health"] for one in found])
            self.assertRegex(mpol("doctor", victim.pid).stdout,
                             rf"(?s)^this machine\n.*\nprocess {victim.pid} \(python3[^)]*\)\n"
                             r"  ok       preload: under control; all that was asked for is in "
                             r"force\n$")

    def test_the_machine_alone(self):
        found = self.value("doctor", status=OK)
        self.assertEqual(list(found), ["machine"])
        modes = [one["what"] for one in found["machine"] if one["area"] == "modes"]
        self.assertTrue(any("interleave" in what for what in modes), modes)

    def test_a_program_that_was_started_without_us(self):
        with Sleeper(sys.executable, "-c", READY) as sleeper:
            self.expect_problem(sleeper.pid, "preload", "not started under mpol", "mpol run --")

    def test_a_library_that_the_loader_could_not_find(self):
        with Sleeper(sys.executable, "-c", READY,
                     env={"LD_PRELOAD": "/nowhere/libmpol-preload.so"}) as sleeper:
            self.expect_problem(sleeper.pid, "preload", "the loader has not loaded it",
                                "does the file exist")

    def test_a_statically_linked_program(self):
        with tempfile.TemporaryDirectory() as folder:
            source, program = folder + "/still.c", folder + "/still"
            with open(source, "w", encoding="ascii") as file:
                file.write("#include <stdio.h>\n"
                           "int main(void) { puts(\"ready\"); fflush(stdout); getchar(); }\n")
            built = subprocess.run(["cc", "-static", "-o", program, source], check=False,
                                   stderr=subprocess.PIPE, text=True)
            if built.returncode:
                self.skipTest("no static C library: " + built.stderr.strip().split("\n")[-1])
            with Sleeper(program) as sleeper:
                self.expect_problem(sleeper.pid, "preload", "statically linked", "numactl")

    @needs_root
    def test_a_program_with_raised_privilege(self):
        with tempfile.TemporaryDirectory() as folder:
            os.chmod(folder, 0o755)
            program = shutil.copy("/bin/cat", folder)
            os.chmod(program, 0o4755)
            sleeper = subprocess.Popen([*NOBODY, program], stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE)
            try:
                sleeper.stdin.write(b"ready\n")
                sleeper.stdin.flush()
                sleeper.stdout.readline()
                self.expect_problem(sleeper.pid, "preload", "raised privilege", "ld.so.preload")
            finally:
                sleeper.communicate()

    def test_a_stopped_process_and_what_it_has_not_applied(self):
        with Victim("bind:0") as victim:
            os.kill(victim.pid, signal.SIGSTOP)
            self.wait_until(lambda: not victim.asleep())
            mpol("set", victim.pid, "interleave:0", "--no-wait")
            self.expect_problem(victim.pid, "state", "stopped by a signal", "kill -CONT")
            self.expect_problem(victim.pid, "policy", "generation [0-9]+ is not in force yet",
                                "next allocation")
            os.kill(victim.pid, signal.SIGCONT)

    def test_what_went_wrong_in_the_process_has_a_remedy(self):
        with Victim("bind:0") as victim:
            # MPOL_CTL_ERROR_MBIND, ENOMEM, 3 times
            victim.overwrite(4096, (1).to_bytes(4, "little") + (12).to_bytes(4, "little") +
                             (3).to_bytes(8, "little"))
            self.expect_problem(victim.pid, "errors", "binding a region failed: ENOMEM.*3 times",
                                "max_map_count")

    def test_a_seccomp_filter_that_refuses_the_calls(self):
        with Victim(prefix=mbind_refused(errno.EPERM)) as victim:
            victim.start_thread()
            mpol("set", victim.pid, "bind:0")
            found = self.findings(victim.pid, FAILED)
            self.assertIn(("note", "seccomp"), [(one["health"], one["area"]) for one in found])
            self.expect_problem(victim.pid, "errors", "binding a region failed: EPERM",
                                "seccomp filter has to allow mbind")

    def test_bad_input_is_one_clear_error(self):
        self.expect(mpol("doctor", "x"), USAGE, "", lines(
            "mpol: 'x' is no process (PID) and no thread (PID/TID)", "hint: mpol ls"))
        self.assertEqual(mpol("doctor", NO_SUCH_PID).returncode, NO_TARGET)

    @needs_root
    def test_another_users_process(self):
        with Victim() as victim:
            self.assertEqual(mpol("doctor", victim.pid, prefix=NOBODY).returncode, NOT_PERMITTED)


if __name__ == "__main__":
    main()
