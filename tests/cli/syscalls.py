# SPDX-License-Identifier: Apache-2.0
"""System calls that Python has no name for. As a program: refuses mbind, or set_mempolicy of one
mode, and then executes the rest of the command line: syscalls.py mbind|MODE ERRNO COMMAND..."""
import ctypes
import os
import platform
import struct
import sys

NUMBERS = {"x86_64": {"mbind": 237, "set_mempolicy": 238},
           "aarch64": {"mbind": 235, "set_mempolicy": 237}}[platform.machine()]
PR_SET_NO_NEW_PRIVS = 38
PR_SET_SECCOMP = 22
SECCOMP_MODE_FILTER = 2
RET_ALLOW = 0x7FFF0000
RET_ERRNO = 0x00050000
libc = ctypes.CDLL(None, use_errno=True)


def set_mempolicy(mode, nodes):
    mask = ctypes.c_ulong(nodes)
    if libc.syscall(NUMBERS["set_mempolicy"], mode, ctypes.byref(mask), 64) != 0:
        raise OSError(ctypes.get_errno(), "set_mempolicy")
    return "set"


def refuse(name, err, mode=None):
    """From now on the call fails with err; with a mode only set_mempolicy calls of that mode."""
    code = [(0x20, 0, 0, 0)]                                       # A = nr
    if mode is None:
        code += [(0x15, 0, 1, NUMBERS[name])]                      # A == nr ? next : allow
    else:
        code += [(0x15, 0, 3, NUMBERS[name]), (0x20, 0, 0, 16),    # A = low half of argument 0
                 (0x15, 0, 1, mode)]
    code += [(0x06, 0, 0, RET_ERRNO | err), (0x06, 0, 0, RET_ALLOW)]
    text = b"".join(struct.pack("HBBI", *one) for one in code)
    buffer = ctypes.create_string_buffer(text, len(text))
    program = struct.pack("HxxxxxxQ", len(code), ctypes.addressof(buffer))
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "no_new_privs")
    if libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "seccomp")
    return "filtered"


if __name__ == "__main__":
    what, number = sys.argv[1], int(sys.argv[2])
    if what == "mbind":
        refuse("mbind", number)
    else:
        refuse("set_mempolicy", number, int(what))
    os.execv(sys.argv[3], sys.argv[3:])
