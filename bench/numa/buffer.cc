// SPDX-License-Identifier: Apache-2.0
#include "numa/buffer.h"

#include <fmt/format.h>
#include <sys/mman.h>

#include <cerrno>
#include <utility>

#include "policy/text.h"
#include "sys/sys.h"

namespace mpol::bench {
namespace {

constexpr size_t kPage = 4096;
constexpr size_t kHugePage = size_t{2} << 20;
constexpr size_t kSampledPages = 1024;

void touch(void* start, size_t at) {
    static_cast<volatile char*>(start)[at] = 1;
}

// Puts the calling thread's task policy back.
class TaskPolicy {
  public:
    TaskPolicy() { known_ = sys::get_mempolicy(mode_word_, nodes_) == 0; }
    ~TaskPolicy() {
        if (known_) (void)sys::set_mempolicy(mode_word_, nodes_);
    }
    TaskPolicy(const TaskPolicy&) = delete;
    TaskPolicy& operator=(const TaskPolicy&) = delete;

  private:
    int mode_word_ = 0;
    NodeMask nodes_;
    bool known_ = false;
};

// The share that a unit of pages belongs to.
size_t share_of(const std::vector<Share>& shares, size_t total, size_t unit) {
    size_t left = unit % total;
    size_t index = 0;
    while (left >= shares[index].weight) left -= shares[index++].weight;
    return index;
}

}  // namespace

control::Result<Buffer> Buffer::map(size_t bytes, bool huge) {
    Buffer out;
    out.bytes_ = (bytes + kHugePage - 1) / kHugePage * kHugePage;
    // Aligned, so that huge pages fit in from the first byte on.
    const size_t reserved = out.bytes_ + kHugePage;
    void* const at = ::mmap(nullptr, reserved, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED) {
        return tl::unexpected(
            control::fail(ENOMEM, fmt::format("no memory for {} MiB", bytes >> 20)));
    }
    const auto start = reinterpret_cast<uintptr_t>(at);
    const uintptr_t aligned = (start + kHugePage - 1) / kHugePage * kHugePage;
    if (aligned != start) ::munmap(at, aligned - start);
    ::munmap(reinterpret_cast<void*>(aligned + out.bytes_), kHugePage - (aligned - start));
    out.start_ = reinterpret_cast<void*>(aligned);
    ::madvise(out.start_, out.bytes_, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
    return out;
}

control::Result<Buffer> Buffer::make(size_t bytes, bool huge, const Policy& policy) {
    auto out = map(bytes, huge);
    if (!out) return out;
    const int err = sys::mbind(out->start_, out->bytes_, policy.mode_word(), policy.nodes, 0);
    if (err != 0) {
        return tl::unexpected(control::fail(
            -err, fmt::format("the kernel refuses {}: errno {}", policy_text(policy), -err)));
    }
    for (size_t at = 0; at < out->bytes_; at += kPage) touch(out->start_, at);
    return out;
}

control::Result<Buffer> Buffer::make(size_t bytes, bool huge, const std::vector<Share>& shares) {
    auto out = map(bytes, huge);
    if (!out) return out;
    const size_t unit = huge ? kHugePage : kPage;
    size_t total = 0;
    for (const Share& share : shares) total += share.weight;
    const TaskPolicy before;
    for (size_t i = 0; i < shares.size(); ++i) {
        const int err =
            sys::set_mempolicy(static_cast<int>(Mode::kBind), NodeMask::of(shares[i].node));
        if (err != 0) {
            return tl::unexpected(control::fail(
                -err, fmt::format("node {} can't be used: errno {}", shares[i].node, -err)));
        }
        for (size_t at = 0; at < out->bytes_; at += unit) {
            if (share_of(shares, total, at / unit) == i) touch(out->start_, at);
        }
    }
    // Where there was no huge page to be had, the rest of the unit.
    for (size_t at = 0; at < out->bytes_; at += kPage) touch(out->start_, at);
    return out;
}

Buffer::Buffer(Buffer&& other) noexcept
    : start_(std::exchange(other.start_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}

Buffer& Buffer::operator=(Buffer&& other) noexcept {
    std::swap(start_, other.start_);
    std::swap(bytes_, other.bytes_);
    return *this;
}

Buffer::~Buffer() {
    if (start_ != nullptr) ::munmap(start_, bytes_);
}

std::vector<double> Buffer::placement() const {
    const size_t pages = bytes_ / kPage;
    // An odd step: an even one would meet the same nodes again and again.
    const size_t step = (pages / kSampledPages) | 1;
    std::vector<void*> addresses;
    for (size_t page = 0; page < pages; page += step) {
        addresses.push_back(static_cast<char*>(start_) + page * kPage);
    }
    std::vector<int> nodes(addresses.size(), -1);
    std::vector<double> out;
    if (sys::move_pages(addresses.size(), addresses.data(), nullptr, nodes.data()) < 0) return out;
    for (int node : nodes) {
        if (node < 0) continue;
        out.resize(std::max(out.size(), static_cast<size_t>(node) + 1));
        out[static_cast<size_t>(node)] += 1.0 / static_cast<double>(addresses.size());
    }
    return out;
}

}  // namespace mpol::bench
