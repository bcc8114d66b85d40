#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""malloc, free, operator new and delete are a check of ours and then jemalloc's own instructions, one
by one, as the built library has them; and what inline-jemalloc can't move is jumped to."""

import functools
import os
import re
import shlex
import subprocess
import tempfile
import unittest

PRELOAD = os.environ["MPOL_PRELOAD"]
INLINE = os.environ["MPOL_INLINE_JEMALLOC"]
FAST_PATH = os.environ["MPOL_FAST_PATH"]
LIB = os.path.dirname(os.path.dirname(FAST_PATH))
CC = shlex.split(os.environ["CC"])

PADDING = re.compile(r"(data16 |cs )*nop|xchg +%ax,%ax|int3")


@functools.cache
def disassembly():
    listing = subprocess.run(["objdump", "-d", "--no-show-raw-insn", PRELOAD], check=True,
                             stdout=subprocess.PIPE, text=True).stdout
    return dict(re.findall(r"^[0-9a-f]+ <(\S+)>:\n(.*?)(?=\n\n|\Z)", listing, re.M | re.S))


def instructions(function):
    """Without padding; addresses are told from the first instruction on, others by their symbols."""
    code = disassembly()[function]
    found = []
    numbers = {}
    for address, text in re.findall(r"^\s*([0-9a-f]+):\t(.*)$", code, re.M):
        if not PADDING.match(text):
            numbers[address] = len(found)
            found.append(text.strip())
    resolved = []
    for text in found:
        text = re.sub(r"-?0x[0-9a-f]+\(%rip\)(\S*) +# [0-9a-f]+ <(.*)>", r"\2(%rip)\1", text)
        jump = re.fullmatch(r"(j\w+) +([0-9a-f]+) <(\S+)>", text)
        if jump:
            target = numbers.get(jump[2])
            text = (jump[1], jump[3] if target is None else target)
        resolved.append(text)
    return resolved


def moved(code, by):
    return [(one[0], one[1] + by) if isinstance(one, tuple) and isinstance(one[1], int) else one
            for one in code]


class FastPath(unittest.TestCase):
    def shown(self, *names):
        """Of a function's names the one that objdump has for it."""
        (name,) = set(names) & set(disassembly())
        return name

    def expect_own(self, function, own, checks, default=None):
        """checks: instructions before jemalloc's own."""
        ours = instructions(function)
        wanted = moved(instructions(own), checks)
        if default is not None:
            wanted = [(one[0], default) if isinstance(one, tuple) and isinstance(one[1], str)
                      else one for one in wanted]
        self.assertGreater(len(wanted), 20)
        self.assertEqual(ours[checks:checks + len(wanted)], wanted)

    def test_malloc(self):
        self.expect_own("malloc", "je_malloc", 4)

    def test_free(self):
        self.assertEqual(len(instructions(self.shown("free", "_ZdlPv", "_ZdaPv"))), 2)
        self.expect_own("mpol_free_own", "je_free", 0, "mpol_free_default")

    def test_new(self):
        self.expect_own(self.shown("_Znwm", "_Znam"), "je_malloc", 4, "mpol_new_default")

    def test_sized_delete(self):
        self.assertEqual(len(instructions(self.shown("_ZdlPvm", "_ZdaPvm"))), 2)
        self.expect_own("mpol_free_sized_own", "je_je_sdallocx_noflags", 0,
                        "mpol_free_sized_default")


class Refusals(unittest.TestCase):
    def inline(self, code, language="c"):
        """What inline-jemalloc says, and makes, of an archive of that code."""
        with tempfile.TemporaryDirectory() as folder:
            archive = f"{folder}/some.a"
            subprocess.run([*CC, "-x", language, "-O2", "-fPIC", "-c", "-", "-o", f"{folder}/some.o"],
                           input=code, text=True, check=True)
            subprocess.run(["ar", "rc", archive, f"{folder}/some.o"], check=True)
            done = subprocess.run([INLINE, archive, f"{folder}/je_inline.h"], check=True, text=True,
                                  stderr=subprocess.PIPE)
            # Whatever was moved, fast_path.S can be made of it, and new's own part is in it.
            subprocess.run([*CC, f"-I{folder}", f"-I{LIB}", "-c", FAST_PATH, "-o",
                            f"{folder}/fast_path.o"], check=True)
            relocations = subprocess.run(["readelf", "-rW", f"{folder}/fast_path.o"], check=True,
                                         stdout=subprocess.PIPE, text=True).stdout
            self.assertIn("mpol_new_default", relocations)
            with open(f"{folder}/je_inline.h", encoding="ascii") as made:
                return done.stderr, made.read()

    def expect_jump(self, code, why, language="c"):
        said, made = self.inline(code, language)
        self.assertRegex(said, f"je_malloc is jumped to, because of {why}.* in some.a")
        self.assertIn(".macro JE_MALLOC default=, whole=je_malloc\njmp \\whole\n.endm", made)

    def test_no_such_function(self):
        self.expect_jump("int nothing;", "nothing of that name")

    def test_a_call(self):
        self.expect_jump("int f(void); int je_malloc(void) { return f() + 1; }", "the instruction")

    def test_the_stack(self):
        self.expect_jump("je_malloc: mov 8(%rsp), %rax\n jmp f\n", "the instruction mov", "assembler")

    def test_data_of_its_own(self):
        self.expect_jump("""static int n; int f(void);
                            int je_malloc(void) { return ++n > 9 ? f() : 0; }""", "the relocation")

    def test_two_ways_on(self):
        self.expect_jump("""int f(void); int g(void);
                            int je_malloc(int n) { return n > 9 ? f() : g(); }""", "jumps to f and g")

    def test_a_jump_into_a_function(self):
        self.expect_jump("f: nop\nnop\nje_malloc: jmp f+1\n", "the jump", "assembler")

    def test_a_computed_jump(self):
        self.expect_jump("je_malloc: jmp *%rax\n", "the jump", "assembler")

    def test_no_way_on(self):
        self.expect_jump("int je_malloc(int n) { return n; }", "jumps to nothing else")

    def test_what_can_be_moved_is(self):
        said, made = self.inline("""extern __attribute__((visibility("hidden"))) int shared;
                                    int f(int); int je_malloc(int n) {
                                        return n > shared ? f(n) : n * 3; }""")
        self.assertNotIn("je_malloc is", said)
        self.assertIn(".macro JE_MALLOC default=f, whole=\n", made)


if __name__ == "__main__":
    unittest.main()
