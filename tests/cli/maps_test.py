# SPDX-License-Identifier: Apache-2.0
"""mpol maps on whatever machine this is; one memory node is enough. maps_nodes_test.py has four."""
import os
import re
import shutil
import struct
import sys
import tempfile
import time
import unittest

from harness import (MPOL, NOBODY, NO_TARGET, NOT_PERMITTED, OK, USAGE, CliTest, Victim, lines,
                     main, mpol, needs_root, numa_maps_bytes)

MIB = 1 << 20
GIB = 1 << 30
REGIONS_AT = 8192 + 4096 * 256
REGION_ROWS = 4096
SIZE = r"[0-9.]+ (?:B|KiB|MiB|GiB)"
HERE = os.path.dirname(os.path.abspath(__file__))
THP = "/sys/kernel/mm/transparent_hugepage/enabled"
FIGURES = ["reserved_bytes", "committed_bytes", "carved_bytes", "resident_bytes", "huge_bytes",
           "misplaced_bytes"]


def have_huge_pages():
    try:
        with open(THP, encoding="ascii") as file:
            return "[never]" not in file.read()
    except OSError:
        return False


class MapsTest(CliTest):
    def maps(self, victim, *options):
        return self.value("maps", victim.pid, *options)

    def test_a_region_is_a_row_and_totals_follow(self):
        with Victim("bind:0") as victim:
            self.expect_out(mpol("maps", victim.pid), OK, (
                rf"^process {victim.pid} \(python3[^)]*\): 1 region\n"
                r"START +SCOPE +ASKED +EFFECTIVE +RESERVED +COMMITTED +CARVED +RESIDENT +NODE 0"
                r" +HUGE +MISPLACED\n"
                rf"[0-9a-f]+ +process +bind:0 +bind:0 +1\.0 GiB( +{SIZE}){{6}}\n"
                rf"total +1\.0 GiB( +{SIZE}){{6}}\n$"))

    def test_totals_are_the_sums_of_the_regions(self):
        with Victim("bind:0") as victim:
            tid = victim.start_thread()
            mpol("set", f"{victim.pid}/{tid}", "interleave:0", "--no-wait")
            victim.ask("allocate", tid)
            victim.ask("touch", victim.ask("hold", 8 * MIB), 8 * MIB)
            found = self.maps(victim)
            self.assertEqual(len(found["regions"]), 2)
            for name in FIGURES:
                self.assertEqual(found["totals"][name], sum(one[name] for one in found["regions"]))
            self.assertEqual(found["totals"]["resident_by_node"]["0"],
                             found["totals"]["resident_bytes"])
            self.assertEqual(found["pages"], found["pages_looked_at"])

    def test_names_in_json_are_stable(self):
        with Victim("bind:0") as victim:
            found = self.maps(victim)
            self.assertEqual(list(found), ["pid", "comm", "regions", "totals", "pages",
                                           "pages_looked_at", "not_counted"])
            counted = ["resident_bytes", "resident_by_node", "huge_bytes", "misplaced_bytes",
                       "sampled", "standard_error_bytes"]
            self.assertEqual(list(found["totals"]),
                             [*FIGURES[:3], "unmanaged_bytes", *counted])
            self.assertEqual(list(found["regions"][0]),
                             ["start", "scope", "tid", "asked", "effective", "effective_complete",
                              "applied", "errno", "plausible", *FIGURES[:3], *counted])

    def test_resident_pages_are_those_that_the_kernel_counts(self):
        with Victim() as victim:
            address = int(victim.ask("hold", 64 * MIB))
            victim.ask("touch", address, 24 * MIB)
            [region] = self.maps(victim)["regions"]
            self.assertEqual(region["resident_by_node"], numa_maps_bytes(victim.pid, region))
            self.assertGreaterEqual(region["resident_bytes"], 24 * MIB)
            self.assertGreaterEqual(region["carved_bytes"], 64 * MIB)
            self.assertGreaterEqual(region["committed_bytes"], region["carved_bytes"])
            self.assertGreaterEqual(region["committed_bytes"], region["resident_bytes"])
            self.assertEqual((region["sampled"], region["standard_error_bytes"]), (False, 0))

    def test_a_threads_own_region_names_the_thread_and_its_policy(self):
        with Victim("bind:0") as victim:
            tid = victim.start_thread()
            mpol("set", f"{victim.pid}/{tid}", "interleave:0", "--no-wait")
            victim.ask("allocate", tid)
            first, second = self.maps(victim)["regions"]
            self.assertEqual((first["scope"], first["tid"], first["asked"]["text"]),
                             ("process", None, "bind:0"))
            self.assertEqual((second["scope"], second["tid"], second["asked"]["text"],
                              second["effective"]["text"], second["applied"]),
                             ("thread", tid, "interleave:0", "interleave:0", True))
            self.assertRegex(mpol("maps", victim.pid).stdout,
                             rf"\n[0-9a-f]+ +thread {tid} +interleave:0 +interleave:0 +1\.0 GiB ")

    def test_a_region_of_a_thread_that_left_waits_with_its_policy(self):
        with Victim() as victim:
            tid = victim.start_thread()
            mpol("set", f"{victim.pid}/{tid}", "interleave:0", "--no-wait")
            victim.ask("allocate", tid)
            victim.ask("end", tid)
            _, region = self.maps(victim)["regions"]
            self.assertEqual((region["scope"], region["tid"], region["asked"],
                              region["effective"]["text"]), ("waiting", None, None, "interleave:0"))

    def test_what_is_not_applied_is_pending(self):
        with Victim() as victim:
            mpol("set", victim.pid, "bind:0", "--no-wait")
            [region] = self.maps(victim)["regions"]
            self.assertEqual((region["asked"]["text"], region["effective"], region["applied"]),
                             ("bind:0", None, False))
            self.assertRegex(mpol("maps", victim.pid).stdout,
                             r" process +bind:0 +default \(pending\) ")

    def test_nothing_is_misplaced_where_nothing_is_wanted(self):
        with Victim() as victim:
            [region] = self.maps(victim)["regions"]
            self.assertEqual((region["asked"], region["effective"], region["misplaced_bytes"]),
                             (None, None, 0))

    def test_residency_is_left_out_on_request(self):
        with Victim("bind:0") as victim:
            found = self.maps(victim, "--no-residency")
            for part in (found["totals"], found["regions"][0]):
                self.assertEqual((part["resident_bytes"], part["resident_by_node"],
                                  part["misplaced_bytes"]), (None, None, None))
            self.assertRegex(mpol("maps", victim.pid, "--no-residency").stdout, r" +CARVED\n")

    def test_a_heap_above_4_gib_is_sampled_and_says_so(self):
        with Victim() as victim:
            victim.ask("touch", victim.ask("hold", 6 * GIB), 64 * MIB)
            found = self.maps(victim)
            totals = found["totals"]
            self.assertTrue(totals["sampled"])
            self.assertLess(found["pages_looked_at"], found["pages"])
            exact = self.maps(victim, "--exact")["totals"]
            self.assertEqual((exact["sampled"], exact["standard_error_bytes"]), (False, 0))
            self.assertGreaterEqual(exact["resident_bytes"], 64 * MIB)
            self.assertLessEqual(abs(exact["resident_bytes"] - totals["resident_bytes"]),
                                 4 * totals["standard_error_bytes"])
            self.assertRegex(mpol("maps", victim.pid).stdout, (
                r"\nnote: sampled: \d+ of \d+ pages were looked at, so figures of all regions have "
                rf"a standard error of up to {SIZE}; --exact looks at all\n$"))

    @unittest.skipUnless(have_huge_pages(), "transparent huge pages are off")
    def test_huge_pages_are_counted(self):
        with Victim() as victim:
            address = (int(victim.ask("hold", 24 * MIB)) + 2 * MIB - 1) // (2 * MIB) * (2 * MIB)
            victim.ask("huge", address, 16 * MIB)
            victim.ask("touch", address, 16 * MIB)
            with open(f"/proc/{victim.pid}/smaps", encoding="ascii", errors="replace") as file:
                told = sum(map(int, re.findall(r"AnonHugePages: +(\d+) kB", file.read())))
            self.assertEqual(self.maps(victim)["totals"]["huge_bytes"], told << 10)

    def test_where_the_kernel_refuses_to_tell_the_rest_is_shown(self):
        refuse = [sys.executable, "-B", os.path.join(HERE, "syscalls.py"), "move_pages", "1"]
        with Victim("bind:0") as victim:
            result = mpol("maps", victim.pid, prefix=refuse)
            self.assertEqual((result.returncode, result.stderr), (OK, ""))
            self.assertRegex(result.stdout, r" process +bind:0 +bind:0 ")
            self.assertTrue(result.stdout.endswith(
                "note: resident pages are not counted: the kernel does not tell where the pages of "
                f"process {victim.pid} are: move_pages: Operation not permitted\n"), result.stdout)

    def test_a_process_without_the_allocator_has_no_regions(self):
        self.expect(mpol("maps", os.getpid()), NO_TARGET, "", lines(
            f"mpol: process {os.getpid()} does not run under mpol's allocator",
            f"hint: mpol get {os.getpid()} shows what the kernel tells of it; to have regions, "
            "start it with: mpol run -- COMMAND"))

    def test_a_thread_is_no_process(self):
        with Victim() as victim:
            self.expect(mpol("maps", f"{victim.pid}/{victim.pid}"), USAGE, "", lines(
                "mpol: regions are shown of a whole process", f"hint: mpol maps {victim.pid}"))

    def test_all_pages_and_none_exclude_each_other(self):
        self.expect(mpol("maps", os.getpid(), "--exact", "--no-residency"), USAGE, "", lines(
            "mpol: --exact and --no-residency exclude each other", "hint: mpol maps --help"))

    @needs_root
    def test_another_users_process_is_not_permitted(self):
        with Victim() as victim:
            self.assertEqual(mpol("maps", victim.pid, prefix=NOBODY).returncode, NOT_PERMITTED)


