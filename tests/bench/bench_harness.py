# SPDX-License-Identifier: Apache-2.0
"""What the tests of the benchmark harness share, on top of those of the command line."""
import os
import sys
import tempfile
import xml.etree.ElementTree

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../cli"))
sys.path.insert(0, os.path.join(HERE, "../../bench/harness"))

import harness  # noqa: E402

BENCH = os.path.abspath(os.path.join(HERE, "../../bench"))
BUILD = os.path.abspath(os.environ.get("MPOL_BUILD_DIR", ""))
SVG = "{http://www.w3.org/2000/svg}"


class BenchTest(harness.CliTest):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.out = os.path.join(self.folder, "out")

    def texts(self, path):
        """All words of a picture; fails where it is no well-formed SVG without scripts."""
        root = xml.etree.ElementTree.parse(path).getroot()
        self.assertEqual(root.tag, SVG + "svg")
        self.assertEqual(list(root.iter(SVG + "script")), [])
        return [each.text for each in root.iter(SVG + "text")]

    def expect_texts(self, path, *wanted):
        found = self.texts(path)
        for words in wanted:
            self.assertTrue(any(words in text for text in found), (words, found))
