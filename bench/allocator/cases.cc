// SPDX-License-Identifier: Apache-2.0
// What programs do with an allocator, as Google Benchmark cases. Nothing of an allocator is linked:
// whichever is preloaded is measured, and glibc's where none is. The counter "operations" of each
// case is how many one iteration makes; an operation is one allocation and its release, unless the
// case says otherwise.
//
//   allocator-cases [--operations=N] [--hold] [--benchmark_...]
//
// --operations=N makes N operations (rounded to whole iterations) and no more, to be counted.
// --hold says "ready" and waits for a line, so that a policy can be set from outside; afterwards it
// says "done" and waits for the end of its input, so that its memory can be looked at.
#include <benchmark/benchmark.h>
#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <new>
#include <random>
#include <thread>
#include <vector>

namespace mpol::bench {
namespace {

constexpr size_t kFixedBytes = 64;
constexpr size_t kPage = 4096;

void* checked(void* pointer) {
    if (pointer == nullptr) std::abort();
    return pointer;
}
void touch(void* pointer) {
    *static_cast<volatile char*>(checked(pointer)) = 1;
}
void touch_pages(void* pointer, size_t bytes) {
    for (size_t at = 0; at < bytes; at += kPage) touch(static_cast<char*>(pointer) + at);
}

void set_operations(benchmark::State& state, size_t each_iteration) {
    state.counters["operations"] = static_cast<double>(each_iteration);
}

// Log-uniform sizes, drawn beforehand: the generator's time is not the allocator's.
class Sizes {
  public:
    Sizes(size_t least, size_t most) {
        std::minstd_rand random(1);
        const auto magnitudes = static_cast<unsigned>(__builtin_ctzll(most / least));
        for (size_t& size : sizes_) {
            const size_t power = least << (random() % magnitudes);
            size = power + random() % power;
        }
    }
    size_t next() { return sizes_[at_++ % kCount]; }

  private:
    static constexpr size_t kCount = 4096;
    std::array<size_t, kCount> sizes_{};
    size_t at_ = 0;
};

void fixed(benchmark::State& state) {
    for (auto _ : state) {
        void* const object = std::malloc(kFixedBytes);
        touch(object);
        std::free(object);
    }
    set_operations(state, 1);
}

void operators(benchmark::State& state) {
    for (auto _ : state) {
        void* const object = ::operator new(kFixedBytes);
        touch(object);
        ::operator delete(object, kFixedBytes);
    }
    set_operations(state, 1);
}

// Objects that live for a while, each replaced by one of another size.
template <class Get>
void replace(benchmark::State& state, size_t live_count, size_t least, size_t most, Get get) {
    Sizes sizes(least, most);
    std::vector<void*> live(live_count);
    size_t at = 0;
    const auto step = [&] {
        void*& place = live[at++ % live_count];
        std::free(place);
        place = get(sizes.next());
    };
    for (size_t i = 0; i < 4 * live_count; ++i) step();
    for (auto _ : state) step();
    for (void* object : live) std::free(object);
    set_operations(state, 1);
}

void mixed(benchmark::State& state) {
    replace(state, 2048, 16, 64 << 10, [](size_t size) {
        void* const object = std::malloc(size);
        touch(object);
        return object;
    });
}

void large(benchmark::State& state) {
    replace(state, 8, 256 << 10, 8 << 20, [](size_t size) {
        void* const object = std::malloc(size);
        touch_pages(object, size);
        return object;
    });
}

void zeroed(benchmark::State& state) {
    replace(state, 256, 16, 4 << 10, [](size_t size) { return checked(std::calloc(1, size)); });
}

void aligned(benchmark::State& state) {
    replace(state, 256, 64, 4 << 10, [](size_t size) {
        const size_t alignment = size < 512 ? 64 : size < 2048 ? 256 : kPage;
        void* object = nullptr;
        if (::posix_memalign(&object, alignment, size) != 0) std::abort();
        touch(object);
        return object;
    });
}

void batch(benchmark::State& state) {
    constexpr size_t kBatch = 1000;
    Sizes sizes(16, 512);
    std::vector<void*> live(kBatch);
    for (auto _ : state) {
        for (void*& place : live) touch(place = std::malloc(sizes.next()));
        for (void* object : live) std::free(object);
    }
    set_operations(state, kBatch);
}

// An array that grows by half, from 16 bytes to 1 MiB. An operation is one realloc.
// Beside objects that come and go: alone, whether an array grows where it is hangs on what the
// benchmark's library has left behind it, which is the same all through a run.
void growth(benchmark::State& state) {
    constexpr size_t kMost = 1 << 20;
    Sizes sizes(1 << 10, 256 << 10);
    std::array<void*, 64> neighbours{};
    size_t arrays = 0;
    size_t steps = 0;
    for (auto _ : state) {
        void*& neighbour = neighbours[arrays++ % neighbours.size()];
        std::free(neighbour);
        neighbour = std::malloc(sizes.next());
        touch(neighbour);
        void* array = nullptr;
        steps = 0;
        for (size_t size = 16; size < kMost; size += size / 2, ++steps) {
            array = checked(std::realloc(array, size));
            static_cast<volatile char*>(array)[size - 1] = 1;
        }
        std::free(array);
    }
    for (void* neighbour : neighbours) std::free(neighbour);
    set_operations(state, steps);
}

// --- One thread allocates, another one frees.

constexpr size_t kHanded = 512;  // objects in a parcel
using Parcel = std::array<void*, kHanded>;

// A bounded queue: both sides sleep when they must wait.
class Channel {
  public:
    void put(const Parcel& parcel) {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return put_ - taken_ < kDepth; });
        parcels_[put_++ % kDepth] = parcel;
        changed_.notify_one();
    }
    Parcel take() {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return put_ != taken_; });
        const Parcel parcel = parcels_[taken_++ % kDepth];
        changed_.notify_one();
        return parcel;
    }

  private:
    static constexpr size_t kDepth = 8;
    std::mutex mutex_;  // Protects all below; nothing is taken inside of it.
    std::condition_variable changed_;
    std::array<Parcel, kDepth> parcels_{};
    size_t put_ = 0;
    size_t taken_ = 0;
};

