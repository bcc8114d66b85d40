// SPDX-License-Identifier: Apache-2.0
#include "placement.h"

#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <stdexcept>

namespace mpol::test {
namespace {

constexpr unsigned kNodesMax = 64;

int node_of(const void* address) {
    int node = kAbsent;
    const auto page = reinterpret_cast<uintptr_t>(address) & ~(kPage - 1);
    look_up(reinterpret_cast<const char*>(page), 1, &node);
    return node;
}

struct Counts {
    size_t of[kNodesMax]{};
    void add(int node) {
        if (node >= 0 && node < static_cast<int>(kNodesMax)) ++of[node];
    }
    [[nodiscard]] std::string text() const {
        std::string out = "nodes";
        for (unsigned node = 0; node < kNodesMax; ++node) {
            if (of[node] != 0) out += " " + std::to_string(node) + "=" + std::to_string(of[node]);
        }
        return out;
    }
};

// --- Verbs, in the subject. Text is made after the faulting is done.

Counts fault_absent(char* start, size_t size) {
    Counts counts;
    for (size_t at = 0; at < size; at += kPage) {
        if (node_of(start + at) != kAbsent) continue;
        static_cast<volatile char*>(start)[at] = 1;
        counts.add(node_of(start + at));
    }
    return counts;
}

uint64_t nodes_verb(uint64_t address, uint64_t size, std::string& ret_text) {
    Counts counts;
    for (uint64_t at = 0; at < size; at += kPage) {
        counts.add(node_of(reinterpret_cast<const void*>(address + at)));
    }
    ret_text = counts.text();
    return 0;
}
const Verb nodes_registered("nodes", nodes_verb);

uint64_t fault_verb(uint64_t address, uint64_t size, std::string& ret_text) {
    ret_text = fault_absent(reinterpret_cast<char*>(address), size).text();
    return 0;
}
const Verb fault_registered("fault", fault_verb);

uint64_t fault_small_verb(uint64_t count, uint64_t, std::string& ret_text) {
    Counts counts;
    for (uint64_t i = 0; i < count; ++i) {
        auto* const object = static_cast<volatile char*>(volatile_malloc(64));
        const bool absent = node_of(const_cast<char*>(object)) == kAbsent;
        object[0] = 1;
        if (absent) counts.add(node_of(const_cast<char*>(object)));
    }
    ret_text = counts.text();
    return 0;
}
const Verb fault_small_registered("fault_small", fault_small_verb);

// The pages of an object, whole or in part.
template <class Visit>
void for_each_page(void* object, size_t size, Visit visit) {
    const auto start = reinterpret_cast<uintptr_t>(object);
    for (uintptr_t at = start; at < start + size; at = (at & ~(kPage - 1)) + kPage) {
        visit(reinterpret_cast<char*>(at));
    }
}

uint64_t touch_many_verb(uint64_t size, uint64_t, std::string&) {
    for (void* object : objects_of_this_thread()) {
        for_each_page(object, size, [](volatile char* at) { *at = 1; });
    }
    return 0;
}
const Verb touch_many_registered("touch_many", touch_many_verb);

uint64_t nodes_of_many_verb(uint64_t size, uint64_t, std::string& ret_text) {
    Counts counts;
    for (void* object : objects_of_this_thread()) {
        for_each_page(object, size, [&](char* at) { counts.add(node_of(at)); });
    }
    ret_text = counts.text();
    return 0;
}
const Verb nodes_of_many_registered("nodes_of_many", nodes_of_many_verb);

[[gnu::noinline]] Counts fault_below(size_t size) {
    auto* const memory = static_cast<char*>(__builtin_alloca(size));
    auto* const start =
        reinterpret_cast<char*>((reinterpret_cast<uintptr_t>(memory) + kPage) & ~(kPage - 1));
    return fault_absent(start, size - 2 * kPage);
}
uint64_t fault_stack_verb(uint64_t size, uint64_t, std::string& ret_text) {
    ret_text = fault_below(size).text();
    return 0;
}
const Verb fault_stack_registered("fault_stack", fault_stack_verb);

uint64_t order_verb(uint64_t address, uint64_t pages, std::string& ret_text) {
    int nodes[256];
    if (pages > 256) return 0;
    look_up(reinterpret_cast<const char*>(address), pages, nodes);
    ret_text = "order";
    for (uint64_t i = 0; i < pages; ++i) ret_text += static_cast<char>('0' + nodes[i]);
    return 0;
}
const Verb order_registered("order", order_verb);

uint64_t pin_verb(uint64_t cpu, uint64_t, std::string&) {
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    CPU_SET(cpu, &cpus);
    return ::sched_setaffinity(0, sizeof(cpus), &cpus) == 0 ? 0 : static_cast<uint64_t>(errno);
}
const Verb pin_registered("pin", pin_verb);

uint64_t set_mempolicy_verb(uint64_t mode, uint64_t mask, std::string&) {
    return ::syscall(SYS_set_mempolicy, mode, &mask, 65) == 0 ? 0 : static_cast<uint64_t>(errno);
}
const Verb set_mempolicy_registered("set_mempolicy", set_mempolicy_verb);

// first: address; second: megabytes << 32 | mode << 16 | mask.
uint64_t mbind_verb(uint64_t address, uint64_t packed, std::string&) {
    const uint64_t mask = packed & 0xffff;
    const long done =
        ::syscall(SYS_mbind, address, (packed >> 32) << 20, (packed >> 16) & 0xffff, &mask, 65, 0);
    return done == 0 ? 0 : static_cast<uint64_t>(errno);
}
const Verb mbind_registered("mbind", mbind_verb);

// --- In the test

Nodes parse_nodes_text(const std::string& text) {
    if (text.rfind("nodes", 0) != 0) throw std::runtime_error("heard '" + text + "'");
    Nodes nodes;
    const char* at = text.c_str() + 5;
    while (*at == ' ') {
        char* end = nullptr;
        const auto node = static_cast<int>(std::strtol(at, &end, 10));
        nodes[node] = std::strtoull(end + 1, &end, 10);
        at = end;
    }
    return nodes;
}

Options without_huge_pages(Options options, bool huge_pages) {
    if (!huge_pages) options.before_exec = [] { ::prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0); };
    return options;
}

}  // namespace

