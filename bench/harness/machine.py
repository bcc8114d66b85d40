# SPDX-License-Identifier: Apache-2.0
"""The facts of the machine that a figure belongs to."""

import glob
import os
import platform
import resource
import subprocess
import time


def first_line(path, otherwise=None):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.readline().strip()
    except OSError:
        return otherwise


def processor():
    with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
        for line in file:
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.machine()


def memory_bytes():
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def nodes():
    """Processors and MiB of each node."""
    found = {}
    for path in sorted(glob.glob("/sys/devices/system/node/node[0-9]*")):
        total = first_line(path + "/meminfo", "0 0 0 0").split()
        found[os.path.basename(path)[4:]] = {
            "processors": first_line(path + "/cpulist", ""), "mib": int(total[3]) >> 10}
    return found


def commit(root):
    done = subprocess.run(["git", "-C", root, "describe", "--always", "--dirty", "--abbrev=12"],
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
    return done.stdout.strip() or "unknown"


def package_version(package):
    done = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", package], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    return done.stdout or None


def _spent():
    """Seconds since some time: on the wall, all processors' work, the host's share, and what of the work
    was this program's and its children's."""
    fields = first_line("/proc/stat", "").split()[1:]
    user, nice, system, _idle, _iowait, irq, softirq, stolen = (
        int(each) / os.sysconf("SC_CLK_TCK") for each in (fields + ["0"] * 8)[:8])
    own = sum(sum(resource.getrusage(whose)[:2])
              for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return time.monotonic(), user + nice + system + irq + softirq, stolen, own


_BEGIN = _spent()


def others():
    """Shares of the processors' time since this program began: what other work had, and the host."""
    wall, work, stolen, own = (now - then for now, then in zip(_spent(), _BEGIN))
    whole = max(wall, 1e-9) * (os.cpu_count() or 1)
    return max(0.0, work - own) / whole, stolen / whole


def facts(root):
    other_work, host = others()
    return {
        "processor": processor(),
        "processors": len(os.sched_getaffinity(0)),
        "memory_bytes": memory_bytes(),
        "nodes": nodes(),
        "kernel": platform.release(),
        "libc": " ".join(platform.libc_ver()),
        "system": first_line("/etc/issue.net", "unknown"),
        "governor": first_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "unknown"),
        "huge_pages": first_line("/sys/kernel/mm/transparent_hugepage/enabled", "unknown"),
        "virtual": " hypervisor" in open("/proc/cpuinfo", encoding="utf-8").read(),
        "other_work": other_work,
        "host": host,
        "commit": commit(root),
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