void handover(benchmark::State& state) {
    Sizes sizes(16, 512);
    Channel channel;
    std::thread consumer([&] {
        for (Parcel parcel = channel.take(); parcel[0] != nullptr; parcel = channel.take()) {
            for (void* object : parcel) std::free(object);
        }
    });
    for (auto _ : state) {
        Parcel parcel;
        for (void*& place : parcel) touch(place = std::malloc(sizes.next()));
        channel.put(parcel);
    }
    channel.put(Parcel{});
    consumer.join();
    set_operations(state, kHanded);
}

// The same in a program that holds 64 MiB.
void handover_large(benchmark::State& state) {
    constexpr size_t kBytes = 1024;
    std::vector<void*> others(size_t{64} << 10);
    for (void*& place : others) touch(place = std::malloc(kBytes));
    handover(state);
    for (void* other : others) std::free(other);
}

// An operation is one thread that allocates and frees a hundred objects. Some live at a time: most of
// one that is waited for alone is how long the processor that waits takes to wake up.
constexpr size_t kTogether = 4;

void* short_life(void*) {
    std::array<void*, 100> live;
    for (void*& place : live) touch(place = std::malloc(kFixedBytes));
    for (void* object : live) std::free(object);
    return nullptr;
}

void churn(benchmark::State& state) {
    for (auto _ : state) {
        std::array<pthread_t, kTogether> threads;
        for (pthread_t& thread : threads) {
            if (::pthread_create(&thread, nullptr, short_life, nullptr) != 0) std::abort();
        }
        for (const pthread_t thread : threads) ::pthread_join(thread, nullptr);
    }
    set_operations(state, kTogether);
}

// --- The program

struct Case {
    const char* name;
    void (*run)(benchmark::State&);
    size_t operations;  // of an iteration
};
constexpr Case kCases[] = {
    {"fixed", fixed, 1},
    {"operators", operators, 1},
    {"mixed", mixed, 1},
    {"batch", batch, 1000},
    {"handover", handover, kHanded},
    {"handover-large", handover_large, kHanded},
    {"growth", growth, 28},
    {"large", large, 1},
    {"zeroed", zeroed, 1},
    {"aligned", aligned, 1},
    {"churn", churn, kTogether},
};

struct Options {
    size_t operations = 0;
    bool hold = false;
};

// Takes our own options out of the arguments.
Options take_options(int& argc, char** argv) {
    constexpr const char* kOperations = "--operations=";
    Options options;
    char** const end = std::remove_if(argv + 1, argv + argc, [&](const char* word) {
        const bool counted = std::strncmp(word, kOperations, std::strlen(kOperations)) == 0;
        const bool held = std::strcmp(word, "--hold") == 0;
        if (counted)
            options.operations = std::strtoul(word + std::strlen(kOperations), nullptr, 10);
        options.hold = options.hold || held;
        return counted || held;
    });
    argc = static_cast<int>(end - argv);
    return options;
}

void register_cases(size_t operations) {
    for (const Case& each : kCases) {
        auto* const registered = benchmark::RegisterBenchmark(each.name, each.run);
        // All threads' time is the allocator's. It decides how often a case is repeated, too: while
        // others have the processor, nothing is measured.
        registered->MeasureProcessCPUTime();
        if (operations != 0) {
            registered->Iterations(static_cast<benchmark::IterationCount>(
                std::max<size_t>(1, operations / each.operations)));
        }
    }
}

void say(const char* line) {
    if (std::puts(line) < 0 || std::fflush(stdout) != 0) std::exit(1);
}
void await_line() {
    for (char letter = 0; letter != '\n' && ::read(STDIN_FILENO, &letter, 1) == 1;) {
    }
}

}  // namespace
}  // namespace mpol::bench

int main(int argc, char** argv) {
    using namespace mpol::bench;
    const Options options = take_options(argc, argv);
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
    register_cases(options.operations);
    if (options.hold) {
        say("ready");
        await_line();
        // Acts on a policy that was set meanwhile, before anything is timed.
        void* const object = std::malloc(kFixedBytes);
        touch(object);
        std::free(object);
    }
    if (benchmark::RunSpecifiedBenchmarks() == 0) return 2;
    if (options.hold) {
        say("\ndone");
        await_line();
    }
    return 0;
}
