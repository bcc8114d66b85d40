# SPDX-License-Identifier: Apache-2.0
"""A policy's text, its value and its text again."""
import ctypes
import os
import pickle

from harness import BindingsTest, main, mpol
from mpol import Flag, Mode, Policy, Weights

STATIC, RELATIVE, BALANCING = Flag.STATIC_NODES, Flag.RELATIVE_NODES, Flag.NUMA_BALANCING
NO_FLAG = Flag(0)
# Text as the kernel writes it; mode, nodes, flags, home node, weights.
POLICIES = [
    ("default", Mode.DEFAULT, (), NO_FLAG, None, ()),
    ("local", Mode.LOCAL, (), NO_FLAG, None, ()),
    ("prefer:0", Mode.PREFERRED, (0,), NO_FLAG, None, ()),
    ("prefer=static:0", Mode.PREFERRED, (0,), STATIC, None, ()),
    ("bind:0", Mode.BIND, (0,), NO_FLAG, None, ()),
    ("bind=static:0", Mode.BIND, (0,), STATIC, None, ()),
    ("bind=relative:0-3,7", Mode.BIND, (0, 1, 2, 3, 7), RELATIVE, None, ()),
    ("bind=balancing:0", Mode.BIND, (0,), BALANCING, None, ()),
    ("bind=relative|balancing:1,1023", Mode.BIND, (1, 1023), RELATIVE | BALANCING, None, ()),
    ("bind:0;home=0", Mode.BIND, (0,), NO_FLAG, 0, ()),
    ("interleave:0", Mode.INTERLEAVE, (0,), NO_FLAG, None, ()),
    ("interleave=relative:62-65", Mode.INTERLEAVE, (62, 63, 64, 65), RELATIVE, None, ()),
    ("prefer (many):0", Mode.PREFERRED_MANY, (0,), NO_FLAG, None, ()),
    ("prefer (many)=static:0;home=0", Mode.PREFERRED_MANY, (0,), STATIC, 0, ()),
    ("weighted interleave:0", Mode.WEIGHTED_INTERLEAVE, (0,), NO_FLAG, None, ()),
    ("weighted interleave=relative:0-1", Mode.WEIGHTED_INTERLEAVE, (0, 1), RELATIVE, None, ()),
    ("weighted interleave:0;weights=255", Mode.WEIGHTED_INTERLEAVE, (0,), NO_FLAG, None, (255,)),
    ("weighted interleave=static:0;weights=3", Mode.WEIGHTED_INTERLEAVE, (0,), STATIC, None, (3,)),
]
SPELLINGS = [
    ("--membind=0", "bind:0"), ("MPOL_PREFERRED_MANY:0", "prefer (many):0"),
    ("preferred:0", "prefer:0"), ("  Interleave : 0 ", "interleave:0"), ("-l", "local"),
    ("weighted-interleave:0", "weighted interleave:0"), ("bind:all", None), ("interleave", None),
]


class PoliciesKeepTheirText(BindingsTest):
    def test_text_to_value_to_text(self):
        for text, *parts in POLICIES:
            with self.subTest(text):
                policy = Policy.parse(text)
                self.assertEqual([policy.mode, policy.nodes, policy.flags, policy.home_node,
                                  policy.weights], parts)
                self.assertEqual((type(policy.mode), type(policy.flags)), (Mode, Flag))
                self.assertEqual(str(policy), text)

    def test_parts_to_value_to_text(self):
        for text, mode, nodes, flags, home_node, weights in POLICIES:
            with self.subTest(text):
                policy = Policy(mode, reversed(nodes), flags, home_node, weights)
                self.assertEqual(policy, Policy.parse(text))
                self.assertEqual(hash(policy), hash(Policy.parse(text)))
                self.assertEqual(str(policy), text)

    def test_every_other_policy_differs(self):
        self.assertEqual(len({Policy.parse(text) for text, *_ in POLICIES}), len(POLICIES))

    def test_all_modes_and_flags_are_in_the_list(self):
        self.assertEqual({mode for _, mode, *_ in POLICIES}, set(Mode))
        self.assertEqual({flag for row in POLICIES for flag in Flag if flag in row[3]}, set(Flag))

    # Nodes that this machine need not have: the struct's bits, not its own nodes, are the limit.
    def test_many_nodes_and_weights_of_each(self):
        weights = tuple(range(1, 41))
        policy = Policy(Mode.WEIGHTED_INTERLEAVE, range(0, 80, 2), weights=weights)
        self.assertEqual(str(policy), "weighted interleave:" + ",".join(map(str, range(0, 80, 2)))
                         + ";weights=" + ",".join(map(str, weights)))
        every = Policy(Mode.BIND, range(0, 1024, 2))
        self.assertEqual(str(every), "bind:" + ",".join(map(str, range(0, 1024, 2))))

    def test_spellings_of_others_become_the_kernels(self):
        with open("/sys/devices/system/node/has_memory", encoding="ascii") as file:
            nodes = file.read().strip()
        for text, wanted in SPELLINGS:
            with self.subTest(text):
                wanted = wanted or f"{text.partition(':')[0]}:{nodes}"
                self.assertEqual(str(Policy.parse(text)), wanted)

    def test_where_weights_came_from_is_told_and_not_compared(self):
        given = Policy.parse("weighted interleave:0;weights=1")
        self.assertIs(given.weight_source, Weights.GIVEN)
        other = Policy(given.mode, given.nodes, weights=given.weights,
                       weight_source=Weights.SYSTEM)
        self.assertIs(other.weight_source, Weights.SYSTEM)
        self.assertEqual(other, given)
        self.assertIs(Policy.parse("bind:0").weight_source, Weights.NONE)

    def test_value_is_frozen_and_its_repr_gives_it_again(self):
        policy = Policy.parse("weighted interleave:0;weights=7")
        for name in ("mode", "nodes", "home_node", "new"):
            with self.assertRaises(AttributeError):
                setattr(policy, name, ())
        self.assertEqual(eval(repr(policy)), policy)  # pylint: disable=eval-used
        self.assertEqual(repr(policy), "mpol.Policy.parse('weighted interleave:0;weights=7')")
        self.assertEqual(str(pickle.loads(pickle.dumps(policy))), str(policy))

    def test_library_is_the_one_that_is_loaded_by_its_soname(self):
        with open("/proc/self/maps", encoding="utf-8") as maps:
            loaded = {line.split()[-1] for line in maps if "/libmpol.so" in line}
        self.assertEqual(len(loaded), 1)
        self.assertIn(os.path.dirname(*loaded), os.environ["LD_LIBRARY_PATH"].split(":"))
        version = ctypes.CDLL("libmpol.so.0").mpol_version
        version.restype = ctypes.c_char_p
        self.assertEqual(mpol.__version__, version().decode())


if __name__ == "__main__":
    main()
