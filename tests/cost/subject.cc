// SPDX-License-Identifier: Apache-2.0
// The program whose costs are counted. Each verb says "ready" on stdout once its threads stand,
// does its work after a line on stdin, says "done", and ends with its stdin. What it says in
// between is "name value".
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <random>
#include <vector>

namespace {

void keep(void*& pointer) {
    asm volatile("" : "+r"(pointer)::"memory");
}

// Without stdio, so that nothing but the verb allocates.
void say(const char* format, ...) __attribute__((format(printf, 1, 2)));
void say(const char* format, ...) {
    char line[128];
    va_list arguments;
    va_start(arguments, format);
    const int size = std::vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    if (::write(STDOUT_FILENO, line, static_cast<size_t>(size)) != size) ::_exit(1);
}

// False when stdin has ended.
bool await_line() {
    char letter = 0;
    while (::read(STDIN_FILENO, &letter, 1) == 1) {
        if (letter == '\n') return true;
    }
    return false;
}

// --- loop KIND COUNT: COUNT pairs of 64 bytes, by one thread

constexpr size_t kBytes = 64;
// At most half of what jemalloc's cache holds of that size (128): or it would hang on how full that
// was at the start whether each batch is a refill and a flush of it.
constexpr int kBatch = 50;

struct Malloc {
    static void* get() { return std::malloc(kBytes); }
    static void give(void* pointer) { std::free(pointer); }
};
struct Calloc {
    static void* get() { return std::calloc(1, kBytes); }
    static void give(void* pointer) { std::free(pointer); }
};
struct New {
    static void* get() { return ::operator new(kBytes); }
    static void give(void* pointer) { ::operator delete(pointer); }
};
struct SizedNew {
    static void* get() { return ::operator new(kBytes); }
    static void give(void* pointer) { ::operator delete(pointer, kBytes); }
};

template <class Family>
void pairs(long count) {
    for (long i = 0; i < count; ++i) {
        void* pointer = Family::get();
        keep(pointer);
        Family::give(pointer);
    }
}

template <class Family>
void batches(long count) {
    void* held[kBatch];
    for (long i = 0; i < count / kBatch; ++i) {
        for (void*& pointer : held) {
            pointer = Family::get();
            keep(pointer);
        }
        for (void* pointer : held) Family::give(pointer);
    }
}

int loop(const char* kind, long count) {
    const struct {
        const char* name;
        void (*run)(long);
    } kinds[] = {
        {"malloc", pairs<Malloc>},  {"malloc-batch", batches<Malloc>},
        {"calloc", pairs<Calloc>},  {"calloc-batch", batches<Calloc>},
        {"new", pairs<New>},        {"new-batch", batches<New>},
        {"sized", pairs<SizedNew>}, {"sized-batch", batches<SizedNew>},
    };
    const auto* found = std::find_if(std::begin(kinds), std::end(kinds), [&](const auto& each) {
        return std::strcmp(each.name, kind) == 0;
    });
    if (found == std::end(kinds)) return 2;
    pairs<Malloc>(1);
    say("ready\n");
    if (!await_line()) return 1;
    found->run(kBatch * 10);  // Acts on what was published, and fills the caches.
    found->run(count);
    say("done\n");
    await_line();
    return 0;
}

// --- mixed THREADS COUNT: COUNT allocations of 16 B to 16 MiB over THREADS threads

constexpr size_t kLiveEach = 256;

struct Mixer {
    pthread_t thread;
    pthread_barrier_t* barrier;
    long count;
    unsigned seed;
};

void* mix(void* opaque) {
    Mixer& mixer = *static_cast<Mixer*>(opaque);
    say("tid %ld\n", ::syscall(SYS_gettid));
    pthread_barrier_wait(mixer.barrier);  // All threads stand.
    pthread_barrier_wait(mixer.barrier);  // The policies are published.
    std::minstd_rand random(mixer.seed);
    void* live[kLiveEach]{};
    for (long i = 0; i < mixer.count; ++i) {
        void*& place = live[random() % kLiveEach];
        std::free(place);
        const unsigned magnitude = 4 + static_cast<unsigned>(random() % 20);  // log-uniform
        place = std::malloc((size_t{1} << magnitude) + random() % (size_t{1} << magnitude));
        if (place == nullptr) ::_exit(3);
        *static_cast<volatile char*>(place) = 1;
    }
    pthread_barrier_wait(mixer.barrier);  // All is allocated, for the count of mappings.
    pthread_barrier_wait(mixer.barrier);
    return nullptr;
}

int mixed(unsigned threads, long count) {
    pthread_barrier_t barrier;
    pthread_barrier_init(&barrier, nullptr, threads + 1);
    std::vector<Mixer> mixers(threads);
    for (unsigned i = 0; i < threads; ++i) {
        mixers[i] = {{}, &barrier, count / threads, i + 1};
        if (pthread_create(&mixers[i].thread, nullptr, mix, &mixers[i]) != 0) return 3;
    }
    pthread_barrier_wait(&barrier);
    say("ready\n");
    if (!await_line()) return 1;
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    say("done\n");
    await_line();
    pthread_barrier_wait(&barrier);
    for (Mixer& mixer : mixers) pthread_join(mixer.thread, nullptr);
    return 0;
}

// --- hand-over COUNT BYTES: COUNT objects allocated by one thread and freed by another

constexpr long kHandedAtOnce = 2'048;

struct HandOver {
    pthread_barrier_t barrier;
    long count;
    void* objects[kHandedAtOnce];
};

void* free_handed(void* opaque) {
    HandOver& over = *static_cast<HandOver*>(opaque);
    say("tid %ld\n", ::syscall(SYS_gettid));
    pthread_barrier_wait(&over.barrier);  // It stands.
    pthread_barrier_wait(&over.barrier);  // Its policy is published.
    pairs<Malloc>(1);
    for (long i = 0; i < over.count; i += kHandedAtOnce) {
        pthread_barrier_wait(&over.barrier);
        for (void* object : over.objects) std::free(object);
        pthread_barrier_wait(&over.barrier);
    }
    return nullptr;
}

int hand_over(long count, size_t bytes) {
    static HandOver over;
    over.count = count;
    pthread_barrier_init(&over.barrier, nullptr, 2);
    pthread_t other;
    if (pthread_create(&other, nullptr, free_handed, &over) != 0) return 3;
    pthread_barrier_wait(&over.barrier);
    say("ready\n");
    if (!await_line()) return 1;
    pthread_barrier_wait(&over.barrier);
    for (long i = 0; i < count; i += kHandedAtOnce) {
        for (void*& object : over.objects) object = std::malloc(bytes);
        pthread_barrier_wait(&over.barrier);
        pthread_barrier_wait(&over.barrier);
    }
    say("done\n");
    pthread_join(other, nullptr);
    await_line();
    return 0;
}

// --- reserve GIB: blocks of 1 GiB each, never touched

int reserve(unsigned gib) {
    for (unsigned i = 0; i < gib; ++i) {
        void* block = std::malloc(size_t{1} << 30);
        keep(block);
        if (block == nullptr) return 3;
    }
    pairs<Malloc>(1);
    say("ready\n");
    await_line();
    say("done\n");
    await_line();
    return 0;
}

// --- holes COUNT: free blocks of 64 KiB, all touched, each between two that are held

int holes(size_t count) {
    constexpr size_t kHoleBytes = size_t{64} << 10;
    std::vector<void*> blocks(2 * count);
    for (void*& block : blocks) {
        block = std::malloc(kHoleBytes);
        if (block == nullptr) return 3;
        std::memset(block, 1, kHoleBytes);
    }
    for (size_t i = 0; i < blocks.size(); i += 2) std::free(blocks[i]);
    say("ready\n");
    await_line();
    say("done\n");
    await_line();
    return 0;
}

// --- threads COUNT: threads that have allocated once and wait

constexpr size_t kStackBytes = 64 << 10;

pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

void* idle(void* opaque) {
    pairs<Malloc>(1);
    pthread_barrier_wait(static_cast<pthread_barrier_t*>(opaque));
    pthread_mutex_lock(&gate);
    pthread_mutex_unlock(&gate);
    return nullptr;
}

int threads(unsigned count) {
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, kStackBytes);
    pthread_barrier_t pair;
    pthread_barrier_init(&pair, nullptr, 2);
    std::vector<pthread_t> all(count);
    pthread_mutex_lock(&gate);
    unsigned started = 0;
    for (; started < count; ++started) {
        if (pthread_create(&all[started], &attributes, idle, &pair) != 0) break;
        pthread_barrier_wait(&pair);  // One after the other: it has its slot.
    }
    say("started %u\n", started);
    say("ready\n");
    await_line();
    pairs<Malloc>(1);  // A small program has no helper thread: it acts now.
    say("done\n");
    await_line();
    pthread_mutex_unlock(&gate);
    for (unsigned i = 0; i < started; ++i) pthread_join(all[i], nullptr);
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    const auto verb = [&](const char* name, int arguments) {
        return argc == 2 + arguments && std::strcmp(argv[1], name) == 0;
    };
    const auto number = [&](int index) { return std::atol(argv[index]); };
    if (verb("loop", 2)) return loop(argv[2], number(3));
    if (verb("mixed", 2)) return mixed(static_cast<unsigned>(number(2)), number(3));
    if (verb("hand-over", 2)) return hand_over(number(2), static_cast<size_t>(number(3)));
    if (verb("reserve", 1)) return reserve(static_cast<unsigned>(number(2)));
    if (verb("holes", 1)) return holes(static_cast<size_t>(number(2)));
    if (verb("threads", 1)) return threads(static_cast<unsigned>(number(2)));
    std::fprintf(stderr,
                 "usage: %s loop KIND COUNT | mixed THREADS COUNT | hand-over COUNT BYTES | "
                 "reserve GIB | holes COUNT | threads COUNT\n",
                 argv[0]);
    return 2;
}