class HostileSegmentTest(CliTest):
    def overwrite_rows(self, victim, rows):
        """rows: start, size, carved, scope, committed of each."""
        victim.overwrite(REGIONS_AT, b"".join(
            struct.pack("<QQQIIQQQQ", start, size, carved, scope, 0, 0, committed, 0, 0)
            for start, size, carved, scope, committed in rows))
        victim.overwrite(68, len(rows).to_bytes(4, "little"))

    def test_a_row_that_no_region_can_be_is_left_out_and_named(self):
        with Victim() as victim:
            self.overwrite_rows(victim, [(4096, 1 << 60, 1 << 60, 0, 1 << 60),
                                         ((1 << 64) - 4096, 8192, 8192, 0, 8192),
                                         (4097, 4096, 4096, 0, 4096),
                                         (4096, 4096, 4096, 1 << 31, 4096)])
            out = mpol("maps", victim.pid)
            self.assertEqual((out.returncode, out.stderr), (OK, ""))
            self.assertEqual(out.stdout.count("note: implausible, and left out: a region of "), 4)
            self.assertIn("a region of 1.0 EiB at 1000, scope 0\n", out.stdout)
            found = self.value("maps", victim.pid)
            self.assertEqual((found["totals"]["reserved_bytes"], found["pages"]), (0, 0))

    def test_rows_that_claim_all_of_memory_cost_bounded_work(self):
        with Victim() as victim:
            everything = (1 << 46, 1 << 46, 1 << 46, 0, 1 << 46)
            self.overwrite_rows(victim, [everything] * REGION_ROWS)
            begin = time.monotonic()
            found = self.value("maps", victim.pid)
            print(f"{found['pages_looked_at']} pages in {time.monotonic() - begin:.1f} s")
            self.assertTrue(found["totals"]["sampled"])
            self.assertLessEqual(found["pages_looked_at"], (1 << 17) + 512 * REGION_ROWS)
            self.assertTrue(self.value("maps", victim.pid, "--exact")["totals"]["sampled"])


