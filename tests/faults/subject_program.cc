// SPDX-License-Identifier: Apache-2.0
// A program that uses the allocator in every way there is and knows nothing of mpol: allocations of
// all sizes by several threads, realloc, calloc, fork, thread churn. What it says at the end must
// not depend on which allocator it has, nor on what fails below it:
//
//   sum HEX corrupt N errno N nulls N refused N
//
// corrupt: blocks whose bytes were not those written. errno: successful calls that changed it.
// nulls: allocations refused. refused: threads and children that could not be had; their work is
// then done where they were wanted, so the sum is the same.
//
//   fault-subject             no more than that
//   fault-subject mappings N  first makes so many mappings that N more are allowed
//   fault-subject hold N      at the end holds N MiB, all touched
//
// At each stage it says "stage N" and goes on when it has read a character.
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

constexpr unsigned kThreads = 4;
constexpr unsigned kShortThreads = 12;
constexpr unsigned kSteps = 600;
constexpr unsigned kHeld = 48;
// Large enough for a helper to be worth having; only the first bytes of each are touched.
constexpr size_t kLargeBytes = size_t{8} << 20;
constexpr unsigned kLarge = 6;

struct Tally {
    std::atomic<uint64_t> sum{0};
    std::atomic<uint32_t> corrupt{0};
    std::atomic<uint32_t> changed_errno{0};
    std::atomic<uint32_t> nulls{0};
    std::atomic<uint32_t> refused{0};
};
// Shared with the children of a fork.
Tally* tally = nullptr;

uint64_t mix(uint64_t value) {
    value += 0x9e3779b97f4a7c15U;
    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9U;
    value = (value ^ (value >> 27)) * 0x94d049bb133111ebU;
    return value ^ (value >> 31);
}

size_t size_for(uint64_t random) {
    switch (random % 16) {
        case 0:
            return random >> 8 & 0xfffff;  // up to 1 MiB
        case 1:
        case 2:
            return random >> 8 & 0xffff;
        case 3:
        case 4:
            return random >> 8 & 0x3fff;
        default:
            return random >> 8 & 0x7ff;
    }
}

// The first and last bytes hold the seed; blocks may be large and untouched between.
constexpr size_t kMarked = 128;

void mark(unsigned char* at, size_t size, uint64_t seed) {
    const size_t head = size < kMarked ? size : kMarked;
    std::memset(at, static_cast<int>(seed & 0xff), head);
    std::memset(at + size - head, static_cast<int>(seed & 0xff), head);
}

bool marked(const unsigned char* at, size_t size, uint64_t seed) {
    const size_t head = size < kMarked ? size : kMarked;
    for (size_t i = 0; i < head; ++i) {
        if (at[i] != (seed & 0xff) || at[size - 1 - i] != (seed & 0xff)) return false;
    }
    return true;
}

struct Block {
    unsigned char* at = nullptr;
    size_t size = 0;
    uint64_t seed = 0;
};

unsigned char* counted(void* memory, int errno_before) {
    if (memory == nullptr)
        ++tally->nulls;
    else if (errno != errno_before)
        ++tally->changed_errno;
    return static_cast<unsigned char*>(memory);
}

bool all_zero(const unsigned char* at, size_t size) {
    for (size_t i = 0; i < size; i += i < kMarked ? 1 : 512) {
        if (at[i] != 0) return false;
    }
    return true;
}

void acquire(Block& block, uint64_t random) {
    block.size = size_for(random) + 1;
    block.seed = random >> 40;
    errno = 77;
    switch (random % 5) {
        case 0:
            block.at = counted(std::calloc(1, block.size), 77);
            if (block.at != nullptr && !all_zero(block.at, block.size)) ++tally->corrupt;
            break;
        case 1: {
            const size_t alignment = size_t{64} << (random >> 32) % 8;
            void* memory = nullptr;
            const int err = ::posix_memalign(&memory, alignment, block.size);
            block.at = counted(err == 0 ? memory : nullptr, 77);
            if (reinterpret_cast<uintptr_t>(block.at) % alignment != 0) ++tally->corrupt;
            break;
        }
        default:
            block.at = counted(std::malloc(block.size), 77);
    }
    tally->sum += mix(block.size ^ block.seed << 32);
    if (block.at != nullptr) mark(block.at, block.size, block.seed);
}

void resize(Block& block, uint64_t random) {
    const size_t size = size_for(random) + 1;
    tally->sum += mix(size);
    if (block.at == nullptr) return;
    const size_t kept = size < block.size ? size : block.size;
    errno = 77;
    unsigned char* const at = counted(std::realloc(block.at, size), 77);
    if (at == nullptr) return;  // The block is as it was.
    if (!marked(at, kept < kMarked ? kept : kMarked, block.seed)) ++tally->corrupt;
    block.at = at;
    block.size = size;
    mark(at, size, block.seed);
}

void release(Block& block) {
    if (block.at != nullptr && !marked(block.at, block.size, block.seed)) ++tally->corrupt;
    errno = 77;
    std::free(block.at);
    if (errno != 77) ++tally->changed_errno;
    block = {};
}

void work(uint64_t seed, unsigned steps) {
    Block held[kHeld];
    uint64_t random = seed;
    for (unsigned step = 0; step < steps; ++step) {
        random = mix(random);
        Block& block = held[random % kHeld];
        if (block.size == 0)
            acquire(block, mix(random));
        else if (random >> 60 < 4)
            resize(block, mix(random));
        else
            release(block);
    }
    for (Block& block : held) release(block);
}

