#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A Java virtual machine reserves its heap by mmap and never asks malloc for it: `mpol set PID
mmap:bind:1` is what reaches it, heap that is reserved and not yet touched included. Needs four
memory nodes: runs in the four-node machine."""

import base64
import os
import re
import shutil
import subprocess
import sys
import tempfile

SKIP = 77
MPOL = os.environ["MPOL_BIN"]
PRELOAD = os.environ["MPOL_PRELOAD"]
MIB = 64
PAGES = MIB * 256
# What the virtual machine itself touches meanwhile: collector, compiler, metadata.
ELSEWHERE_PAGES_MAX = 16 * 256
# The heap grows while it is filled: reserved first, committed over that by MAP_FIXED.
HEAP_OPTIONS = ["-Xms40m", "-Xmx320m", "-XX:TieredStopAtLevel=1", "-Xss512k"]
COLLECTORS = ["-XX:+UseSerialGC", "-XX:+UseG1GC"]

# Compiled (javac --release 8 -g:none) because a machine that runs Java need not compile it:
#
#   public class Heap {
#       public static void main(String[] words) throws Exception {
#           byte[][] held = new byte[Integer.parseInt(words[0])][];
#           System.out.println("ready");
#           System.in.read();
#           for (int i = 0; i < held.length; ++i) {
#               held[i] = new byte[1 << 20];
#               for (int at = 0; at < 1 << 20; at += 4096) held[i][at] = 1;
#           }
#           System.out.println("filled");
#           System.in.read();
#           System.out.println(held.length);
#       }
#   }
HEAP_CLASS = (
    "yv66vgAAADQAOAoAAgADBwAEDAAFAAYBABBqYXZhL2xhbmcvT2JqZWN0AQAGPGluaXQ+AQADKClWCgAIAAkHAAoM"
    "AAsADAEAEWphdmEvbGFuZy9JbnRlZ2VyAQAIcGFyc2VJbnQBABUoTGphdmEvbGFuZy9TdHJpbmc7KUkHAA4BAAJb"
    "QgkAEAARBwASDAATABQBABBqYXZhL2xhbmcvU3lzdGVtAQADb3V0AQAVTGphdmEvaW8vUHJpbnRTdHJlYW07CAAW"
    "AQAFcmVhZHkKABgAGQcAGgwAGwAcAQATamF2YS9pby9QcmludFN0cmVhbQEAB3ByaW50bG4BABUoTGphdmEvbGFu"
    "Zy9TdHJpbmc7KVYJABAAHgwAHwAgAQACaW4BABVMamF2YS9pby9JbnB1dFN0cmVhbTsKACIAIwcAJAwAJQAmAQAT"
    "amF2YS9pby9JbnB1dFN0cmVhbQEABHJlYWQBAAMoKUkDABAAAAgAKQEABmZpbGxlZAoAGAArDAAbACwBAAQoSSlW"
    "BwAuAQAESGVhcAEABENvZGUBAARtYWluAQAWKFtMamF2YS9sYW5nL1N0cmluZzspVgEADVN0YWNrTWFwVGFibGUH"
    "ADQBAANbW0IBAApFeGNlcHRpb25zBwA3AQATamF2YS9sYW5nL0V4Y2VwdGlvbgAhAC0AAgAAAAAAAgABAAUABgAB"
    "AC8AAAARAAEAAQAAAAUqtwABsQAAAAAACQAwADEAAgAvAAAAggADAAQAAABdKgMyuAAHvQANTLIADxIVtgAXsgAd"
    "tgAhVwM9HCu+ogAnKxwSJ7wIUwM+HRInogASKxwyHQRUxIQAAxAAp//uhAIBp//ZsgAPEii2ABeyAB22ACFXsgAP"
    "K762ACqxAAAAAQAyAAAAEwAE/QAbBwAzAfwADgH6ABT6AAUANQAAAAQAAQA2AAA=")


def skip(reason):
    print(f"skip: {reason}")
    sys.exit(SKIP)


def pages_by_node(pid):
    """Of private anonymous memory, in pages of 4 KiB."""
    found = {}
    with open(f"/proc/{pid}/numa_maps", encoding="ascii", errors="replace") as maps:
        for line in maps:
            if " anon=" not in line:
                continue
            size = int(re.search(r"kernelpagesize_kB=(\d+)", line)[1]) // 4
            for node, pages in re.findall(r" N(\d+)=(\d+)", line):
                found[int(node)] = found.get(int(node), 0) + int(pages) * size
    return found


def mpol(*words):
    done = subprocess.run([MPOL, *map(str, words)], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=60, check=False)
    print("mpol", *words, "->", done.returncode, done.stdout.strip(), flush=True)
    if done.returncode != 0:
        sys.exit(1)


def run(java, collector, directory):
    environment = {**os.environ, "LD_PRELOAD": PRELOAD}
    process = subprocess.Popen([java, collector, *HEAP_OPTIONS, "-cp", directory, "Heap", str(MIB)],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
                               env=environment)
    try:
        assert process.stdout.readline() == "ready\n"
        mpol("set", process.pid, "bind:0")
        mpol("set", process.pid, "mmap:bind:1", "--timeout", 30000)
        before = pages_by_node(process.pid)
        process.stdin.write("\n")
        assert process.stdout.readline() == "filled\n"
        after = pages_by_node(process.pid)
        grown = {node: after[node] - before.get(node, 0) for node in after}
        print(f"{collector}: pages that came: {grown}", flush=True)
        mpol("unset", process.pid, "mmap")
        process.stdin.write("\n")
        held = process.stdout.readline()
        process.stdin.close()
        process.wait(60)
    finally:
        process.kill()
        process.wait()
    elsewhere = sum(pages for node, pages in grown.items() if node != 1)
    return (held == f"{MIB}\n" and process.returncode == 0 and grown.get(1, 0) >= PAGES
            and elsewhere <= ELSEWHERE_PAGES_MAX)


def main():
    java = shutil.which("java")
    if java is None:
        skip("there is no java (Debian package default-jre-headless)")
    with open("/sys/devices/system/node/has_memory", encoding="ascii") as nodes:
        if nodes.read() != "0-3\n":
            skip("needs memory on nodes 0-3")
    with tempfile.TemporaryDirectory() as directory:
        with open(f"{directory}/Heap.class", "wb") as file:
            file.write(base64.b64decode(HEAP_CLASS))
        good = [run(java, collector, directory) for collector in COLLECTORS]
    sys.exit(0 if all(good) else 1)


if __name__ == "__main__":
    main()
