// SPDX-License-Identifier: Apache-2.0
#include "migrating.h"

#include <fstream>
#include <ostream>
#include <stdexcept>

#include "sys/sys.h"

namespace mpol::test {
namespace {

// A step of a migration takes milliseconds, in the slowest machine that tests run on too.
constexpr int kStepMs = 100;

uint64_t pattern_of(uint64_t address) {
    return address * 0x9e3779b97f4a7c15;
}

uint64_t imprint_verb(uint64_t address, uint64_t size, std::string&) {
    for (uint64_t at = address; at < address + size; at += kPage) {
        auto* const words = reinterpret_cast<volatile uint64_t*>(at);
        words[0] = pattern_of(at);
        words[kPage / 8 - 1] = ~pattern_of(at);
    }
    return 0;
}
const Verb imprint_registered("imprint", imprint_verb);

uint64_t mistakes_verb(uint64_t address, uint64_t size, std::string&) {
    uint64_t mistakes = 0;
    for (uint64_t at = address; at < address + size; at += kPage) {
        const auto* const words = reinterpret_cast<const volatile uint64_t*>(at);
        const bool right = words[0] == pattern_of(at) && words[kPage / 8 - 1] == ~pattern_of(at);
        mistakes += right ? 0 : 1;
    }
    return mistakes;
}
const Verb mistakes_registered("mistakes", mistakes_verb);

}  // namespace

Migrating::Migrating(bool huge_pages) : Placed({}, huge_pages) {}

uint64_t Migrating::allocate_imprinted(unsigned thread, size_t size) {
    const uint64_t memory = allocate(thread, size + kPage);
    const uint64_t start = (memory + kPage - 1) & ~uint64_t{kPage - 1};
    run(thread, "imprint", start, size);
    return start;
}

size_t Migrating::mistakes(uint64_t address, size_t size) {
    return run(kMain, "mistakes", address, size);
}

uint64_t start(control::Target& target, MigrationRequest request) {
    if (request.lease_ms == 0) request.lease_ms = kLeaseMs;
    const auto generation = target.start_migration(request, kWaitMs);
    if (!generation) throw std::runtime_error(generation.error().what);
    return *generation;
}

MigrationState follow(control::Target& target, uint64_t generation,
                      const std::function<bool(const MigrationState&)>& done) {
    const uint64_t deadline = sys::monotonic_ns() + uint64_t{5} * kWaitMs * 1'000'000;
    while (sys::monotonic_ns() < deadline) {
        const MigrationState state = target.migration();
        if (state.generation != generation) throw std::runtime_error("another took its place");
        if (has_ended(state.phase) || (done && done(state))) return state;
        target.renew_migration();
        (void)target.wait_migration(generation, state.phase, done ? 1 : kStepMs);
    }
    throw std::runtime_error("the migration never ended");
}

MigrationState migrate(control::Target& target, MigrationRequest request) {
    return follow(target, start(target, request));
}

uint64_t rollup_bytes(pid_t pid, const std::string& name) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/smaps_rollup");
    std::string word;
    uint64_t kib = 0;
    while (file >> word) {
        if (word == name + ":" && file >> kib) return kib << 10;
    }
    return 0;
}

bool set_huge_pages(const std::string& enabled) {
    std::ofstream file("/sys/kernel/mm/transparent_hugepage/enabled");
    file << enabled << std::flush;
    return file.good();
}

}  // namespace mpol::test

namespace mpol::control {

std::ostream& operator<<(std::ostream& out, const MigrationState& state) {
    out << "phase " << static_cast<int>(state.phase) << " total " << state.total << " seen "
        << state.seen << " moved " << state.moved << " placed " << state.placed << " unbound "
        << state.unbound << " failed";
    for (const uint64_t bytes : state.failed) out << ' ' << bytes;
    return out << " error " << state.error << " batches " << state.batches << " of "
               << state.batch_pages << " longest " << state.longest_batch_ns << " ns, rewrites "
               << state.rewrites;
}

}  // namespace mpol::control
