# SPDX-License-Identifier: Apache-2.0
import glob
import json
import os
import subprocess

from bench_harness import BenchTest
from harness import ENVIRONMENT, FAILED, MPOL, OK, USAGE, lines, main, mpol

SMALL = ["--seconds", "2", "--buffer", "4M"]
NODES = len(glob.glob("/sys/devices/system/node/node[0-9]*"))
WORKS = {"latency", "copy", "read", "write"}


class MachineTest(BenchTest):
    def test_figures_pictures_and_facts(self):
        result = mpol("bench", *SMALL, "--output", self.out)
        self.assertEqual((result.returncode, result.stderr), (OK, ""), result.stdout)
        with open(f"{self.out}/results.json", encoding="utf-8") as file:
            found = json.load(file)
        self.check_figures(found)
        self.check_timeline(found["timeline"])
        machine = found["machine"]["one_line"]
        self.assertIn(os.uname().release, machine)
        self.check_pictures(machine)
        for name in found["files"]:
            self.assertIn(f"{self.out}/{name}: ", result.stdout)

    def check_figures(self, found):
        pairs = found["pairs"]
        self.assertEqual({pair["work"] for pair in pairs}, WORKS)
        self.assertEqual({pair["huge_pages"] for pair in pairs}, {True, False})
        for figure in pairs + found["policies"] + found["weights"]:
            self.assertGreater(figure["mean"], 0)
            self.assertGreaterEqual(figure["count"], 2)
        names = {each["policy"].split(":")[0] for each in found["policies"]}
        self.assertLessEqual({"local", "bind", "prefer", "prefer (many)", "interleave"}, names)
        for each in found["policies"]:
            self.assertAlmostEqual(sum(each["placement"].values()), 1, places=2)
        self.assertEqual(bool(found["weights"]), NODES > 1)
        if NODES < 2:
            self.assertIn("one memory node", " ".join(found["notes"]))

    def check_timeline(self, timeline):
        """The program's memory is there, and every rewrite came into force."""
        self.assertGreater(max(sum(each["mib"]) for each in timeline["samples"]), 8)
        self.assertGreaterEqual(len(timeline["changes"]), 3)
        for change in timeline["changes"]:
            self.assertGreater(change["latency_us"], 0)

    def check_pictures(self, machine):
        self.expect_texts(f"{self.out}/latency.svg", "in ns", "lower is better", machine,
                          "threads run on", "memory lies on")
        self.expect_texts(f"{self.out}/bandwidth.svg", "GB/s", "higher is better", machine)
        self.expect_texts(f"{self.out}/policies.svg", "GB/s", "longer is better", "interleave:0",
                          machine)
        self.expect_texts(f"{self.out}/timeline.svg", "time since", "MiB", "node 0", "bind:", machine)
        self.assertEqual(os.path.exists(f"{self.out}/weights.svg"), NODES > 1)

    def test_json_is_one_object(self):
        found = json.loads(mpol("bench", *SMALL, "--json", "--output", self.out).stdout)
        self.assertEqual(found["folder"], self.out)

    def test_progress_is_shown_on_a_terminal_only(self):
        controller, terminal = os.openpty()
        done = subprocess.run([MPOL, "bench", *SMALL, "--output", self.out], stderr=terminal,
                              stdout=subprocess.DEVNULL, env=ENVIRONMENT, check=False)
        os.close(terminal)
        self.assertEqual(done.returncode, OK)
        self.assertRegex(os.read(controller, 1 << 16).decode(), r"\[1/\d+\] about \d+ s left: ")
        os.close(controller)

    def test_a_folder_that_is_there_is_left_alone(self):
        os.mkdir(self.out)
        self.expect(mpol("bench", *SMALL, "--output", self.out), FAILED, "", lines(
            f"mpol: can't make the folder '{self.out}': File exists",
            "hint: name one that is not there yet with --output"))
        self.assertEqual(os.listdir(self.out), [])

    def test_wrong_options_are_refused_before_anything_is_made(self):
        cases = {
            ("--buffer", "1K"): ("--buffer wants 4.0 MiB or more, as bytes or with K, M, G or T, not "
                                 "'1K'", "--buffer 128M"),
            ("--quick", "--seconds", "5"): ("--quick and --seconds say two different times", None),
            ("--seconds", "0"): ("--seconds wants 1 or more", None),
            ("--metric", "x"): ("--metric is for --sweep", None),
            ("--policies", "bind:0"): ("--policies is for --sweep", None),
            ("--sweep",): ("--sweep wants a program: it stands after --",
                           "mpol bench --sweep -- COMMAND"),
            ("--", "true"): ("'true' is a program to sweep: say --sweep",
                             "mpol bench --sweep -- COMMAND"),
        }
        for words, (message, hint) in cases.items():
            expected = [f"mpol: {message}"] + ([f"hint: {hint}"] if hint else [])
            self.expect(mpol("bench", "--output", self.out, *words), USAGE, "", lines(*expected))
        self.assertFalse(os.path.exists(self.out))


if __name__ == "__main__":
    main()
