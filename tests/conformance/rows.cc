// SPDX-License-Identifier: Apache-2.0
#include "rows.h"

#include <linux/mempolicy.h>

#include <cstdio>
#include <string_view>

#include "ground.h"
#include "policy/policy.h"

namespace mpol::test {
namespace {

constexpr unsigned long kStatic = kStaticNodes;
constexpr unsigned long kRelative = kRelativeNodes;
constexpr unsigned long kBalancing = kNumaBalancing;
constexpr unsigned long kDefault = 0;
constexpr unsigned long kPreferred = 1;
constexpr unsigned long kBind = 2;
constexpr unsigned long kInterleave = 3;
constexpr unsigned long kLocal = 4;
constexpr unsigned long kMany = 5;
constexpr unsigned long kWeighted = 6;

constexpr unsigned long kStrict = MPOL_MF_STRICT;
constexpr unsigned long kMove = MPOL_MF_MOVE;
constexpr unsigned long kMoveAll = MPOL_MF_MOVE_ALL;

// The lowest node id that no kernel of the table has, below every kernel's limit of ids.
constexpr unsigned kAbsent = 9;

const Mask kNoMask{{}, 0, Pointer::kNull};

Mask nodes_up_to(unsigned long maxnode, const Nodes& nodes) {
    return {nodes, maxnode};
}
Mask at(Pointer pointer, unsigned long maxnode = kWholeMask) {
    return {{0}, maxnode, pointer};
}

Op set(unsigned long mode, const Mask& mask) {
    return {.call = Call::kSet, .mode = mode, .mask = mask};
}
Op set(unsigned long mode, const Nodes& nodes) {
    return set(mode, Mask{nodes});
}

Op get(unsigned long flags = 0, uint64_t addr = 0, const Mask& mask = {}) {
    return {.call = Call::kGet, .mask = mask, .start = addr, .flags = flags};
}
Op get_mode_to(Pointer mode, const Mask& mask = {}, unsigned long flags = 0, uint64_t addr = 0) {
    Op op = get(flags, addr, mask);
    op.ret_mode = mode;
    return op;
}
Op policy_at(uint64_t addr) {
    return get(MPOL_F_ADDR, addr);
}
Op node_at(uint64_t addr) {
    return get(MPOL_F_ADDR | MPOL_F_NODE, addr);
}

Op mbind(uint64_t start, uint64_t size, unsigned long mode, const Mask& mask,
         unsigned long flags = 0) {
    return {.call = Call::kMbind,
            .mode = mode,
            .mask = mask,
            .start = start,
            .size = size,
            .flags = flags};
}
Op mbind(const Range& range, unsigned long mode, const Mask& mask, unsigned long flags = 0) {
    return mbind(range.start, range.size, mode, mask, flags);
}
Op bind(const Range& range, const Nodes& nodes, unsigned long flags = 0) {
    return mbind(range, kBind, Mask{nodes}, flags);
}
Op unbind(const Range& range, unsigned long flags = 0) {
    return mbind(range, kDefault, kNoMask, flags);
}

Op home(uint64_t start, uint64_t size, unsigned long node, unsigned long flags = 0) {
    return {.call = Call::kHomeNode, .mode = node, .start = start, .size = size, .flags = flags};
}
Op home(const Range& range, unsigned long node, unsigned long flags = 0) {
    return home(range.start, range.size, node, flags);
}

Op touched(const Range& range) {
    return {.call = Call::kTouch, .start = range.start, .size = range.size};
}
Op touched(uint64_t start, uint64_t size) {
    return {.call = Call::kTouch, .start = start, .size = size};
}
Op spend() {
    return {.call = Call::kSpend};
}

Op without_nice(Op op) {
    op.nice = false;
    return op;
}

// --- Every mode with every set of flags and every kind of mask.

struct Named {
    const char* name;
    unsigned long value;
};
constexpr Named kModeNames[] = {{"DEFAULT", 0},    {"PREFERRED", 1}, {"BIND", 2},
                                {"INTERLEAVE", 3}, {"LOCAL", 4},     {"PREFERRED_MANY", 5},
                                {"WEIGHTED", 6}};
constexpr Named kFlagNames[] = {
    {"", 0},
    {"|STATIC", kStatic},
    {"|RELATIVE", kRelative},
    {"|BALANCING", kBalancing},
    {"|STATIC|RELATIVE", kStatic | kRelative},
    {"|STATIC|BALANCING", kStatic | kBalancing},
    {"|RELATIVE|BALANCING", kRelative | kBalancing},
};
struct NamedNodes {
    const char* name;
    Nodes nodes;
};
const NamedNodes kNodeNames[] = {{"{}", {}},         {"{0}", {0}},
                                 {"{1,2}", {1, 2}},  {"{0-3}", {0, 1, 2, 3}},
                                 {"{9}", {kAbsent}}, {"{0,9}", {0, kAbsent}}};

std::string cross_name(const char* call, const Named& mode, const Named& flags,
                       const NamedNodes& nodes) {
    return std::string(call) + " " + mode.name + flags.name + nodes.name;
}

void add_cross_product(std::vector<Row>& all) {
    for (const Named& mode : kModeNames) {
        for (const Named& flags : kFlagNames) {
            for (const NamedNodes& nodes : kNodeNames) {
                const unsigned long word = mode.value | flags.value;
                all.push_back(
                    {cross_name("set", mode, flags, nodes), {set(word, nodes.nodes), get()}});
                all.push_back({cross_name("mbind", mode, flags, nodes),
                               {mbind(kPlain, word, Mask{nodes.nodes}), policy_at(kPlain.start)}});
            }
        }
    }
}

// --- Which node page k gets, by the task and by the mapping.

void add_placement(std::vector<Row>& all) {
    for (const Named& mode : kModeNames) {
        if (mode.value == kDefault || mode.value == kLocal) continue;
        for (const Named& flags : {kFlagNames[0], kFlagNames[1], kFlagNames[2]}) {
            for (const NamedNodes& nodes : {kNodeNames[2], kNodeNames[3]}) {
                const unsigned long word = mode.value | flags.value;
                all.push_back({cross_name("task places", mode, flags, nodes),
                               {set(word, nodes.nodes), touched(kPlain), get()}});
                all.push_back({cross_name("mapping places", mode, flags, nodes),
                               {mbind(kPlain, word, Mask{nodes.nodes}), touched(kPlain),
                                node_at(kPlain.start), node_at(kPlain.page(1))}});
            }
        }
    }
}

const std::vector<Row> kSetRows = {
    {"set mode 7", {set(7, {0}), get()}},
    {"set mode 100", {set(100, {0}), get()}},
    {"set mode -1", {set(~0UL, {0}), get()}},
    {"set mode 7 before a bad pointer", {set(7, at(Pointer::kBad)), get()}},
    {"set an unknown mode flag", {set(kBind | 1 << 12, {0}), get()}},
    {"set STATIC|RELATIVE before maxnode 0",
     {set(kBind | kStatic | kRelative, nodes_up_to(0, {0}))}},
    {"set DEFAULT without a mask", {set(kDefault, kNoMask), get()}},
    {"set DEFAULT|STATIC without a mask", {set(kDefault | kStatic, kNoMask), get()}},
    {"set DEFAULT|RELATIVE without a mask", {set(kDefault | kRelative, kNoMask), get()}},
    {"set PREFERRED without a mask", {set(kPreferred, kNoMask), get()}},
    {"set PREFERRED|STATIC without a mask", {set(kPreferred | kStatic, kNoMask), get()}},
    {"set LOCAL without a mask", {set(kLocal, kNoMask), get()}},
    {"set BIND without a mask", {set(kBind, kNoMask), get()}},
    {"set INTERLEAVE without a mask", {set(kInterleave, kNoMask), get()}},
    {"set PREFERRED_MANY without a mask", {set(kMany, kNoMask), get()}},
    {"set WEIGHTED without a mask", {set(kWeighted, kNoMask), get()}},
    {"set null mask of 64 nodes", {set(kBind, Mask{{}, 65, Pointer::kNull})}},
    {"set null mask of 40000 nodes", {set(kLocal, Mask{{}, 40000, Pointer::kNull}), get()}},
    {"set bad mask", {set(kBind, at(Pointer::kBad)), get()}},
    {"set DEFAULT, bad mask", {set(kDefault, at(Pointer::kBad)), get()}},
    {"set bad mask of no nodes", {set(kLocal, at(Pointer::kBad, 1)), get()}},
    {"set bad mask, maxnode 0", {set(kLocal, at(Pointer::kBad, 0)), get()}},
    {"set bad mask, maxnode too large", {set(kBind, at(Pointer::kBad, 32770))}},
    {"set mask at the end of memory", {set(kBind, at(Pointer::kEdge, 65)), get()}},
    {"set mask over the end of memory", {set(kBind, at(Pointer::kEdge, 66)), get()}},
    {"set read-only mask", {set(kBind, at(Pointer::kReadOnly, 65)), get()}},
    {"set maxnode 0", {set(kBind, nodes_up_to(0, {0})), get()}},
    {"set maxnode 1", {set(kBind, nodes_up_to(1, {0})), get()}},
    {"set maxnode 2", {set(kBind, nodes_up_to(2, {0})), get()}},
    {"set LOCAL, maxnode 1 hides the mask", {set(kLocal, nodes_up_to(1, {0})), get()}},
    {"set {3}, maxnode 4", {set(kBind, nodes_up_to(4, {3})), get()}},
    {"set {3}, maxnode 5", {set(kBind, nodes_up_to(5, {3})), get()}},
    {"set {0,3}, maxnode 4", {set(kBind, nodes_up_to(4, {0, 3})), get()}},
    {"set maxnode 64", {set(kBind, nodes_up_to(64, {0})), get()}},
    {"set maxnode 65", {set(kBind, nodes_up_to(65, {0})), get()}},
    {"set {0,63}, maxnode 64", {set(kBind, nodes_up_to(64, {0, 63})), get()}},
    {"set {0,63}, maxnode 65", {set(kBind | kStatic, nodes_up_to(65, {0, 63})), get()}},
    {"set maxnode 32768", {set(kBind, nodes_up_to(32768, {0})), get()}},
    {"set maxnode 32769", {set(kBind, nodes_up_to(32769, {0})), get()}},
    {"set maxnode 32770", {set(kBind, nodes_up_to(32770, {0})), get()}},
    {"set maxnode -1", {set(kBind, nodes_up_to(~0UL, {0})), get()}},
    {"set {0,1023}", {set(kBind | kStatic, {0, 1023}), get()}},
    {"set {0,1024}", {set(kBind | kStatic, nodes_up_to(1026, {0, 1024})), get()}},
    {"set {0,5000} of 32769", {set(kBind, nodes_up_to(32769, {0, 5000})), get()}},
    {"set {1024} of no mode", {set(7, nodes_up_to(1026, {1024}))}},
    {"set {1024}, LOCAL", {set(kLocal, nodes_up_to(1026, {1024})), get()}},
    {"set {2,0} PREFERRED keeps the lowest", {set(kPreferred, {2, 0}), get()}},
    {"set {9,1} PREFERRED keeps the lowest allowed", {set(kPreferred, {kAbsent, 1}), get()}},
    {"set RELATIVE folds {9}", {set(kBind | kRelative, {kAbsent}), get(), touched(kPlain)}},
    {"set RELATIVE folds {4,5}", {set(kInterleave | kRelative, {4, 5}), get(), touched(kPlain)}},
    {"set PREFERRED|RELATIVE {6}", {set(kPreferred | kRelative, {6}), get(), touched(kPlain)}},
    {"set STATIC keeps the absent node", {set(kMany | kStatic, {0, kAbsent}), get()}},
    {"set fails, the old policy stays", {set(kPreferred, {0}), set(kBind, kNoMask), get()}},
    {"set fails on the mode, the old stays", {set(kInterleave, {0}), set(7, {0}), get()}},
    {"set fails on the nodes, the old stays", {set(kBind, {0}), set(kBind, {kAbsent}), get()}},
    {"set twice", {set(kBind, {0}), set(kInterleave, {0}), get()}},
    {"set, then DEFAULT", {set(kBind, {0}), set(kDefault, kNoMask), get()}},
    {"set, then LOCAL", {set(kBind | kStatic, {0}), set(kLocal, kNoMask), get()}},
    {"set does not move pages", {set(kBind, {1}), touched(kThere), get()}},
    {"set changes where new pages go",
     {set(kBind, {0}), touched(kPlain.start, 4 * kPage), set(kBind, {1}), touched(kPlain)}},
    {"set is below a mapping's policy", {set(kBind, {1}), bind(kPlain, {0}), touched(kPlain)}},
};

const std::vector<Row> kGetRows = {
    {"get nothing", {get_mode_to(Pointer::kNull, kNoMask)}},
    {"get the mode alone", {set(kBind, {0}), get(0, 0, kNoMask)}},
    {"get the mask alone", {set(kBind, {0}), get_mode_to(Pointer::kNull)}},
    {"get before any policy", {get()}},
    {"get maxnode 0", {get(0, 0, nodes_up_to(0, {}))}},
    {"get maxnode 1", {get(0, 0, nodes_up_to(1, {}))}},
    {"get maxnode 2", {set(kBind, {0}), get(0, 0, nodes_up_to(2, {}))}},
    {"get maxnode 3", {set(kBind, {0}), get(0, 0, nodes_up_to(3, {}))}},
    {"get maxnode 4", {set(kBind, {0, 3}), get(0, 0, nodes_up_to(4, {}))}},
    {"get maxnode 5", {set(kBind, {0, 3}), get(0, 0, nodes_up_to(5, {}))}},
    {"get maxnode 64", {set(kBind, {0}), get(0, 0, nodes_up_to(64, {}))}},
    {"get maxnode 65", {set(kBind, {0}), get(0, 0, nodes_up_to(65, {}))}},
    {"get maxnode 66", {set(kBind, {0}), get(0, 0, nodes_up_to(66, {}))}},
    {"get maxnode 2000", {set(kBind, {0}), get(0, 0, nodes_up_to(2000, {}))}},
    {"get maxnode 32769", {set(kBind, {0}), get(0, 0, nodes_up_to(32769, {}))}},
    {"get maxnode 32770", {set(kBind, {0}), get(0, 0, nodes_up_to(32770, {}))}},
    {"get maxnode 40000", {set(kBind, {0}), get(0, 0, nodes_up_to(40000, {}))}},
    {"get maxnode 0 into no mask", {get(0, 0, Mask{{}, 0, Pointer::kNull})}},
    {"get maxnode 40000 into no mask", {get(0, 0, Mask{{}, 40000, Pointer::kNull})}},
    {"get flag 8", {get(8)}},
    {"get flag 1<<31", {get(1UL << 31)}},
    {"get flag 1<<40", {get(1UL << 40)}},
    {"get flag 8, maxnode 0", {get(8, 0, nodes_up_to(0, {}))}},
    {"get flag 8 into nowhere", {get_mode_to(Pointer::kBad, at(Pointer::kBad), 8)}},
    {"get bad mode pointer", {set(kBind, {0}), get_mode_to(Pointer::kBad)}},
    {"get bad mask pointer", {set(kBind, {0}), get_mode_to(Pointer::kNull, at(Pointer::kBad))}},
    {"get both pointers bad", {get_mode_to(Pointer::kBad, at(Pointer::kBad))}},
    {"get read-only mode", {get_mode_to(Pointer::kReadOnly)}},
    {"get read-only mask", {get_mode_to(Pointer::kNull, at(Pointer::kReadOnly, 65))}},
    {"get mode, then a bad mask", {set(kBind, {0}), get(0, 0, at(Pointer::kBad))}},
    {"get mask at the end of memory", {set(kBind, {0}), get(0, 0, at(Pointer::kEdge, 65))}},
    {"get mask over the end of memory",
     {set(kBind, {0}), get_mode_to(Pointer::kNull, at(Pointer::kEdge, 129))}},
    {"get bad mode pointer before a mask too large",
     {get_mode_to(Pointer::kBad, nodes_up_to(40000, {}))}},
    {"get a mask too large, at a bad pointer",
     {get_mode_to(Pointer::kNull, at(Pointer::kBad, 40000))}},
    {"get maxnode 0 before flag and pointers",
     {get_mode_to(Pointer::kBad, at(Pointer::kBad, 0), MPOL_F_NODE)}},

    {"get MEMS_ALLOWED", {get(MPOL_F_MEMS_ALLOWED)}},
    {"get MEMS_ALLOWED with a policy", {set(kBind, {0}), get(MPOL_F_MEMS_ALLOWED)}},
    {"get MEMS_ALLOWED ignores addr", {get(MPOL_F_MEMS_ALLOWED, kPlain.start)}},
    {"get MEMS_ALLOWED ignores a bad addr", {get(MPOL_F_MEMS_ALLOWED, 1)}},
    {"get MEMS_ALLOWED|NODE", {get(MPOL_F_MEMS_ALLOWED | MPOL_F_NODE)}},
    {"get MEMS_ALLOWED|ADDR", {get(MPOL_F_MEMS_ALLOWED | MPOL_F_ADDR, kPlain.start)}},
    {"get MEMS_ALLOWED|NODE|ADDR",
     {get(MPOL_F_MEMS_ALLOWED | MPOL_F_NODE | MPOL_F_ADDR, kPlain.start)}},
    {"get MEMS_ALLOWED, maxnode 1", {get(MPOL_F_MEMS_ALLOWED, 0, nodes_up_to(1, {}))}},
    {"get MEMS_ALLOWED into nowhere",
     {get_mode_to(Pointer::kNull, at(Pointer::kBad), MPOL_F_MEMS_ALLOWED)}},

    {"get addr without ADDR", {get(0, kPlain.start)}},
    {"get addr without ADDR, with NODE", {get(MPOL_F_NODE, kPlain.start)}},
    {"get addr without ADDR into nowhere", {get_mode_to(Pointer::kBad, {}, 0, kPlain.start)}},
    {"get ADDR null", {policy_at(0)}},
    {"get ADDR unmapped", {policy_at(kNothing.start)}},
    {"get ADDR in the hole", {policy_at(kHole.page(4))}},
    {"get ADDR beyond all", {policy_at(~0UL - kPage)}},
    {"get ADDR unmapped, mask too large",
     {get(MPOL_F_ADDR, kNothing.start, nodes_up_to(40000, {}))}},
    {"get ADDR without a policy", {policy_at(kPlain.start)}},
    {"get ADDR is not the task policy", {set(kBind, {0}), policy_at(kPlain.start)}},
    {"get ADDR unaligned", {bind(kPlain, {0}), policy_at(kPlain.start + 123)}},
    {"get ADDR of a policy with flags",
     {mbind(kPlain, kMany | kStatic, Mask{{0, kAbsent}}), policy_at(kPlain.start)}},
    {"get ADDR of LOCAL", {mbind(kPlain, kLocal, kNoMask), policy_at(kPlain.start)}},
    {"get ADDR, the mode alone", {bind(kPlain, {0}), get(MPOL_F_ADDR, kPlain.start, kNoMask)}},
    {"get ADDR into nowhere",
     {bind(kPlain, {0}), get_mode_to(Pointer::kBad, {}, MPOL_F_ADDR, kPlain.start)}},
    {"get ADDR, maxnode 0", {get(MPOL_F_ADDR, kPlain.start, nodes_up_to(0, {}))}},
    {"get ADDR of no access", {bind(kNoAccess, {0}), policy_at(kNoAccess.start)}},
    {"get ADDR of the file", {bind(kFile, {0}), policy_at(kFile.start)}},
    {"get ADDR of the growing mapping", {bind(kStack, {0}), policy_at(kStack.start)}},

    {"get NODE|ADDR of a page", {node_at(kThere.start)}},
    {"get NODE|ADDR of a page with a policy", {bind(kThere, {1}), node_at(kThere.start)}},
    {"get NODE|ADDR unmapped", {node_at(kNothing.start)}},
    {"get NODE|ADDR of no access", {node_at(kNoAccess.start)}},
    {"get NODE|ADDR of shared memory", {node_at(kAlias.page(3))}},
    {"get NODE|ADDR after a move", {bind(kThere, {1}, kMove), node_at(kThere.page(2))}},

    {"get NODE without a policy", {get(MPOL_F_NODE)}},
    {"get NODE without a policy into nowhere",
     {get_mode_to(Pointer::kBad, at(Pointer::kBad), MPOL_F_NODE)}},
    {"get NODE of PREFERRED", {set(kPreferred, {0}), get(MPOL_F_NODE)}},
    {"get NODE of BIND", {set(kBind, {0}), get(MPOL_F_NODE)}},
    {"get NODE of LOCAL", {set(kLocal, kNoMask), get(MPOL_F_NODE)}},
    {"get NODE of PREFERRED_MANY", {set(kMany, {0}), get(MPOL_F_NODE)}},
    {"get NODE of INTERLEAVE", {set(kInterleave, {0, 1, 3}), get(MPOL_F_NODE)}},
    {"get NODE of INTERLEAVE {2,3}", {set(kInterleave, {2, 3}), get(MPOL_F_NODE)}},
    {"get NODE of INTERLEAVE|STATIC", {set(kInterleave | kStatic, {1, kAbsent}), get(MPOL_F_NODE)}},
    {"get NODE of INTERLEAVE|RELATIVE {6}", {set(kInterleave | kRelative, {6}), get(MPOL_F_NODE)}},
    {"get NODE of WEIGHTED", {set(kWeighted, {1, 2}), get(MPOL_F_NODE)}},
    {"get NODE of an interleave under way",
     {set(kInterleave, {0, 1, 2, 3}), spend(), get(MPOL_F_NODE, 0, kNoMask)}},
};

const std::vector<Row> kMbindRows = {
    {"mbind mode 7", {mbind(kPlain, 7, Mask{{0}})}},
    {"mbind mode -1", {mbind(kPlain, ~0UL, Mask{{0}})}},
    {"mbind mode 1<<32", {mbind(kPlain, 1UL << 32 | kBind, Mask{{0}}), policy_at(kPlain.start)}},
    {"mbind bad mask", {mbind(kPlain, kBind, at(Pointer::kBad)), policy_at(kPlain.start)}},
    {"mbind mask over the end of memory", {mbind(kPlain, kBind, at(Pointer::kEdge, 66))}},
    {"mbind read-only mask", {mbind(kPlain, kBind, at(Pointer::kReadOnly, 65))}},
    {"mbind maxnode 0", {mbind(kPlain, kBind, nodes_up_to(0, {0}))}},
    {"mbind maxnode 1", {mbind(kPlain, kBind, nodes_up_to(1, {0}))}},
    {"mbind maxnode 2", {mbind(kPlain, kBind, nodes_up_to(2, {0})), policy_at(kPlain.start)}},
    {"mbind {0,3}, maxnode 4",
     {mbind(kPlain, kBind, nodes_up_to(4, {0, 3})), policy_at(kPlain.start)}},
    {"mbind maxnode 32769",
     {mbind(kPlain, kBind, nodes_up_to(32769, {0})), policy_at(kPlain.start)}},
    {"mbind maxnode 32770", {mbind(kPlain, kBind, nodes_up_to(32770, {0}))}},
    {"mbind {0,1024}", {mbind(kPlain, kBind, nodes_up_to(1026, {0, 1024}))}},
    {"mbind the whole", {bind(kPlain, {0}), policy_at(kPlain.start), policy_at(kPlain.page(15))}},
    {"mbind the middle",
     {mbind(kPlain.page(4), 4 * kPage, kBind, Mask{{0}}), policy_at(kPlain.page(3)),
      policy_at(kPlain.page(4)), policy_at(kPlain.page(7)), policy_at(kPlain.page(8))}},
    {"mbind over another policy",
     {bind(kPlain, {0}), mbind(kPlain.page(8), 8 * kPage, kInterleave, Mask{{0}}),
      policy_at(kPlain.start), policy_at(kPlain.page(8))}},
    {"mbind len 1",
     {mbind(kPlain.start, 1, kBind, Mask{{0}}), policy_at(kPlain.start),
      policy_at(kPlain.page(1))}},
    {"mbind len not a multiple",
     {mbind(kPlain.start, kPage + 1, kBind, Mask{{0}}), policy_at(kPlain.page(1)),
      policy_at(kPlain.page(2))}},
    {"mbind len 0", {mbind(kPlain.start, 0, kBind, Mask{{0}}), policy_at(kPlain.start)}},
    {"mbind len 0, no nodes", {mbind(kPlain.start, 0, kBind, kNoMask)}},
    {"mbind len 0, absent node", {mbind(kPlain.start, 0, kBind, Mask{{kAbsent}})}},
    {"mbind len 0, mode 7", {mbind(kPlain.start, 0, 7, Mask{{0}})}},
    {"mbind len 0 unmapped", {mbind(kNothing.start, 0, kBind, Mask{{0}})}},
    {"mbind len 0 unaligned", {mbind(kPlain.start + 1, 0, kBind, Mask{{0}})}},
    {"mbind len 0, flag 8", {mbind(kPlain.start, 0, kBind, Mask{{0}}, 8)}},
    {"mbind len -1", {mbind(kPlain.start, ~0UL, kBind, Mask{{0}}), policy_at(kPlain.start)}},
    {"mbind len -4096", {mbind(kPlain.start, ~0UL << 12, kBind, Mask{{0}})}},
    {"mbind len to the end of numbers",
     {mbind(kPlain.start, 0UL - kPlain.start, kBind, Mask{{0}})}},
    {"mbind beyond the address space", {mbind(~0UL << 12, kPage, kBind, Mask{{0}})}},
    {"mbind null", {mbind(0, kPage, kBind, Mask{{0}})}},
    {"mbind unaligned",
     {mbind(kPlain.start + 1, kPage, kBind, Mask{{0}}), policy_at(kPlain.start)}},
    {"mbind unaligned, bad mask", {mbind(kPlain.start + 1, kPage, kBind, at(Pointer::kBad))}},
    {"mbind unaligned, no nodes", {mbind(kPlain.start + 1, kPage, kBind, kNoMask)}},
    {"mbind flag 8 (LAZY)", {bind(kPlain, {0}, 8), policy_at(kPlain.start)}},
    {"mbind flag 16", {bind(kPlain, {0}, 1UL << 4)}},
    {"mbind flag 1<<16", {bind(kPlain, {0}, 1UL << 16)}},
    {"mbind flag 1<<31", {bind(kPlain, {0}, 1UL << 31)}},
    {"mbind flag 8, bad mask", {mbind(kPlain, kBind, at(Pointer::kBad), 8)}},
    {"mbind flag 8, unaligned", {mbind(kPlain.start + 1, kPage, kBind, Mask{{0}}, 8)}},
    {"mbind flag 8, no nodes", {mbind(kPlain, kBind, kNoMask, 8)}},
    {"mbind BIND, no nodes, unmapped", {mbind(kNothing, kBind, kNoMask)}},
    {"mbind BIND, absent node, unmapped", {mbind(kNothing, kBind, Mask{{kAbsent}})}},
    {"mbind DEFAULT, a node, unmapped", {mbind(kNothing, kDefault, Mask{{0}})}},

    {"mbind over the hole", {bind(kHole, {0}), policy_at(kHole.start), policy_at(kHole.page(8))}},
    {"mbind over the hole, LOCAL", {mbind(kHole, kLocal, kNoMask), policy_at(kHole.start)}},
    {"mbind from the hole on",
     {mbind(kHole.page(6), 6 * kPage, kBind, Mask{{0}}), policy_at(kHole.page(8))}},
    {"mbind up to the hole",
     {mbind(kHole.start, 4 * kPage, kBind, Mask{{0}}), policy_at(kHole.start)}},
    {"mbind in the hole", {mbind(kHole.page(5), kPage, kBind, Mask{{0}})}},
    {"mbind over the tail", {bind(kTail, {0}), policy_at(kTail.start)}},
    {"mbind unmapped", {bind(kNothing, {0})}},
    {"mbind unmapped, MOVE", {bind(kNothing, {0}, kMove)}},
    {"mbind over the hole, MOVE", {bind(kHole, {0}, kMove), policy_at(kHole.start)}},
    {"mbind over the hole, STRICT", {bind(kHole, {0}, kStrict), policy_at(kHole.start)}},
    {"unbind over the hole",
     {mbind(kHole.start, 4 * kPage, kBind, Mask{{0}}), unbind(kHole), policy_at(kHole.start)}},
    {"unbind from the hole on",
     {mbind(kHole.page(8), 4 * kPage, kBind, Mask{{0}}),
      mbind(kHole.page(6), 6 * kPage, kDefault, kNoMask), policy_at(kHole.page(8))}},
    {"unbind over the tail",
     {mbind(kTail.start, 4 * kPage, kBind, Mask{{0}}), unbind(kTail), policy_at(kTail.start)}},
    {"unbind unmapped", {unbind(kNothing)}},
    {"unbind unmapped, STRICT", {unbind(kNothing, kStrict)}},
    {"unbind over the hole, STRICT", {unbind(kHole, kStrict)}},
    {"unbind over the hole, MOVE", {unbind(kHole, kMove)}},
    {"unbind what has no policy", {unbind(kPlain), policy_at(kPlain.start)}},
    {"unbind, STRICT", {bind(kPlain, {0}), unbind(kPlain, kStrict), policy_at(kPlain.start)}},
    {"unbind misplaced pages, STRICT",
     {bind(kThere, {1}), unbind(kThere, kStrict), policy_at(kThere.start)}},
    {"unbind the middle",
     {bind(kPlain, {0}), mbind(kPlain.page(4), kPage, kDefault, kNoMask), policy_at(kPlain.page(3)),
      policy_at(kPlain.page(4)), policy_at(kPlain.page(5))}},
    {"DEFAULT|STATIC unbinds",
     {bind(kPlain, {0}), mbind(kPlain, kDefault | kStatic, kNoMask), policy_at(kPlain.start)}},

    {"mbind STRICT, pages well placed", {bind(kThere, {0}, kStrict), policy_at(kThere.start)}},
    {"mbind STRICT, pages misplaced", {bind(kThere, {1}, kStrict), policy_at(kThere.start)}},
    {"mbind STRICT, misplaced, over another policy",
     {bind(kThere, {0}), bind(kThere, {1}, kStrict), policy_at(kThere.start)}},
    {"mbind STRICT, no pages", {bind(kPlain, {1}, kStrict), policy_at(kPlain.start)}},
    {"mbind STRICT, absent node", {bind(kThere, {kAbsent}, kStrict)}},
    {"mbind STRICT LOCAL", {mbind(kThere, kLocal, kNoMask, kStrict), policy_at(kThere.start)}},
    {"mbind STRICT PREFERRED",
     {mbind(kThere, kPreferred, Mask{{1}}, kStrict), policy_at(kThere.start)}},
    {"mbind STRICT INTERLEAVE over the node that has them",
     {mbind(kThere, kInterleave, Mask{{0, 1}}, kStrict), policy_at(kThere.start)}},
    {"mbind without a flag leaves pages", {bind(kThere, {1}), policy_at(kThere.start)}},
    {"mbind MOVE", {bind(kThere, {1}, kMove), policy_at(kThere.start)}},
    {"mbind MOVE, well placed", {bind(kThere, {0}, kMove), policy_at(kThere.start)}},
    {"mbind MOVE, no pages", {bind(kPlain, {1}, kMove), policy_at(kPlain.start)}},
    {"mbind MOVE some", {mbind(kThere.page(2), 3 * kPage, kBind, Mask{{2}}, kMove)}},
    {"mbind MOVE INTERLEAVE",
     {mbind(kThere, kInterleave, Mask{{1, 2}}, kMove), policy_at(kThere.start)}},
    {"mbind MOVE PREFERRED",
     {mbind(kThere, kPreferred, Mask{{2}}, kMove), policy_at(kThere.start)}},
    {"mbind MOVE PREFERRED_MANY",
     {mbind(kThere, kMany, Mask{{1, 2}}, kMove), policy_at(kThere.start)}},
    {"mbind MOVE WEIGHTED",
     {mbind(kThere, kWeighted, Mask{{1, 3}}, kMove), policy_at(kThere.start)}},
    {"mbind MOVE DEFAULT",
     {bind(kThere, {1}, kMove), unbind(kThere, kMove), policy_at(kThere.start)}},
    {"mbind MOVE there and back", {bind(kThere, {1}, kMove), bind(kThere, {0}, kMove)}},
    {"mbind MOVE to memory without a processor",
     {bind(kThere, {3}, kMove), policy_at(kThere.start)}},
    {"mbind STRICT|MOVE", {bind(kThere, {1}, kStrict | kMove), policy_at(kThere.start)}},
    {"mbind MOVE, absent node", {bind(kThere, {kAbsent}, kMove), policy_at(kThere.start)}},
    {"mbind MOVE without CAP_SYS_NICE", {without_nice(bind(kThere, {1}, kMove))}},
    {"mbind MOVE_ALL", {bind(kThere, {1}, kMoveAll), policy_at(kThere.start)}},
    {"mbind MOVE|MOVE_ALL", {bind(kThere, {1}, kMove | kMoveAll), policy_at(kThere.start)}},
    {"mbind STRICT|MOVE_ALL", {bind(kThere, {2}, kStrict | kMoveAll), policy_at(kThere.start)}},
    {"mbind MOVE_ALL without CAP_SYS_NICE",
     {without_nice(bind(kThere, {1}, kMoveAll)), policy_at(kThere.start)}},
    {"mbind MOVE_ALL without CAP_SYS_NICE, unaligned",
     {without_nice(mbind(kThere.start + 1, kPage, kBind, Mask{{1}}, kMoveAll))}},
    {"mbind MOVE_ALL without CAP_SYS_NICE, flag 8",
     {without_nice(bind(kThere, {1}, kMoveAll | 8))}},
    {"mbind MOVE_ALL without CAP_SYS_NICE, len 0",
     {without_nice(mbind(kThere.start, 0, kBind, Mask{{1}}, kMoveAll))}},
    {"mbind MOVE_ALL without CAP_SYS_NICE, bad mask",
     {without_nice(mbind(kThere, kBind, at(Pointer::kBad), kMoveAll))}},

    {"mbind shared memory is of the object", {bind(kMemfd, {0}), policy_at(kAlias.start)}},
    {"mbind shared memory through the other mapping",
     {bind(kAlias, {0}), policy_at(kMemfd.page(5))}},
    {"mbind part of shared memory",
     {mbind(kMemfd.page(2), 2 * kPage, kBind, Mask{{0}}), policy_at(kAlias.page(1)),
      policy_at(kAlias.page(2)), policy_at(kAlias.page(4))}},
    {"unbind shared memory through the other mapping",
     {bind(kMemfd, {0}), unbind(kAlias), policy_at(kMemfd.start)}},
    {"mbind MOVE skips pages mapped twice", {bind(kMemfd, {1}, kMove), policy_at(kMemfd.start)}},
    {"mbind STRICT|MOVE with pages mapped twice",
     {bind(kMemfd, {1}, kStrict | kMove), policy_at(kMemfd.start)}},
    {"mbind MOVE_ALL takes pages mapped twice",
     {bind(kMemfd, {1}, kMoveAll), policy_at(kMemfd.start)}},
    {"mbind STRICT shared memory, misplaced",
     {bind(kMemfd, {1}, kStrict), policy_at(kMemfd.start)}},
    {"mbind a file", {bind(kFile, {0}), policy_at(kFile.start)}},
    {"mbind a file, STRICT|MOVE", {bind(kFile, {0}, kStrict | kMove)}},
    {"mbind no access", {bind(kNoAccess, {0}, kMove), policy_at(kNoAccess.start)}},
    {"mbind three mappings",
     {bind(kThree, {0}), policy_at(kThree.start), policy_at(kThree.page(2)),
      policy_at(kThree.page(5))}},
    {"mbind within three mappings",
     {mbind(kThree.page(1), 4 * kPage, kInterleave, Mask{{0}}), policy_at(kThree.start),
      policy_at(kThree.page(1)), policy_at(kThree.page(4)), policy_at(kThree.page(5))}},
    {"mbind the growing mapping", {bind(kStack, {1}), touched(kStack), node_at(kStack.start)}},
    {"mbind, then set: the mapping's wins",
     {bind(kPlain, {1}), set(kBind, {2}), touched(kPlain), policy_at(kPlain.start), get()}},
    {"unbind: the task's policy governs again",
     {set(kBind, {2}), bind(kPlain, {1}), touched(kPlain.start, 4 * kPage), unbind(kPlain),
      touched(kPlain)}},
};

const std::vector<Row> kHomeNodeRows = {
    {"home node without a policy", {home(kPlain, 0)}},
    {"home node unmapped", {home(kNothing, 0)}},
    {"home node of BIND", {bind(kPlain, {0}), home(kPlain, 0), policy_at(kPlain.start)}},
    {"home node of BIND {1,2} is 2", {bind(kPlain, {1, 2}), home(kPlain, 2), touched(kPlain)}},
    {"home node of BIND {1,2} is 1", {bind(kPlain, {1, 2}), home(kPlain, 1), touched(kPlain)}},
    {"home node outside the mask", {bind(kPlain, {1, 2}), home(kPlain, 3), touched(kPlain)}},
    {"home node of PREFERRED_MANY",
     {mbind(kPlain, kMany, Mask{{1, 2}}), home(kPlain, 2), touched(kPlain),
      policy_at(kPlain.start)}},
    {"home node of PREFERRED_MANY, outside",
     {mbind(kPlain, kMany, Mask{{1, 2}}), home(kPlain, 3), touched(kPlain)}},
    {"home node of BIND|STATIC",
     {mbind(kPlain, kBind | kStatic, Mask{{0, kAbsent}}), home(kPlain, 0),
      policy_at(kPlain.start)}},
    {"home node of PREFERRED", {mbind(kPlain, kPreferred, Mask{{0}}), home(kPlain, 0)}},
    {"home node of INTERLEAVE", {mbind(kPlain, kInterleave, Mask{{0}}), home(kPlain, 0)}},
    {"home node of WEIGHTED", {mbind(kPlain, kWeighted, Mask{{0}}), home(kPlain, 0)}},
    {"home node of LOCAL", {mbind(kPlain, kLocal, kNoMask), home(kPlain, 0)}},
    {"home node twice", {bind(kPlain, {1, 2}), home(kPlain, 2), home(kPlain, 1), touched(kPlain)}},
    {"home node goes with the policy",
     {bind(kPlain, {1, 2}), home(kPlain, 2), bind(kPlain, {1, 2}), touched(kPlain)}},
    {"home node of a part",
     {bind(kPlain, {1, 2}), home(kPlain.page(4), 4 * kPage, 2), touched(kPlain),
      policy_at(kPlain.page(4))}},
    {"home node, flags 1", {bind(kPlain, {0}), home(kPlain, 0, 1)}},
    {"home node, flags 1<<63", {bind(kPlain, {0}), home(kPlain, 0, 1UL << 63)}},
    {"home node, unaligned", {bind(kPlain, {0}), home(kPlain.start + 1, kPage, 0)}},
    {"home node, len 0", {home(kPlain.start, 0, 0)}},
    {"home node, len 0 unmapped", {home(kNothing.start, 0, 0)}},
    {"home node, len 1",
     {bind(kPlain, {1, 2}), home(kPlain.start, 1, 2), touched(kPlain), policy_at(kPlain.start)}},
    {"home node, len -1", {bind(kPlain, {0}), home(kPlain.start, ~0UL, 0)}},
    {"home node, len -4096", {bind(kPlain, {0}), home(kPlain.start, ~0UL << 12, 0)}},
    {"home node 1", {bind(kPlain, {0}), home(kPlain, 1), touched(kPlain)}},
    {"home node that is absent", {bind(kPlain, {0}), home(kPlain, kAbsent)}},
    {"home node 1023", {bind(kPlain, {0}), home(kPlain, 1023)}},
    {"home node 1024", {bind(kPlain, {0}), home(kPlain, 1024)}},
    {"home node -1", {bind(kPlain, {0}), home(kPlain, ~0UL)}},
    {"home node 1<<32", {bind(kPlain, {0}), home(kPlain, 1UL << 32)}},
    {"home node absent, len 0", {home(kPlain.start, 0, kAbsent)}},
    {"home node over the hole",
     {mbind(kHole.start, 4 * kPage, kBind, Mask{{0}}),
      mbind(kHole.page(8), 4 * kPage, kBind, Mask{{0}}), home(kHole, 0)}},
    {"home node over a mapping without a policy",
     {mbind(kPlain.page(4), 4 * kPage, kBind, Mask{{1, 2}}), home(kPlain, 2), touched(kPlain)}},
    {"home node, the second mapping can't",
     {mbind(kPlain.start, 4 * kPage, kBind, Mask{{1, 2}}),
      mbind(kPlain.page(4), 4 * kPage, kInterleave, Mask{{1, 2}}), home(kPlain, 2),
      touched(kPlain)}},
    {"home node, the first mapping can't",
     {mbind(kPlain.start, 4 * kPage, kInterleave, Mask{{1, 2}}),
      mbind(kPlain.page(4), 4 * kPage, kBind, Mask{{1, 2}}), home(kPlain, 2), touched(kPlain)}},
    {"home node of shared memory", {bind(kMemfd, {0}), home(kMemfd, 0), policy_at(kAlias.start)}},
};

// The kernel has stored the mode by the time it finds the mask wanting.
constexpr const char* kChangesNothing = "mpol changes nothing when it fails";

void add(std::vector<Row>& all, const std::vector<Row>& more) {
    all.insert(all.end(), more.begin(), more.end());
}

}  // namespace

const std::vector<Row>& rows() {
    static const std::vector<Row> all = [] {
        std::vector<Row> table;
        add(table, kSetRows);
        add(table, kGetRows);
        add(table, kMbindRows);
        add(table, kHomeNodeRows);
        add_cross_product(table);
        add_placement(table);
        return table;
    }();
    return all;
}

const std::vector<Difference>& differences() {
    static const std::vector<Difference> all = {
        {"get NODE of an interleave under way", 2, "0 mode 0x0",
         "where the counter of another task stands can't be seen: the answer is where it began",
         false},
        {"get mode, then a bad mask", 1, "-14", kChangesNothing},
        {"get maxnode 32770", 1, "-22", kChangesNothing},
        {"get maxnode 40000", 1, "-22", kChangesNothing},
    };
    return all;
}

}  // namespace mpol::test