@unittest.skipUnless(shutil.which("strace"), "strace is not installed (Debian package strace)")
class MapsCost(CliTest):
    def system_calls(self, pid):
        with tempfile.NamedTemporaryFile("r", encoding="utf-8") as log:
            result = mpol("maps", pid, "--no-residency",
                          prefix=["strace", "-f", "-qq", "-o", log.name])
            self.assertEqual(result.returncode, OK, result.stderr)
            regions = len(result.stdout.splitlines()) - 3
            return regions, len(log.readlines())

    def own_regions(self, victim, count):
        """Each of a thread's own, which is the dearest: the thread is looked up in /proc."""
        for _ in range(count):
            tid = victim.start_thread()
            mpol("set", f"{victim.pid}/{tid}", "interleave:0", "--no-wait")
            victim.ask("allocate", tid)

    def test_without_residency_calls_are_few_for_each_region(self):
        with Victim("bind:0") as victim:
            self.own_regions(victim, 3)
            few, calls_few = self.system_calls(victim.pid)
            self.own_regions(victim, 60)
            many, calls_many = self.system_calls(victim.pid)
        print(f"{MPOL} maps --no-residency: {calls_few} system calls for {few} regions, "
              f"{calls_many} for {many}")
        self.assertEqual((few, many), (4, 64))
        self.assertLessEqual(calls_many - calls_few, 6 * (many - few))

    def test_without_residency_the_size_of_the_heap_costs_nothing(self):
        with Victim("bind:0") as victim:
            _, before = self.system_calls(victim.pid)
            for _ in range(3):
                victim.ask("touch", victim.ask("hold", 2 * GIB), 32 * MIB)
            regions, after = self.system_calls(victim.pid)
        self.assertEqual(regions, 4)
        self.assertLessEqual(abs(after - before), 4)  # A descriptor more or less in its table.


if __name__ == "__main__":
    main()
