// SPDX-License-Identifier: Apache-2.0
// The subject "ring": threads that hand every object they allocate around a ring and free each
// other's. Arguments: how many objects in all; "self" when each thread is to bind itself to its
// node by set_mempolicy(2), and to take a jemalloc arena of its own where the program has jemalloc.
//
// Says "thread T", its id, for each in order, and "ready"; after a command runs, saying "round" now
// and then; says "pairs P own O objects N ns T": distinct (page, allocating thread) of the objects
// alive at the end, those of them on that thread's node, objects made, and how long the run took.
#include <dlfcn.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <random>

#include "placement.h"

namespace mpol::test {
namespace {

constexpr unsigned kThreads = 4;  // thread i belongs to node i
constexpr unsigned kSeed = 4711;
constexpr size_t kLetter = 256;    // objects handed over at once
constexpr size_t kLettersMax = 8;  // on the way to one thread
constexpr size_t kHeld = 16'384;   // objects that a thread keeps before it frees the oldest
constexpr size_t kRoundsBetweenSigns = 2'000;
constexpr size_t kBytesMin = 24;
constexpr size_t kBytesMax = 1'024;  // some 30 MB alive in all

struct Object {
    uint32_t owner;
    uint32_t size;
    uint32_t hops;  // still to go
};

// What one thread sends to the next. Waits by a futex: in the virtual machine a spin costs 4 ms.
class Mailbox {
  public:
    void send(Object* const* objects) {
        pthread_mutex_lock(&mutex_);
        while (letters_ == kLettersMax) pthread_cond_wait(&changed_, &mutex_);
        std::copy_n(objects, kLetter, letter_[(first_ + letters_++) % kLettersMax]);
        pthread_cond_signal(&changed_);
        pthread_mutex_unlock(&mutex_);
    }
    void receive(Object** ret_objects) {
        pthread_mutex_lock(&mutex_);
        while (letters_ == 0) pthread_cond_wait(&changed_, &mutex_);
        std::copy_n(letter_[first_], kLetter, ret_objects);
        first_ = (first_ + 1) % kLettersMax;
        --letters_;
        pthread_cond_signal(&changed_);
        pthread_mutex_unlock(&mutex_);
    }

