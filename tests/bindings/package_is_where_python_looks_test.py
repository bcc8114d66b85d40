# SPDX-License-Identifier: Apache-2.0
"""What is installed: the whole package, in a folder that the Python it was built for looks into
when the prefix is one of that Python's own; and without the library it says what is missing."""
import os
import site
import subprocess
import sys
import tempfile

from harness import TESTS, BindingsTest, main

BUILD = os.environ["MPOL_BUILD_ROOT"]
PYTHON = os.environ["MPOL_PYTHON"]
PREFIX = os.environ["MPOL_PREFIX"]
SOURCES = os.path.join(TESTS, "../bindings/python/mpol")
PACKAGES_DIR = os.path.join(TESTS, "../bindings/packages-dir")


def output_of(*command, **options):
    return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, **options).stdout


class Package(BindingsTest):
    def test_is_whole_and_can_be_imported(self):
        with tempfile.TemporaryDirectory() as root:
            output_of("meson", "install", "-C", BUILD, "--no-rebuild", "--destdir", root,
                      "--tags", "python-runtime")
            found = [folder for folder, _, files in os.walk(root) if "__init__.py" in files]
            self.assertEqual([os.path.basename(folder) for folder in found], ["mpol"])
            wanted = {name for name in os.listdir(SOURCES) if name != "__pycache__"}
            self.assertEqual(set(os.listdir(found[0])), wanted)
            packages = os.path.dirname(found[0])
            environment = {**os.environ, "PYTHONPATH": packages}
            said = output_of(PYTHON, "-B", "-c", "import mpol; print(mpol.__file__)",
                             env=environment)
            self.assertEqual(os.path.dirname(said.strip()), found[0])
            installed = packages[len(root):]
            self.assertTrue(installed.startswith(PREFIX), installed)
            looked_into = output_of(PYTHON, "-B", "-c",
                                    "import site; print(*site.getsitepackages(), sep='\\n')")
            if any(path.startswith(os.path.join(PREFIX, "lib")) for path in looked_into.split()):
                self.assertIn(installed, looked_into.split())

    # Debian's Python has another folder for each of these; any Python has one below its own prefix.
    def test_every_prefix_that_python_looks_into_is_found(self):
        def folder(python, prefix):
            return output_of(python, "-B", PACKAGES_DIR, prefix).strip()
        own = os.path.normpath(sys.prefix)
        if any(path.startswith(f"{own}/lib") for path in site.getsitepackages()):
            self.assertIn(folder(sys.executable, own), site.getsitepackages())
        self.assertEqual(folder(sys.executable, "/nonexistent"), "")
        if os.path.exists("/etc/debian_version"):
            looked_into = output_of("/usr/bin/python3", "-c",
                                    "import sys; print(*sys.path, sep='\\n')").split()
            for prefix in ("/usr", "/usr/local"):
                found = folder("/usr/bin/python3", prefix)
                self.assertTrue(found.startswith(f"{prefix}/lib"), found)
                if os.path.isdir(found):  # Python leaves out what is not there.
                    self.assertIn(found, looked_into)

    def test_without_the_library_it_says_what_is_missing(self):
        environment = {name: value for name, value in os.environ.items()
                       if name != "LD_LIBRARY_PATH"}
        with tempfile.TemporaryDirectory() as folder:
            with open(os.path.join(folder, "libmpol.so.0"), "wb"):
                pass  # It shadows one that is installed.
            done = subprocess.run([PYTHON, "-B", "-c", "import mpol"], text=True, check=False,
                                  stderr=subprocess.PIPE,
                                  env={**environment, "LD_LIBRARY_PATH": folder})
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr.splitlines()[-1],
                         r"^ImportError: mpol needs libmpol\.so\.0: .*; where it was installed "
                         r"just now, run ldconfig$")


if __name__ == "__main__":
    main()