Placed::Placed(Options options, bool huge_pages)
    : Workbench(without_huge_pages(std::move(options), huge_pages)) {}

Nodes Placed::nodes(uint64_t address, size_t size) {
    return parse_nodes_text(run_text(kMain, "nodes", address, size));
}

Nodes Placed::fault(unsigned thread, uint64_t address, size_t size) {
    return parse_nodes_text(run_text(thread, "fault", address, size));
}

Nodes Placed::fault_new(unsigned thread, size_t size) {
    return fault(thread, allocate(thread, size), size);
}

Nodes Placed::fault_small(unsigned thread, size_t count) {
    return parse_nodes_text(run_text(thread, "fault_small", count));
}

void Placed::touch_many(unsigned thread, size_t size) {
    run(thread, "touch_many", size);
}

Nodes Placed::nodes_of_many(unsigned thread, size_t size) {
    return parse_nodes_text(run_text(thread, "nodes_of_many", size));
}

Nodes Placed::fault_mapped(unsigned thread, size_t size) {
    return fault(thread, map(thread, size), size);
}

Nodes Placed::fault_stack(unsigned thread, size_t size) {
    return parse_nodes_text(run_text(thread, "fault_stack", size));
}

std::vector<int> Placed::order(uint64_t address, size_t size) {
    std::vector<int> nodes;
    for (size_t at = 0; at < size; at += 256 * kPage) {
        const size_t pages = std::min<size_t>(256, (size - at) / kPage);
        for (const char digit : run_text(kMain, "order", address + at, pages).substr(5)) {
            nodes.push_back(digit - '0');
        }
    }
    return nodes;
}

void Placed::pin(unsigned thread, unsigned cpu) {
    const uint64_t err = run(thread, "pin", cpu);
    if (err != 0) throw std::runtime_error("no such processor");
}

int Placed::own_set_mempolicy(unsigned thread, const Policy& policy) {
    return static_cast<int>(run(thread, "set_mempolicy", static_cast<uint64_t>(policy.mode_word()),
                                policy.nodes.words[0]));
}

int Placed::own_mbind(uint64_t address, size_t size, const Policy& policy) {
    return static_cast<int>(run(kMain, "mbind", address,
                                uint64_t{size >> 20} << 32 |
                                    static_cast<uint64_t>(policy.mode) << 16 |
                                    policy.nodes.words[0]));
}

bool only_on(const Nodes& nodes, const NodeMask& mask) {
    return !nodes.empty() && std::all_of(nodes.begin(), nodes.end(), [&](const auto& entry) {
        return mask.test(static_cast<unsigned>(entry.first));
    });
}

void expect_interleaved(const std::vector<int>& order, uint64_t address, const NodeMask& mask) {
    std::vector<int> ascending;
    for (unsigned node = mask.first(); node < kMaxNodes; node = mask.next(node + 1)) {
        ascending.push_back(static_cast<int>(node));
    }
    // Older kernels (6.1) reduce the page number to 32 bits before they divide.
    const uint64_t first = address / kPage;
    const size_t count = ascending.size();
    const bool reduced = !order.empty() && order[0] != ascending[first % count];
    for (size_t i = 0; i < order.size(); ++i) {
        const uint64_t page = (reduced ? static_cast<uint32_t>(first) : first) + i;
        ASSERT_EQ(order[i], ascending[page % count]) << "page " << i;
    }
}

std::string own_program() {
    char path[4096]{};
    return ::readlink("/proc/self/exe", path, sizeof(path) - 1) > 0 ? path : "";
}

bool kernel_knows(Mode mode) {
    // In a thread of its own, the policy would die with it; here it is put back at once.
    const uint64_t mask = 1;
    const long done = ::syscall(SYS_set_mempolicy, static_cast<int>(mode), &mask, 65);
    ::syscall(SYS_set_mempolicy, 0, nullptr, 0);
    return done == 0;
}

}  // namespace mpol::test
