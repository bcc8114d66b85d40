# SPDX-License-Identifier: Apache-2.0
import json
import os
import subprocess
import unittest

from bench_harness import BENCH, BUILD, BenchTest  # first: it says where the next ones are
import peers
from harness import main

SECONDS_MAX = 100


@unittest.skipUnless(os.path.exists(f"{BUILD}/bench/allocator-cases"),
                     "allocator-cases is not built (Debian package libbenchmark-dev)")
class DriversTest(BenchTest):
    def drive(self, *words, status=0):
        done = subprocess.run([f"{BENCH}/{words[0]}", *map(str, words[1:])], text=True, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=SECONDS_MAX)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done

    def result(self, name):
        with open(f"{self.folder}/{name}.json", encoding="utf-8") as file:
            return json.load(file)

    def build_without(self, left_out):
        """A build folder like the real one, but for one file."""
        fake = f"{self.folder}/build"
        for folder in ("bench", "cli", "lib/preload"):
            os.makedirs(f"{fake}/{folder}")
            for name in os.listdir(f"{BUILD}/{folder}"):
                if name != left_out:
                    os.symlink(f"{BUILD}/{folder}/{name}", f"{fake}/{folder}/{name}")
        return fake

    def test_allocators_under_their_policies(self):
        self.drive("allocators", "--build", BUILD, "--rounds", 2, "--min-time", 0.01, "--cases",
                   "fixed", "handover", "--peers", "glibc", "mpol", "mpol-one", "mpol-many",
                   "--no-count", "--output", f"{self.folder}/allocators.json")
        found = self.result("allocators")
        for case in ("fixed", "handover"):
            for name in ("glibc", "mpol", "mpol-one", "mpol-many"):
                row = found["cases"][case][name]
                self.assertEqual(len(row["processor_ns"]), 2)
                self.assertGreater(min(row["processor_ns"]), 0)
                self.assertGreater(min(row["peak_bytes"]), 1 << 20)
        for fact in ("processor", "kernel", "nodes", "commit", "governor", "virtual"):
            self.assertIn(fact, found["machine"])

    def test_peers_that_are_missing_are_told_and_left_out(self):
        done = self.drive("allocators", "--build", self.build_without("libmemkind-shim.so"), "--rounds",
                          1, "--min-time", 0.01, "--cases", "fixed", "--peers", "memkind", "mpol",
                          "--no-count", "--output", f"{self.folder}/allocators.json")
        self.assertEqual(done.stderr, "note: memkind is left out: libmemkind-shim.so is not there "
                                      "(Debian package libmemkind0)\n")
        found = self.result("allocators")
        self.assertEqual(list(found["cases"]["fixed"]), ["mpol"])
        self.assertEqual(list(found["missing"]), ["memkind"])

    def test_wrong_words_are_refused(self):
        for words, message in (
                (("allocators", "--cases", "none"), "allocators: no case 'none': accepted are fixed, "),
                (("allocators", "--peers", "none"), "allocators: no peer 'none': accepted are glibc, "),
                (("programs", "--programs", "none"), "programs: no program 'none': accepted are redis"),
                (("rewrites", "--curves", "none"), "rewrites: no curve 'none': accepted are heap, "),
                (("measure", "--parts", "none"), "measure: no part 'none': accepted are allocators")):
            done = self.drive(*words, "--build", BUILD, status=1)
            self.assertIn(message, done.stderr)
        done = self.drive("allocators", "--build", "/nowhere", status=1)
        self.assertIn("/nowhere/bench/allocator-cases is not built", done.stderr)
        done = self.drive("rewrites", "--rounds", "0", status=2)
        self.assertIn("'0' is not a number of 1 or more", done.stderr)

    def test_raw_data_becomes_the_same_page_every_time(self):
        self.drive("rewrites", "--build", BUILD, "--rounds", 1, "--largest", 16, "--curves", "heap",
                   "threads", "resident", "restart", "processes", "read", "--output",
                   f"{self.folder}/rewrites.json")
        pages = []
        for _ in range(2):
            self.drive("report", "--build", BUILD, "--results", self.folder, "--docs",
                       f"{self.folder}/docs")
            with open(f"{self.folder}/docs/measurements.md", encoding="utf-8") as file:
                pages.append(file.read())
        self.assertEqual(*pages)
        self.assertIn("## Rewrites from outside", pages[0])
        for name, words in (("rewrite-heap", "heap reserved, MiB"), ("reads", "numa_maps"),
                            ("rewrite-alternatives", "restart under numactl"),
                            ("rewrite-threads", "threads of the program"),
                            ("rewrite-processes", "rewrites per second")):
            self.assertIn(f"pictures/{name}.svg", pages[0])
            self.expect_texts(f"{self.folder}/docs/pictures/{name}.svg", words, "is better", "Linux")

    def test_every_peer_has_a_place_in_the_tables(self):
        self.assertEqual([peer.name for peer in peers.every(BUILD)], list(peers.ORDER))


if __name__ == "__main__":
    main()
