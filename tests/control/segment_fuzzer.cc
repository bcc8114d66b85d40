// SPDX-License-Identifier: Apache-2.0
// libFuzzer entry: a hostile process that goes on writing into its control segment while somebody
// attaches to it, lists, publishes, asks, migrates, watches and waits. The input's first byte says
// which of these and how; the rest is a script of writes (which array, where in it, how, what, and
// for how long to pause), which another thread plays in a loop until the first has done.
//
// Nothing crashes, nothing is read or written out of bounds, and every wait ends: libFuzzer's
// -timeout tells of one that doesn't. The races are on purpose.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <span>
#include <thread>
#include <vector>

#include "control/attach.h"
#include "control/watch.h"
#include "policy/contextualise.h"
#include "policy/stretches.h"
#include "policy/text.h"
#include "right_header.h"

namespace {

using namespace mpol;
using namespace mpol::control;

constexpr int kWaitMs = 1;
constexpr unsigned kWritesMax = 64;

struct Area {
    size_t offset;
    size_t size;
};
// The header thrice: most decisions are made there.
constexpr Area kAreas[] = {
    {0, sizeof(mpol_ctl_header)},
    {0, 1024},
    {offsetof(mpol_ctl_header, requests), sizeof(mpol_ctl_header::requests) + 256},
    {offsetof(mpol_ctl, errors), sizeof(mpol_ctl::errors)},
    {offsetof(mpol_ctl, slots), 4 * sizeof(mpol_ctl_slot)},
    {offsetof(mpol_ctl, slots), sizeof(mpol_ctl::slots)},
    {offsetof(mpol_ctl, regions), 16 * sizeof(mpol_ctl_region)},
    {offsetof(mpol_ctl, kinds), sizeof(mpol_ctl::kinds)},
    {offsetof(mpol_ctl, events), 16 * sizeof(mpol_ctl_event)},
    {offsetof(mpol_ctl, own_kinds), 4 * sizeof(mpol_ctl_kind)},
    {offsetof(mpol_ctl, own_kinds), sizeof(mpol_ctl::own_kinds)},
    {offsetof(mpol_ctl, saved), 4 * sizeof(mpol_ctl_saved)},
    {offsetof(mpol_ctl, saved), sizeof(mpol_ctl::saved)},
    {offsetof(mpol_ctl, weights), 16 * sizeof(mpol_ctl_region_weights)},
    {0, sizeof(mpol_ctl)},
};

enum class How : uint8_t { kStore, kStoreByte, kStoreHalf, kAdd, kFlip, kAll, kCount };

// As it stands in the input, 16 bytes.
struct Write {
    uint8_t area;
    uint8_t how;
    uint8_t pause;  // turns given up afterwards
    uint8_t offset_high;
    uint32_t offset;
    uint64_t value;
};
static_assert(sizeof(Write) == 16);

std::vector<Write> script_of(std::span<const uint8_t> input) {
    std::vector<Write> script;
    while (input.size() >= sizeof(Write) && script.size() < kWritesMax) {
        Write& write = script.emplace_back();
        std::memcpy(&write, input.data(), sizeof(write));
        input = input.subspan(sizeof(write));
    }
    return script;
}

void play(const Write& write, char* segment) {
    const Area& area = kAreas[write.area % std::size(kAreas)];
    const size_t at = area.offset + write.offset % (area.size / 8) * 8;
    auto* const word = reinterpret_cast<uint64_t*>(segment + at);
    switch (static_cast<How>(write.how % static_cast<unsigned>(How::kCount))) {
        case How::kStore:
        case How::kCount:
            __atomic_store_n(word, write.value, __ATOMIC_RELAXED);
            break;
        case How::kStoreByte:
            segment[at + write.offset_high % 8] = static_cast<char>(write.value);
            break;
        case How::kStoreHalf:
            __atomic_store_n(reinterpret_cast<uint32_t*>(word) + write.offset_high % 2,
                             static_cast<uint32_t>(write.value), __ATOMIC_RELAXED);
            break;
        case How::kAdd:
            __atomic_fetch_add(word, write.value, __ATOMIC_RELAXED);
            break;
        case How::kFlip:
            __atomic_fetch_xor(word, write.value, __ATOMIC_RELAXED);
            break;
        case How::kAll:
            std::memset(segment + at, static_cast<int>(write.value),
                        std::min<size_t>(area.offset + area.size - at, 256));
            break;
    }
    for (unsigned turn = 0; turn < write.pause % 8; ++turn) std::this_thread::yield();
}

// A segment of this process's, found as others find it, and the hostile thread's own view of it.
class Hostile {
  public:
    explicit Hostile(std::vector<Write> script) : script_(std::move(script)) {
        fd_ = ::memfd_create(MPOL_CTL_NAME, MFD_CLOEXEC | MFD_ALLOW_SEALING);
        const mpol_ctl_header header = test::right_header();
        if (::pwrite(fd_, &header, sizeof(header), 0) != sizeof(header) ||
            ::ftruncate(fd_, sizeof(mpol_ctl)) != 0 ||
            ::fcntl(fd_, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
            std::abort();
        }
        void* const at =
            ::mmap(nullptr, sizeof(mpol_ctl), PROT_READ | PROT_WRITE, MAP_SHARED, fd_, 0);
        if (at == MAP_FAILED) std::abort();
        segment_ = static_cast<char*>(at);
        auto* const ctl = reinterpret_cast<mpol_ctl*>(at);
        ctl->header.slots_used = 2;
        ctl->header.regions_used = 2;
        for (unsigned slot = 0; slot < 2; ++slot) {
            ctl->slots[slot].word = next_generation(kLive);
            ctl->slots[slot].tid = static_cast<uint32_t>(::getpid()) + slot;
            ctl->regions[slot].start = uint64_t{1 + slot} << 30;
            ctl->regions[slot].size = uint64_t{1} << 30;
        }
    }
    ~Hostile() {
        ::munmap(segment_, sizeof(mpol_ctl));
        ::close(fd_);
    }
    Hostile(const Hostile&) = delete;
    Hostile& operator=(const Hostile&) = delete;

    template <class Deeds>
    void while_it_writes(Deeds deeds) {
        std::thread writer([&] {
            do {
                for (const Write& write : script_) play(write, segment_);
                std::this_thread::yield();
            } while (!done_.load(std::memory_order_acquire));
        });
        deeds();
        done_.store(true, std::memory_order_release);
        writer.join();
    }

  private:
    std::vector<Write> script_;
    int fd_ = -1;
    char* segment_ = nullptr;
    std::atomic<bool> done_{false};
};

void use(const Published& published, const NodeMask& allowed) {
    if (!published.readable || !published.set) return;
    (void)policy_text(published.policy);
    NodeMask effective;
    (void)contextualise(published.policy, allowed, effective);
}

void list(const Target& target) {
    const ProcessState process = target.process();
    use(process.asked, process.allowed);
    for (const ThreadState& thread : target.threads()) {
        use(thread.asked, process.allowed);
        for (const auto& kind : thread.kinds) {
            if (kind) use(kind->asked, process.allowed);
        }
        (void)target.held(ThreadSlot(thread.slot, thread.tid));
    }
    for (const KindState& kind : target.kinds()) use(kind.asked, process.allowed);
    for (const RegionState& region : target.regions()) {
        (void)decode_layout(region.stretches);
        if (region.carved > region.size || region.committed > region.size) std::abort();
    }
    (void)target.errors();
    (void)target.held(std::nullopt);
    (void)target.undone();
    (void)target.migration().failed_in_all();
    for (int counter = 0; counter < MPOL_CTL_COUNTERS; ++counter) {
        (void)target.counter(static_cast<mpol_ctl_counter>(counter));
    }
    (void)target.slot_of(::getpid());
}

Policy some_policy() {
    Policy policy;
    policy.mode = Mode::kBind;
    policy.nodes.set(0);
    return policy;
}

void publish(Target& target) {
    const Policy policy = some_policy();
    if (const auto generation = target.publish_process(policy, kWaitMs)) {
        (void)target.wait_process(*generation, kWaitMs);
        (void)target.wait_all_threads(*generation, kWaitMs);
        (void)target.in_force(std::nullopt, *generation);
    }
    for (const ThreadSlot slot : {ThreadSlot(0), ThreadSlot(1, ::getpid() + 1)}) {
        if (const auto generation = target.publish_thread(slot, policy, kWaitMs)) {
            (void)target.wait_thread(slot, *generation, kWaitMs);
        }
        for (const auto kind : {MPOL_CTL_KIND_LARGE, MPOL_CTL_KIND_STACK, MPOL_CTL_KIND_MMAP}) {
            const KindName name{kind, MPOL_CTL_THRESHOLD_MIN};
            if (const auto generation = target.publish_own_kind(slot, name, policy, kWaitMs)) {
                (void)target.wait_own_kind(slot, kind, *generation, kWaitMs);
            }
        }
    }
    const KindName large{MPOL_CTL_KIND_LARGE, MPOL_CTL_THRESHOLD_MIN};
    if (const auto generation = target.publish_kind(large, policy, true, kWaitMs)) {
        (void)target.wait_kind(MPOL_CTL_KIND_LARGE, *generation, kWaitMs);
    }
    (void)target.publish_everywhere(std::nullopt, kWaitMs);
}

void hold_and_give_back(Target& target) {
    const ThreadSlot slot(1, ::getpid() + 1);
    (void)target.hold(std::nullopt, some_policy(), kWaitMs);
    (void)target.hold(slot, some_policy(), kWaitMs);
    (void)target.give_back(slot, kWaitMs);
    (void)target.undo(kWaitMs);
    (void)target.redo(kWaitMs);
}

void ask_and_migrate(Target& target) {
    (void)target.ask({.op = MPOL_CTL_REQUEST_MBIND, .start = 4096, .size = 4096}, kWaitMs);
    if (const auto generation = target.start_migration({.lease_ms = 1}, kWaitMs)) {
        target.renew_migration();
        (void)target.wait_migration(*generation, MigrationPhase::kAsked, kWaitMs);
        target.cancel_migration(*generation);
    }
}

void watch(Target& target) {
    Watch watch(target);
    for (int event = 0; event < 4; ++event) {
        const Watch::Outcome outcome = watch.next(kWaitMs);
        if (outcome == Watch::Outcome::kTimedOut || outcome == Watch::Outcome::kGone) return;
    }
}

void attach_and_do(unsigned deeds) {
    auto attached = Target::attach(::getpid(), Access::kWrite);
    if (!attached) return;
    Target& target = *attached;
    if ((deeds & 1) != 0) list(target);
    if ((deeds & 2) != 0) publish(target);
    if ((deeds & 4) != 0) hold_and_give_back(target);
    if ((deeds & 8) != 0) ask_and_migrate(target);
    if ((deeds & 16) != 0) watch(target);
    if ((deeds & 32) != 0) {
        target.fold((deeds & 64) != 0 ? Target::Folded::kNone : Target::Folded::kOneDescriptor);
        (void)target.in_force(std::nullopt, 1);
        if (target.unfold()) list(target);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (size == 0) return 0;
    Hostile hostile(script_of({data + 1, size - 1}));
    hostile.while_it_writes([&] { attach_and_do(data[0]); });
    return 0;
}
