# SPDX-License-Identifier: Apache-2.0
"""Where pages lie after what Python has set, by the kernel's move_pages(2) and numa_maps: new ones
on the new nodes at once, old ones where they were until a migration, which goes at the pace and as
long as Python wants. Needs memory on nodes 0-3: runs in the four-node machine."""
import ctypes
import errno
import mmap
import os
import re
import threading

from harness import TESTS, BindingsTest, four_nodes, main, mpol, syscalls, wait_until
from mpol import Kind, Phase

MIB = 1 << 20
SIZE = 16 * MIB
PAGES = SIZE // 4096
SLOW = 4 * MIB  # bytes a second


def numa_maps_pages(pid, address):
    """{node: pages} of the mapping that the address lies in."""
    with open(f"/proc/{pid}/numa_maps", encoding="ascii", errors="replace") as maps:
        line = [line for line in maps if int(line.split()[0], 16) <= address][-1]
    return {int(node): int(pages) for node, pages in re.findall(r" N(\d+)=(\d+)", line)}


@four_nodes
class PagesFollow(BindingsTest):
    def held(self, victim):
        """Address of new memory of the victim's that it has written to, whole pages."""
        address = -(-int(victim.ask("hold", SIZE + 4096)) // 4096) * 4096
        victim.ask("touch", address, SIZE)
        return address

    def assert_on(self, victim, address, nodes):
        """All pages there, and on no other nodes."""
        found = victim.nodes_of(address, SIZE)
        self.assertEqual((set(found), sum(found.values())), (set(nodes), PAGES))

    def test_new_pages_at_once_and_old_ones_by_migration(self):
        victim, target = self.opened()
        target.write("bind:1")
        old = self.held(victim)
        self.assert_on(victim, old, {1})
        target.write("bind:2")
        new = self.held(victim)
        self.assert_on(victim, new, {2})
        self.assert_on(victim, old, {1})
        self.assertGreaterEqual(numa_maps_pages(victim.pid, old)[1], PAGES)
        found = target.migrate(rate=SLOW).wait()
        self.assertIs(found.phase, Phase.DONE)
        self.assertGreaterEqual(found.moved_bytes, SIZE)
        # It may run ahead of its rate for a batch, but not for half of the way.
        self.assertGreater(found.elapsed_ns / 1e9, found.moved_bytes / SLOW / 2)
        self.assertGreaterEqual(found.in_place_bytes, SIZE)
        self.assert_on(victim, old, {2})
        self.assert_on(victim, new, {2})
        self.assertNotIn(1, numa_maps_pages(victim.pid, old))

    def test_interleave_shares_out_evenly(self):
        victim, target = self.opened()
        target.write("interleave:0-3")
        found = victim.nodes_of(self.held(victim), SIZE)
        self.assertEqual(set(found), {0, 1, 2, 3})
        self.assertLessEqual(max(found.values()) - min(found.values()), 2)

    def test_weights_of_ones_own_share_out_by_weight(self):
        victim, target = self.opened()
        target.write(mpol.Policy(mpol.Mode.WEIGHTED_INTERLEAVE, [0, 3], weights=[3, 1]))
        found = victim.nodes_of(self.held(victim), SIZE)
        self.assertEqual(set(found), {0, 3})
        # They lie in stretches of whole huge pages, which no end of a range has to meet.
        self.assertAlmostEqual(found[3], PAGES / 4, delta=2.5 * MIB / 4096)

    def test_kinds_and_threads_have_places_of_their_own(self):
        victim, target = self.opened()
        target.write("bind:0")
        target.write_kind(Kind.LARGE, "bind:3", threshold=2 * MIB)
        self.assert_on(victim, self.held(victim), {3})
        target.unset_kind(Kind.LARGE)
        self.assert_on(victim, self.held(victim), {0})
        victim.set_worker(target, "bind:2")
        own = -(-int(victim.ask("hold_in", victim.worker, SIZE + 4096)) // 4096) * 4096
        victim.ask("touch", own, SIZE)
        self.assert_on(victim, own, {2})
        self.assert_on(victim, self.held(victim), {0})

    def test_block_places_the_threads_own_mappings(self):
        for node in (1, 3):
            with mpol.policy(f"bind:{node}"):
                with mmap.mmap(-1, SIZE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as memory:
                    memory.write(b"\1" * SIZE)
                    # Kept, the buffer would not let the mapping be closed.
                    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
                    pages = range(address, address + SIZE, 4096)
                    self.assertEqual(set(syscalls.nodes_of_pages(0, pages)), {node})

    def migrating(self, **how):
        """A target with much to move, on its way from node 1 to 2."""
        victim, target = self.opened()
        target.write("bind:1")
        address = self.held(victim)
        target.write("bind:2")
        migration = target.migrate(rate=SLOW, **how)
        wait_until(lambda: migration.progress().moved_bytes > 0 and
                   set(victim.nodes_of(address, SIZE)) == {1, 2})
        return victim, target, migration, address

    def test_cancelled_one_stops_and_the_next_goes_on(self):
        victim, target, migration, address = self.migrating()
        self.assert_fails(errno.EBUSY, f"process {victim.pid} is migrating already, or another "
                          "writer holds its control segment: mpol migrate "
                          f"{victim.pid} --cancel ends a migration", target.migrate)
        # As somebody else would, who knows no more than the process.
        with mpol.open(victim.pid, write=True) as other:
            other.migration().cancel()
        found = migration.wait()
        self.assertIs(found.phase, Phase.CANCELLED)
        self.assertGreater(found.remaining_bytes, 0)
        self.assertEqual(set(victim.nodes_of(address, SIZE)), {1, 2})
        rest = target.migrate().wait()
        self.assertLess(rest.moved_bytes, found.moved_bytes + found.remaining_bytes)
        self.assert_on(victim, address, {2})

    def test_lease_pauses_it_and_whoever_looks_wakes_it(self):
        victim, _, migration, address = self.migrating(lease=0.3)
        with mpol.open(victim.pid) as reader:
            # Opened for reading, it looks and does not renew.
            looked_at = reader.migration()
            for wake in (migration.progress, migration.renew):
                wait_until(lambda: looked_at.progress().phase is Phase.PAUSED)
                wake()
                wait_until(lambda: looked_at.progress().phase is not Phase.PAUSED)
            found = migration.wait()
            self.assertIs(found.phase, Phase.DONE)
        self.assert_on(victim, address, {2})

    def test_example_of_the_readme_works(self):
        victim = self.victim()
        with open(os.path.join(TESTS, "../bindings/python/README.md"), encoding="utf-8") as text:
            program = text.read().split("```python\n")[1].split("```")[0]
        program = program.replace("4242", str(victim.pid)).replace("4250", str(victim.worker))
        ended = threading.Event()

        def allocate():
            while not ended.is_set():
                victim.ask("allocate", victim.worker)
        thread = threading.Thread(target=allocate)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(ended.set)
        names = {}
        exec(program, names)  # pylint: disable=exec-used
        self.assertEqual(str(names["policy"]), "weighted interleave:0-1;weights=3,1")
        with mpol.open(victim.pid) as target:
            self.assertIsNone(target.read().policy)
            self.assertIs(target.migration().progress().phase, Phase.DONE)
            self.assertEqual(str(target.read(victim.worker).policy), "local")


if __name__ == "__main__":
    main()
