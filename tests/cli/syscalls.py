# SPDX-License-Identifier: Apache-2.0
"""System calls that Python has no name for. As a program: refuses mbind or move_pages, or
set_mempolicy of one mode, and then executes the rest of the command line:
syscalls.py mbind|move_pages|MODE ERRNO COMMAND..."""
import ctypes
import os
import platform
import struct
import sys

NUMBERS = {"x86_64": {"mbind": 237, "set_mempolicy": 238, "move_pages": 279},
           "aarch64": {"mbind": 235, "set_mempolicy": 237, "move_pages": 239}}[platform.machine()]
PR_SET_NO_NEW_PRIVS = 38
PR_SET_SECCOMP = 22
SECCOMP_MODE_FILTER = 2
RET_ALLOW = 0x7FFF0000
RET_ERRNO = 0x00050000
MADV_HUGEPAGE = 14
libc = ctypes.CDLL(None, use_errno=True)
libc.malloc.restype = ctypes.c_size_t
libc.malloc.argtypes = [ctypes.c_size_t]
libc.memset.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]
libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]


def malloc(size):
    """Never given back."""
    return libc.malloc(size)


def madvise_huge(address, size):
    if libc.madvise(address, size, MADV_HUGEPAGE) != 0:
        raise OSError(ctypes.get_errno(), "madvise")
    return "advised"


def nodes_of_pages(pid, addresses):
    """By move_pages without targets: a node each, or negative for none."""
    pages = (ctypes.c_size_t * len(addresses))(*addresses)
    status = (ctypes.c_int * len(addresses))()
    if libc.syscall(NUMBERS["move_pages"], pid, ctypes.c_size_t(len(addresses)), pages, None,
                    status, 0) != 0:
        raise OSError(ctypes.get_errno(), "move_pages")
    return list(status)


def set_mempolicy(mode, nodes):
    mask = ctypes.c_ulong(nodes)
    if libc.syscall(NUMBERS["set_mempolicy"], mode, ctypes.byref(mask), 64) != 0:
        raise OSError(ctypes.get_errno(), "set_mempolicy")
    return "set"


def nodes_of(buffer):
    """How many pages of a bytearray lie on which node: {node: pages}. Its ends are left out."""
    start = ctypes.addressof((ctypes.c_char * len(buffer)).from_buffer(buffer))
    first = -(-start // 4096)
    pages = range(first, (start + len(buffer)) // 4096)
    addresses = (ctypes.c_void_p * len(pages))(*(page * 4096 for page in pages))
    status = (ctypes.c_int * len(pages))()
    if libc.syscall(NUMBERS["move_pages"], 0, len(pages), addresses, None, status, 0) != 0:
        raise OSError(ctypes.get_errno(), "move_pages")
    found = list(status)
    return {node: found.count(node) for node in set(found)}


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
    if what in NUMBERS:
        refuse(what, number)
    else:
        refuse("set_mempolicy", number, int(what))
    os.execv(sys.argv[3], sys.argv[3:])
