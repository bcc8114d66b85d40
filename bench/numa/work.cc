// SPDX-License-Identifier: Apache-2.0
#include "numa/work.h"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <barrier>
#include <numeric>
#include <random>
#include <thread>

#include "sys/sys.h"

namespace mpol::bench {
namespace {

constexpr size_t kWordsOfLine = 8;

// 32 bytes at once: the compiler uses what the processor has.
using Block = uint64_t __attribute__((vector_size(32), may_alias));
constexpr size_t kWordsOfBlock = sizeof(Block) / sizeof(uint64_t);

// The compiler must not leave out work whose result nobody needs.
template <class T>
void keep(const T& value) {
    asm volatile("" : : "g"(&value) : "memory");
}

void read_all(std::span<uint64_t> words) {
    const auto* const blocks = reinterpret_cast<const Block*>(words.data());
    Block a{}, b{}, c{}, d{};
    for (size_t i = 0; i + 4 <= words.size() / kWordsOfBlock; i += 4) {
        a += blocks[i];
        b += blocks[i + 1];
        c += blocks[i + 2];
        d += blocks[i + 3];
    }
    const Block sum = a + b + c + d;
    keep(sum);
}

void write_all(std::span<uint64_t> words) {
    auto* const blocks = reinterpret_cast<Block*>(words.data());
    const Block value = {1, 2, 3, 4};
    for (size_t i = 0; i < words.size() / kWordsOfBlock; ++i) blocks[i] = value;
    keep(blocks);
}

void copy_half(std::span<uint64_t> words) {
    const size_t half = words.size() / kWordsOfBlock / 2;
    auto* const to = reinterpret_cast<Block*>(words.data());
    const auto* const from = to + half;
    for (size_t i = 0; i < half; ++i) to[i] = from[i];
    keep(to);
}

void pin(unsigned cpu) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    (void)::sched_setaffinity(0, sizeof(set), &set);
}

void run(Work work, std::span<uint64_t> part) {
    if (work == Work::kRead) read_all(part);
    if (work == Work::kWrite) write_all(part);
    if (work == Work::kCopy) copy_half(part);
}

// Whole blocks of four for each.
std::span<uint64_t> part_of(std::span<uint64_t> words, size_t index, size_t count) {
    constexpr size_t kUnit = 4 * kWordsOfBlock;
    const size_t each = words.size() / count / kUnit * kUnit;
    return words.subspan(index * each, each);
}

}  // namespace

std::string_view work_name(Work work) {
    constexpr std::string_view kNames[] = {"latency", "read", "write", "copy"};
    return kNames[static_cast<size_t>(work)];
}

void make_chase(std::span<uint64_t> words) {
    const size_t lines = words.size() / kWordsOfLine;
    std::vector<uint32_t> order(lines);
    std::iota(order.begin(), order.end(), 0U);
    std::minstd_rand random(1);
    // Sattolo's shuffle: one cycle through all.
    for (size_t i = lines; i-- > 1;) {
        std::swap(order[i], order[std::uniform_int_distribution<size_t>(0, i - 1)(random)]);
    }
    for (size_t i = 0; i < lines; ++i) {
        words[size_t{order[i]} * kWordsOfLine] = size_t{order[(i + 1) % lines]} * kWordsOfLine;
    }
}

double chase_ns(std::span<uint64_t> words, unsigned cpu, size_t hops) {
    double out = 0;
    std::thread([&] {
        pin(cpu);
        // Where the last one ended: lines that are in no cache yet.
        static std::atomic<uint64_t> last = 0;
        uint64_t at = last.load() < words.size() ? last.load() / kWordsOfLine * kWordsOfLine : 0;
        const uint64_t begin = sys::monotonic_ns();
        for (size_t i = 0; i < hops; ++i) at = words[at];
        const uint64_t end = sys::monotonic_ns();
        last = at;
        out = static_cast<double>(end - begin) / static_cast<double>(hops);
    }).join();
    return out;
}

double bandwidth_gb(Work work, std::span<uint64_t> words, const std::vector<unsigned>& cpus) {
    std::barrier start(static_cast<ptrdiff_t>(cpus.size()));
    std::vector<uint64_t> begins(cpus.size()), ends(cpus.size());
    std::vector<std::thread> threads;
    for (size_t i = 0; i < cpus.size(); ++i) {
        threads.emplace_back([&, i] {
            pin(cpus[i]);
            start.arrive_and_wait();
            begins[i] = sys::monotonic_ns();
            run(work, part_of(words, i, cpus.size()));
            ends[i] = sys::monotonic_ns();
        });
    }
    for (std::thread& thread : threads) thread.join();
    const uint64_t begin = *std::min_element(begins.begin(), begins.end());
    const uint64_t end = *std::max_element(ends.begin(), ends.end());
    const size_t bytes = part_of(words, 0, cpus.size()).size_bytes() * cpus.size();
    return static_cast<double>(bytes) / static_cast<double>(std::max<uint64_t>(end - begin, 1));
}

}  // namespace mpol::bench
