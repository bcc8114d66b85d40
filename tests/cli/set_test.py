# SPDX-License-Identifier: Apache-2.0
import errno
import os
import platform
import signal
import subprocess
import sys

from harness import (ENVIRONMENT, FAILED, HERE, MPOL, NO_TARGET, NOT_PERMITTED, NOT_SUPPORTED, OK,
                     PARTLY, CliTest, Victim, lines, main, matching, mbind_refused, mpol)

NOT_CAUGHT_UP = ("heap memory follows already, stacks and direct mappings follow at the next "
                 "allocation")
EINVAL_FILTER = [sys.executable, "-B", os.path.join(HERE, "syscalls.py"), "5", str(errno.EINVAL)]


class SetTest(CliTest):
    def test_set_applies_to_a_blocked_process_that_has_a_helper_thread(self):
        with Victim() as victim:
            tid = victim.start_thread()
            result = mpol("set", victim.pid, "bind:0")
            self.expect_out(result, OK, matching(
                f"process {victim.pid}: bind:0 applied in <N> us, effective nodes 0",
                f"note: 2 threads have not caught up: {victim.pid}, {tid}; {NOT_CAUGHT_UP}"))

    def test_threads_that_have_allocated_since_have_caught_up(self):
        with Victim() as victim:
            tid = victim.start_thread()
            mpol("set", victim.pid, "bind:0")
            victim.ask("allocate", tid)
            threads = self.value("get", victim.pid, "--threads")["threads"]
            self.assertEqual([thread["caught_up"] for thread in threads], [True, True])

    def test_set_of_a_blocked_process_without_a_helper_is_partly_applied(self):
        with Victim() as victim:
            self.expect(mpol("set", victim.pid, "bind:0", "--timeout", "20"), PARTLY, lines(
                f"process {victim.pid}: bind:0 published as generation 2, not applied after 20 ms",
                "note: it has no helper thread and is busy elsewhere: it takes effect at its next "
                "allocation"))

    def test_what_was_partly_applied_is_applied_at_the_next_allocation(self):
        with Victim() as victim:
            mpol("set", victim.pid, "bind:0", "--timeout", "0")
            self.assertFalse(self.value("get", victim.pid)["applied"])
            victim.ask("ping")
            self.wait_until(lambda: self.value("get", victim.pid)["applied"])

    def test_no_wait_publishes_and_returns(self):
        with Victim() as victim:
            self.expect(mpol("set", victim.pid, "bind:0", "--no-wait"), OK,
                        f"process {victim.pid}: bind:0 published as generation 2\n")

    def test_keep_cached_travels_with_the_publication(self):
        with Victim() as victim:
            tid = victim.start_thread()
            for words, kept in ((["--keep-cached"], True), ([], False)):
                mpol("set", victim.pid, "bind:0", *words)
                mpol("set", f"{victim.pid}/{tid}", "bind:0", "--no-wait", *words)
                process, slot = victim.policy_words(tid)
                self.assertEqual([word >> 56 & 1 for word in (process, slot)], [kept, kept])

    def test_a_stopped_process_is_said_to_be_stopped(self):
        with Victim() as victim:
            victim.start_thread()
            os.kill(victim.pid, signal.SIGSTOP)
            os.waitpid(victim.pid, os.WUNTRACED)
            result = mpol("set", victim.pid, "bind:0", "--timeout", "20")
            os.kill(victim.pid, signal.SIGCONT)
            self.expect(result, PARTLY, lines(
                f"process {victim.pid}: bind:0 published as generation 2, not applied after 20 ms",
                "note: it is stopped; it takes effect when it continues"))

    def test_a_process_that_exits_while_set_waits_is_no_target(self):
        with Victim() as victim:
            setter = subprocess.Popen([MPOL, "set", str(victim.pid), "bind:0", "--timeout=60000"],
                                      text=True, env=ENVIRONMENT, stderr=subprocess.PIPE)
            self.wait_until(lambda: self.value("get", victim.pid)["generation"] == 2)
            victim.process.kill()
            victim.process.wait()
            _, err = setter.communicate()
            self.assertEqual((setter.returncode, err),
                             (NO_TARGET, f"mpol: process {victim.pid} has exited\n"))

    def test_set_of_a_thread_waits_for_that_thread(self):
        with Victim() as victim:
            tid = victim.start_thread()
            name = f"{victim.pid}/{tid}"
            self.expect_out(mpol("set", name, "bind:0", "--timeout", "20"), PARTLY, matching(
                f"thread {name}: bind:0 published as generation <N>, not applied after 20 ms",
                f"note: thread {tid} has not caught up: it takes effect at its next allocation"))
            victim.ask("allocate", tid)
            self.assertTrue(self.value("get", name)["thread"]["applied"])

    def test_a_second_set_of_a_thread_is_applied_while_it_is_blocked(self):
        with Victim() as victim:
            tid = victim.start_thread()
            mpol("set", f"{victim.pid}/{tid}", "bind:0", "--no-wait")
            victim.ask("allocate", tid)
            self.expect_out(mpol("set", f"{victim.pid}/{tid}", "interleave:0"), OK, matching(
                f"thread {victim.pid}/{tid}: interleave:0 applied in <N> us, effective nodes 0"))

    def test_pid_slash_pid_is_the_main_threads_own(self):
        with Victim() as victim:
            mpol("set", f"{victim.pid}/{victim.pid}", "bind:0", "--no-wait")
            found = self.value("get", victim.pid)
            self.assertIsNone(found["asked"])
            self.assertEqual(found["threads"][0]["asked"]["text"], "bind:0")

    def test_set_of_a_process_leaves_threads_their_own_and_says_so(self):
        with Victim() as victim:
            tid = victim.start_thread()
            mpol("set", f"{victim.pid}/{tid}", "bind:0", "--no-wait")
            result = mpol("set", victim.pid, "interleave:0")
            self.expect_out(result, OK, matching(
                f"process {victim.pid}: interleave:0 applied in <N> us, effective nodes 0",
                f"note: 1 thread kept a policy of its own: {tid} (--process clears it)",
                f"note: 1 thread has not caught up: {victim.pid}; {NOT_CAUGHT_UP}"))

    def test_process_clears_threads_own(self):
        with Victim() as victim:
            tid = victim.start_thread()
            mpol("set", f"{victim.pid}/{tid}", "bind:0", "--no-wait")
            self.assertEqual(self.value("set", "--process", victim.pid, "interleave:0")["kept"], [])
            threads = self.value("get", victim.pid)["threads"]
            self.assertEqual([thread["asked"] for thread in threads], [None, None])

    def test_process_with_a_thread_is_a_contradiction(self):
        self.expect(mpol("set", "1/1", "bind:0", "--process"), 2, "",
                    "mpol: --process is for a whole process: name PID, not PID/TID\n")

    def test_unset_goes_back_to_what_it_started_with(self):
        with Victim("bind:0") as victim:
            victim.start_thread()
            mpol("set", victim.pid, "interleave:0")
            result = mpol("unset", victim.pid)
            self.assertEqual(result.returncode, OK)
            self.assertRegex(result.stdout, rf"^process {victim.pid}: bind:0 \(what it started "
                                            r"with\) applied in \d+ us\n")
            self.assertIsNone(self.value("get", victim.pid)["asked"])

    def test_unset_of_a_thread_makes_it_follow_its_process(self):
        with Victim() as victim:
            tid = victim.start_thread()
            mpol("set", f"{victim.pid}/{tid}", "bind:0", "--no-wait")
            victim.ask("allocate", tid)
            self.expect_out(mpol("unset", f"{victim.pid}/{tid}"), OK, matching(
                f"thread {victim.pid}/{tid}: the process's policy applied in <N> us"))

    def test_numactls_options_are_a_policy(self):
        with Victim() as victim:
            for words in (["--interleave=0"], ["--interleave", "0"], ["-i", "0"]):
                change = self.value("set", victim.pid, *words, "--no-wait")
                self.assertEqual(change["policy"]["text"], "interleave:0")

    def test_words_of_a_policy_need_no_quotes(self):
        with Victim() as victim:
            change = self.value("set", victim.pid, "prefer", "(many):0", "--no-wait")
            self.assertEqual(change["policy"]["text"], "prefer (many):0")

    def test_absent_nodes_may_be_named_on_request(self):
        with Victim() as victim:
            result = mpol("set", victim.pid, "bind:0,1000", "--allow-absent", "--no-wait")
            self.expect(result, OK, lines(
                f"process {victim.pid}: bind:0,1000 published as generation 2",
                "note: nodes 1000 have no memory yet"))

    def test_a_policy_of_absent_nodes_alone_is_refused_and_not_published(self):
        with Victim() as victim:
            allowed = ",".join(map(str, self.value("get", victim.pid)["allowed"]))
            self.expect(mpol("set", victim.pid, "bind:1000", "--allow-absent"), FAILED, "",
                        f"mpol: process {victim.pid} may use none of the nodes 1000: its cpuset "
                        f"allows {allowed}\n")
            self.assertEqual(self.value("get", victim.pid)["generation"], 1)

    def test_a_refusal_in_the_target_leaves_the_old_policy(self):
        with Victim(prefix=mbind_refused(errno.EPERM)) as victim:
            victim.start_thread()
            self.expect(mpol("set", victim.pid, "bind:0"), NOT_PERMITTED, "", lines(
                f"mpol: process {victim.pid} could not apply the policy: EPERM (Operation not "
                "permitted); the old one stays in force",
                "hint: a seccomp filter in the target refuses mbind(2)"))

    def test_get_tells_of_the_refusal(self):
        with Victim(prefix=mbind_refused(errno.EPERM)) as victim:
            victim.start_thread()
            mpol("set", victim.pid, "bind:0")
            out = mpol("get", victim.pid).stdout
            self.assertIn("  generation: 2, refused: EPERM (Operation not permitted); the one "
                          "before stays in force\n", out)
            self.assertRegex(out, r"\nerror: binding a region failed: EPERM \(Operation not "
                                  r"permitted\), \d+ times?, last at ")

    def test_a_mode_that_the_target_can_not_apply_is_not_supported(self):
        with Victim(prefix=mbind_refused(errno.EINVAL)) as victim:
            victim.start_thread()
            result = mpol("set", victim.pid, "bind:0")
            self.assertEqual(result.returncode, NOT_SUPPORTED, result.stderr)

    def test_a_mode_that_this_kernel_does_not_know_is_not_published(self):
        with Victim() as victim:
            self.expect(mpol("set", victim.pid, "prefer (many):0", prefix=EINVAL_FILTER),
                        NOT_SUPPORTED, "",
                        "mpol: prefer (many) needs Linux 5.15; this is "
                        f"{platform.release()}\n")
            self.assertEqual(self.value("get", victim.pid)["generation"], 1)

    def test_weighted_interleave_is_published_whatever_this_kernel_knows(self):
        prefix = [sys.executable, "-B", os.path.join(HERE, "syscalls.py"), "6", str(errno.EINVAL)]
        with Victim() as victim:
            victim.start_thread()
            result = mpol("set", victim.pid, "weighted interleave:0", prefix=prefix)
            self.assertEqual(result.returncode, OK, result.stderr)

    def test_weights_are_told_by_get(self):
        with Victim() as victim:
            victim.start_thread()
            result = mpol("set", victim.pid, "weighted interleave:0;weights=7")
            self.assertEqual(result.returncode, OK, result.stderr)
            out = mpol("get", victim.pid).stdout
            self.assertIn("  policy:     weighted interleave:0;weights=7\n", out)
            self.assertIn("  weights:    node 0: 7 (100.0 %)\n", out)
            value = self.value("get", victim.pid)
            self.assertEqual(value["shares"], {"0": 1.0})
            self.assertEqual(value["errors"], [])

    def test_asking_the_kernel_leaves_the_callers_policy_alone(self):
        result = mpol("run", "interleave:0", "--", MPOL, "policy", "bind:0")
        self.expect_out(result, OK, "^bind:0\n")


if __name__ == "__main__":
    main()
