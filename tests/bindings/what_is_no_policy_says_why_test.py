# SPDX-License-Identifier: Apache-2.0
"""Texts and parts that make no policy: PolicyError with libmpol's own line, and never another
number than the caller's."""
import ctypes

from harness import BindingsTest, main
from mpol import Flag, Mode, Policy, PolicyError, Weights

MODES = "default, prefer, bind, interleave, local, prefer (many), weighted interleave"
WRONG = [
    ("interleve:0", f"'interleve' is no mode; accepted: {MODES}"),
    ("", None), ("bind", None), ("bind:", None), ("prefer:0-1", None), ("bind:0;home=x", None),
    ("bind:1024", None), ("default:0", None), ("bind=statik:0", None), ("local;weights=1", None),
    ("weighted interleave:0;weights=0", None), ("weighted interleave:0;weights=256", None),
    ("weighted interleave:0;weights=1,2", None), ("bind:\u00e9", None), ("bind:\udcff", None),
    ("x" * 20000, None),
]
PARTS = [
    ({"mode": Mode.BIND}, "libmpol takes no policy of these parts: mode BIND, flags none, nodes "
                          "[], home node None, weights []"),
    ({"mode": Mode.BIND, "nodes": [0], "flags": Flag.STATIC_NODES | Flag.RELATIVE_NODES},
     "libmpol takes no policy of these parts: mode BIND, flags STATIC_NODES|RELATIVE_NODES, nodes "
     "[0], home node None, weights []"),
    ({"mode": Mode.INTERLEAVE, "nodes": [0], "home_node": 0}, None),
    ({"mode": Mode.BIND, "nodes": [0], "weights": [1]}, None),
    ({"mode": Mode.LOCAL, "nodes": [0]}, None),
    ({"mode": Mode.WEIGHTED_INTERLEAVE, "nodes": [0, 1], "weights": [1]},
     "1 weights do not go with 2 nodes and GIVEN"),
    ({"mode": Mode.WEIGHTED_INTERLEAVE, "nodes": [0], "weights": [1], "weight_source":
      Weights.NONE}, "1 weights do not go with 1 nodes and NONE"),
    ({"mode": Mode.WEIGHTED_INTERLEAVE, "nodes": [0], "weight_source": Weights.AUTO},
     "0 weights do not go with 1 nodes and AUTO"),
    ({"mode": Mode.BIND, "nodes": [0], "flags": Flag(1 << 20)}, None),
]
# Each would be another, legal number in the C type.
NO_ROOM = [
    ({"nodes": [1024]}, "node is out of range: 1024"), ({"nodes": [-1]}, None),
    ({"nodes": [1 << 64]}, None), ({"nodes": [0], "home_node": 1 << 32}, None),
    ({"nodes": [0], "home_node": -2}, None), ({"nodes": [0], "flags": Flag(1 << 47)}, None),
]


def libmpols_line(text):
    """Past this package."""
    library = ctypes.CDLL("libmpol.so.0")
    line = ctypes.create_string_buffer(4096)
    raw = text.encode("utf-8", "surrogateescape")
    assert library.mpol_parse(raw, ctypes.create_string_buffer(4096), line, len(line)) < 0
    return line.value.decode("utf-8", "replace")


class WhatIsNoPolicy(BindingsTest):
    def refused(self, kind, sentence, make):
        with self.assertRaises(kind) as caught:
            make()
        self.assertTrue(str(caught.exception))
        if sentence is not None:
            self.assertEqual(str(caught.exception), sentence)

    def test_text_raises_libmpols_line(self):
        for text, sentence in WRONG:
            with self.subTest(text[:40]):
                line = libmpols_line(text)
                self.assertNotIn("\n", line)
                self.assertIn("; accepted: ", line)
                self.refused(PolicyError, line, lambda: Policy.parse(text))
                if sentence is not None:
                    self.assertEqual(line, sentence)

    def test_error_is_a_value_error(self):
        self.assertTrue(issubclass(PolicyError, ValueError))

    def test_text_with_a_null_character_is_not_cut_there(self):
        self.refused(PolicyError, "a policy has no null character",
                     lambda: Policy.parse("bind:0\0"))

    def test_text_that_is_no_text(self):
        self.refused(AttributeError, None, lambda: Policy.parse(None))

    def test_parts(self):
        for parts, sentence in PARTS:
            with self.subTest(parts):
                self.refused(PolicyError, sentence, lambda: Policy(**parts))

    def test_numbers_are_refused_that_c_would_cut(self):
        for parts, sentence in NO_ROOM:
            with self.subTest(parts):
                self.refused(OverflowError, sentence, lambda: Policy(Mode.BIND, **parts))
        for weight in (0, 256, 257, -1):
            self.refused(OverflowError, f"weight is out of range: {weight}",
                         lambda: Policy(Mode.WEIGHTED_INTERLEAVE, [0], weights=[weight]))
        self.refused(OverflowError, "number of weights is out of range: 41",
                     lambda: Policy(Mode.WEIGHTED_INTERLEAVE, range(41), weights=[1] * 41))

    def test_number_that_is_none(self):
        self.refused(TypeError, None, lambda: Policy(Mode.BIND, ["0"]))
        self.refused(ValueError, None, lambda: Policy(7, [0]))


if __name__ == "__main__":
    main()
