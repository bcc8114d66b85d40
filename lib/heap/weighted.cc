// SPDX-License-Identifier: Apache-2.0
#include "heap/weighted.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>

#include "control/segment.h"
#include "sys/sys.h"

namespace mpol::heap {
namespace {

// A region gets at most this part of the mappings that are left.
constexpr uint32_t kPart = 64;

constinit std::atomic<uint32_t> mappings_left{kStretchMappingsMax};

enum class Known : uint8_t { kNotAsked, kYes, kNo };
constinit std::atomic<Known> huge_pages{Known::kNotAsked};
constinit std::atomic<Known> weighted_interleave{Known::kNotAsked};

// The answer doesn't change while the process lives: layouts are worked out from it again and
// again.
template <class Ask>
bool known(std::atomic<Known>& answer, Ask ask) {
    Known now = answer.load(std::memory_order_relaxed);
    if (now == Known::kNotAsked) {
        now = ask() ? Known::kYes : Known::kNo;
        answer.store(now, std::memory_order_relaxed);
    }
    return now == Known::kYes;
}

// What a file like "always [madvise] never" has in brackets: its first letter, 0 where there is
// none.
char chosen(const char* path) {
    char text[64];
    const ssize_t size = sys::read_file(path, text, sizeof(text) - 1);
    text[std::max<ssize_t>(size, 0)] = '\0';
    const char* const bracket = std::strchr(text, '[');
    return bracket != nullptr ? bracket[1] : '\0';
}

bool may_have_huge_pages() {
    return known(huge_pages, [] {
        // From Linux 6.8 on each size has its own word, which may be "inherit".
        char word = chosen("/sys/kernel/mm/transparent_hugepage/hugepages-2048kB/enabled");
        if (word == '\0' || word == 'i')
            word = chosen("/sys/kernel/mm/transparent_hugepage/enabled");
        return word == 'a' || word == 'm';
    });
}

int interleave(uint64_t start, uint64_t size, uint16_t flags, const NodeMask& nodes) {
    control::count(MPOL_CTL_MBINDS);
    return sys::mbind(reinterpret_cast<void*>(start), size,
                      static_cast<int>(Mode::kInterleave) | flags, nodes, 0);
}

}  // namespace

StretchLayout allot_layout(uint64_t heap_offset, size_t size) {
    StretchLayout layout = layout_for(heap_offset, size);
    const uint32_t wanted = layout.mappings;
    uint32_t left = mappings_left.load(std::memory_order_relaxed);
    do {
        layout.mappings = std::min(wanted, left / kPart);
    } while (!mappings_left.compare_exchange_weak(left, left - layout.mappings,
                                                  std::memory_order_relaxed));
    return layout;
}

StretchLayout layout_in_force(StretchLayout allotted) {
    const bool small = huge_pages.load(std::memory_order_relaxed) == Known::kNo;
    allotted.granule_shift = small ? kPageShift : kHugePageShift;
    return allotted;
}

int kernel_mode_word(const Policy& policy) {
    if (policy.mode != Mode::kWeightedInterleave) return policy.mode_word();
    const bool has_mode = known(weighted_interleave, [] {
        constexpr auto kMode = static_cast<int>(Mode::kWeightedInterleave);
        return sys::check_mode_and_mask(kMode, nullptr, 0) != -EINVAL;
    });
    return has_mode ? policy.mode_word() : static_cast<int>(Mode::kInterleave) | policy.flags;
}

int bind_stretches(uintptr_t start, size_t size, const StretchLayout& allotted,
                   const Binding& binding) {
    (void)may_have_huge_pages();  // Asked for the first time here: most programs never come here.
    const StretchLayout layout = layout_in_force(allotted);
    const uint16_t flags = binding.policy.flags;
    const NodeWeights weights = weights_in_force(binding.policy, binding.effective);
    int first_error = 0;
    const bool cut = for_each_stretch(weights, layout, start, size, [&](const Stretch& stretch) {
        if (first_error != 0) return;
        first_error = interleave(stretch.start, stretch.size, flags, stretch.nodes);
    });
    if (cut && first_error == 0) return 0;
    // Of one mapping again, so that nothing is left half done.
    const int err = interleave(start, size, flags, binding.effective);
    if (err == 0 && weights.count > 1) {
        control::record_error(MPOL_CTL_ERROR_WEIGHTS, cut ? -first_error : ENOSPC, start, size,
                              layout.mappings);
    }
    return err;
}

}  // namespace mpol::heap
