# SPDX-License-Identifier: Apache-2.0
import json
import os
import sys

from bench_harness import BenchTest
from harness import FAILED, NO_TARGET, OK, USAGE, lines, main, mpol

# Ends; how fast depends on the policy that is set from outside while it runs: it asks the kernel.
SLOW_UNDER_INTERLEAVE = """
import ctypes, time
GET_MEMPOLICY, F_ADDR = 239, 2
libc = ctypes.CDLL(None)
def mode():
    found = ctypes.c_int()
    block = ctypes.create_string_buffer(1 << 20)
    page = ctypes.c_ulong(ctypes.addressof(block) + 65536)
    assert libc.syscall(GET_MEMPOLICY, ctypes.byref(found), None, 0, page, F_ADDR) == 0
    return found.value & 255
while mode() == 0: pass
time.sleep(0.4 if mode() == 3 else 0.05)
"""
# Counts into a file, until it is killed.
COUNTER = """
import os, sys
count = 0
while True:
    count += 1
    block = bytearray(1 << 16)
    with open(sys.argv[1] + ".new", "w") as file: file.write(str(count))
    os.rename(sys.argv[1] + ".new", sys.argv[1])
"""


class SweepTest(BenchTest):
    def sweep(self, *words, status=OK):
        result = mpol("bench", "--sweep", "--json", "--output", self.out, *words)
        self.assertEqual((result.returncode, result.stderr), (status, ""), result.stdout)
        return json.loads(result.stdout)

    def test_the_policy_under_which_it_ends_first_is_best(self):
        found = self.sweep("--policies", "interleave:0 bind:0", "--rounds", "3", "--", sys.executable,
                           "-c", SLOW_UNDER_INTERLEAVE)["sweep"]
        self.assertEqual(found["best"], "bind:0")
        self.assertEqual([each["policy"] for each in found["policies"]], ["interleave:0", "bind:0"])
        self.assertEqual([len(each["samples"]) for each in found["policies"]], [3, 3])
        self.assertGreater(found["policies"][0]["mean"], 0.4)
        self.expect_texts(f"{self.out}/sweep.svg", "shorter is better", "best: bind:0",
                          "seconds until it ends", "interleave:0")

    def test_a_program_that_goes_on_is_judged_by_its_metric(self):
        counter = os.path.join(self.folder, "count")
        found = self.sweep("--policies", "bind:0 interleave:0", "--rounds", "2", "--seconds", "1",
                           "--metric", f"test -d /proc/$MPOL_PID && cat {counter} 2>/dev/null", "--",
                           sys.executable, "-c", COUNTER, counter)["sweep"]
        self.assertEqual(found["unit"], "1/s")
        for each in found["policies"]:
            self.assertGreater(each["mean"], 0)
        self.expect_texts(f"{self.out}/sweep.svg", "longer is better", "per second")

    def refuse(self, status, message, *words, hint=None):
        result = mpol("bench", "--sweep", "--output", self.out, *words)
        self.expect(result, status, "", lines(f"mpol: {message}", *([f"hint: {hint}"] if hint else [])))
        self.assertFalse(os.path.exists(self.out))

    def test_a_metric_that_prints_no_number(self):
        self.refuse(FAILED, "the metric's command printed no number: 'echo none'",
                    "--metric", "echo none", "--", "sleep", "60")

    def test_a_program_that_is_not_there(self):
        self.refuse(FAILED, "can't run '/no/such': No such file or directory", "--", "/no/such")

    def test_a_program_that_fails(self):
        self.refuse(FAILED, "'sh' ended with status 3", "--", "sh", "-c", "exit 3")

    def test_a_program_that_does_not_end_in_time(self):
        self.refuse(FAILED, "'sleep' has not ended after 1 s", "--seconds", "1", "--", "sleep", "60",
                    hint="name what it gets done with --metric, or give it more --seconds")

    def test_a_policy_that_is_none(self):
        result = mpol("bench", "--sweep", "--policies", "bind:0 bnid:0", "--output", self.out, "--",
                      "true")
        self.assertEqual(result.returncode, USAGE)
        self.assertIn("bnid:0", result.stderr)
        self.assertFalse(os.path.exists(self.out))


if __name__ == "__main__":
    main()
