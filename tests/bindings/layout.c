/* SPDX-License-Identifier: Apache-2.0
 * What a compiler makes of mpol.h, a line each:
 *
 *   struct NAME SIZE
 *   field STRUCT NAME OFFSET SIZE KIND   KIND: i or u and its bits, p a pointer, [] an array
 *   constant NAME VALUE
 *
 * Everything is named here by hand; the test compares the names with those in the header's text. */
#include <linux/mempolicy.h>
#include <stddef.h>
#include <stdio.h>

#include "mpol/mpol.h"

#define KIND(value)               \
    _Generic((value),             \
        int32_t: "i32",           \
        uint32_t: "u32",          \
        uint64_t: "u64",          \
        uint64_t *: "u64[]",      \
        uint8_t *: "u8[]",        \
        struct mpol_policy: "policy", \
        const unsigned long *: "p")
#define OF(type, name) (((struct type *)0)->name)
#define STRUCT(type) printf("struct %s %zu\n", #type, sizeof(struct type))
#define FIELD(type, name)                                                                    \
    printf("field %s %s %zu %zu %s\n", #type, #name, offsetof(struct type, name),            \
           sizeof(OF(type, name)), KIND(OF(type, name)))
#define CONSTANT(name) printf("constant %s %lld\n", #name, (long long)(name))

static void structs(void) {
    STRUCT(mpol_mbind_args);
    FIELD(mpol_mbind_args, pid);
    FIELD(mpol_mbind_args, start);
    FIELD(mpol_mbind_args, len);
    FIELD(mpol_mbind_args, mode);
    FIELD(mpol_mbind_args, nodemask);
    FIELD(mpol_mbind_args, maxnode);
    FIELD(mpol_mbind_args, flags);
    STRUCT(mpol_policy);
    FIELD(mpol_policy, mode);
    FIELD(mpol_policy, flags);
    FIELD(mpol_policy, home_node);
    FIELD(mpol_policy, weight_source);
    FIELD(mpol_policy, nodes);
    FIELD(mpol_policy, weights);
    STRUCT(mpol_state);
    FIELD(mpol_state, set);
    FIELD(mpol_state, in_force);
    FIELD(mpol_state, generation);
    FIELD(mpol_state, origin);
    FIELD(mpol_state, origin_uid);
    FIELD(mpol_state, origin_pid);
    FIELD(mpol_state, error);
    FIELD(mpol_state, set_at_ns);
    FIELD(mpol_state, policy);
    STRUCT(mpol_migration);
    FIELD(mpol_migration, generation);
    FIELD(mpol_migration, phase);
    FIELD(mpol_migration, error);
    FIELD(mpol_migration, total_bytes);
    FIELD(mpol_migration, remaining_bytes);
    FIELD(mpol_migration, moved_bytes);
    FIELD(mpol_migration, in_place_bytes);
    FIELD(mpol_migration, unbound_bytes);
    FIELD(mpol_migration, busy_bytes);
    FIELD(mpol_migration, no_memory_bytes);
    FIELD(mpol_migration, shared_bytes);
    FIELD(mpol_migration, other_bytes);
    FIELD(mpol_migration, elapsed_ns);
    FIELD(mpol_migration, batches);
    FIELD(mpol_migration, longest_batch_ns);
    FIELD(mpol_migration, reserved);
}

static void constants(void) {
    CONSTANT(MPOL_NODE_WORDS);
    CONSTANT(MPOL_NO_NODE);
    CONSTANT(MPOL_WEIGHTED_NODES);
    CONSTANT(MPOL_READ);
    CONSTANT(MPOL_WRITE);
    CONSTANT(MPOL_KEEP_CACHED);
    CONSTANT(MPOL_WEIGHTS_NONE);
    CONSTANT(MPOL_WEIGHTS_GIVEN);
    CONSTANT(MPOL_WEIGHTS_AUTO);
    CONSTANT(MPOL_WEIGHTS_SYSTEM);
    CONSTANT(MPOL_ORIGIN_NONE);
    CONSTANT(MPOL_ORIGIN_PROGRAM);
    CONSTANT(MPOL_ORIGIN_LAUNCHER);
    CONSTANT(MPOL_ORIGIN_OUTSIDE);
    CONSTANT(MPOL_ORIGIN_INHERITED);
    CONSTANT(MPOL_ORIGIN_DAEMON);
    CONSTANT(MPOL_KIND_LARGE);
    CONSTANT(MPOL_KIND_STACK);
    CONSTANT(MPOL_KIND_MMAP);
    CONSTANT(MPOL_MIGRATION_IDLE);
    CONSTANT(MPOL_MIGRATION_ASKED);
    CONSTANT(MPOL_MIGRATION_RUNNING);
    CONSTANT(MPOL_MIGRATION_PAUSED);
    CONSTANT(MPOL_MIGRATION_DONE);
    CONSTANT(MPOL_MIGRATION_CANCELLED);
    CONSTANT(MPOL_MIGRATION_REFUSED);
}

/* linux/mempolicy.h. Debian 12's headers end before weighted interleave; its number is above in
 * mpol.h's own words: MPOL_DEFAULT (0) to MPOL_WEIGHTED_INTERLEAVE (6). */
static void kernel_constants(void) {
    CONSTANT(MPOL_DEFAULT);
    CONSTANT(MPOL_PREFERRED);
    CONSTANT(MPOL_BIND);
    CONSTANT(MPOL_INTERLEAVE);
    CONSTANT(MPOL_LOCAL);
    CONSTANT(MPOL_PREFERRED_MANY);
    CONSTANT(MPOL_F_STATIC_NODES);
    CONSTANT(MPOL_F_RELATIVE_NODES);
    CONSTANT(MPOL_F_NUMA_BALANCING);
    CONSTANT(MPOL_F_ADDR);
    CONSTANT(MPOL_F_MEMS_ALLOWED);
}

int main(void) {
    structs();
    constants();
    kernel_constants();
    return 0;
}
