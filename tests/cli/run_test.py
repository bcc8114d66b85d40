# SPDX-License-Identifier: Apache-2.0
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile

from harness import (ENVIRONMENT, MPOL, NOBODY, OK, CliTest, Victim, lines, main, mpol, needs_root)

PRINT_PRELOAD = "import os; print(os.environ['LD_PRELOAD'])"
EXIT_CODE = bytes([0xB8, 60, 0, 0, 0, 0x31, 0xFF, 0x0F, 0x05])  # exit(0), x86-64


def tiny_program(path, machine=62, elf_class=2, section=b""):
    """A static ELF program that exits with 0."""
    names = b"\0" + section + b"\0.shstrtab\0"
    code_at = 64 + 56
    names_at = code_at + len(EXIT_CODE)
    sections_at = names_at + len(names)
    base = 0x400000
    header = b"\x7fELF" + bytes([elf_class, 1, 1]) + bytes(9) + struct.pack(
        "<HHIQQQIHHHHHH", 2, machine, 1, base + code_at, 64, sections_at, 0, 64, 56, 1, 64, 3, 2)
    load = struct.pack("<IIQQQQQQ", 1, 5, 0, base, base, names_at, names_at, 4096)
    table = bytes(64) + struct.pack("<IIQQQQIIQQ", 1, 1, 0, 0, code_at, 1, 0, 0, 1, 0)
    table += struct.pack("<IIQQQQIIQQ", 2 + len(section), 3, 0, 0, names_at, len(names), 0, 0, 1, 0)
    with open(path, "wb") as file:
        file.write(header + load + EXIT_CODE + names + table)
    os.chmod(path, 0o755)


def leads_a_session(pid):
    try:
        return os.getsid(pid) == pid
    except ProcessLookupError:  # Another test's, which has ended since it was listed.
        return False


