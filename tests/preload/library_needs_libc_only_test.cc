// SPDX-License-Identifier: Apache-2.0
// What the library drags into every process, read from its own ELF headers.
#include <gtest/gtest.h>

#include <cstdio>
#include <set>
#include <string>

#include "subject.h"

namespace mpol::test {
namespace {

std::string readelf(const char* option) {
    const std::string command =
        std::string("readelf -W ") + option + " '" + MPOL_PRELOAD_LIBRARY + "'";
    FILE* const pipe = ::popen(command.c_str(), "r");
    std::string text;
    char buffer[4096];
    for (size_t got = 0; (got = std::fread(buffer, 1, sizeof(buffer), pipe)) > 0;) {
        text.append(buffer, got);
    }
    EXPECT_EQ(::pclose(pipe), 0) << "readelf is needed";
    return text;
}

}  // namespace

TEST(Library, NeedsNothingButLibc) {
    const std::string dynamic = readelf("-d");
    std::set<std::string> needed;
    for (size_t at = 0; (at = dynamic.find("(NEEDED)", at)) != std::string::npos;) {
        const size_t begin = dynamic.find('[', at) + 1;
        at = dynamic.find(']', begin);
        needed.insert(dynamic.substr(begin, at - begin));
    }
    const std::set<std::string> allowed{"libc.so.6", "libm.so.6", "libgcc_s.so.1",
                                        "ld-linux-x86-64.so.2"};
    for (const std::string& library : needed) EXPECT_TRUE(allowed.contains(library)) << library;
    EXPECT_TRUE(needed.contains("libc.so.6"));
    EXPECT_NE(dynamic.find("NOW"), std::string::npos);
    EXPECT_NE(dynamic.find("NODELETE"), std::string::npos);
}

TEST(Library, ReachesThreadLocalsWithoutCalls) {
    const std::string relocations = readelf("-r");
    EXPECT_EQ(relocations.find("DTPMOD"), std::string::npos) << "general- or local-dynamic TLS";
    EXPECT_EQ(relocations.find("TLSDESC"), std::string::npos);
    EXPECT_EQ(relocations.find("__tls_get_addr"), std::string::npos);
    EXPECT_NE(readelf("-d").find("STATIC_TLS"), std::string::npos);
}

}  // namespace mpol::test
