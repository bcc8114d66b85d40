# SPDX-License-Identifier: Apache-2.0
import json
import os
import signal
import subprocess
import tempfile

from harness import (ENVIRONMENT, FAILED, MPOL, NO_SUCH_PID, NO_TARGET, NOBODY, NOT_PERMITTED, OK,
                     PARTLY, USAGE, CliTest, Process, Victim, lines, main, mpol, needs_root)

DATABASE = """
[[rule]]
name = "database"
priority = 10
match = { all = [{ comm = "python*" }, { env = { ROLE = "db" } }] }
policy = "interleave:cpu-nodes"
migrate = true
  [[rule.thread]]
  name = "aof*"
  policy = "bind:near"
"""
NEVER = """
[[rule]]
name = "never"
match = { comm = "python*", not = { exe = "/**" } }
policy = "local"
"""
REST = """
[[rule]]
name = "rest"
match = {}
policy = "bind:0"
"""


class RulesTest(CliTest):
    def setUp(self):
        # pylint: disable=consider-using-with
        self.folder = tempfile.TemporaryDirectory(prefix="mpol-rules-")
        self.addCleanup(self.folder.cleanup)

    def write(self, name, text):
        path = os.path.join(self.folder.name, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def rules(self, *words, **options):
        return mpol("rules", *words, "--rules", self.folder.name, **options)

    # --- check

    def test_check_counts_what_is_right(self):
        self.write("10.toml", DATABASE)
        self.write("20.toml", NEVER + REST)
        self.write("30.toml.off", "no rules")
        self.write(".hidden.toml", "no rules")
        self.expect(mpol("rules", "check", self.folder.name), OK, lines(
            "3 rules in 2 files: no errors", f"  {self.folder.name}"))

    def test_check_says_all_that_is_wrong_with_all_files(self):
        one = self.write("1.toml", "[[rule]]\nnmae = 'x'\nmatch = {}\npolicy = 'local'\n")
        two = self.write("2.toml", "[[rule]]\nname = 'x'\nmatch = {}\npolicy = 'bind:hot'\n")
        self.expect(mpol("rules", "check", one, two), FAILED, "", lines(
            f"{one}:1:1: this rule has no name",
            "    [[rule]]",
            "    ^^^^^^^^",
            "    accepted: name = \"...\"",
            f"{one}:2:1: 'nmae' is no key of a rule, did you mean 'name'?",
            "    nmae = 'x'",
            "    ^^^^",
            "    accepted: name, priority, match, policy, weights, migrate, ignore, thread, "
            "schedule",
            f"{two}:4:16: 'hot' is no set of nodes",
            "    policy = 'bind:hot'",
            "                   ^^^",
            "    accepted: numbers, a-b, a-b:used/group, all, cpu-nodes, memory-only, near, "
            "dist<=N, tier:N, same-as:PID, and after '!' what to leave out",
            "mpol: 3 errors in the rules"))

    def test_check_in_json_has_places(self):
        path = self.write("1.toml", "title = 1\n")
        error = json.loads(mpol("--json", "rules", "check", path).stdout)["error"]
        self.assertEqual(error["status"], FAILED)
        self.assertEqual(error["diagnostics"], [{
            "file": path, "line": 1, "column": 1, "length": 5,
            "problem": "'title' is no key of a rule file", "accepted": "rule",
            "source": "title = 1"}])

    def test_check_of_a_file_that_is_not_there(self):
        self.expect(mpol("rules", "check", "/nonexistent.toml"), FAILED, "",
                    "mpol: /nonexistent.toml: No such file or directory\n")

    def test_a_pipe_is_no_rule_file_and_stops_nobody(self):
        path = os.path.join(self.folder.name, "pipe.toml")
        os.mkfifo(path)
        self.expect(self.rules("list"), FAILED, "", f"mpol: {path}: is no regular file\n")

    # --- list

    def test_list_is_in_the_order_in_which_rules_are_tried(self):
        self.write("10.toml", REST)
        second = self.write("20.toml", DATABASE)
        out = self.rules("list").stdout.splitlines()
        self.assertRegex(out[0], r"^PRIORITY +RULE +POLICY +MIGRATE +SCHEDULE +WHERE$")
        self.assertRegex(out[1], rf"^10 +database +interleave:cpu-nodes +yes +always +{second}:2$")
        self.assertRegex(out[2], rf"^ +thread aof\* +bind:near +no +{second}:8$")
        self.assertRegex(out[3], r"^0 +rest +bind:0 +no +always ")

    def test_an_empty_folder_has_no_rules(self):
        self.assertIn(f"note: no rules in {self.folder.name}\n", self.rules("list").stdout)

    @needs_root
    def test_a_users_rules_lie_in_his_home(self):
        os.chmod(self.folder.name, 0o755)
        os.makedirs(os.path.join(self.folder.name, "mpol/rules.d"))
        path = self.write("mpol/rules.d/a.toml", REST)
        result = mpol("rules", "list", "--json", prefix=NOBODY,
                      env={"XDG_CONFIG_HOME": self.folder.name})
        self.assertEqual(json.loads(result.stdout)["files"], [path])

    # --- test

    def test_test_shows_facts_rule_and_policy(self):
        path = self.write("a.toml", DATABASE)
        with Victim(env={"ROLE": "db"}) as victim:
            result = self.rules("test", victim.pid)
            self.assertEqual((result.returncode, result.stderr), (OK, ""))
            self.assertRegex(result.stdout, (
                rf"^process {victim.pid} \(python3\S*\)\n"
                r"  comm: +python3\S*\n"
                r"  thread: +1 thread\n"
                r"  env: +\d+ variables\n"
                rf"  rule: +database, {path}:2, priority 10\n"
                r' +comm = "python\*": comm is \'python3\S*\'\n'
                r' +env.ROLE = "db": ROLE is \'db\'\n'
                r"  policy: +interleave:cpu-nodes\n"
                r"  here: +interleave:[0-9,-]+\n"
                r"  effective: +[0-9,-]+\n"
                r"  migrate: +yes\n$"))

    def test_test_says_that_no_rule_matches(self):
        self.write("a.toml", DATABASE + NEVER)
        with Victim() as victim:
            self.assertIn("  rule:       none matches\n", self.rules("test", victim.pid).stdout)

    def test_test_fails_when_the_policy_can_not_be_had_here(self):
        self.write("a.toml", REST.replace("bind:0", "bind:tier:900"))
        result = self.rules("test", os.getpid())
        self.assertEqual((result.returncode, result.stderr), (FAILED, ""))
        self.assertRegex(result.stdout, r"\n  here:       nothing: 'tier:900' is no node here: ")

    def test_rules_that_are_wrong_match_nothing(self):
        self.write("a.toml", REST)
        self.write("b.toml", "title = 1\n")
        for verb in ("test", "list"):
            words = (verb, os.getpid()) if verb == "test" else (verb,)
            result = self.rules(*words)
            self.assertEqual((result.returncode, result.stdout), (FAILED, ""))
            self.assertIn("b.toml:1:1: 'title' is no key of a rule file\n", result.stderr)

    def test_a_target_that_is_no_process(self):
        self.write("a.toml", REST)
        self.expect(self.rules("test", NO_SUCH_PID), NO_TARGET, "", lines(
            f"mpol: there is no process {NO_SUCH_PID}", "hint: mpol ls"))
        self.expect(self.rules("test", "1/2"), USAGE, "", lines(
            "mpol: '1/2' is a thread: rules are matched against processes",
            "hint: mpol explain 1"))

    def test_names_of_processes_are_escaped(self):
        self.write("a.toml", NEVER + REST)
        with Victim() as victim:
            victim.ask("rename", b"a\x1b[2J\nb".hex())
            out = self.rules("test", victim.pid).stdout + mpol(
                "explain", victim.pid, "--rules", self.folder.name).stdout
            self.assertIn(r"a\x1b[2J\x0ab", out)
            self.assertNotIn("\x1b", out)

    # --- explain

    def test_explain_names_the_winner_the_losers_and_what_decided(self):
        path = self.write("a.toml", DATABASE + NEVER + REST)
        with Victim("bind:0", env={"ROLE": "db"}) as victim:
            result = mpol("explain", victim.pid, "--rules", self.folder.name)
            self.assertEqual((result.returncode, result.stderr), (OK, ""))
            self.assertRegex(result.stdout, (
                rf"(?s)^process {victim.pid} .*\n"
                r"  now:        bind:0\n"
                r"  set by:     the launcher \(mpol run\), at .*\n"
                rf"  rule:       database, {path}:2, priority 10\n.*"
                rf"\nrule never, {path}:12, priority 0\n"
                r"  does not match\n"
                r"    not exe = \"/\*\*\": exe is '/\S+'\n"
                rf"rule rest, {path}:17, priority 0\n"
                r"  matches too, and lost: database stands before it\n"
                r"    it matches every process\n$"))

    def test_explain_in_json_has_a_verdict_for_every_rule(self):
        self.write("a.toml", DATABASE + NEVER + REST)
        with Victim() as victim:
            value = self.value("explain", victim.pid, "--rules", self.folder.name)
            self.assertEqual([(one["rule"], one["outcome"]) for one in value["verdicts"]],
                             [("database", "no match"), ("never", "no match"), ("rest", "won")])
            self.assertEqual(value["winner"]["name"], "rest")
            self.assertEqual(value["planned"]["policy"]["text"], "bind:0")
            self.assertEqual(value["verdicts"][0]["reasons"][0]["found"], "ROLE is not set")

    def test_explain_of_a_process_without_the_allocator(self):
        self.write("a.toml", REST)
        out = mpol("explain", os.getpid(), "--rules", self.folder.name).stdout
        self.assertIn("no rule changes it\n", out)
        self.assertIn("  rule:       rest, ", out)

    @needs_root
    def test_what_another_user_may_not_read_decides_nothing(self):
        self.write("a.toml", NEVER.replace("comm = \"python*\", ", ""))
        os.chmod(self.folder.name, 0o755)
        with Victim() as victim:
            out = mpol("explain", victim.pid, "--rules", self.folder.name, prefix=NOBODY).stdout
            self.assertIn("  rule:       none matches\n", out)
            self.assertIn("  can't be told\n    not exe = \"/**\": its exe can't be read\n", out)

    # --- apply --dry-run

    def test_apply_shows_what_would_change_and_changes_nothing(self):
        self.write("a.toml", DATABASE)
        with Victim("bind:0", env={"ROLE": "db"}) as victim:
            before = self.value("get", victim.pid)
            result = self.rules("apply", "--dry-run", victim.pid)
            self.assertEqual((result.returncode, result.stderr), (OK, ""))
            header, row, summary = result.stdout.splitlines()
            self.assertRegex(header, r"^PID +COMMAND +RULE +FROM +TO$")
            self.assertRegex(row, rf"^{victim.pid} +python3\S* +database +bind:0 +"
                                  r"interleave:[0-9,-]+ and migrate$")
            self.assertEqual(summary, "1 process: 1 change would be made, 0 without a rule, 0 left "
                                      "alone; nothing was done")
            self.assertEqual(self.value("get", victim.pid), before)

    def test_apply_tells_what_is_as_it_should_be(self):
        self.write("a.toml", REST)
        with Victim("bind:0") as victim:
            rows = self.value("rules", "apply", "--dry-run", "--all", "--rules",
                              self.folder.name)["rows"]
            self.assertEqual([row["changes"] for row in rows if row["pid"] == victim.pid], [False])

    def test_apply_shows_threads(self):
        self.write("a.toml", REST + "[[rule.thread]]\nname = \"*\"\npolicy = \"local\"\n")
        with Victim() as victim:
            tid = victim.start_thread()
            rows = self.value("rules", "apply", "--dry-run", victim.pid, "--rules",
                              self.folder.name)["rows"]
            self.assertEqual([row.get("tid") for row in rows], [None, victim.pid, tid])
            self.assertEqual(rows[2]["to"]["policy"]["text"], "local")

    def test_apply_follows_another_process(self):
        with Victim("bind:0") as model, Victim() as victim:
            self.write("a.toml", REST.replace("bind:0", f"interleave:same-as:{model.pid}"))
            rows = self.value("rules", "apply", "--dry-run", victim.pid, "--rules",
                              self.folder.name)["rows"]
            self.assertEqual(rows[0]["to"]["policy"]["text"], "interleave:0")

    def test_apply_needs_a_target(self):
        for more in ((), ("--dry-run",)):
            self.expect(self.rules("apply", *more), USAGE, "", lines(
                "mpol: PID or --all is missing", "hint: mpol rules apply --help"))

    # --- apply without a daemon

    def apply(self, *words, status=OK):
        report = self.value("rules", "apply", "--no-wait", *words, "--rules", self.folder.name,
                            status=status)
        self.assertEqual(report["by"], "segment")
        return report["applied"]

    def text(self, pid):
        """None: the policy that it was started with."""
        asked = self.value("get", pid)["asked"]
        return asked and asked["text"]

    def test_apply_does_once_what_a_daemon_would_and_undo_gives_it_back(self):
        self.write("a.toml", REST)
        with Victim("interleave:0") as victim:
            before = self.value("get", victim.pid)
            result = self.rules("apply", "--no-wait", victim.pid)
            self.assertEqual((result.returncode, result.stderr), (OK, ""))
            self.assertRegex(result.stdout, self.row_of(victim) +
                             r"; published as generation \d+\n$")
            self.assertEqual(self.text(victim.pid), "bind:0")
            self.expect(self.rules("apply", victim.pid), OK, "nothing to change\n")
            self.assertEqual(mpol("undo", victim.pid).returncode, OK)
            after = self.value("get", victim.pid)
            self.assertEqual((after["asked"], after["set_by"]), (before["asked"], before["set_by"]))
            # Undone processes are left alone by daemons; to ask for it by name is something else.
            self.assertEqual([row["to"] for row in self.apply(victim.pid)], ["bind:0"])

    def row_of(self, victim):
        return (rf"^process {victim.pid} \(python3\S*\): \S+ -> bind:0; "
                r"rule rest \(\S+/a.toml:2\)")

    def test_apply_waits_until_the_policy_is_in_force(self):
        self.write("a.toml", REST)
        with Victim() as victim:
            apply = subprocess.Popen([MPOL, "rules", "apply", str(victim.pid), "--timeout", "60000",
                                      "--rules", self.folder.name], text=True,
                                     stdout=subprocess.PIPE)
            self.wait_until(lambda: self.text(victim.pid) == "bind:0")
            self.assertFalse(self.value("get", victim.pid)["applied"])
            self.assertIsNone(apply.poll())
            victim.ask("ping")
            self.assertRegex(apply.communicate()[0], self.row_of(victim) + r"; applied in \d+ us\n")
            self.assertEqual(apply.returncode, OK)
            self.assertTrue(self.value("get", victim.pid)["applied"])

    def test_apply_names_what_has_not_caught_up(self):
        self.write("a.toml", REST)
        with Victim() as one, Victim() as stopped:
            os.kill(stopped.pid, signal.SIGSTOP)
            os.waitpid(stopped.pid, os.WUNTRACED)
            results = [self.rules("apply", victim.pid, "--timeout", "20") for victim in (one, stopped)]
            os.kill(stopped.pid, signal.SIGCONT)
            notes = ("it has no helper thread and is busy elsewhere: it takes effect at its next "
                     "allocation", "it is stopped; it takes effect when it continues")
            for result, victim, note in zip(results, (one, stopped), notes):
                self.assertEqual(result.returncode, PARTLY)
                self.assertRegex(result.stdout, self.row_of(victim) +
                                 r"; published as generation \d+, not applied after 20 ms\n"
                                 rf"note: {note}\n$")

    def test_apply_gives_back_what_no_rule_gives_any_more(self):
        self.write("a.toml", REST)
        with Victim("interleave:0") as victim:
            self.apply(victim.pid)
            self.write("a.toml", NEVER)
            self.assertEqual([(row["done"], row["rule"]) for row in self.apply(victim.pid)],
                             [(True, None)])
            self.assertIsNone(self.text(victim.pid))

    def test_apply_leaves_alone_what_was_set_by_hand_since(self):
        self.write("a.toml", REST)
        with Victim() as victim:
            self.apply(victim.pid)
            self.assertEqual(mpol("set", "--no-wait", victim.pid, "local").returncode, OK)
            rows = self.apply(victim.pid, status=PARTLY)
            self.assertEqual([(row["done"], row["why"]) for row in rows],
                             [(False, "set by somebody else since")])
            self.assertEqual(self.text(victim.pid), "local")

    def test_apply_gives_threads_their_own(self):
        self.write("a.toml", REST + "[[rule.thread]]\nname = \"*\"\npolicy = \"local\"\n")
        with Victim() as victim:
            tid = victim.start_thread()
            self.assertEqual([(row["tid"], row["to"]) for row in self.apply(victim.pid)],
                             [(0, "bind:0"), (victim.pid, "local"), (tid, "local")])

    @needs_root
    def test_apply_to_all_takes_those_that_the_caller_may(self):
        # Somebody's who has no others: what no rule gives is given back, whoever's test it is.
        self.write("a.toml", REST.replace("{}", '{ env = { ROLE = "all" } }'))
        os.chmod(self.folder.name, 0o755)
        nobodys = [*NOBODY, MPOL, "run", "--", "sh", "-c", "echo ready; read line"]
        role = {**ENVIRONMENT, "ROLE": "all"}
        with Process(nobodys, role) as one, Process(nobodys, role) as other, Victim() as roots:
            out = mpol("rules", "apply", "--all", "--no-wait", "--json", "--rules", self.folder.name,
                       prefix=NOBODY).stdout
            pids = [row["pid"] for row in json.loads(out)["applied"]]
            self.assertEqual([pid for pid in pids if pid in (one.pid, other.pid, roots.pid)],
                             sorted([one.pid, other.pid]))

    def test_apply_by_wrong_rules_changes_nothing(self):
        self.write("a.toml", REST.replace("policy", "polic"))
        with Victim("interleave:0") as victim:
            result = self.rules("apply", victim.pid)
            self.assertEqual((result.returncode, result.stdout), (FAILED, ""))
            self.assertIn("a.toml:5:1:", result.stderr)
            self.assertIsNone(self.text(victim.pid))

    @needs_root
    def test_apply_to_another_users_process(self):
        self.write("a.toml", REST)
        os.chmod(self.folder.name, 0o755)
        with Victim("interleave:0") as victim:
            result = mpol("rules", "apply", victim.pid, "--rules", self.folder.name, prefix=NOBODY)
            self.assertEqual((result.returncode, result.stdout), (NOT_PERMITTED, ""))

    def test_apply_of_a_process_without_the_allocator(self):
        self.write("a.toml", REST)
        with subprocess.Popen(["sleep", "60"]) as other:
            results = [self.rules("apply", *more, other.pid) for more in ((), ("--dry-run",))]
            other.kill()
        for result in results:
            self.assertEqual((result.returncode, result.stdout), (NO_TARGET, ""))


if __name__ == "__main__":
    main()
