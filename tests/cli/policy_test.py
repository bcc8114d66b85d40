# SPDX-License-Identifier: Apache-2.0
import os

from harness import FAILED, NOT_SUPPORTED, OK, USAGE, CliTest, lines, main, mpol

MODES = "default, prefer, bind, interleave, local, prefer (many), weighted interleave"


class PolicyTest(CliTest):
    def test_the_first_line_is_the_kernels_text(self):
        self.expect(mpol("policy", "membind=static:0"), OK, lines(
            "bind=static:0", "  user nodes:      0", "  effective nodes: 0"))

    def test_user_nodes_and_effective_nodes_are_told_apart(self):
        self.expect(mpol("policy", "interleave:0,1000", "--allow-absent"), OK, lines(
            "interleave:0", "  user nodes:      0,1000", "  effective nodes: 0"))

    def test_verbose_shows_masks(self):
        out = mpol("policy", "--verbose", "bind=static:0").stdout
        self.assertTrue(out.startswith(lines("bind=static:0",
                                             "  user nodes:      0 (mask 00000001)",
                                             "  effective nodes: 0 (mask 00000001)")), out)
        self.assertTrue(out.endswith("  mode word:       0x8002\n"), out)

    def test_a_home_node_is_shown(self):
        self.expect(mpol("policy", "bind:0;home=0"), OK, lines(
            "bind:0", "  user nodes:      0", "  effective nodes: 0", "  home node:       0"))

    def test_weights_are_shown_with_their_shares(self):
        result = mpol("policy", "weighted interleave:0;weights=5")
        self.expect(result, OK, lines("weighted interleave:0", "  user nodes:      0",
                                      "  effective nodes: 0",
                                      "  weights:         node 0: 5 (100.0 %)"))
        value = self.value("policy", "weighted interleave:0;weights=5")
        self.assertEqual(value["policy"]["weights"], {"source": "given", "by_node": {"0": 5}})
        self.assertEqual(value["shares"], {"0": 1.0})
        self.assertEqual(value["policy"]["text"], "weighted interleave:0;weights=5")

    def test_weights_that_the_machine_lacks_are_not_supported(self):
        bandwidth = "/sys/devices/system/node/node0/access{}/initiators/read_bandwidth"
        if any(os.path.exists(bandwidth.format(access)) for access in (0, 1)):
            self.skipTest("this machine tells its bandwidths")
        self.expect(mpol("policy", "weighted interleave:0;weights=auto"), NOT_SUPPORTED, "", lines(
            "mpol: this machine's firmware tells no bandwidths (/sys/devices/system/node/node*/"
            "access1/initiators/read_bandwidth)", "hint: name them: ;weights=5,3,2,1"))

    def test_local_has_no_nodes(self):
        self.expect(mpol("policy", "local"), OK, lines(
            "local", "  user nodes:      -", "  effective nodes: -"))

    def test_carets_stand_under_what_is_wrong(self):
        self.expect(mpol("policy", "bind=sttic:0"), USAGE, "", lines(
            "mpol: this is no policy", "bind=sttic:0", "     ^^^^^",
            "'sttic' is no flag; accepted: static, relative, balancing, joined by '|' or ','"))

    def test_a_node_that_does_not_exist_is_no_policy(self):
        result = mpol("policy", "bind:1000")
        self.assertEqual(result.returncode, USAGE)
        self.assertTrue(result.stderr.startswith(lines(
            "mpol: this is no policy", "bind:1000", "     ^^^^")), result.stderr)
        self.assertIn("node 1000 does not exist", result.stderr)

    def test_bytes_that_are_no_text_are_shown_as_question_marks(self):
        self.expect(mpol("policy", "b\x1b[31m"), USAGE, "", lines(
            "mpol: this is no policy", "b?[31m", "^^^^^^",
            f"'b?[31m' is no mode; accepted: {MODES}"))

    def test_strict_refuses_what_the_kernel_refuses(self):
        result = mpol("policy", "--strict", "prefer-many:0")
        self.assertEqual(result.returncode, USAGE)
        self.assertTrue(result.stderr.startswith(lines("mpol: this is no policy", "prefer-many:0")))

    def test_strict_accepts_what_the_kernel_prints(self):
        self.expect(mpol("policy", "--strict", "prefer (many):0"), OK, lines(
            "prefer (many):0", "  user nodes:      0", "  effective nodes: 0"))

    def test_nodes_that_exist_nowhere_mean_nothing(self):
        result = mpol("policy", "bind:1000", "--allow-absent")
        self.assertEqual(result.returncode, FAILED)
        self.assertRegex(result.stderr, r"^mpol: this process may use none of the nodes 1000: its "
                                        r"cpuset allows [-0-9,]+\n$")

    def test_json_tells_nodes_as_numbers(self):
        found = self.value("policy", "bind=static:0")
        self.assertEqual(found["kernel_text"], "bind=static:0")
        self.assertEqual((found["user_nodes"], found["effective"]), ([0], [0]))
        self.assertEqual(found["policy"]["flags"], ["static"])

    def test_json_errors_say_which_characters(self):
        error = self.value("policy", "bind=sttic:0", status=USAGE)["error"]
        self.assertEqual((error["offset"], error["length"], error["text"]), (5, 5, "bind=sttic:0"))
        self.assertEqual((error["status"], error["errno"]), (USAGE, "EINVAL"))


if __name__ == "__main__":
    main()
