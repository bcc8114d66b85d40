# SPDX-License-Identifier: Apache-2.0
import subprocess

from harness import ENVIRONMENT, FAILED, MPOL, OK, USAGE, CliTest, Victim, lines, main, mpol

VERBS = ("run", "ls", "get", "set", "unset", "maps", "watch", "migrate", "rules check",
         "rules list", "rules test", "rules apply", "explain", "rules reload", "undo", "log", "status",
         "policy", "doctor", "bench", "completion")


class UsageTest(CliTest):
    def test_no_verb(self):
        self.expect(mpol(), USAGE, "", lines("mpol: VERB is missing", "hint: mpol --help"))

    def test_a_verb_that_does_not_exist(self):
        self.expect(mpol("sett"), USAGE, "", lines("mpol: no verb 'sett'", "hint: mpol --help"))

    def test_a_second_word_that_does_not_exist(self):
        self.expect(mpol("rules"), USAGE, "", lines(
            "mpol: rules wants one of check, list, test, apply, reload", "hint: mpol --help"))
        self.expect(mpol("rules", "tset"), USAGE, "", lines(
            "mpol: rules wants one of check, list, test, apply, reload, not 'tset'", "hint: mpol --help"))

    def test_an_option_that_does_not_exist(self):
        self.expect(mpol("get", "1", "--frob"), USAGE, "",
                    lines("mpol: unknown option '--frob'", "hint: mpol get --help"))

    def test_an_operand_that_is_missing(self):
        self.expect(mpol("set", "1"), USAGE, "",
                    lines("mpol: POLICY is missing", "hint: mpol set --help"))

    def test_an_empty_policy(self):
        self.expect(mpol("set", "1", ""), USAGE, "",
                    lines("mpol: POLICY is empty", "hint: mpol set --help"))

    def test_an_operand_too_many(self):
        self.expect(mpol("ls", "1"), USAGE, "",
                    lines("mpol: '1' is one operand too many", "hint: mpol ls --help"))

    def test_a_timeout_that_is_no_number(self):
        for value in ("abc", "-1", "99999999999"):
            self.assertEqual(mpol("set", "1", "bind:0", f"--timeout={value}").returncode, USAGE)

    def test_a_target_that_is_no_number(self):
        for name in ("abc", "0", "-0x1", "1/", "/1", "1/2/3", "1 ", "99999999999999999999"):
            result = mpol("get", "--", name)
            self.expect(result, USAGE, "", lines(
                f"mpol: '{name}' is no process (PID) and no thread (PID/TID)", "hint: mpol ls"))

    def test_json_is_taken_before_and_after_the_verb(self):
        self.assertEqual(mpol("--json", "policy", "local").stdout,
                         mpol("policy", "local", "--json").stdout)

    def test_usage_errors_are_json_on_request(self):
        error = self.value("frob", status=USAGE)["error"]
        self.assertEqual(error, {"status": USAGE, "errno": "EINVAL", "message": "no verb 'frob'",
                                 "hint": "mpol --help"})

    def test_help_of_every_verb_has_examples_and_statuses(self):
        for verb in VERBS:
            result = mpol(*verb.split(), "--help")
            self.expect_out(result, OK, rf"(?s)^Usage: mpol {verb} .*\nExamples:\n  .*mpol.*"
                                        r"\nExit status:\n  0 ok, 1 failed, 2 usage, ")

    def test_help_names_every_verb(self):
        out = mpol("--help").stdout
        for verb in VERBS:
            self.assertRegex(out, rf"\n  {verb} +\w")

    def test_help_fits_a_terminal(self):
        for words in ([], *(verb.split() for verb in VERBS)):
            for line in mpol(*words, "--help").stdout.splitlines():
                self.assertLessEqual(len(line), 80, line)

    def test_version(self):
        self.expect_out(mpol("--version"), OK, r"^mpol \d+\.\d+\.\d+\n$")

    def test_standard_output_that_is_full_is_a_failure(self):
        with open("/dev/full", "w") as full:
            self.expect(mpol("policy", "local", stdout=full), FAILED, None,
                        "mpol: can't write to standard output: No space left on device\n")

    def test_standard_output_that_is_closed_is_a_failure(self):
        result = subprocess.run(["sh", "-c", f"exec '{MPOL}' policy local >&-"], env=ENVIRONMENT,
                                stderr=subprocess.PIPE, text=True, check=False)
        self.assertEqual((result.returncode, result.stderr),
                         (FAILED, "mpol: can't write to standard output: Bad file descriptor\n"))

    def test_text_for_a_closed_standard_output_does_not_reach_a_segment(self):
        with Victim() as victim:
            subprocess.run(["sh", "-c", f"exec '{MPOL}' set {victim.pid} bind:0 --no-wait >&-"],
                           env=ENVIRONMENT, stderr=subprocess.DEVNULL, check=False)
            self.assertEqual(self.value("get", victim.pid)["asked"]["text"], "bind:0")

    def test_completion_is_a_bash_script_that_knows_the_verbs(self):
        script = mpol("completion", "bash").stdout + (
            "COMP_WORDS=(mpol se) COMP_CWORD=1; _mpol; echo \"${COMPREPLY[@]}\"\n"
            "COMP_WORDS=(mpol set --t) COMP_CWORD=2; _mpol; echo \"${COMPREPLY[@]}\"\n"
            "COMP_WORDS=(mpol rules c) COMP_CWORD=2; _mpol; echo \"${COMPREPLY[@]}\"\n")
        result = subprocess.run(["bash", "-c", script], env=ENVIRONMENT, text=True, check=False,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertEqual(result.stdout, lines("set", "--timeout", "check"))

    def test_the_manual_pages_synopsis_names_every_verb(self):
        out = mpol("completion", "man").stdout
        for verb in VERBS:
            self.assertIn(f".B mpol {verb}\n", out)

    def test_no_completion_for_another_shell(self):
        self.expect(mpol("completion", "csh"), USAGE, "",
                    lines("mpol: no completion for 'csh'", "hint: mpol completion bash"))


if __name__ == "__main__":
    main()
