// SPDX-License-Identifier: Apache-2.0
#include "pages.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <ostream>
#include <string>

#include "policy/parse.h"

namespace mpol::test {
namespace {

constexpr size_t kBatch = 512;

}  // namespace

void FourNodes::SetUp() {
    std::string text;
    std::ifstream("/sys/devices/system/node/has_memory") >> text;
    const auto nodes = parse_kernel_list(text, kMaxNodes);
    const unsigned count = nodes ? nodes->weight() : 0;
    if (!nodes || !NodeMask::first_nodes(4).subset_of(*nodes)) {
        GTEST_SKIP() << "needs memory on nodes 0-3; this machine has it on " << count
                     << " node(s): " << text;
    }
}

void look_up(const char* start, size_t pages, int* ret_nodes) {
    void* addresses[kBatch];
    for (size_t done = 0; done < pages; done += kBatch) {
        const size_t count = std::min(kBatch, pages - done);
        for (size_t i = 0; i < count; ++i) {
            addresses[i] = const_cast<char*>(start) + (done + i) * kPage;
        }
        if (::syscall(SYS_move_pages, 0, count, addresses, nullptr, ret_nodes + done, 0) != 0) {
            ::_exit(121);
        }
        for (size_t i = done; i < done + count; ++i) {
            if (ret_nodes[i] < 0) ret_nodes[i] = kAbsent;
        }
    }
}

size_t total(const Nodes& nodes) {
    size_t sum = 0;
    for (const auto& [node, pages] : nodes) sum += pages;
    return sum;
}

std::ostream& operator<<(std::ostream& out, const Nodes& nodes) {
    for (const auto& [node, pages] : nodes) out << " " << node << "=" << pages;
    return out;
}

}  // namespace mpol::test
