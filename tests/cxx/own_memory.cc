// SPDX-License-Identifier: Apache-2.0
#include "own_memory.h"

#include <linux/filter.h>
#include <linux/mempolicy.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <vector>

namespace mpol::test {
namespace {

constexpr size_t kPage = 4096;
constexpr int kModeFlags = MPOL_F_STATIC_NODES | MPOL_F_RELATIVE_NODES | MPOL_F_NUMA_BALANCING;

std::uintptr_t page_of(const void* address) {
    return reinterpret_cast<std::uintptr_t>(address) & ~(kPage - 1);
}

}  // namespace

Policy policy_at(const void* address) {
    mpol_policy policy = Policy().c_policy();
    int mode = 0;
    if (::syscall(SYS_get_mempolicy, &mode, policy.nodes, MPOL_NODE_WORDS * 64 + 1, address,
                  MPOL_F_ADDR) != 0) {
        ADD_FAILURE() << "get_mempolicy: " << std::strerror(errno);
    }
    policy.mode = mode & ~kModeFlags;
    policy.flags = static_cast<std::uint32_t>(mode & kModeFlags);
    return Policy(policy);
}

bool is_mapped(const void* address) {
    unsigned char resident = 0;
    return ::mincore(reinterpret_cast<void*>(page_of(address)), kPage, &resident) == 0;
}

size_t mapped_bytes() {
    size_t pages = 0;
    std::ifstream("/proc/self/statm") >> pages;
    return pages * kPage;
}

bool is_usable(void* memory, size_t size) {
    auto* const bytes = static_cast<volatile unsigned char*>(memory);
    for (size_t at = 0; at < size; at += kPage) bytes[at] = static_cast<unsigned char>(at >> 12);
    bytes[size - 1] = 0x5a;
    for (size_t at = 0; at + 1 < size; at += kPage) {
        if (bytes[at] != static_cast<unsigned char>(at >> 12)) return false;
    }
    return bytes[size - 1] == 0x5a;
}

void OwnMemory::SetUp() {
    if (::syscall(SYS_mbind, 0, 0, 0, nullptr, 0, 0) != 0) {
        GTEST_SKIP() << "mbind(2) is refused here: " << std::strerror(errno);
    }
}

void refuse(int system_call, int err, std::optional<Argument> only) {
    const auto load = [](size_t offset) {
        return sock_filter BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(offset));
    };
    // To the next where it is equal; otherwise past so many.
    const auto equal = [](std::uint32_t value, std::uint8_t skipped) {
        return sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, skipped);
    };
    std::vector<sock_filter> filters{
        load(offsetof(seccomp_data, nr)),
        equal(static_cast<std::uint32_t>(system_call), static_cast<std::uint8_t>(only ? 3 : 1)),
    };
    if (only) {
        filters.push_back(load(offsetof(seccomp_data, args) + 8 * only->number));
        filters.push_back(equal(only->low_half, 1));
    }
    filters.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | static_cast<unsigned>(err)));
    filters.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
    const sock_fprog program{static_cast<unsigned short>(filters.size()), filters.data()};
    require(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
                ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0,
            "a seccomp filter can be had");
}

void require(bool condition, const char* what) {
    if (condition) return;
    std::fprintf(stderr, "not so: %s\n", what);
    ::_exit(1);
}

}  // namespace mpol::test