  private:
    pthread_mutex_t mutex_ = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t changed_ = PTHREAD_COND_INITIALIZER;
    Object* letter_[kLettersMax][kLetter];
    size_t first_ = 0;
    size_t letters_ = 0;
};

struct Member {
    pthread_t thread;
    long tid;
    Mailbox inbox;
    Object* held[kHeld];  // oldest at next_held
    size_t next_held;
    size_t made;
};
Member members[kThreads];
pthread_barrier_t barrier;
size_t letters_each;
bool binds_itself;

// What a program can do without us: its own task policy, and its own arena.
void bind_self(unsigned node) {
    const uint64_t mask = uint64_t{1} << node;
    if (::syscall(SYS_set_mempolicy, 2 /* MPOL_BIND */, &mask, 65) != 0) ::_exit(120);
    using Mallctl = int(const char*, void*, size_t*, void*, size_t);
    auto* const mallctl = reinterpret_cast<Mallctl*>(::dlsym(RTLD_DEFAULT, "mallctl"));
    if (mallctl == nullptr) return;
    unsigned arena = 0;
    size_t size = sizeof(arena);
    if (mallctl("arenas.create", &arena, &size, nullptr, 0) != 0 ||
        mallctl("thread.arena", nullptr, nullptr, &arena, size) != 0 ||
        mallctl("thread.tcache.flush", nullptr, nullptr, nullptr, 0) != 0) {
        ::_exit(119);
    }
}

Object* make(unsigned owner, std::minstd_rand& random) {
    const size_t size = kBytesMin + random() % (kBytesMax - kBytesMin);
    auto* const object = static_cast<Object*>(volatile_malloc(size));
    ++members[owner].made;
    *object = {owner, static_cast<uint32_t>(size), 1 + static_cast<uint32_t>(random() % 3)};
    reinterpret_cast<volatile char*>(object)[size - 1] = 1;
    return object;
}

// Keeps the object, and frees the oldest that was kept.
void keep(Member& member, Object* object) {
    Object*& place = member.held[member.next_held++ % kHeld];
    std::free(place);
    place = object;
}

void go_round(unsigned self) {
    std::minstd_rand random(kSeed + self);
    Object* letter[kLetter];
    for (Object*& object : letter) object = make(self, random);
    for (size_t sent = 1; sent <= letters_each; ++sent) {
        if (self == 0 && sent % kRoundsBetweenSigns == 0) say("round");
        members[(self + 1) % kThreads].inbox.send(letter);
        members[self].inbox.receive(letter);
        for (Object*& object : letter) {
            if (--object->hops > 0) continue;
            keep(members[self], object);
            object = make(self, random);
        }
    }
    for (Object* object : letter) keep(members[self], object);
}

void* run_member(void* opaque) {
    const auto self = static_cast<unsigned>(static_cast<Member*>(opaque) - members);
    if (binds_itself) bind_self(self);
    members[self].tid = ::syscall(SYS_gettid);
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    go_round(self);
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    return nullptr;
}

// --- The count at the end

struct Page {
    uintptr_t address;
    uint32_t owner;
    bool operator<(const Page& other) const {
        return address != other.address ? address < other.address : owner < other.owner;
    }
    bool operator==(const Page& other) const {
        return address == other.address && owner == other.owner;
    }
};
constexpr size_t kPagesMax = kThreads * kHeld * 2;
Page pages[kPagesMax];
void* addresses[kPagesMax];
int nodes[kPagesMax];

size_t collect_pages() {
    size_t count = 0;
    for (const Member& member : members) {
        for (const Object* object : member.held) {
            if (object == nullptr) continue;
            const auto start = reinterpret_cast<uintptr_t>(object);
            const uintptr_t last = (start + object->size - 1) & ~(kPage - 1);
            for (uintptr_t at = start & ~(kPage - 1); at <= last; at += kPage) {
                pages[count++] = {at, object->owner};
            }
        }
    }
    std::sort(pages, pages + count);
    return static_cast<size_t>(std::unique(pages, pages + count) - pages);
}

void report(uint64_t took_ns) {
    const size_t count = collect_pages();
    for (size_t i = 0; i < count; ++i) addresses[i] = reinterpret_cast<void*>(pages[i].address);
    if (::syscall(SYS_move_pages, 0, count, addresses, nullptr, nodes, 0) != 0) ::_exit(121);
    size_t own = 0;
    for (size_t i = 0; i < count; ++i) own += nodes[i] == static_cast<int>(pages[i].owner);
    size_t made = 0;
    for (const Member& member : members) made += member.made;
    say("pairs %zu own %zu objects %zu ns %llu", count, own, made,
        static_cast<unsigned long long>(took_ns));
}

uint64_t now_ns() {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

}  // namespace

SUBJECT(ring) {
    // Of the objects in a letter about half stay where it arrives, and are replaced.
    letters_each =
        std::strtoull(subject_arguments.at(0).c_str(), nullptr, 10) / kThreads / (kLetter / 2);
    binds_itself = subject_arguments.size() > 1 && subject_arguments[1] == "self";
    pthread_barrier_init(&barrier, nullptr, kThreads + 1);
    for (Member& member : members) {
        if (pthread_create(&member.thread, nullptr, run_member, &member) != 0) return 1;
    }
    pthread_barrier_wait(&barrier);
    for (const Member& member : members) say("thread %ld", member.tid);
    say("ready");
    await_command();
    const uint64_t begin = now_ns();
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    report(now_ns() - begin);
    await_command();
    ::_exit(0);
}

}  // namespace mpol::test
