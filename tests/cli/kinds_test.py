# SPDX-License-Identifier: Apache-2.0
from harness import FAILED, OK, PARTLY, USAGE, CliTest, Victim, lines, main, matching, mpol


class KindsTest(CliTest):
    def test_each_kind_is_set_and_shown(self):
        with Victim() as victim:
            victim.start_thread()
            for text, kind, policy in (("large>=2M:bind:0", "large>=2M", "bind:0"),
                                       ("stack:local", "stack", "local"),
                                       ("mmap:interleave:0", "mmap", "interleave:0")):
                result = mpol("set", victim.pid, text)
                effective = "" if policy == "local" else ", effective nodes 0"
                self.expect_out(result, OK, matching(
                    f"{kind} of process {victim.pid}: {policy} applied in <N> us{effective}"))
                self.assertRegex(mpol("get", victim.pid).stdout, matching(
                    kind, f"  policy:     {policy}")[1:-1] + r"  set by:     user .*\n"
                    rf"  effective:  {'-' if policy == 'local' else '0'}\n"
                    r"  generation: 1, applied\n")
            found = self.value("get", victim.pid)["kinds"]
            self.assertEqual([(row["kind"], row["threshold_bytes"], row["asked"]["text"],
                               row["applied"], row["errno"]) for row in found],
                             [("large", 2 << 20, "bind:0", True, None),
                              ("stack", None, "local", True, None),
                              ("mmap", None, "interleave:0", True, None)])

    def test_json_of_a_change_names_the_kind(self):
        with Victim() as victim:
            victim.start_thread()
            change = self.value("set", victim.pid, "large>=96K:bind:0")
            self.assertEqual((change["kind"], change["threshold_bytes"], change["applied"]),
                             ("large", 96 << 10, True))

    def test_a_thread_has_its_own_large_allocations(self):
        with Victim() as victim:
            tid = victim.start_thread()
            thread = f"{victim.pid}/{tid}"
            self.expect(mpol("set", thread, "large>=2M:local"), FAILED, "", lines(
                f"mpol: thread {tid} of process {victim.pid} has no policy of its own that its "
                "large allocations could differ from", f"hint: mpol set {thread} POLICY first"))
            mpol("set", thread, "bind:0", "--no-wait")
            self.expect_out(mpol("set", thread, "large>=2M:local", "--timeout", "20"), PARTLY, matching(
                f"large>=2M of thread {thread}: local published as generation <N>, not applied "
                "after 20 ms",
                f"note: thread {tid} has not caught up: it takes effect at its next allocation"))
            victim.ask("allocate", tid)
            shown = mpol("get", thread).stdout
            self.assertRegex(shown, rf"thread {tid}, large>=2M\n  policy:     local\n"
                             r"  set by:     user .*\n  effective:  -\n"
                             r"  generation: \d+, applied\n$")
            row = self.value("get", victim.pid)["threads"][1]["large"]
            self.assertEqual((row["kind"], row["threshold_bytes"], row["asked"]["text"],
                              row["applied"]), ("large", 2 << 20, "local", True))
            victim.ask("hold_in", tid, 4 << 20)
            regions = self.value("maps", victim.pid)["regions"]
            self.assertIn(("large", tid), [(each["scope"], each["tid"]) for each in regions])
            self.assertRegex(mpol("maps", victim.pid).stdout, rf"thread {tid} large +local +local ")
            self.expect_out(mpol("set", thread, "large>=3M:bind:0"), OK, matching(
                f"large>=3M of thread {thread}: bind:0 applied in <N> us, effective nodes 0"))
            self.expect_out(mpol("unset", thread, "large"), OK, matching(
                f"large of thread {thread}: the thread's policy applied in <N> us"))

    def test_a_kind_is_taken_back(self):
        with Victim() as victim:
            victim.start_thread()
            mpol("set", victim.pid, "large>=2M:bind:0")
            mpol("set", victim.pid, "mmap:bind:0")
            self.expect_out(mpol("unset", victim.pid, "large"), OK, matching(
                f"large of process {victim.pid}: the process's policy applied in <N> us"))
            self.expect_out(mpol("unset", victim.pid, "mmap"), OK, matching(
                f"mmap of process {victim.pid}: the threads' task policy applied in <N> us"))
            self.assertNotIn("\nlarge", mpol("get", victim.pid).stdout)
            self.assertEqual([row["asked"] for row in self.value("get", victim.pid)["kinds"]],
                             [None, None])

    def test_what_nobody_set_can_be_taken_back(self):
        with Victim() as victim:
            victim.start_thread()
            self.assertEqual(mpol("unset", victim.pid, "stack").returncode, OK)

    def test_a_blocked_process_without_a_helper_is_partly_applied(self):
        with Victim() as victim:
            self.expect(mpol("set", victim.pid, "mmap:bind:0", "--timeout", "20"), PARTLY, lines(
                f"mmap of process {victim.pid}: bind:0 published as generation 1, not applied "
                "after 20 ms",
                "note: it has no helper thread and is busy elsewhere: it takes effect at its next "
                "allocation"))
            self.expect(mpol("set", victim.pid, "mmap:local", "--no-wait"), OK,
                        f"mmap of process {victim.pid}: local published as generation 2\n")
            self.assertIn("  generation: 2, pending (0 is in force)\n",
                          mpol("get", victim.pid).stdout)
            victim.ask("ping")
            self.wait_until(lambda: self.value("get", victim.pid)["kinds"][0]["applied"])

    def test_process_takes_the_threads_own_policies_too(self):
        with Victim() as victim:
            tid = victim.start_thread()
            mpol("set", f"{victim.pid}/{tid}", "bind:0", "--no-wait")
            mpol("set", victim.pid, "large>=2M:bind:0", "--process")
            threads = self.value("get", victim.pid, "--threads")["threads"]
            self.assertEqual([thread["asked"] for thread in threads], [None, None])

    def test_errors_point_at_the_wrong_characters(self):
        with Victim() as victim:
            for text, problem in (
                    ("large>=2Q:bind:0", ("       ^^", "'2Q' is no size; accepted: a number and "
                                          "K, M, G or T, as in 2M")),
                    ("large:bind:0", ("     ^", "large needs a threshold; accepted: "
                                      "large>=size:policy")),
                    ("large>=1K:bind:0", ("       ^^", "the threshold is too small; accepted: "
                                          "64K or more")),
                    ("stack>=1M:local", ("     ^^^^", "stack has no threshold; accepted: "
                                         "stack:policy")),
                    ("mmap", ("    ^", "the policy is missing; accepted: mmap:policy")),
                    ("mmap:bnd:0", ("     ^^^", "'bnd' is no mode; accepted: default, prefer, "
                                    "bind, interleave, local, prefer (many), weighted "
                                    "interleave"))):
                self.expect(mpol("set", victim.pid, text), USAGE, "",
                            lines("mpol: this is no policy", text, *problem))

    def test_stacks_and_mappings_take_no_weights_of_their_own(self):
        with Victim() as victim:
            result = mpol("set", victim.pid, "mmap:weighted-interleave:0;weights=2")
            if result.returncode == OK or "weights" not in result.stderr:
                self.skipTest(f"this kernel has no such mode: {result.stderr}")
            self.expect(result, USAGE, "", lines(
                "mpol: mmap takes no weights of its own",
                "hint: the machine's weights: weighted-interleave:nodes"))

    def test_a_threshold_that_thread_caches_serve_is_refused(self):
        with Victim(prefix=["env", "MALLOC_CONF=tcache_max:4194304"]) as victim:
            victim.start_thread()
            result = mpol("set", victim.pid, "large>=2M:bind:0")
            self.assertEqual(result.stderr, lines(
                f"mpol: process {victim.pid} could not apply the policy: its thread caches serve "
                "2M", "hint: name a threshold above tcache_max in its MALLOC_CONF"))

    def test_a_thread_has_stacks_and_mappings_of_its_own(self):
        with Victim() as victim:
            tid = victim.start_thread()
            thread = f"{victim.pid}/{tid}"
            self.expect_out(mpol("set", thread, "mmap:bind:0"), OK, matching(
                f"mmap of thread {thread}: bind:0 applied in <N> us, effective nodes 0"))
            self.assertRegex(mpol("get", victim.pid).stdout,
                             rf"thread {tid}, mmap\n  policy:     bind:0\n  set by:     user .*\n"
                             r"  effective:  0\n  generation: \d+, applied\n")
            row = self.value("get", victim.pid)["threads"][1]
            self.assertEqual((row["mmap"]["asked"]["text"], row["mmap"]["applied"]),
                             ("bind:0", True))
            self.assertEqual((row["stack"], row["large"]), (None, None))
            self.expect_out(mpol("unset", thread, "mmap"), OK, matching(
                f"mmap of thread {thread}: the process's, or the task policy applied in <N> us"))
            self.assertEqual(mpol("set", thread, "stack:local").returncode, OK)
            # Not waited for: a thread that is blocked says so at its next allocation.
            self.assertEqual(mpol("unset", thread, "--no-wait").returncode, OK)
            self.assertNotIn("stack", mpol("get", victim.pid).stdout)

    def test_what_is_no_kind_is_refused(self):
        with Victim() as victim:
            self.expect(mpol("unset", victim.pid, "heap"), USAGE, "", lines(
                "mpol: 'heap' is no kind of memory", "hint: large, stack and mmap are"))


if __name__ == "__main__":
    main()
