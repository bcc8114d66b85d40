# SPDX-License-Identifier: Apache-2.0
"""The binding against mpol.h: the names and the prototypes in its text, and the sizes, offsets and
numbers that a compiler makes of it (layout.c). A field, a function or an enumerator that is new,
gone or other there and not here is a failure."""
import ctypes
import os
import re
import subprocess

from harness import TESTS, BindingsTest, main
import mpol
from mpol import _abi

STRUCTS = {"mpol_policy": _abi.Policy, "mpol_state": _abi.State,
           "mpol_migration": _abi.Migration, "mpol_mbind_args": _abi.MbindArgs}
ENUMS = {"mpol_weights": mpol.Weights, "mpol_origin": mpol.Origin, "mpol_kind": mpol.Kind,
         "mpol_migration_phase": mpol.Phase}
KERNEL_ENUMS = {"MPOL_": mpol.Mode, "MPOL_F_": mpol.Flag}
# What the binding has no use for.
UNUSED = {"mpol_write"}  # mpol_write_flags without flags
KINDS = {"i32": ctypes.c_int32, "u32": ctypes.c_uint32, "u64": ctypes.c_uint64,
         "policy": _abi.Policy, "p": ctypes.POINTER(ctypes.c_ulong)}
ARRAYS = {"u64[]": ctypes.c_uint64, "u8[]": ctypes.c_uint8}

with open(os.path.join(TESTS, "../include/mpol/mpol.h"), encoding="utf-8") as file:
    WHOLE_HEADER = file.read()
HEADER = re.sub(r"/\*.*?\*/", "", WHOLE_HEADER, flags=re.DOTALL)

SCALARS = {"int": ctypes.c_int, "pid_t": ctypes.c_int, "unsigned": ctypes.c_uint,
           "unsigned int": ctypes.c_uint, "unsigned long": ctypes.c_ulong,
           "size_t": ctypes.c_size_t, "uint64_t": ctypes.c_uint64, "uint32_t": ctypes.c_uint32,
           "void": None, "mpol_target *": ctypes.c_void_p, "void *": ctypes.c_void_p,
           "char *": ctypes.c_char_p}


def c_type(text):
    """In ctypes, of a type as the header writes it."""
    text = re.sub(r"\bconst\b|\bstruct\b", "", text).strip()
    text = re.sub(r"\s+", " ", text)
    if text in SCALARS:
        return SCALARS[text]
    if text in STRUCTS:
        return STRUCTS[text]
    assert text.endswith("*"), text
    return ctypes.POINTER(c_type(text[:-1].strip()))


def parameter_type(text):
    return c_type(re.fullmatch(r"\s*(.*?)\w+\s*", text, re.DOTALL)[1])


def functions():
    """{name: (result, arguments)} of the header's text."""
    found = re.findall(r"^MPOL_API\s+([^;]*?)\b(mpol_\w+)\(([^;]*)\);", HEADER, re.MULTILINE)
    assert len(found) == HEADER.count("MPOL_API") - 1  # its definition
    return {name: (c_type(result), [] if arguments == "void" else
                   [parameter_type(one) for one in arguments.split(",")])
            for result, name, arguments in found}


def bodies(word):
    """{name: body} of the header's structs or enums."""
    return dict(re.findall(rf"^{word} (\w+) {{(.*?)^}};", HEADER, re.DOTALL | re.MULTILINE))


def laid_out():
    """What layout.c says, by the first word of its lines."""
    lines = subprocess.run([os.environ["MPOL_LAYOUT"]], check=True, text=True,
                           stdout=subprocess.PIPE).stdout.splitlines()
    found = {"struct": [], "field": [], "constant": []}
    for line in lines:
        word, *rest = line.split()
        found[word].append(rest)
    return found


class StructsAndFunctions(BindingsTest):
    def test_functions_have_the_headers_prototypes(self):
        header = functions()
        self.assertGreater(len(header), 25)
        self.assertEqual({name: header[name] for name in sorted(header.keys() - UNUSED)},
                         dict(sorted(_abi.FUNCTIONS.items())))
        for name, (result, arguments) in _abi.FUNCTIONS.items():
            function = getattr(_abi.library, name)
            self.assertEqual((function.restype, function.argtypes), (result, arguments), name)

    def test_structs_have_the_headers_fields(self):
        header = bodies("struct")
        self.assertEqual(header.keys(), STRUCTS.keys())
        compiled = laid_out()["field"]
        for name, body in header.items():
            fields = re.findall(r"(\w+)(?:\[\w+\])?;", body)
            self.assertEqual(fields, [field for field, *_ in STRUCTS[name]._fields_])
            self.assertEqual(fields, [field for struct, field, *_ in compiled if struct == name])

    def test_structs_lie_as_the_compiler_lays_them(self):
        found = laid_out()
        self.assertEqual({name: int(size) for name, size in found["struct"]},
                         {name: ctypes.sizeof(struct) for name, struct in STRUCTS.items()})
        for struct, name, offset, size, kind in found["field"]:
            with self.subTest(f"{struct}.{name}"):
                field = getattr(STRUCTS[struct], name)
                self.assertEqual((field.offset, field.size), (int(offset), int(size)))
                here = dict(STRUCTS[struct]._fields_)[name]
                self.assertIs(here if kind in KINDS else here._type_, {**KINDS, **ARRAYS}[kind])

    def test_enumerators_are_the_headers(self):
        numbers = {name: int(value) for name, value in laid_out()["constant"]}
        header = bodies("enum")
        self.assertEqual(header.keys(), ENUMS.keys())
        for name, body in header.items():
            names = re.findall(r"\b(MPOL_\w+)\s*=", body)
            prefix = os.path.commonprefix(names)
            self.assertEqual({one[len(prefix):]: numbers[one] for one in names},
                             {member.name: member.value for member in ENUMS[name]})

    def test_constants_are_the_headers(self):
        numbers = {name: int(value) for name, value in laid_out()["constant"]}
        names = set(re.findall(r"#define (MPOL_\w+) [(\d]", HEADER))
        self.assertEqual(names, {"MPOL_NODE_WORDS", "MPOL_NO_NODE", "MPOL_WEIGHTED_NODES",
                                 "MPOL_READ", "MPOL_WRITE", "MPOL_KEEP_CACHED"})
        for name in [*names, "MPOL_F_ADDR", "MPOL_F_MEMS_ALLOWED"]:
            self.assertEqual(getattr(_abi, name[len("MPOL_"):]), numbers[name], name)

    def test_modes_and_flags_are_the_kernels(self):
        numbers = {name: int(value) for name, value in laid_out()["constant"]}
        self.assertIn("MPOL_WEIGHTED_INTERLEAVE (6)", WHOLE_HEADER)
        numbers["MPOL_WEIGHTED_INTERLEAVE"] = 6
        for prefix, enum in KERNEL_ENUMS.items():
            for member in enum:
                self.assertEqual(member.value, numbers[prefix + member.name])
        self.assertEqual(sum(mpol.Flag), _abi.MODE_FLAGS)


if __name__ == "__main__":
    main()