void* work_in_thread(void* seed) {
    work(reinterpret_cast<uintptr_t>(seed), kSteps);
    return nullptr;
}

void* work_briefly(void* seed) {
    work(reinterpret_cast<uintptr_t>(seed), kSteps / 10);
    return nullptr;
}

// True when the thread runs; else the work has been done here.
bool start(pthread_t& thread, void* (*routine)(void*), uint64_t seed) {
    void* const argument = reinterpret_cast<void*>(seed);
    if (::pthread_create(&thread, nullptr, routine, argument) == 0) return true;
    ++tally->refused;
    routine(argument);
    return false;
}

void several_threads(uint64_t seed) {
    pthread_t threads[kThreads];
    bool runs[kThreads];
    for (unsigned i = 0; i < kThreads; ++i) {
        runs[i] = start(threads[i], work_in_thread, seed + i);
    }
    for (unsigned i = 0; i < kThreads; ++i) {
        if (runs[i]) ::pthread_join(threads[i], nullptr);
    }
}

void short_threads() {
    for (unsigned i = 0; i < kShortThreads; ++i) {
        pthread_t thread;
        if (start(thread, work_briefly, 1000 + i)) ::pthread_join(thread, nullptr);
    }
}

void in_child() {
    work(2000, kSteps / 2);
    several_threads(2100);
}

void fork_and_work() {
    const pid_t child = ::fork();
    if (child == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        in_child();
        ::_exit(0);
    }
    if (child < 0) {
        ++tally->refused;
        return in_child();
    }
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (status != 0) {
        std::fprintf(stderr, "a child ended with status %#x\n", status);
        ::_exit(3);
    }
}

void large_blocks() {
    Block blocks[kLarge];
    for (Block& block : blocks) {
        block = {counted(std::malloc(kLargeBytes), errno), kLargeBytes, 7};
        if (block.at != nullptr) mark(block.at, block.size, block.seed);
    }
    for (Block& block : blocks) release(block);
}

// As a program's own allocator does it.
void own_mappings() {
    constexpr size_t size = size_t{4} << 20;
    void* const at =
        ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) {
        ++tally->refused;
        return;
    }
    mark(static_cast<unsigned char*>(at), size, 9);
    void* const grown = ::mremap(at, size, 2 * size, MREMAP_MAYMOVE);
    if (grown == MAP_FAILED) ++tally->refused;
    const bool is_grown = grown != MAP_FAILED;
    auto* const now = static_cast<unsigned char*>(is_grown ? grown : at);
    if (!marked(now, size, 9)) ++tally->corrupt;
    ::munmap(now, is_grown ? 2 * size : size);
}

void stage(char number) {
    char line[] = "stage 0\n";
    line[6] = number;
    char go = 0;
    if (::write(STDOUT_FILENO, line, sizeof(line) - 1) < 0) ::_exit(2);
    while (::read(STDIN_FILENO, &go, 1) < 0 && errno == EINTR) {
    }
}

// Every other page of a range gets a protection of its own until the kernel allows no more.
bool use_up_mappings(size_t left) {
    constexpr size_t page = 4096;
    constexpr size_t pages = 1 << 18;
    auto* const at = static_cast<char*>(::mmap(nullptr, pages * page, PROT_NONE,
                                               MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
    if (at == MAP_FAILED) return false;
    size_t used = 0;
    while (used < pages && ::mprotect(at + used * page, page, PROT_READ) == 0) used += 2;
    if (used >= pages) return false;  // There is no such limit here.
    for (size_t given = 0; given < left; given += 2) {
        used -= 2;
        if (::mprotect(at + used * page, page, PROT_NONE) != 0) return false;
    }
    return true;
}

void hold(size_t mebibytes) {
    for (size_t i = 0; i < mebibytes; ++i) {
        void* const at = std::malloc(size_t{1} << 20);
        if (at != nullptr) std::memset(at, 1, size_t{1} << 20);
    }
}

void say_tally() {
    char line[160];
    const int size =
        std::snprintf(line, sizeof(line), "sum %016lx corrupt %u errno %u nulls %u refused %u\n",
                      static_cast<unsigned long>(tally->sum.load()), tally->corrupt.load(),
                      tally->changed_errno.load(), tally->nulls.load(), tally->refused.load());
    if (::write(STDOUT_FILENO, line, static_cast<size_t>(size)) != size) ::_exit(2);
}

}  // namespace

int main(int argc, char** argv) {
    const size_t number = argc == 3 ? std::strtoul(argv[2], nullptr, 10) : 0;
    const auto told = [&](const char* what) {
        return argc == 3 && std::strcmp(argv[1], what) == 0;
    };
    tally = static_cast<Tally*>(
        ::mmap(nullptr, sizeof(Tally), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    if (tally == MAP_FAILED) return 2;
    if (told("mappings") && !use_up_mappings(number)) return 4;
    stage('0');
    work(1, kSteps);
    stage('1');
    several_threads(100);
    stage('2');
    large_blocks();
    short_threads();
    stage('3');
    fork_and_work();
    stage('4');
    own_mappings();
    several_threads(200);
    work(3, kSteps);
    stage('5');
    if (told("hold")) hold(number);
    say_tally();
    stage('6');
    return 0;
}
