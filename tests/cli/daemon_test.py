# SPDX-License-Identifier: Apache-2.0
"""The verbs that ask a daemon, asked of one that knows what the test tells it; and undo without."""
import json
import os
import shutil
import signal
import subprocess
import tempfile

from harness import (ENVIRONMENT, FAILED, MPOL, NO_SUCH_PID, NO_TARGET, NOBODY, NOT_PERMITTED, OK,
                     USAGE, CliTest, Victim, lines, main, mpol, needs_root)

FAKE_DAEMON = os.path.abspath(os.environ["MPOL_FAKE_DAEMON"])


class DaemonTest(CliTest):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="mpol-daemon-test-")
        self.addCleanup(shutil.rmtree, self.folder)
        os.chmod(self.folder, 0o755)
        self.daemon = subprocess.Popen([FAKE_DAEMON, self.folder], text=True, bufsize=1,
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.addCleanup(self.daemon.wait)
        self.addCleanup(self.daemon.stdout.close)
        self.addCleanup(self.daemon.stdin.close)
        self.assertEqual(self.daemon.stdout.readline(), "ready\n")

    def tell(self, *words):
        self.daemon.stdin.write(" ".join(map(str, words)) + "\n")
        self.assertEqual(self.daemon.stdout.readline(), "ok\n")

    def ask(self, *words, **options):
        return mpol(*words, "--socket", self.folder, **options)

    def asked(self, *words, status=OK):
        return self.value(*words, "--socket", self.folder, status=status)

    # --- status

    def test_status_tells_how_the_daemon_does(self):
        self.tell("attach", os.getpid(), os.getuid(), "python")
        self.expect_out(self.ask("status"), OK, r"^mpold 1\.2\.3, process \d+, of the system\n"
                                                r"(?s:.*)\n  attached:   1 process\n$")
        self.assertEqual(self.asked("status")["attached"], 1)

    def test_status_of_all_has_the_processes(self):
        for pid in range(1, 201):
            self.tell("attach", pid, 0, f"p{pid}")
        if os.geteuid() == 0:
            processes = self.asked("status", "--all")["processes"]
            self.assertEqual([one["pid"] for one in processes], list(range(1, 201)))
            self.assertEqual(processes[0]["rule"],
                             {"name": "rest", "file": "/etc/a.toml", "line": 3})
            self.assertIn("\nprocess 7 (p7): rule rest (/etc/a.toml:3), bind:0\n",
                          self.ask("status", "--all").stdout)

    def test_no_daemon(self):
        nowhere = f"{self.folder}/nowhere"
        for verb in ("status", "log"):
            self.expect(mpol(verb, "--socket", nowhere), FAILED, "", lines(
                f"mpol: no daemon at {nowhere}/io.mpol.Daemon",
                "hint: systemctl start mpold; or mpold --user"))
        error = self.value("status", "--socket", nowhere, status=FAILED)["error"]
        self.assertEqual(error["errno"], "ENOENT")

    # --- undo

    def test_undo_of_one(self):
        self.tell("attach", os.getpid(), os.getuid(), "python")
        self.expect(self.ask("undo", os.getpid()), OK,
                    f"process {os.getpid()} (python): local again\n")
        self.assertEqual(self.asked("undo", os.getpid()), {"by": "daemon", "undone": [
            {"pid": os.getpid(), "tid": 0, "comm": "python", "done": True, "policy": "local",
             "why": ""}]})

    @needs_root
    def test_undo_of_all_goes_on_over_pages(self):
        for pid in range(1, 201):
            self.tell("attach", pid, 0, f"p{pid}")
        self.assertEqual([one["pid"] for one in self.asked("undo", "--all")["undone"]],
                         list(range(1, 201)))

    def test_undo_needs_a_process_or_all(self):
        for words in (("undo",), ("undo", "1", "--all")):
            self.assertEqual(mpol(*words).returncode, USAGE)
        self.expect(mpol("undo", "1/2"), USAGE, "", lines(
            "mpol: a whole process is given back: name PID, not PID/TID", "hint: mpol undo 1"))

    def test_undo_of_a_process_that_does_not_exist(self):
        self.assertEqual(self.ask("undo", NO_SUCH_PID).returncode, NO_TARGET)

    @needs_root
    def test_undo_of_another_users_process(self):
        self.tell("attach", os.getpid(), 0, "python")
        result = self.ask("undo", os.getpid(), prefix=NOBODY)
        self.expect(result, NOT_PERMITTED, "", lines(
            "mpol: the daemon does this for root and for the process's owner only"))

    def test_undo_of_a_process_that_no_daemon_has_is_done_by_hand(self):
        with Victim("bind:0") as victim:
            self.expect(self.ask("undo", victim.pid), OK, "nothing to give back\n")
            self.assertEqual(self.asked("undo", victim.pid), {"by": "segment", "undone": []})

    # --- rules apply

    def test_apply_is_done_by_the_daemon_that_has_the_process(self):
        self.tell("attach", os.getpid(), os.getuid(), "python")
        self.expect(self.ask("rules", "apply", os.getpid()), OK,
                    f"process {os.getpid()} (python): default -> bind:0; rule rest (/etc/a.toml:3)\n")
        self.assertEqual(self.asked("rules", "apply", os.getpid()), {"by": "daemon", "waited": True, "applied": [
            {"pid": os.getpid(), "tid": 0, "comm": "python",
             "rule": {"name": "rest", "file": "/etc/a.toml", "line": 3}, "done": True, "from": "",
             "to": "bind:0", "why": "", "generation": 0}]})

    @needs_root
    def test_apply_to_all_goes_on_over_pages(self):
        for pid in range(1, 201):
            self.tell("attach", pid, 0, f"p{pid}")
        self.assertEqual([one["pid"] for one in self.asked("rules", "apply", "--all")["applied"]],
                         list(range(1, 201)))

    def test_apply_by_other_rules_than_the_daemons_is_refused(self):
        self.expect(self.ask("rules", "apply", os.getpid(), "--rules", self.folder), USAGE, "", lines(
            "mpol: a daemon runs, and keeps processes in its own rules, not in those of --rules",
            "hint: mpol rules apply --dry-run, with --rules"))

    @needs_root
    def test_apply_to_another_users_process(self):
        self.tell("attach", os.getpid(), 0, "python")
        result = self.ask("rules", "apply", os.getpid(), prefix=NOBODY)
        self.expect(result, NOT_PERMITTED, "", lines(
            "mpol: the daemon does this for root and for the process's owner only"))

    # --- log

    def test_log_is_a_line_an_entry(self):
        self.expect(self.ask("log"), OK, "no entries\n")
        self.tell("log", 4242, os.getuid(), 100)
        entries = [json.loads(line) for line in self.ask("log", "--json").stdout.splitlines()]
        self.assertEqual(entries.pop(), {"entries": 100, "lost": 0})
        self.assertEqual([entry["sequence"] for entry in entries], list(range(1, 101)))
        self.assertEqual(self.ask("log", "-n", "2").stdout.count("apply"), 2)
        self.assertEqual(self.ask("log", "-n", "0").stdout, "no entries\n")

    def test_log_takes_a_number(self):
        for number in ("x", "-1"):
            self.assertEqual(self.ask("log", f"-n={number}").returncode, USAGE)

    def test_log_is_followed_and_what_is_lost_is_told(self):
        self.tell("keep", 20)
        self.tell("log", 4242, os.getuid(), 30)
        follower = subprocess.Popen([MPOL, "log", "--follow", "--json", "--socket", self.folder],
                                    text=True, env=ENVIRONMENT, stdout=subprocess.PIPE)
        self.addCleanup(follower.stdout.close)
        self.addCleanup(follower.wait)
        self.addCleanup(follower.kill)
        seen = [json.loads(follower.stdout.readline())["sequence"] for _ in range(10)]
        self.assertEqual(seen, list(range(21, 31)))
        self.tell("log", 4242, os.getuid(), 1)
        self.assertEqual(json.loads(follower.stdout.readline())["sequence"], 31)
        follower.send_signal(signal.SIGINT)
        self.assertEqual(follower.wait(), -signal.SIGINT)

    def test_log_ends_with_its_daemon(self):
        self.tell("log", 4242, os.getuid(), 1)
        follower = subprocess.Popen([MPOL, "log", "--follow", "--socket", self.folder], text=True,
                                    env=ENVIRONMENT, stdout=subprocess.PIPE,
                                    stderr=subprocess.PIPE)
        follower.stdout.readline()
        self.daemon.stdin.close()
        _, err = follower.communicate()
        self.assertEqual(follower.returncode, FAILED)
        self.assertIn("hung up", err)

    # --- explain and reload

    def test_explain_tells_what_the_daemon_did(self):
        self.tell("attach", os.getpid(), os.getuid(), "python")
        self.tell("log", os.getpid(), os.getuid(), 2)
        out = self.ask("explain", os.getpid()).stdout
        self.assertIn("  daemon:     gave it bind:0 by rule rest (/etc/a.toml:3)\n", out)
        self.assertEqual(out.count("  apply "), 2)
        self.assertEqual(len(self.asked("explain", os.getpid())["daemon"]["history"]), 2)

    def test_explain_without_a_daemon_is_as_it_is(self):
        out = mpol("explain", os.getpid(), "--socket", "/nowhere").stdout
        self.assertNotIn("daemon", out)
        value = self.value("explain", os.getpid(), "--socket", "/nowhere")
        self.assertIsNone(value["daemon"])

    def test_reload_tells_the_number_of_rules(self):
        self.expect(self.ask("rules", "reload"), OK, "7 rules in force\n")

    @needs_root
    def test_reload_is_for_the_daemons_user(self):
        self.assertEqual(self.ask("rules", "reload", prefix=NOBODY).returncode, NOT_PERMITTED)


if __name__ == "__main__":
    main()
