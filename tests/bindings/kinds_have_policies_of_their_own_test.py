# SPDX-License-Identifier: Apache-2.0
"""Large allocations, stacks and mappings: of a process, and of a thread's own."""
import errno

from harness import BindingsTest, main, wait_until
from mpol import Kind, Policy

MIB = 1 << 20
BIND = Policy.parse("bind:0")


class Kinds(BindingsTest):
    def test_of_a_process(self):
        victim, target = self.opened()
        for kind, threshold in ((Kind.LARGE, 2 * MIB), (Kind.STACK, 0), (Kind.MMAP, 0)):
            with self.subTest(kind):
                self.assertIsNone(target.read_kind(kind).policy)
                target.write_kind(kind, BIND, threshold)
                state = target.read_kind(kind)
                self.assertEqual((state.policy, state.threshold, state.in_force),
                                 (BIND, threshold, True))
                self.assertIsNone(target.read().policy)
                target.unset_kind(kind)
                state = target.read_kind(kind)
                self.assertEqual((state.policy, state.threshold), (None, 0))
                self.assertEqual(victim.ask("ping"), "pong")

    # By mpol.get_task_mempolicy's word on an address: the kernel's.
    def test_of_a_process_places_what_it_names(self):
        victim, target = self.opened()
        target.write("interleave:0")
        target.write_kind(Kind.LARGE, "bind:0", threshold=MIB)
        for size, text in ((2 * MIB, "bind:0"), (MIB // 2, "interleave:0")):
            address = int(victim.ask("hold", size))
            self.assertIn(f" {text} ", mapping_of(victim.pid, address))

    def test_of_a_thread(self):
        victim, target = self.opened()
        tid = victim.worker
        self.assert_fails(errno.ENODATA, f"thread {tid} of process {victim.pid} follows the "
                          "process: give it a policy of its own first",
                          target.write_kind, Kind.LARGE, "bind:0", 2 * MIB, tid=tid)
        victim.set_worker(target, "interleave:0")
        for kind, threshold in ((Kind.LARGE, 2 * MIB), (Kind.STACK, 0), (Kind.MMAP, 0)):
            with self.subTest(kind):
                self.assertIsNone(target.read_kind(kind, tid).policy)
                # A thread's first large allocations wait for its next allocation.
                target.write_kind(kind, "bind:0", threshold, tid, timeout=0)
                victim.ask("allocate", tid)
                wait_until(lambda: kind is not Kind.LARGE or target.read_kind(kind, tid).in_force)
                target.write_kind(kind, "bind:0", threshold, tid=tid)
                state = target.read_kind(kind, tid=tid)
                self.assertEqual((state.policy, state.threshold), (BIND, threshold))
                self.assertIsNone(target.read_kind(kind).policy)
                target.unset_kind(kind, tid)
                self.assertIsNone(target.read_kind(kind, tid).policy)

    def test_wrong_thresholds_and_weights_are_refused(self):
        victim, target = self.opened()
        rules = (f" of process {victim.pid} is refused: LARGE takes a threshold of at least 65536 "
                 "bytes, the others and an unset take none, and the nodes have to be among "
                 f"Mems_allowed_list in /proc/{victim.pid}/status")
        for kind, threshold in ((Kind.LARGE, 65535), (Kind.LARGE, 0), (Kind.STACK, 65536)):
            self.assert_fails(errno.EINVAL, f"bind:0 for {kind.name}{rules}",
                              target.write_kind, kind, "bind:0", threshold)
        text = "weighted interleave:0;weights=2"
        self.assert_fails(errno.EOPNOTSUPP, f"{text} for MMAP: weights of one's own hold on the "
                          "heap only", target.write_kind, Kind.MMAP, text)
        with self.assertRaisesRegex(ValueError, "3 is not a valid Kind"):
            target.read_kind(3)
        for threshold in (-1, 1 << 64):
            with self.assertRaisesRegex(OverflowError, "threshold is out of range"):
                target.write_kind(Kind.LARGE, "bind:0", threshold)


def mapping_of(pid, address):
    """Its line in the kernel's numa_maps."""
    with open(f"/proc/{pid}/numa_maps", encoding="ascii", errors="replace") as maps:
        lines = [line for line in maps if int(line.split()[0], 16) <= address]
    return lines[-1]


if __name__ == "__main__":
    main()
