# SPDX-License-Identifier: Apache-2.0
"""What may cost how much, and why that number. The tests of this folder count, compare with this
table, and print both. Nothing here is a time: counts repeat, on any machine of the architecture.

A bound is what the design allows, not what was measured last: a change that costs one instruction
more on every malloc has to show up here, in review."""

from typing import NamedTuple


class Bound(NamedTuple):
    limit: float
    unit: str
    reason: str


_PAIR = ("one check of the epoch (two loads, compare with the thread's own copy, branch) in malloc, "
         "and in free the question whether there are several scopes (compare, branch), each with "
         "jemalloc's own instructions behind it: 6; one to spare, which calloc's jump takes")
_OPERATORS = ("the checks of malloc and free: 6")
_SIZED = ("sized delete takes jemalloc's shorter way: less than libjemalloc's own; but an object at the "
          "beginning of a page goes jemalloc's longer one, past a look after the thread's cache (6)")
_SCOPES = ("once a thread has a policy of its own, every free looks its pointer's owner up (shift, "
           "mask, load, compare with the thread's scope): 9 more than the 6 without scopes")
_SCOPED_OPERATORS = "the 9 of the owner's look-up, on top of what operators may cost"

# Kind of loop: bound. Instructions for one pair, more than under Debian's libjemalloc.so.2.
PAIR_ABOVE_JEMALLOC = {
    "malloc": Bound(7, "instructions", _PAIR),
    "malloc-batch": Bound(7, "instructions", _PAIR),
    "calloc": Bound(7, "instructions", _PAIR),
    "calloc-batch": Bound(7, "instructions", _PAIR),
    "new": Bound(7, "instructions", _OPERATORS),
    "new-batch": Bound(7, "instructions", _OPERATORS),
    "sized": Bound(8, "instructions", _SIZED),
    "sized-batch": Bound(2, "instructions", _SIZED),
}

# The same, in a process where a thread has its own policy; the freeing thread is the owner.
OWNER_PAIR_ABOVE_JEMALLOC = {
    "malloc": Bound(17, "instructions", _SCOPES),
    "malloc-batch": Bound(17, "instructions", _SCOPES),
    "calloc": Bound(17, "instructions", _SCOPES),
    "calloc-batch": Bound(17, "instructions", _SCOPES),
    "new": Bound(17, "instructions", _SCOPED_OPERATORS),
    "new-batch": Bound(17, "instructions", _SCOPED_OPERATORS),
    "sized": Bound(20, "instructions", _SCOPED_OPERATORS),
    "sized-batch": Bound(11, "instructions", _SCOPED_OPERATORS),
}

_LARGE_APART = ("a thread with another policy for its large allocations chooses by size: the other "
                "side of the check (two compares and branches): 4, on top of the owner's look-up")

# The same, of a thread with large>=SIZE of its own.
LARGE_APART_PAIR_ABOVE_JEMALLOC = {
    "malloc": Bound(20, "instructions", _LARGE_APART),
    "new": Bound(20, "instructions", _LARGE_APART),
}

_FOREIGN = ("the owner's look-up of the free (20), its size for the bound in bytes, a place in the "
            "thread's batch, and with the batch a way home past every cache: a look-up and the "
            "lock of the owner's bin for each object (250)")
# Bytes: bound. An object that a thread of another scope frees.
FOREIGN_PAIR_ABOVE_JEMALLOC = {
    64: Bound(340, "instructions", _FOREIGN),
    1024: Bound(340, "instructions", _FOREIGN),
}

START_ABOVE_JEMALLOC = Bound(
    30, "system calls",
    "/bin/true under the library: making, sealing, backing and mapping the segment (about 15), the "
    "first region (about 6), what seccomp and the task policy are (2), limits and /proc (5), a knock "
    "at the daemon's door (3; 6 for a user with one of his own)")

MIXED_MAPPINGS_ABOVE_NO_POLICY = Bound(
    64, "mappings",
    "8 scopes with a policy each: a region is one mapping in use and one reserved, and a scope of "
    "some GiB has a few regions; a mapping per extent would be hundreds to thousands")

REWRITE_MBINDS_ABOVE_REGIONS = Bound(
    1, "mbind calls per rewrite",
    "a region is bound as a whole, once; one more where a region is made while the policy changes")

REWRITE_MADVISES_OF_512_EXTENTS = Bound(
    16, "system calls",
    "64 at a time (8), since each call interrupts every processor that the process runs on; and what "
    "the two lists of an arena, and the arenas, leave over at their ends")

MAPPINGS_OF_64_GIB = Bound(
    2, "mappings more than with 1 GiB",
    "regions grow upwards side by side and are committed without gaps: what is used and what is not "
    "are a mapping each, and the first region may have been made elsewhere")

SEGMENT_BYTES_ONE_THREAD = Bound(
    64 << 10, "bytes resident",
    "header, error rows, the first slots and the first regions: a page each, and room for more")

SEGMENT_BYTES_EACH_THREAD = Bound(
    256, "bytes resident",
    "a slot, in pages of 16: nothing of a segment is resident before a thread needs it")

_CASE = ("the checks of malloc and free or of realloc (6), and what the case's own mix of sizes adds: "
         "large ones come by the hooks")
# Case of bench/allocator: bound. Instructions of an operation, more than under libjemalloc.so.2.
CASE_ABOVE_JEMALLOC = {
    "mixed": Bound(-150, "instructions", _CASE + "; but caches are trimmed seldom (-230)"),
    "batch": Bound(4, "instructions", _PAIR + "; but caches are trimmed seldom (-5)"),
    "aligned": Bound(0, "instructions", _CASE + "; but caches are trimmed seldom (-17)"),
    "growth": Bound(-2_000, "instructions", _CASE + "; but caches are trimmed seldom"),
    "churn": Bound(
        38_000, "instructions",
        "the 32 KiB of a thread's cache are written zero, which valgrind counts as one instruction a "
        "byte and jemalloc has the kernel do, by a call and eight faults; a thread takes a slot of the "
        "segment, learns its own task policy, tells the helper and gives the slot back (3,000, by some "
        "hundreds more or less as threads meet); making and joining it is 52,000 under libjemalloc"),
}

PROCESS_BYTES_ABOVE_JEMALLOC = Bound(
    80 << 10, "bytes resident",
    "the segment's first pages (16 KiB), the library's data beside them (12 KiB), the tables of "
    "regions and owners and jemalloc's own for an arena with hooks (28 KiB); half as much to spare, "
    "since a page more or less is touched from run to run")

PROCESS_MAPPINGS_ABOVE_JEMALLOC = Bound(
    6, "mappings",
    "the segment over the library's own data and three pieces that it cuts off (4), the part of the "
    "first region that is not committed (1); one to spare")

INITIALISED_BYTES = Bound(
    8 << 10, "bytes mapped",
    "what does not begin as zeros, jemalloc's tables of its controls and a little of ours: a page; more "
    "is read in with it, though nobody needs it, and counts as resident")

THREAD_BYTES_ABOVE_JEMALLOC = Bound(
    1_024, "bytes resident",
    "a slot of the segment (256 bytes) and the library's own thread-local words (187 bytes), on pages "
    "that they share with neighbours; nothing of ours may take a page per thread")

THREAD_MAPPINGS_ABOVE_JEMALLOC = Bound(
    0.05, "mappings", "a thread has a stack and its guard, nothing of ours")
