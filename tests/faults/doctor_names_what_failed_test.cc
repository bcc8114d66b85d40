// SPDX-License-Identifier: Apache-2.0
// Where a program goes on with less than was asked for, `mpol doctor PID` says why.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>

#include "calls.h"
#include "faults.h"

namespace mpol::test {
namespace {

Call find_call(const std::string& name) {
    for (const auto* calls : {&calls_of_ours(), &calls_of_any_allocator()}) {
        for (const Call& call : *calls) {
            if (call.name == name) return call;
        }
    }
    throw std::runtime_error("no such call: " + name);
}

struct Cause {
    const char* call;
    int err;
    const char* named;
    const char* remedy = "";
};

class FailedCall : public testing::TestWithParam<Cause> {};

const Cause kCauses[] = {
    {"memfd_create", ENOSYS, "segment is not: memfd_create failed: ENOSYS", "allow memfd_create"},
    {"memfd_create", EMFILE, "segment is not: memfd_create failed: EMFILE", "ulimit -n"},
    {"ftruncate", EPERM, "segment is not: ftruncate failed: EPERM", "allow ftruncate"},
    {"fallocate", ENOSPC, "segment is not: fallocate failed: ENOSPC", "memory.max"},
    {"pwrite", ENOSPC, "segment is not: pwrite failed: ENOSPC", "memory.max"},
    {"fcntl_add_seals", EPERM, "segment is not: fcntl(F_ADD_SEALS) failed: EPERM", "allow fcntl"},
    {"mmap_segment", ENOMEM, "segment is not: mmap failed: ENOMEM", "memory.max"},
    {"mbind", ENOMEM, "binding a region failed: ENOMEM"},
    {"mbind", EPERM, "binding a region failed: EPERM"},
    {"set_mempolicy", EPERM, "setting a thread's kernel task policy failed: EPERM"},
    {"get_mempolicy", ENOSYS, "the kernel refuses mbind(2) to it"},
    {"clone", EAGAIN, "the helper thread could not be started: EAGAIN"},
    {"inotify_init", EMFILE, "watched: EMFILE", "fs.inotify.max_user_instances"},
    {"inotify_add_watch", ENOSPC, "watched: ENOSPC", "fs.inotify.max_user_watches"},
    {"close_range", ENOSYS, "watched: ENOSYS", "has to allow close_range"},
    {"mprotect", ENOMEM, "memory of a region could not be committed: ENOMEM"},
};

struct Name {
    std::string operator()(const testing::TestParamInfo<Cause>& info) const {
        return fmt::format("{}_{}", info.param.call, ::strerrorname_np(info.param.err));
    }
};

}  // namespace

TEST_P(FailedCall, IsNamedByTheDoctor) {
    const std::string missing = why_no_injection();
    if (!missing.empty()) GTEST_SKIP() << missing;
    const Cause& cause = GetParam();
    const Call call = find_call(cause.call);
    std::string said;
    // What a thread of the library's meets it may meet later than the program is through.
    const auto named = [&](pid_t pid) {
        said = doctor(pid);
        return said.find(cause.named) != std::string::npos;
    };
    Plan plan{.at_end = [&](pid_t pid) { (void)eventually([&] { return named(pid); }); }};
    // The dynamic linker needs what others than the library call, too.
    const auto& ours = calls_of_ours();
    plan.from_start = std::any_of(ours.begin(), ours.end(),
                                  [&](const Call& one) { return one.name == call.name; });
    const Outcome outcome = run_with(call, {cause.err, 1, UINT_MAX}, plan);
    EXPECT_EQ(outcome.status, 0) << outcome.last;
    ASSERT_GT(outcome.failed, 0U);
    EXPECT_NE(said.find(cause.named), std::string::npos) << said;
    EXPECT_NE(said.find(cause.remedy), std::string::npos) << said;
}

INSTANTIATE_TEST_SUITE_P(Faults, FailedCall, testing::ValuesIn(kCauses), Name());

}  // namespace mpol::test
