# SPDX-License-Identifier: Apache-2.0
import os

from harness import NOBODY, OK, SEGMENT_ABI, CliTest, Victim, main, mpol, needs_root


class LsTest(CliTest):
    def row_of(self, victim):
        result = mpol("ls")
        self.assertEqual((result.returncode, result.stderr), (OK, ""))
        header, *rows = result.stdout.splitlines()
        self.assertRegex(header, r"^PID +COMMAND +POLICY +EFFECTIVE +SET BY +OWN/THREADS +HEAP$")
        return [row for row in rows if row.split()[0] == str(victim.pid)][0]

    def test_a_process_is_a_row(self):
        with Victim("bind:0") as victim:
            self.assertRegex(self.row_of(victim), rf"^{victim.pid} +python3\S* +bind:0 +0 +launch"
                                                  r"er +0/1 +[0-9.]+ MiB of 1\.0 GiB$")

    @needs_root
    def test_an_outside_setter_is_user_and_pid(self):
        with Victim() as victim:
            victim.start_thread()
            mpol("set", victim.pid, "interleave:0")
            self.assertRegex(self.row_of(victim), r" interleave:0 +0 +root/\d+ +0/2 ")

    def test_what_is_not_applied_is_pending(self):
        with Victim() as victim:
            mpol("set", victim.pid, "bind:0", "--no-wait")
            self.assertRegex(self.row_of(victim), r" bind:0 \(pending\) +- ")

    def test_rows_are_sorted_by_pid(self):
        with Victim(), Victim():
            pids = [one["pid"] for one in self.value("ls")["processes"]]
            self.assertEqual(pids, sorted(pids))

    def test_a_process_without_the_allocator_is_not_listed(self):
        self.assertNotIn(os.getpid(), [one["pid"] for one in self.value("ls")["processes"]])

    def test_a_segment_that_is_not_usable_is_noted(self):
        with Victim() as victim:
            victim.overwrite(8, (99).to_bytes(4, "little"))
            self.assertIn(f"note: the control segment of process {victim.pid} is not usable: its "
                          f"ABI version is 99, and this mpol speaks {SEGMENT_ABI}\n", mpol("ls").stdout)

    @needs_root
    def test_processes_of_others_are_not_listed(self):
        with Victim() as victim:
            found = mpol("ls", prefix=NOBODY)
            self.assertEqual((found.returncode, found.stderr), (OK, ""))
            self.assertNotIn(str(victim.pid), found.stdout)


if __name__ == "__main__":
    main()
