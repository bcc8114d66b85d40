# SPDX-License-Identifier: Apache-2.0

from harness import (NOBODY, NO_TARGET, NOT_PERMITTED, NO_SUCH_PID, OK, CliTest, Victim, main,
                     matching, mpol, needs_root)



class GetTest(CliTest):
    def test_nothing_asked_for(self):
        with Victim() as victim:
            self.expect_out(mpol("get", victim.pid), OK, (
                rf"^process {victim.pid} \(python3[^)]*\)\n"
                r"  policy:     default \(nothing was asked for\)\n"
                r"  allowed:    [-0-9,]+\n"
                r"  generation: 1, applied\n"
                r"  heap:       [0-9.]+ MiB in use of 1\.0 GiB reserved, 1 region\n"
                r"  threads:    1 thread, 0 with a policy of their own\n$"))

    def test_the_launcher_is_named(self):
        with Victim("bind:0") as victim:
            out = mpol("get", victim.pid).stdout
            self.assertRegex(out, matching("  policy:     bind:0 (what it started with)",
                                           "  set by:     the launcher (mpol run), at <T>",
                                           "  effective:  0")[1:-1])

    @needs_root
    def test_the_outside_user_is_named(self):
        with Victim() as victim:
            victim.start_thread()
            mpol("set", victim.pid, "bind:0")
            out = mpol("get", victim.pid).stdout
            self.assertRegex(out, matching("  policy:     bind:0",
                                           "  set by:     user root (uid 0), pid <N>, at <T>",
                                           "  effective:  0")[1:-1])

    def test_what_is_not_applied_is_pending(self):
        with Victim() as victim:
            mpol("set", victim.pid, "bind:0", "--no-wait")
            self.assertIn("  generation: 2, pending (1 is in force)\n",
                          mpol("get", victim.pid).stdout)

    def test_threads_with_a_policy_of_their_own_are_listed(self):
        with Victim() as victim:
            tid = victim.start_thread()
            mpol("set", f"{victim.pid}/{tid}", "bind:0", "--no-wait")
            victim.ask("allocate", tid)
            out = mpol("get", victim.pid).stdout
            self.assertIn("  threads:    2 threads, 1 with a policy of its own\n", out)
            self.assertRegex(out, rf"\nthread {tid} \(python3[^)]*\)\n  policy:     bind:0\n")
            self.assertNotIn(f"\nthread {victim.pid} ", out)

    def test_threads_shows_all_of_them(self):
        with Victim() as victim:
            tid = victim.start_thread()
            out = mpol("get", victim.pid, "--threads").stdout
            for one in (victim.pid, tid):
                self.assertRegex(out, rf"\nthread {one} \([^)]*\)\n  policy:     follows the "
                                      r"process\n")

    def test_one_thread_that_follows_shows_its_process_too(self):
        with Victim() as victim:
            tid = victim.start_thread()
            out = mpol("get", f"{victim.pid}/{tid}").stdout
            self.assertRegex(out, rf"^thread {tid} \([^)]*\)\n  policy:     follows the process\n"
                                  rf"process {victim.pid} ")

    def test_names_reach_the_terminal_escaped(self):
        with Victim() as victim:
            victim.ask("rename", b"\x1b[31m\\\xff".hex())
            out = mpol("get", victim.pid).stdout
            self.assertTrue(out.startswith(f"process {victim.pid} (\\x1b[31m\\\\\\xff)\n"), out)

    def test_names_that_are_no_utf_8_are_still_json(self):
        with Victim() as victim:
            victim.ask("rename", b"\x1b\xff".hex())
            self.assertEqual(self.value("get", victim.pid)["comm"], "\x1b\ufffd")

    def test_a_process_without_the_allocator_shows_what_numa_maps_tells(self):
        with Victim(launcher=[]) as victim:
            victim.ask("mempolicy", 5, 1)
            out = mpol("get", victim.pid)
            self.expect_out(out, OK, (
                rf"^process {victim.pid} \(python3[^)]*\) is not under mpol's allocator; the "
                r"kernel tells:\n"
                r"  task policy: prefer \(many\):0\n"
                r"  prefer \(many\):0: \d+ ranges, [0-9.]+ MiB on node 0\n"
                r"hint: to rewrite its policy, start it with: mpol run -- COMMAND\n$"))

    def test_numa_maps_is_json_on_request(self):
        with Victim(launcher=[]) as victim:
            found = self.value("get", victim.pid)
            self.assertEqual((found["controlled"], found["task_policy"]), (False, "default"))
            self.assertEqual(set(found["policies"][0]["bytes_by_node"]), {"0"})

    def test_a_thread_without_the_allocator_shows_its_own_task_policy(self):
        with Victim(launcher=[]) as victim:
            tid = victim.start_thread()
            found = self.value("get", f"{victim.pid}/{tid}")
            self.assertEqual((found["tid"], found["task_policy"]), (tid, "default"))

    @needs_root
    def test_a_kernel_thread_has_no_memory(self):
        with open("/proc/2/comm") as comm:
            if comm.read() != "kthreadd\n":
                self.skipTest("no kernel threads in this pid namespace")
        self.expect(mpol("get", 2), NO_TARGET, "",
                    "mpol: process 2 has no memory of its own\n"
                    "hint: it is a kernel thread, or it has exited\n")

    def test_a_thread_that_is_not_there(self):
        with Victim() as victim:
            self.expect(mpol("get", f"{victim.pid}/{NO_SUCH_PID}"), NO_TARGET, "",
                        f"mpol: process {victim.pid} has no thread {NO_SUCH_PID}\n"
                        f"hint: mpol get {victim.pid} lists its threads\n")

    @needs_root
    def test_another_users_process_is_not_permitted(self):
        with Victim(launcher=[]) as victim:
            result = mpol("get", victim.pid, prefix=NOBODY)
            self.assertEqual(result.returncode, NOT_PERMITTED)


if __name__ == "__main__":
    main()
