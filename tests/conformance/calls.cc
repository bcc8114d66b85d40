// SPDX-License-Identifier: Apache-2.0
#include "calls.h"

#include <fmt/format.h>
#include <linux/capability.h>
#include <linux/mempolicy.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>

#include "ground.h"
#include "policy/format.h"

#ifndef SYS_set_mempolicy_home_node
#define SYS_set_mempolicy_home_node 450
#endif

namespace mpol::test {
namespace {

template <class... Args>
int kernel(long number, Args... args) {
    return ::syscall(number, args...) == -1 ? -errno : 0;
}

// Pages for arguments: two to read and write, one that is not there, a read-only one.
constexpr size_t kUsable = 2 * kPage;
constexpr unsigned char kUntouched = 0xa5;
constexpr int kUntouchedMode = static_cast<int>(0xa5a5a5a5);

class Memory {
  public:
    Memory() {
        void* const at =
            ::mmap(nullptr, 4 * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (at == MAP_FAILED) throw std::runtime_error("no memory for arguments");
        start_ = static_cast<char*>(at);
        *word(3 * kPage) = 1;  // Node 0.
        ::mprotect(start_ + 2 * kPage, kPage, PROT_NONE);
        ::mprotect(start_ + 3 * kPage, kPage, PROT_READ);
    }

    unsigned long* place(Pointer pointer) const {
        switch (pointer) {
            case Pointer::kGood:
                return word(0);
            case Pointer::kNull:
                return nullptr;
            case Pointer::kBad:
                return reinterpret_cast<unsigned long*>(8);
            case Pointer::kEdge:
                return word(kUsable - sizeof(unsigned long));
            case Pointer::kReadOnly:
                return word(3 * kPage);
        }
        return nullptr;
    }

    void fill(unsigned char byte) const { std::memset(start_, byte, kUsable); }

    const unsigned long* write_mask(const Mask& mask) const {
        fill(0);
        unsigned long* const at = place(mask.pointer);
        if (mask.pointer != Pointer::kGood && mask.pointer != Pointer::kEdge) return at;
        for (const unsigned node : mask.nodes) at[node / 64] |= 1UL << (node % 64);
        return at;
    }

    // What was stored where fill(kUntouched) had been.
    std::string stored_mask(const Mask& mask) const {
        if (mask.pointer != Pointer::kGood && mask.pointer != Pointer::kEdge) return {};
        const unsigned long* const at = place(mask.pointer);
        const size_t limit = static_cast<size_t>(word(kUsable) - at);
        unsigned long untouched = 0;
        std::memset(&untouched, kUntouched, sizeof(untouched));
        size_t words = limit;
        while (words > 0 && at[words - 1] == untouched) --words;
        if (words == 0) return {};
        NodeMask nodes;
        for (size_t i = 0; i < words && i < kNodeWords; ++i) nodes.words[i] = at[i];
        for (size_t i = kNodeWords; i < words; ++i) {
            if (at[i] != 0) return fmt::format(" word {} is not 0", i);
        }
        char list[kPolicyTextBytesMax];
        format_nodes(nodes, list, sizeof(list));
        return fmt::format(" nodes {} in {} words", list, words);
    }

  private:
    unsigned long* word(size_t offset) const {
        return reinterpret_cast<unsigned long*>(start_ + offset);
    }

    char* start_;
};

// Without CAP_SYS_NICE in the effective set while it lives, where asked for.
class Nice {
  public:
    explicit Nice(bool keep) {
        if (keep) return;
        __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
        if (kernel(SYS_capget, &header, before_) != 0) throw std::runtime_error("no capabilities");
        __user_cap_data_struct less[2] = {before_[0], before_[1]};
        less[0].effective &= ~(1U << CAP_SYS_NICE);
        changed_ = set(less);
    }
    ~Nice() {
        if (changed_) set(before_);
    }
    Nice(const Nice&) = delete;
    Nice& operator=(const Nice&) = delete;

  private:
    static bool set(const __user_cap_data_struct* data) {
        __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
        return kernel(SYS_capset, &header, data) == 0;
    }

