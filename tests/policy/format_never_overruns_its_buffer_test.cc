// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "machine.h"
#include "policy/format.h"

namespace mpol::test {
namespace {

TEST(Format, TruncatesAndTerminatesInEverySize) {
    const std::string whole = "bind=static|balancing:0-1,3,1023";
    const Policy bind = policy(Mode::kBind, kStaticNodes | kNumaBalancing, {});
    for (size_t size = 0; size <= whole.size() + 2; ++size) {
        std::vector<char> buf(size);  // the sanitizer watches its end
        EXPECT_EQ(format_policy(bind, nodes({0, 1, 3, 1023}), buf.data(), size), whole.size());
        if (size == 0) continue;
        EXPECT_EQ(std::string(buf.data()), whole.substr(0, size - 1));
    }
}

TEST(Format, NeedsNoBufferToMeasure) {
    EXPECT_EQ(format_nodes(span(10, 12), nullptr, 0), std::strlen("10-12"));
}

TEST(Format, LongestTextFitsTheDocumentedBound) {
    NodeMask pairs;
    for (unsigned node = 0; node + 1 < kMaxNodes; node += 3) {
        pairs.set(node);
        pairs.set(node + 1);
    }
    const Policy longest =
        policy(Mode::kWeightedInterleave, kStaticNodes | kRelativeNodes | kNumaBalancing, {});
    EXPECT_LT(format_nodes(pairs, nullptr, 0), 2800U);
    EXPECT_LT(format_policy(longest, pairs, nullptr, 0), kPolicyTextBytesMax);
}

TEST(Format, PrintsWhatTheKernelPrints) {
    const auto text = [](const Policy& policy, const NodeMask& mask) {
        char buf[kPolicyTextBytesMax];
        format_policy(policy, mask, buf, sizeof buf);
        return std::string(buf);
    };
    EXPECT_EQ(text(policy(Mode::kDefault, kStaticNodes, {}), span(0, 1)), "default");
    EXPECT_EQ(text(policy(Mode::kLocal, 0, {}), span(0, 1)), "local");
    EXPECT_EQ(text(policy(Mode::kBind, 0, span(0, 3)), nodes({1})), "bind:1");
    EXPECT_EQ(text(policy(Mode::kBind, 0, span(0, 3)), {}), "bind");
    EXPECT_EQ(text(policy(Mode::kPreferredMany, kRelativeNodes, {}), span(1, 2)),
              "prefer (many)=relative:1-2");
    EXPECT_EQ(text(policy(static_cast<Mode>(9), 0, {}), span(0, 1)), "unknown");
    EXPECT_EQ(text(policy(Mode::kInterleave, 0, {}), NodeMask::first_nodes(kMaxNodes)),
              "interleave:0-1023");
}

}  // namespace
}  // namespace mpol::test
