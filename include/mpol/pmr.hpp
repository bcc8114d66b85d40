// SPDX-License-Identifier: Apache-2.0
//
// libmpol for C++20: memory under a policy of its own, for the containers of std::pmr, whose policy
// is rewritten while they live:
//
//     mpol::pmr::PolicyResource memory(mpol::Policy(mpol::Mode::kBind, mpol::NodeMask(0b01)));
//     std::pmr::synchronized_pool_resource pool(&memory);
//     std::pmr::vector<double> values(&pool);
//     ...
//     const auto moved = memory.set_policy(
//         mpol::Policy(mpol::Mode::kBind, mpol::NodeMask(0b10)), mpol::pmr::Pages::kMove);
//
// Needs exceptions, as std::pmr does.
#pragma once

#include <mpol/mpol.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory_resource>
#include <mpol/policy.hpp>
#include <mutex>
#include <new>
#include <system_error>

namespace mpol {
inline namespace v1 {
namespace pmr {

// What becomes of pages that exist when a policy is rewritten.
enum class Pages {
    kStay,
    kMove,  // those that can't be moved stay: pinned, shared after fork, or no room. No error
};

// An upstream: each allocation is a chunk, whole pages of a mapping of its own (mmap(2), private
// and anonymous), that is given the policy before anyone touches it, and is unmapped when it is
// given back. Meant to have std::pmr::synchronized_pool_resource, unsynchronized_pool_resource or
// monotonic_buffer_resource on top, which ask for much, seldom; what they hold follows.
//
// Memory is never withheld for its policy's sake: where the kernel refuses it (EPERM under a
// seccomp filter, ENOSYS, EINVAL for nodes that this process may not use), memory is handed out
// without, and error() says so. (A filter that kills for mbind(2), kills.) The policy is of the
// mappings (mbind(2)) and comes before the task's. Policies with weights of their own are none that
// mbind(2) knows: ENOTSUP. A process that runs under libmpol-preload: a rewrite of its kind "mmap"
// replaces the policy on these mappings too.
//
// Thread-safe; not async-signal-safe. Source: mbind(2), set_mempolicy_home_node(2),
// std::pmr::memory_resource.
class PolicyResource final : public std::pmr::memory_resource {
  public:
    // Tries the policy: error() tells.
    explicit PolicyResource(const Policy& policy) : policy_(policy), error_(try_out(policy)) {}

    // Unmaps what has not been given back: whatever stands on top ends before.
    ~PolicyResource() override {
        for (const auto& [start, size] : chunks_) ::munmap(start, size);
    }
    PolicyResource(const PolicyResource&) = delete;
    PolicyResource& operator=(const PolicyResource&) = delete;

    // That new chunks are to have.
    [[nodiscard]] Policy policy() const {
        const std::scoped_lock lock(mutex_);
        return policy_;
    }

    // Why the latest memory whose policy was refused is without it, or without its home node; that
    // of the constructor's try counts. No error: all memory has it. Until a set_policy that
    // succeeds.
    [[nodiscard]] std::error_code error() const {
        const std::scoped_lock lock(mutex_);
        return detail::error_of(error_);
    }

    // Puts all chunks, and those to come, under another policy: an mbind(2) for each, during which
    // whoever allocates or gives back waits; two with Pages::kMove. When one fails all of them have
    // the policy they had, and only pages that have moved by then stay where they are. Errors are
    // those of mbind(2) and set_mempolicy_home_node(2) (EINVAL, EPERM, ENOSYS, ENOMEM); ENOTSUP:
    // weights of its own.
    Result<void> set_policy(const Policy& policy, Pages pages = Pages::kStay) {
        const std::scoped_lock lock(mutex_);
        if (const int err = try_out(policy); err != 0) return detail::error_of(err);
        int err = bind_all(policy, 0);
        // Only where nothing can fail any more that a page has to move back for.
        if (err == 0 && pages == Pages::kMove) err = bind_all(policy, kMfMove);
        if (err != 0) {
            bind_back();
            return detail::error_of(err);
        }
        policy_ = policy;
        error_ = 0;
        return {};
    }

  private:
    // MPOL_MF_MOVE of linux/mempolicy.h, which can't stand beside libnuma's numaif.h.
    static constexpr unsigned kMfMove = 1U << 1;

    [[nodiscard]] static std::size_t page_bytes() noexcept {
        return static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    }

    // Below: 0 or -errno.

    [[nodiscard]] static int bind(void* start, std::size_t size, const Policy& policy,
                                  unsigned flags) noexcept {
        const mpol_policy& parts = policy.c_policy();
        if (policy.has_own_weights()) return -ENOTSUP;
        unsigned long nodemask[MPOL_NODE_WORDS];
        std::copy_n(parts.nodes, MPOL_NODE_WORDS, nodemask);
        mpol_mbind_args args{};
        args.start = reinterpret_cast<std::uintptr_t>(start);
        args.len = size;
        args.mode = static_cast<std::uint32_t>(parts.mode) | parts.flags;
        args.nodemask = nodemask;
        args.maxnode = MPOL_NODE_WORDS * 64 + 1;
        args.flags = flags;
        return mpol_task_mbind(&args, sizeof(args));
    }

    [[nodiscard]] static int bind_with_home(void* start, std::size_t size, const Policy& policy,
                                            unsigned flags) noexcept {
        const int err = bind(start, size, policy, flags);
        const auto home = policy.home_node();
        if (err != 0 || !home) return err;
        return mpol_set_task_mempolicy_home_node(0, reinterpret_cast<std::uintptr_t>(start), size,
                                                 *home, 0);
    }

    // On a page that nobody has, so that what fails for all of them fails before any of them.
    [[nodiscard]] static int try_out(const Policy& policy) noexcept {
        void* const page = ::mmap(nullptr, page_bytes(), PROT_NONE,
                                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (page == MAP_FAILED) return -errno;
        const int err = bind_with_home(page, page_bytes(), policy, 0);
        ::munmap(page, page_bytes());
        return err;
    }

    // mutex_ held, here and below.
    [[nodiscard]] int bind_all(const Policy& policy, unsigned flags) noexcept {
        for (const auto& [start, size] : chunks_) {
            const int err = bind_with_home(start, size, policy, flags);
            if (err != 0) return err;
        }
        return 0;
    }

    void bind_back() noexcept {
        for (const auto& [start, size] : chunks_) {
            int err = bind_with_home(start, size, policy_, 0);
            // What policy_ was refused on before had none.
            if (err != 0 && bind(start, size, policy_, 0) != 0)
                (void)bind(start, size, Policy(), 0);
            if (err != 0) error_ = err;
        }
    }

    // Whole pages. Throws std::bad_alloc, as below.
    [[nodiscard]] static std::size_t chunk_bytes(std::size_t bytes) {
        const std::size_t page = page_bytes();
        if (bytes > SIZE_MAX - page) throw std::bad_alloc();
        return std::max(page, (bytes + page - 1) & ~(page - 1));
    }

    [[nodiscard]] static void* map(std::size_t size, std::size_t alignment) {
        const std::size_t page = page_bytes();
        const std::size_t slack = alignment > page ? alignment - page : 0;
        if (size > SIZE_MAX - slack) throw std::bad_alloc();
        void* const whole = ::mmap(nullptr, size + slack, PROT_READ | PROT_WRITE,
                                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (whole == MAP_FAILED) throw std::bad_alloc();
        if (slack == 0) return whole;
        const auto start = reinterpret_cast<std::uintptr_t>(whole);
        const std::size_t before = (alignment - start % alignment) % alignment;
        auto* const chunk = static_cast<std::byte*>(whole) + before;
        if (before != 0) ::munmap(whole, before);
        if (before != slack) ::munmap(chunk + size, slack - before);
        return chunk;
    }

    void* do_allocate(std::size_t bytes, std::size_t alignment) override {
        const std::size_t size = chunk_bytes(bytes);
        void* const chunk = map(size, alignment);
        try {
            // In one piece: a rewrite comes before both or after both.
            const std::scoped_lock lock(mutex_);
            chunks_.emplace(chunk, size);
            if (const int err = bind_with_home(chunk, size, policy_, 0); err != 0) error_ = err;
        } catch (...) {
            ::munmap(chunk, size);
            throw;
        }
        return chunk;
    }

    void do_deallocate(void* start, std::size_t, std::size_t) override {
        const auto chunk = forget(start);
        if (!chunk.empty()) ::munmap(start, chunk.mapped());
    }

    // Empty: start is no chunk of this resource's.
    [[nodiscard]] std::map<void*, std::size_t>::node_type forget(void* start) {
        const std::scoped_lock lock(mutex_);
        return chunks_.extract(start);
    }

    [[nodiscard]] bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override {
        return this == &other;
    }

    // Protects all below. Nothing is called under it but the kernel and operator new, which must
    // not be served by this resource.
    mutable std::mutex mutex_;
    Policy policy_;
    std::map<void*, std::size_t> chunks_;  // size by start
    int error_;                            // 0 or -errno
};

}  // namespace pmr
}  // namespace v1
}  // namespace mpol
