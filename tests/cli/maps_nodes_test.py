# SPDX-License-Identifier: Apache-2.0
"""mpol maps against other counts of the same pages: numa_maps, and move_pages asked from here. Four
memory nodes are needed: runs in the four-node machine."""
import re
import unittest

from harness import OK, CliTest, Victim, main, mpol, numa_maps_bytes
from syscalls import nodes_of_pages

MIB = 1 << 20
GIB = 1 << 30
PAGE = 4096
HUGE = 2 * MIB
THP = "/sys/kernel/mm/transparent_hugepage/enabled"
WEIGHTS = "/sys/kernel/mm/mempolicy/weighted_interleave/node"


def have_four_nodes():
    try:
        with open("/sys/devices/system/node/has_memory", encoding="ascii") as nodes:
            return nodes.read() == "0-3\n"
    except OSError:
        return False


def write(path, text):
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def kernel():
    with open("/proc/sys/kernel/osrelease", encoding="ascii") as file:
        return tuple(map(int, re.match(r"(\d+)\.(\d+)", file.read()).groups()))


def index(number):
    """What an interleave divides: kernels before 6.7 keep 32 bits."""
    return number if kernel() >= (6, 7) else number & 0xFFFFFFFF


def misplaced_bytes(pid, region, wanted, unit=PAGE):
    """By one look at each page of a region: wanted(index of the page) is its node."""
    addresses = range(region["start"], region["start"] + region["committed_bytes"], PAGE)
    wrong = 0
    for first in range(0, len(addresses), 65536):
        part = addresses[first:first + 65536]
        for address, node in zip(part, nodes_of_pages(pid, part)):
            wrong += node >= 0 and node != wanted(index(address // unit))
    return wrong * PAGE


def misplaced_in_stretches(pid, region):
    """The same where the kernel interleaves stretch by stretch: by numa_maps' policy of each."""
    end = region["start"] + region["committed_bytes"]
    wrong = 0
    for start, stop, nodes in interleaved_ranges(pid, region["start"], end):
        stretch = {"start": start, "committed_bytes": stop - start}
        wrong += misplaced_bytes(pid, stretch, lambda i, nodes=nodes: nodes[i % len(nodes)])
    return wrong


def interleaved_ranges(pid, first, end):
    lines = []
    with open(f"/proc/{pid}/numa_maps", encoding="ascii", errors="replace") as file:
        for line in file:
            address, policy = line.split()[:2]
            lines.append((int(address, 16), policy))
    for (start, policy), (stop, _) in zip(lines, lines[1:] + [(end, "")]):
        if first <= start < end:
            mode, _, text = policy.partition(":")
            assert mode == "interleave", policy
            nodes = []
            for part in text.split(","):
                low, _, high = part.partition("-")
                nodes += range(int(low), int(high or low) + 1)
            yield start, min(stop, end), nodes


def huge_bytes(pid, region):
    """What the kernel tells of the region's mappings."""
    told = 0
    inside = False
    with open(f"/proc/{pid}/smaps", encoding="ascii", errors="replace") as file:
        for line in file:
            if first := re.match(r"([0-9a-f]+)-[0-9a-f]+ ", line):
                inside = 0 <= int(first[1], 16) - region["start"] < region["reserved_bytes"]
            elif inside and (huge := re.match(r"AnonHugePages: +(\d+) kB", line)):
                told += int(huge[1]) << 10
    return told


@unittest.skipUnless(have_four_nodes(), "needs memory on nodes 0-3")
class MapsNodesTest(CliTest):
    def start(self, *policy, huge="never"):
        write(THP, huge)
        victim = Victim(*policy)
        self.addCleanup(victim.__exit__)
        victim.start_thread()  # And with it the helper, which acts while the victim sleeps.
        return victim

    def rewrite(self, target, policy):
        result = mpol("set", target, policy)
        self.assertEqual(result.returncode, OK, result.stderr)

    def hold(self, victim, size, touched):
        address = int(victim.ask("hold", size))
        victim.ask("touch", address, touched)
        return address

    def regions(self, victim, *options):
        found = self.value("maps", victim.pid, *options)["regions"]
        for region in found:
            if not region["sampled"]:
                self.assertEqual(region["resident_by_node"], numa_maps_bytes(victim.pid, region))
        return found

    def test_pages_of_before_a_rewrite_are_misplaced_after_it(self):
        victim = self.start("bind:1")
        address = self.hold(victim, 64 * MIB, 24 * MIB)
        [region] = self.regions(victim)
        self.assertEqual(region["misplaced_bytes"], 0)
        self.rewrite(victim.pid, "bind:2")
        victim.ask("touch", address + 32 * MIB, 16 * MIB)
        [region] = self.regions(victim)
        nodes = region["resident_by_node"]
        self.assertEqual((region["asked"]["text"], region["effective"]["text"]),
                         ("bind:2", "bind:2"))
        self.assertGreaterEqual(nodes["1"], 24 * MIB)
        self.assertGreaterEqual(nodes["2"], 16 * MIB)
        self.assertEqual(region["misplaced_bytes"], region["resident_bytes"] - nodes["2"])
        self.rewrite(victim.pid, "prefer-many:1-2")
        [region] = self.regions(victim)
        self.assertEqual(region["misplaced_bytes"], 0)
        out = mpol("maps", victim.pid).stdout
        self.assertRegex(out, r" HUGE +MISPLACED\n")
        self.assertRegex(out, r" RESIDENT +NODE 1 +NODE 2 +HUGE")

    def test_an_interleave_says_of_each_page_where_it_belongs(self):
        victim = self.start("interleave:0-2")
        self.hold(victim, 32 * MIB, 32 * MIB)
        [region] = self.regions(victim)
        self.assertEqual(region["misplaced_bytes"], 0)
        for policy, nodes in (("interleave:0-1", [0, 1]), ("interleave:1,3", [1, 3])):
            self.rewrite(victim.pid, policy)
            [region] = self.regions(victim)
            expected = misplaced_bytes(victim.pid, region, lambda i: nodes[i % len(nodes)])
            self.assertGreater(expected, 8 * MIB)
            self.assertEqual(region["misplaced_bytes"], expected)
        self.rewrite(victim.pid, "interleave:0-2")
        [region] = self.regions(victim)
        # But for what was given back and touched again under the others.
        expected = misplaced_bytes(victim.pid, region, lambda i: i % 3)
        self.assertLess(expected, MIB)
        self.assertEqual(region["misplaced_bytes"], expected)

    @unittest.skipUnless(kernel() >= (6, 9), "no weighted interleave")
    def test_a_weighted_interleave_follows_the_systems_weights(self):
        for node, weight in ((0, 3), (2, 2)):
            self.addCleanup(write, f"{WEIGHTS}{node}", "1")
            write(f"{WEIGHTS}{node}", str(weight))
        victim = self.start("bind:0")
        self.rewrite(victim.pid, "weighted interleave:0,2")
        before = self.regions(victim)[0]["misplaced_bytes"]
        self.hold(victim, 32 * MIB, 32 * MIB)
        [region] = self.regions(victim)
        # What is touched now is placed right; a few pages of before were not purged.
        self.assertLessEqual(region["misplaced_bytes"], before)
        self.assertGreater(region["resident_by_node"]["2"], 12 * MIB)
        self.rewrite(victim.pid, "weighted interleave:0,2-3")
        [region] = self.regions(victim)
        expected = misplaced_bytes(victim.pid, region, lambda i: [0, 0, 0, 2, 2, 3][i % 6])
        self.assertGreater(expected, 8 * MIB)
        self.assertEqual(region["misplaced_bytes"], expected)

    def test_threads_with_their_own_policies_have_their_own_regions(self):
        victim = self.start("bind:0")
        tids = [victim.start_thread() for _ in range(2)]
        for tid, node in zip(tids, (2, 3)):
            mpol("set", f"{victim.pid}/{tid}", f"bind:{node}", "--no-wait")
            victim.ask("allocate", tid)
            victim.ask("touch", victim.ask("hold_in", tid, 8 * MIB), 8 * MIB)
        process, *own = self.regions(victim)
        self.assertEqual(process["scope"], "process")
        self.assertEqual([one["tid"] for one in own], tids)
        for region, node in zip(own, ("2", "3")):
            self.assertGreaterEqual(region["resident_by_node"][node], 8 * MIB)
            # The arena's own first pages, too.
            self.assertEqual(list(region["resident_by_node"]), [node])
            self.assertEqual(region["misplaced_bytes"], 0)
        self.rewrite(f"{victim.pid}/{tids[0]}", "bind:1")
        _, first, second = self.regions(victim)
        self.assertGreaterEqual(first["resident_by_node"]["2"], 8 * MIB)
        self.assertEqual(first["misplaced_bytes"],
                         first["resident_bytes"] - first["resident_by_node"].get("1", 0))
        self.assertEqual(second["misplaced_bytes"], 0)

    def test_large_allocations_of_a_thread_have_regions_of_their_own(self):
        victim = self.start("bind:0")
        thread = f"{victim.pid}/{(tid := victim.start_thread())}"
        mpol("set", thread, "bind:2", "--no-wait")
        mpol("set", thread, "large>=2M:bind:3", "--no-wait")
        victim.ask("allocate", tid)
        for size in (MIB, 8 * MIB):
            victim.ask("touch", victim.ask("hold_in", tid, size), size)
        _, own, large = self.regions(victim)
        self.assertEqual([(each["scope"], each["tid"], each["asked"]["text"],
                           list(each["resident_by_node"]), each["misplaced_bytes"])
                          for each in (own, large)],
                         [("thread", tid, "bind:2", ["2"], 0), ("large", tid, "bind:3", ["3"], 0)])
        self.assertGreaterEqual(large["resident_bytes"], 8 * MIB)
        self.rewrite(thread, "large>=2M:bind:1")
        large = self.regions(victim)[2]
        self.assertEqual(large["misplaced_bytes"], large["resident_bytes"])
        result = mpol("migrate", thread)
        self.assertEqual(result.returncode, OK, result.stderr)
        _, own, large = self.regions(victim)
        self.assertEqual((own["misplaced_bytes"], large["misplaced_bytes"]), (0, 0))
        self.assertEqual(list(large["resident_by_node"]), ["1"])

    def test_weights_of_ones_own_say_of_each_page_where_it_belongs(self):
        victim = self.start("bind:0")
        thread = f"{victim.pid}/{(tid := victim.start_thread())}"
        mpol("set", thread, "weighted interleave:0-3;weights=5,3,2,1", "--no-wait")
        victim.ask("allocate", tid)
        victim.ask("touch", victim.ask("hold_in", tid, 88 * MIB), 88 * MIB)
        region = self.regions(victim)[1]
        self.assertEqual(region["effective"]["text"], "weighted interleave:0-3;weights=5,3,2,1")
        self.assertEqual(region["misplaced_bytes"], 0)
        self.assertEqual(misplaced_in_stretches(victim.pid, region), 0)
        self.rewrite(thread, "weighted interleave:0-3;weights=1,1,1,8")
        region = self.regions(victim)[1]
        self.assertGreater(region["misplaced_bytes"], 32 * MIB)
        self.assertEqual(region["misplaced_bytes"], misplaced_in_stretches(victim.pid, region))

    def test_weights_of_a_scope_that_waits_are_told(self):
        victim = self.start("bind:0")
        tid = victim.start_thread()
        mpol("set", f"{victim.pid}/{tid}", "weighted interleave:0-3;weights=5,3,2,1", "--no-wait")
        victim.ask("allocate", tid)
        victim.ask("touch", victim.ask("hold_in", tid, 8 * MIB), 8 * MIB)
        victim.ask("end", tid)
        region = self.regions(victim)[1]
        self.assertEqual((region["scope"], region["tid"], region["asked"]), ("waiting", None, None))
        self.assertEqual(region["effective"]["text"], "weighted interleave:0-3;weights=5,3,2,1")
        self.assertEqual((region["effective_complete"], region["misplaced_bytes"]), (True, 0))
        self.assertEqual(misplaced_in_stretches(victim.pid, region), 0)
        self.assertNotIn("can't be told", mpol("maps", victim.pid).stdout)
        # Once the process is rewritten it follows, as every scope without a thread.
        self.rewrite(victim.pid, "bind:3")
        region = self.regions(victim)[1]
        self.assertEqual((region["effective"]["text"], region["effective_complete"]),
                         ("bind:3", True))
        self.assertEqual(region["misplaced_bytes"],
                         region["resident_bytes"] - region["resident_by_node"].get("3", 0))

    def test_huge_pages_are_counted_and_belong_where_2_mib_do(self):
        victim = self.start("interleave:0-1", huge="always")
        self.addCleanup(write, THP, "never")
        self.hold(victim, 64 * MIB, 64 * MIB)
        write(THP, "never")  # khugepaged makes no more, but what it is about.
        [region] = self.regions(victim)
        told = None
        while told != huge_bytes(victim.pid, region):
            told = huge_bytes(victim.pid, region)
            [region] = self.regions(victim)
        self.assertGreaterEqual(told, 32 * MIB)
        self.assertEqual(region["huge_bytes"], told)
        before = region["misplaced_bytes"]
        self.assertLess(before, 4 * MIB)  # Of base pages that were collapsed.
        self.rewrite(victim.pid, "interleave:1,3")
        [region] = self.regions(victim)
        # The even ones lie on 0 and belong on 1, the odd ones on 1 and belong on 3.
        self.assertGreaterEqual(region["misplaced_bytes"], told - 2 * MIB)

    def test_a_sample_of_a_big_heap_is_within_its_error(self):
        victim = self.start("interleave:0-2")
        address = int(victim.ask("hold", 6 * GIB))
        victim.ask("touch", address, 6 * GIB, 16 * MIB)
        self.rewrite(victim.pid, "interleave:0-1")
        exact = self.value("maps", victim.pid, "--exact")["totals"]
        found = self.value("maps", victim.pid)["totals"]
        self.assertEqual((exact["sampled"], found["sampled"]), (False, True))
        self.assertGreaterEqual(exact["resident_bytes"], 384 * MIB)
        error = found["standard_error_bytes"]
        print(f"standard error {error / MIB:.1f} MiB")
        self.assertLess(error, 16 * MIB)
        figures = [(exact[name], found[name]) for name in ("resident_bytes", "misplaced_bytes")
                   if found[name] is not None]  # Old kernels don't tell the last of a sample.
        figures += [(size, found["resident_by_node"][node])
                    for node, size in exact["resident_by_node"].items() if size > 16 * MIB]
        self.assertEqual(len(figures), 5 if kernel() >= (6, 7) else 4)
        for true, estimate in figures:
            print(f"{true / MIB:8.1f} MiB, estimated {estimate / MIB:8.1f}")
            self.assertLess(abs(true - estimate), 4 * error)


if __name__ == "__main__":
    main()
