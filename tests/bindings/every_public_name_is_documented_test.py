# SPDX-License-Identifier: Apache-2.0
"""Docstrings: every public name has one, and it names every parameter, every field and every
member, whether threads may, and the source."""
import dataclasses
import enum
import inspect
import re

from harness import BindingsTest, main, mpol


def public_members(kind):
    """Methods and properties of its own."""
    fields = {field.name for field in dataclasses.fields(kind)} if dataclasses.is_dataclass(kind) \
        else set()
    return {name: member for name, member in vars(kind).items()
            if not name.startswith("_") and name not in fields}


def documented():
    """(name, object) of functions, classes, and what is public in these."""
    for name in mpol.__all__:
        found = getattr(mpol, name)
        yield name, found
        if inspect.isclass(found) and not issubclass(found, enum.Enum):
            yield from ((f"{name}.{member}", getattr(value, "__func__", value))
                        for member, value in public_members(found).items())


class EveryPublicName(BindingsTest):
    def test_has_a_docstring(self):
        for name, found in documented():
            with self.subTest(name):
                doc = inspect.getdoc(found)
                self.assertTrue(doc)
                if inspect.isclass(found):  # Else it would be a base class's.
                    self.assertIn("__doc__", vars(found))
                self.assertTrue(doc[0].isupper() or re.match(r"\w+\(", doc), doc)

    def test_names_all_parameters(self):
        for name, found in documented():
            if inspect.isclass(found) or isinstance(found, property):
                continue
            with self.subTest(name):
                function = inspect.unwrap(found)
                for parameter in inspect.signature(function).parameters:
                    if parameter not in ("self", "cls", "tid", "pidfd", "text"):
                        self.assertRegex(function.__doc__, rf"\b{parameter}\b")

    def test_says_threads_and_source(self):
        for name, found in documented():
            if inspect.isclass(found) or isinstance(found, property):
                continue
            with self.subTest(name):
                self.assertRegex(found.__doc__, "Thread-safe|Threads are apart")
                self.assertRegex(found.__doc__, r"Source:\s")

    def test_names_all_fields_and_members(self):
        for name in mpol.__all__:
            found = getattr(mpol, name)
            names = []
            if dataclasses.is_dataclass(found):
                names = [field.name for field in dataclasses.fields(found)]
            elif inspect.isclass(found) and issubclass(found, enum.Enum):
                names = [member.name for member in found]
            for one in names:
                if not one.startswith("_"):
                    self.assertRegex(found.__doc__, rf"\b{one}\b", name)

    def test_is_in_all_and_nothing_else_is(self):
        public = {name for name in vars(mpol) if not name.startswith("_")}
        self.assertEqual(public, set(mpol.__all__))
        self.assertTrue(mpol.__doc__)


if __name__ == "__main__":
    main()