    __user_cap_data_struct before_[2]{};
    bool changed_ = false;
};

std::string make_get(const Op& op, Calls& calls, const Memory& memory) {
    static int mode;
    mode = kUntouchedMode;
    memory.fill(kUntouched);
    int* const ret_mode =
        op.ret_mode == Pointer::kGood ? &mode : reinterpret_cast<int*>(memory.place(op.ret_mode));
    const int result = calls.get(ret_mode, memory.place(op.mask.pointer), op.mask.maxnode,
                                 reinterpret_cast<void*>(op.start), op.flags);
    std::string text = std::to_string(result);
    if (mode != kUntouchedMode) text += fmt::format(" mode {:#x}", mode);
    return text + memory.stored_mask(op.mask);
}

}  // namespace

int KernelCalls::set(int mode, const unsigned long* mask, unsigned long maxnode) {
    return kernel(SYS_set_mempolicy, mode, mask, maxnode);
}
int KernelCalls::get(int* ret_mode, unsigned long* ret_mask, unsigned long maxnode, void* addr,
                     unsigned long flags) {
    return kernel(SYS_get_mempolicy, ret_mode, ret_mask, maxnode, addr, flags);
}
int KernelCalls::mbind(const mpol_mbind_args& args) {
    return kernel(SYS_mbind, args.start, args.len, args.mode, args.nodemask, args.maxnode,
                  args.flags);
}
int KernelCalls::home_node(unsigned long start, unsigned long size, unsigned long node,
                           unsigned long flags) {
    return kernel(SYS_set_mempolicy_home_node, start, size, node, flags);
}

int TidCalls::set(int mode, const unsigned long* mask, unsigned long maxnode) {
    return mpol_set_task_mempolicy(tid_, mode, mask, maxnode);
}
int TidCalls::get(int* ret_mode, unsigned long* ret_mask, unsigned long maxnode, void* addr,
                  unsigned long flags) {
    return mpol_get_task_mempolicy(tid_, ret_mode, ret_mask, maxnode, addr, flags);
}
int TidCalls::mbind(const mpol_mbind_args& args) {
    mpol_mbind_args on_task = args;
    on_task.pid = tid_;
    return mpol_task_mbind(&on_task, sizeof(on_task));
}
int TidCalls::home_node(unsigned long start, unsigned long size, unsigned long node,
                        unsigned long flags) {
    return mpol_set_task_mempolicy_home_node(tid_, start, size, node, flags);
}

int PidfdCalls::set(int mode, const unsigned long* mask, unsigned long maxnode) {
    return mpol_pidfd_set_mempolicy(pidfd_, mode, mask, maxnode);
}
int PidfdCalls::get(int* ret_mode, unsigned long* ret_mask, unsigned long maxnode, void* addr,
                    unsigned long flags) {
    return mpol_pidfd_get_mempolicy(pidfd_, ret_mode, ret_mask, maxnode, addr, flags);
}
int PidfdCalls::mbind(const mpol_mbind_args& args) {
    return mpol_pidfd_mbind(pidfd_, &args, sizeof(args));
}
int PidfdCalls::home_node(unsigned long start, unsigned long size, unsigned long node,
                          unsigned long flags) {
    return mpol_pidfd_set_mempolicy_home_node(pidfd_, start, size, node, flags);
}

std::string make_call(const Op& op, Calls& calls) {
    static const Memory memory;
    const Nice nice(op.nice);
    switch (op.call) {
        case Call::kSet:
            return std::to_string(
                calls.set(static_cast<int>(op.mode), memory.write_mask(op.mask), op.mask.maxnode));
        case Call::kGet:
            return make_get(op, calls, memory);
        case Call::kMbind:
            return std::to_string(
                calls.mbind({0, op.start, op.size, op.mode, memory.write_mask(op.mask),
                             op.mask.maxnode, static_cast<unsigned>(op.flags)}));
        case Call::kHomeNode:
            return std::to_string(calls.home_node(op.start, op.size, op.mode, op.flags));
        default:
            throw std::logic_error("not one of the four calls");
    }
}

void spend_kernel_memory() {
    int ends[2];
    if (::pipe(ends) != 0) return;
    (void)!::write(ends[1], "", 1);
    ::close(ends[0]);
    ::close(ends[1]);
}

}  // namespace mpol::test
