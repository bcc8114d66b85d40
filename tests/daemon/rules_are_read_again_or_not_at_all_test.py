#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Rules are read again on SIGHUP and when their files change: all of them, or, when anything is wrong
with them, none, and it is told what. Processes that are there and those that come are under them;
a process that changes its name is under another rule at once."""
import os
import signal
import sys
import time
import unittest

import harness
from harness import BIND, INTERLEAVE, PREFER, Daemon, Subject, rule

QUIET_S = 0.5  # several times as long as it waits for more changes of the files
WRONG = '[[rule]]\nname = "wrong"\nmatch = { com = "subject" }\npolicy = "bind:0"\n'


class RulesTest(unittest.TestCase):
    def reloads(self, daemon):
        return [entry for entry in daemon.log() if entry["event"].startswith("reload")]

    def test_present_and_future_processes_follow(self):
        with Daemon(rule("interleave:all")) as daemon, Subject(daemon, "wait") as present:
            present.wait_for(INTERLEAVE)
            daemon.write_rules(rule("bind:0"))
            present.wait_for(BIND)
            with Subject(daemon, "wait") as future:
                future.wait_for(BIND)

    def test_processes_from_before_the_daemon_are_found(self):
        with Daemon(rule("interleave:all")) as daemon:
            daemon.end()
            with Subject(daemon, "wait") as subject:
                self.assertIsNone(subject.segment.mode())
                daemon.start()
                subject.wait_for(INTERLEAVE)

    def test_a_wrong_file_changes_nothing_and_is_told(self):
        with Daemon(rule("interleave:all")) as daemon, Subject(daemon, "wait") as subject:
            subject.wait_for(INTERLEAVE)
            generation = subject.segment.generation()
            daemon.write_rules(WRONG, "zz.toml")
            harness.wait_until(lambda: len(self.reloads(daemon)) == 2, "a reload")
            failed = self.reloads(daemon)[-1]
            self.assertEqual(failed["event"], "reload failed")
            self.assertIn("zz.toml:3:11:", failed["why"])
            self.assertIn("zz.toml:3:11:", daemon.errors())
            self.assertIn("com", daemon.call("Status")["status"]["rules_error"])
            with Subject(daemon, "wait") as future:
                future.wait_for(INTERLEAVE)
            self.assertEqual(subject.segment.generation(), generation)

    def test_sighup_reads_them_too(self):
        with Daemon(rule("interleave:all")) as daemon, Subject(daemon, "wait") as subject:
            subject.wait_for(INTERLEAVE)
            daemon.process.send_signal(signal.SIGHUP)
            daemon.hear("READY=1")
            self.assertEqual(self.reloads(daemon)[-1]["by"], f"SIGHUP of pid {os.getpid()}")

    def test_rules_beside_the_daemons_own_files_are_read_once(self):
        daemon = Daemon()
        daemon.rules = os.path.join(daemon.run, "rules")
        with daemon:
            # Its sockets and its log have come into the folder that tells of the rules' coming.
            time.sleep(QUIET_S)
            self.assertEqual([entry["by"] for entry in self.reloads(daemon)], ["start"])
            os.mkdir(daemon.rules, 0o755)
            daemon.write_rules(rule("interleave:all"))
            harness.wait_until(lambda: self.reloads(daemon)[-1]["to"] == "1 rules", "the rules")
            asked = daemon.call("Reload")
            self.assertEqual(asked, {"rules": 1})
            time.sleep(QUIET_S)
            self.assertEqual(self.reloads(daemon)[-1]["by"], f"root (pid {os.getpid()})")

    def test_rules_that_others_may_write_are_not_read(self):
        with Daemon(rule("interleave:all")) as daemon:
            os.chmod(os.path.join(daemon.rules, "rules.toml"), 0o666)
            harness.wait_until(lambda: len(self.reloads(daemon)) == 2, "a reload")
            self.assertIn("rules.toml: may be written by others", self.reloads(daemon)[-1]["why"])

    @unittest.skipUnless(os.geteuid() == 0, "needs root")
    def test_rules_of_somebody_else_are_not_read(self):
        with Daemon(rule("interleave:all")) as daemon:
            os.chown(os.path.join(daemon.rules, "rules.toml"), 65534, -1)
            harness.wait_until(lambda: len(self.reloads(daemon)) == 2, "a reload")
            self.assertIn("rules.toml: belongs to uid 65534, not to root",
                          self.reloads(daemon)[-1]["why"])

    def test_a_new_name_is_under_another_rule(self):
        rules = rule("interleave:all", name="before") + rule("bind:0", 'comm = "after"', "after")
        with Daemon(rules) as daemon, Subject(daemon, "rename", "after") as subject:
            if daemon.call("Status")["status"]["events"] != "bpf":
                self.skipTest("no CAP_BPF here: nothing tells of names")
            subject.poke()
            self.assertEqual(subject.process.stdout.readline(), "renamed\n")
            subject.wait_for(BIND)

    def test_threads_that_come_later_follow_their_own_rule(self):
        rules = rule("interleave:all", more='[[rule.thread]]\nname = "worker"\npolicy = "prefer:0"\n')
        with Daemon(rules) as daemon, Subject(daemon, "threads", 8, "worker") as subject:
            def there():
                subject.poke()
                modes = list(subject.segment.thread_modes().values())
                return modes.count(PREFER) == 8 and subject.segment.in_force(INTERLEAVE)
            harness.wait_until(there, "policies of the threads")

    def test_what_is_so_already_is_not_written_again(self):
        with Daemon(rule("interleave:all")) as daemon, Subject(daemon, "wait") as subject:
            subject.wait_for(INTERLEAVE)
            generation = subject.segment.generation()
            daemon.write_rules(rule("interleave:0", name="another name"))

            def renamed():
                account = daemon.call("Explain", pid=subject.pid)["account"]
                return account["process"]["rule"]["name"] == "another name"
            harness.wait_until(renamed, "the other rule")
            self.assertEqual(subject.segment.generation(), generation)


class OptionsTest(unittest.TestCase):
    def run_mpold(self, *options):
        done = harness.subprocess.run([harness.MPOLD, *options], text=True, check=False,
                                      stdout=harness.subprocess.PIPE,
                                      stderr=harness.subprocess.PIPE, timeout=60)
        return done.returncode, done.stdout, done.stderr

    def test_wrong_words_are_named(self):
        status, out, err = self.run_mpold("--foregroung")
        self.assertEqual((status, out), (2, ""))
        self.assertRegex(err, "^mpold: .*--foregroung.*; try: mpold --help\n$")

    def test_two_daemons_in_one_folder(self):
        with Daemon() as daemon:
            self.assertEqual(self.run_mpold("--socket", daemon.run),
                             (1, "", f"mpold: another mpold serves {daemon.run}\nhint: mpol status\n"))


if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    harness.main()