class RunTest(CliTest):
    def setUp(self):
        self.folder = tempfile.mkdtemp()
        os.chmod(self.folder, 0o755)
        self.addCleanup(shutil.rmtree, self.folder)

    def path(self, name):
        return os.path.join(self.folder, name)

    def note_of(self, path):
        result = mpol("run", "--", path)
        self.assertTrue(result.stderr.startswith(f"mpol: note: '{path}' "), result.stderr)
        return result.stderr.splitlines()[0][len(f"mpol: note: '{path}' "):]

    def test_exit_status_is_the_commands(self):
        self.expect(mpol("run", "bind:0", "--", "sh", "-c", "exit 42"), 42, "")

    def test_a_command_that_can_not_be_found_is_127(self):
        self.expect(mpol("run", "--", "/no/such/program"), 127, "",
                    "mpol: can't run '/no/such/program': No such file or directory\n")

    def test_a_command_that_can_not_be_run_is_126(self):
        self.expect(mpol("run", "--", self.folder), 126, "",
                    f"mpol: can't run '{self.folder}': Permission denied\n")

    def test_a_policy_that_does_not_parse_is_125_and_nothing_runs(self):
        self.expect(mpol("run", "bindd:0", "--", "echo", "ran"), 125, "", lines(
            "mpol: this is no policy", "bindd:0", "^^^^^",
            "'bindd' is no mode; accepted: default, prefer, bind, interleave, local, prefer (many),"
            " weighted interleave"))

    def test_no_command_is_125(self):
        self.expect(mpol("run", "bind:0"), 125, "",
                    "mpol: COMMAND is missing: it stands after --\nhint: mpol run --help\n")

    def test_errors_of_run_are_json_on_request(self):
        result = mpol("run", "--json", "--", "/no/such/program")
        self.assertEqual(result.returncode, 127)
        error = json.loads(result.stdout)["error"]
        self.assertEqual((error["status"], error["errno"]), (127, "ENOENT"))

    def test_options_after_the_dashes_are_the_commands(self):
        self.expect(mpol("run", "--", "echo", "--json", "--help"), OK, "--json --help\n")

    def test_a_home_node_is_refused(self):
        self.expect(mpol("run", "bind:0;home=0", "--", "true"), 125, "", lines(
            "mpol: a program can't be started with a home node",
            "hint: set it once it runs: mpol set PID 'bind:0;home=0'"))

    def test_weights_of_ones_own_are_refused(self):
        self.expect(mpol("run", "weighted interleave:0;weights=3", "--", "true"), 125, "", lines(
            "mpol: a program can't be started with weights of its own",
            "hint: set them once it runs: mpol set PID 'weighted interleave:0;weights=3'"))

    def test_the_kernels_task_policy_is_the_policy(self):
        for policy in ("bind:0", "interleave:0", "prefer (many):0", "bind=static:0", "local"):
            with Victim(policy) as victim, open(f"/proc/{victim.pid}/numa_maps") as maps:
                stack = [line for line in maps if " stack " in line][0]
                self.assertIn(f" {policy} ", stack)

    def test_numactls_options_are_a_policy(self):
        with Victim("--interleave=all") as victim:
            self.assertEqual(self.value("get", victim.pid)["started_with"]["mode"], "interleave")

    def test_without_a_policy_nothing_is_set(self):
        with Victim() as victim:
            found = self.value("get", victim.pid)
            self.assertEqual((found["asked"], found["started_with"]), (None, None))
            self.assertEqual(victim.ask("environment", "MPOL_LAUNCHED"), "(unset)")

    def test_the_command_has_the_pid_of_mpol_run(self):
        with Victim("bind:0") as victim:
            self.assertEqual(victim.ask("environment", "MPOL_LAUNCHED"), str(victim.pid))

    def test_a_program_of_a_program_only_inherits(self):
        with Victim(launcher=[MPOL, "run", "bind:0", "--", "setsid", "--fork", "--wait"]) as victim:
            found = self.value("ls")["processes"]
            child = [one for one in found if one["comm"].startswith("python3") and
                     leads_a_session(one["pid"])]
            self.assertIn("inherited", [one["started_by"]["kind"] for one in child
                                        if one["started_by"]])
            victim.process.stdin.close()
            victim.process.wait()

    def test_the_preload_stands_in_front_of_what_is_there(self):
        result = mpol("run", "--", sys.executable, "-c", PRINT_PRELOAD,
                      env={"LD_PRELOAD": "libm.so.6"})
        self.expect_out(result, OK, r"^/.*/libmpol-preload\.so:libm\.so\.6\n$")

    def test_a_second_run_names_the_preload_once(self):
        result = mpol("run", "--", MPOL, "run", "--", sys.executable, "-c", PRINT_PRELOAD)
        self.expect_out(result, OK, r"^/[^:]*/libmpol-preload\.so\n$")

    def test_mpol_preload_names_the_library(self):
        copy = self.path("libmpol-preload.so")
        found = mpol("run", "--", sys.executable, "-c", PRINT_PRELOAD).stdout.strip()
        shutil.copy(found, copy)
        result = mpol("run", "--", sys.executable, "-c", PRINT_PRELOAD, env={"MPOL_PRELOAD": copy})
        self.expect(result, OK, copy + "\n")

    def test_a_library_that_is_not_there_is_125(self):
        self.expect(mpol("run", "--", "true", env={"MPOL_PRELOAD": "/no/library"}), 125, "",
                    "mpol: MPOL_PRELOAD names '/no/library', which can't be found\n")

    def test_a_library_that_ld_preload_can_not_name_is_125(self):
        path = self.path("a b.so")
        open(path, "w").close()
        self.expect(mpol("run", "--", "true", env={"MPOL_PRELOAD": path}), 125, "",
                    f"mpol: LD_PRELOAD can't name '{path}': it has a blank or a colon in it\n")

    def test_a_static_program_is_told_and_run(self):
        tiny_program(self.path("tiny"))
        self.expect(mpol("run", "--", self.path("tiny")), OK, "",
                    f"mpol: note: '{self.path('tiny')}' is statically linked: its memory can't be "
                    "controlled\n")

    def test_a_program_found_in_path_is_looked_at(self):
        tiny_program(self.path("tiny-in-path"))
        result = mpol("run", "--", "tiny-in-path", env={"PATH": self.folder})
        self.assertIn("'tiny-in-path' is statically linked", result.stderr)

    def test_a_scripts_interpreter_is_looked_at(self):
        tiny_program(self.path("tiny"))
        with open(self.path("script"), "w") as script:
            script.write(f"#!{self.path('tiny')} -x\n")
        os.chmod(self.path("script"), 0o755)
        self.assertEqual(self.note_of(self.path("script")),
                         "is statically linked: its memory can't be controlled")

    def test_a_go_program_is_told(self):
        tiny_program(self.path("go"), section=b".note.go.buildid")
        self.assertEqual(self.note_of(self.path("go")),
                         "is a statically linked Go program: its memory can't be controlled")

    def test_a_program_of_another_architecture_is_told(self):
        tiny_program(self.path("other"), machine=2)
        self.assertEqual(self.note_of(self.path("other")),
                         "is for another architecture than mpol: its memory can't be controlled")

    def test_java_is_told_that_its_heap_is_not_mallocs(self):
        shutil.copy(shutil.which("true"), self.path("java"))
        self.assertEqual(self.note_of(self.path("java")), "has a heap of its own that is not "
                                                          "malloc's and does not follow mpol set")

    @needs_root
    def test_a_set_user_id_program_is_told(self):
        shutil.copy(shutil.which("true"), self.path("privileged"))
        os.chmod(self.path("privileged"), 0o4755)
        result = mpol("run", "--", self.path("privileged"), prefix=NOBODY)
        self.expect(result, OK, "",
                    f"mpol: note: '{self.path('privileged')}' is set-user-ID, set-group-ID or has "
                    "file capabilities: the loader drops the preload, and its memory can't be "
                    "controlled\n")

    def test_an_ordinary_program_is_run_without_a_word(self):
        self.expect(mpol("run", "--", "true"), OK, "")

    def test_closed_standard_descriptors_stay_closed_for_the_command(self):
        script = 'test -e /proc/self/fd/1 && exit 9; exit 0'
        result = subprocess.run(["sh", "-c", f"exec '{MPOL}' run -- sh -c '{script}' >&-"],
                                env=ENVIRONMENT, check=False)
        self.assertEqual(result.returncode, OK)


if __name__ == "__main__":
    main()
