// SPDX-License-Identifier: Apache-2.0
// Daemons and sandboxes close all that they don't know. The mapping stays; the number, which may be
// the program's own by now, is never used again.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include "workbench.h"

namespace mpol::test {
namespace {

uint64_t close_everything(uint64_t, uint64_t, std::string&) {
    return static_cast<uint64_t>(::close_range(3, ~0U, 0));
}
const Verb close_verb("close_everything", close_everything);

// The program opens a file under that very number. Returns whether it is still that file.
uint64_t occupy(uint64_t number, uint64_t, std::string&) {
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;  // The number may lie beyond the soft limit.
    ::setrlimit(RLIMIT_NOFILE, &limit);
    const int fd = ::open("/dev/null", O_RDWR);
    ::dup2(fd, static_cast<int>(number));
    ::close(fd);
    return 0;
}
const Verb occupy_verb("occupy", occupy);

std::string link_of(pid_t pid, int fd) {
    char link[256]{};
    const std::string path = "/proc/" + std::to_string(pid) + "/fd/" + std::to_string(fd);
    return ::readlink(path.c_str(), link, sizeof(link) - 1) > 0 ? link : "";
}

}  // namespace

TEST(ClosingAll, LeavesTheSegmentToRoot) {
    Workbench bench;
    bench.call();
    bench.run(0, "close_everything");
    ASSERT_TRUE(segment_descriptors(bench.pid()).empty());
    const uint64_t memory = bench.allocate(0, 1 << 20);
    const unsigned worker = bench.start_thread(0);
    bench.allocate_many(worker, 10'000, 1000);
    if (::geteuid() != 0) GTEST_SKIP() << "only root reaches /proc/PID/map_files";
    control::Target target = bench.attach();
    bench.set_all(target, bind_to({0}));
    EXPECT_EQ(policy_at(bench.pid(), memory), "bind:0");
}

TEST(ClosingAll, FreesTheNumberForTheProgram) {
    Workbench bench;
    bench.call();
    const int number = segment_descriptors(bench.pid()).at(0);
    bench.run(0, "close_everything");
    bench.run(0, "occupy", static_cast<uint64_t>(number));
    bench.call();
    const pid_t child = bench.fork();
    bench.call();
    EXPECT_EQ(link_of(child, number), "/dev/null");
    EXPECT_EQ(segment_descriptors(child).size(), 1U);
    EXPECT_EQ(header_of(segment_bytes(child)).header.pid, static_cast<uint32_t>(child));
    bench.leave();
    EXPECT_EQ(link_of(bench.pid(), number), "/dev/null");
}

}  // namespace mpol::test
