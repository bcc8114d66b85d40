# SPDX-License-Identifier: Apache-2.0
"""The package is typed: mypy --strict finds nothing in it as Python 3.9, and finds the mistakes of
a program that uses it."""
import os
import subprocess
import tempfile
import unittest

from harness import BindingsTest, main

HERE = os.path.dirname(os.path.abspath(__file__))
PACKAGES = os.path.join(HERE, "../../bindings/python")
MYPY = ["/usr/bin/python3", "-m", "mypy", "--strict", "--python-version", "3.9"]
# Line by line: what is found there, "" for nothing.
PROGRAM = [
    ("import mpol", ""),
    ('with mpol.open(1, write=True) as target:', ""),
    ('    target.write("bind:0", timeout=0.5)', ""),
    ("    target.write(3)", "arg-type"),
    ("    nodes: int = target.read().policy.nodes", "union-attr"),
    ("    phase: mpol.Phase = target.migrate().wait().phase", ""),
    ('    target.read().generation = 1', "misc"),
    ('with mpol.policy("bind:0"):', ""),
    ("    pass", ""),
    ('@mpol.policy("bind:0")', ""),
    ("def work(first: int) -> int:", ""),
    ("    return first", ""),
    ('work("x")', "arg-type"),
]


def have_mypy():
    try:
        return subprocess.run([*MYPY[:3], "--version"], capture_output=True,
                              check=False).returncode == 0
    except FileNotFoundError:
        return False


@unittest.skipUnless(have_mypy(), "mypy is not installed (Debian package mypy)")
class Types(BindingsTest):
    def mypy(self, *paths):
        with tempfile.TemporaryDirectory() as folder:
            return subprocess.run([*MYPY, f"--cache-dir={folder}", *paths], text=True,
                                  env={**os.environ, "MYPYPATH": PACKAGES}, check=False,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def test_package_has_no_mistake(self):
        done = self.mypy(os.path.join(PACKAGES, "mpol"))
        self.assertEqual((done.returncode, done.stdout[:8]), (0, "Success:"), done.stdout)
        self.assertTrue(os.path.exists(os.path.join(PACKAGES, "mpol", "py.typed")))

    def test_mistakes_of_its_users_are_found(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "program.py")
            with open(path, "w", encoding="utf-8") as program:
                program.write("\n".join(line for line, _ in PROGRAM) + "\n")
            done = self.mypy(path)
        for number, (line, wanted) in enumerate(PROGRAM, 1):
            found = [said for said in done.stdout.splitlines()
                     if f"program.py:{number}: error" in said]
            self.assertEqual(bool(found), bool(wanted), (line, done.stdout))
            if wanted:
                self.assertIn(f"[{wanted}]", " ".join(found))


if __name__ == "__main__":
    main()
