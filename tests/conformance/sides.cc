// SPDX-License-Identifier: Apache-2.0
#include "sides.h"

#include <fmt/format.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <stdexcept>

#include "ground.h"

namespace mpol::test {
namespace {

// How often the subject's threads allocate: often enough to be waited for, too rarely to be felt.
constexpr int kAllocationsEveryMs = 2;

// Five huge pages at least, wherever it begins: no interleave misses a node.
constexpr size_t kHeapBytes = size_t{12} << 20;

// --- In the subject

char line[160];
sem_t line_is_there;
sem_t line_is_done;

std::string call_of_row(uint64_t row, uint64_t op, Calls&& calls) {
    return make_call(rows().at(row).ops.at(op), calls);
}

void obey() {
    unsigned thread = 0;
    char verb[16]{};
    unsigned long long first = 0;
    unsigned long long second = 0;
    std::sscanf(line, "%u %15s %llx %llx", &thread, verb, &first, &second);
    const auto is = [&](const char* name) { return std::strcmp(verb, name) == 0; };
    if (is("view")) {
        call_allocator();
        char text[480];
        view_ground(text, sizeof(text));
        return say("ok %s", text);
    }
    if (is("kernel")) return say("ok %s", call_of_row(first, second, KernelCalls()).c_str());
    if (is("self")) return say("ok %s", call_of_row(first, second, TidCalls(0)).c_str());
    if (is("set")) {
        const unsigned long nodes = second;
        return say("ok %d",
                   KernelCalls().set(static_cast<int>(first), nodes != 0 ? &nodes : nullptr, 65));
    }
    if (is("pages")) {
        call_allocator();
        char text[64]{};
        place_pages(text, sizeof(text));
        return say("ok %s", text);
    }
    if (is("heap")) {
        void* const memory = volatile_malloc(kHeapBytes);  // Kept: none of it was ever used before.
        touch(memory, kHeapBytes);
        char text[64];
        list_nodes_of(memory, kHeapBytes, text, sizeof(text));
        return say("ok %p %s", memory, text);
    }
    if (is("tid")) return say("ok %d", static_cast<int>(::syscall(SYS_gettid)));
    bool done = true;
    if (is("prepare")) done = prepare_ground();
    if (is("touch")) touch(reinterpret_cast<void*>(first), second);
    if (is("spend")) spend_kernel_memory();
    say(done ? "ok" : "no room");
}

void* work(void*) {
    for (;;) {
        timespec until{};
        ::clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += kAllocationsEveryMs * 1'000'000L;
        if (until.tv_nsec >= 1'000'000'000L) {
            until.tv_nsec -= 1'000'000'000L;
            ++until.tv_sec;
        }
        if (::sem_timedwait(&line_is_there, &until) != 0) {
            call_allocator();
            continue;
        }
        obey();
        ::sem_post(&line_is_done);
    }
}

bool read_line() {
    pollfd input{STDIN_FILENO, POLLIN, 0};
    while (::poll(&input, 1, kAllocationsEveryMs) <= 0) call_allocator();
    size_t size = 0;
    for (char c = await_command(); c != '\n'; c = await_command()) {
        if (c == '\0' || size + 1 == sizeof(line)) return false;
        line[size++] = c;
    }
    line[size] = '\0';
    return true;
}

void pin_to_processor_0() {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(0, &set);
    ::sched_setaffinity(0, sizeof(set), &set);
}

SUBJECT(grounded) {
    ::sem_init(&line_is_there, 0, 0);
    ::sem_init(&line_is_done, 0, 0);
    pthread_t other;
    if (pthread_create(&other, nullptr, work, nullptr) != 0) return 1;
    say(prepare_ground() ? "ready" : "no room");
    while (read_line()) {
        if (line[0] == '0') {
            obey();
            continue;
        }
        ::sem_post(&line_is_there);
        while (::sem_wait(&line_is_done) != 0) {
        }
    }
    ::_exit(0);
}

// --- In the test

Options with(bool preload, Options options) {
    options.preload = preload;
    options.before_exec = [more = options.before_exec] {
        if (more) more();
        pin_to_processor_0();  // Last: before 6.2 a change of cpuset undoes it.
    };
    return options;
}

// A process on itself.
class OwnSide : public Side {
  public:
    using Method = std::string (Grounded::*)(Grounded::Thread, size_t, size_t);
    explicit OwnSide(Method method) : method_(method) {}

    std::string perform(size_t row, size_t op) override {
        const Op& asked = rows()[row].ops[op];
        switch (asked.call) {
            case Call::kTouch:
                subject_->touch(Grounded::kMain, asked.start, asked.size);
                return {};
            case Call::kSpend:
                subject_->spend(Grounded::kMain);
                return {};
            default:
                return ((*subject_).*method_)(Grounded::kMain, row, op);
        }
    }
    std::string view() override { return subject_->view(Grounded::kMain); }
    // A new task has no policy, whatever the one before has been told.
    void reset(bool ground) override {
        if (ground) subject_->prepare();
        subject_->call_kernel(Grounded::kMain, kResetRow, 0);
    }

    static size_t reset_row() {
        size_t row = 0;
        while (rows().at(row).name != "set DEFAULT without a mask") ++row;
        return row;
    }

  private:
    const size_t kResetRow = reset_row();
    std::unique_ptr<Grounded> subject_ = std::make_unique<Grounded>(false);
    Method method_;
};

class OtherSide : public Side {
  public:
    OtherSide(std::unique_ptr<Grounded> subject, Grounded::Thread thread,
              std::unique_ptr<Calls> calls, int pidfd = -1)
        : subject_(std::move(subject)), thread_(thread), calls_(std::move(calls)), pidfd_(pidfd) {}
    ~OtherSide() override {
        if (pidfd_ >= 0) ::close(pidfd_);
    }

    std::string perform(size_t row, size_t op) override {
        const Op& asked = rows()[row].ops[op];
        switch (asked.call) {
            case Call::kTouch:
                subject_->view(thread_);  // The thread acts on a new policy when it allocates.
                subject_->touch(thread_, asked.start, asked.size);
                return {};
            case Call::kSpend:
                subject_->view(thread_);
                subject_->spend(thread_);
                return {};
            default:
                return make_call(asked, *calls_);
        }
    }
    std::string view() override { return subject_->view(thread_); }
    void reset(bool ground) override {
        if (ground) subject_->prepare();
        if (const int err = calls_->set(0, nullptr, 0); err != 0) {
            throw std::runtime_error(fmt::format("no reset: {}", err));
        }
    }

  private:
    std::unique_ptr<Grounded> subject_;
    Grounded::Thread thread_;
    std::unique_ptr<Calls> calls_;
    int pidfd_;
};

}  // namespace

Grounded::Grounded(bool preload, const Options& more) : Subject("grounded", with(preload, more)) {
    hear("ready");
}

std::string Grounded::run(Thread thread, const char* verb, uint64_t first, uint64_t second) {
    for (const char c :
         fmt::format("{:d} {} {:x} {:x}\n", static_cast<int>(thread), verb, first, second)) {
        tell(c);
    }
    return hear("ok");
}

std::string Grounded::view(Thread thread) {
    return run(thread, "view");
}
void Grounded::prepare() {
    run(kMain, "prepare");
}
void Grounded::touch(Thread thread, uint64_t start, uint64_t size) {
    run(thread, "touch", start, size);
}
void Grounded::spend(Thread thread) {
    run(thread, "spend");
}
std::string Grounded::call_kernel(Thread thread, size_t row, size_t op) {
    return run(thread, "kernel", row, op);
}
std::string Grounded::call_self(Thread thread, size_t row, size_t op) {
    return run(thread, "self", row, op);
}
pid_t Grounded::tid(Thread thread) {
    return static_cast<pid_t>(std::stol(run(thread, "tid")));
}

int Grounded::set_policy(Thread thread, int mode_word, uint64_t nodes) {
    return std::stoi(run(thread, "set", static_cast<uint64_t>(mode_word), nodes));
}
std::string Grounded::place_pages(Thread thread) {
    return run(thread, "pages");
}
Grounded::HeapMemory Grounded::place_heap(Thread thread) {
    const std::string text = run(thread, "heap");
    const size_t blank = text.find(' ');
    return {std::stoull(text.substr(0, blank), nullptr, 0), text.substr(blank + 1)};
}

std::unique_ptr<Side> kernel_side() {
    return std::make_unique<OwnSide>(&Grounded::call_kernel);
}
std::unique_ptr<Side> self_side() {
    return std::make_unique<OwnSide>(&Grounded::call_self);
}

std::unique_ptr<Side> tid_side() {
    auto subject = std::make_unique<Grounded>(true);
    auto calls = std::make_unique<TidCalls>(subject->tid(Grounded::kOther));
    return std::make_unique<OtherSide>(std::move(subject), Grounded::kOther, std::move(calls));
}

std::unique_ptr<Side> pidfd_side() {
    auto subject = std::make_unique<Grounded>(true);
    const int pidfd = static_cast<int>(::syscall(SYS_pidfd_open, subject->pid(), 0));
    if (pidfd < 0) throw std::runtime_error("no pidfd");
    auto calls = std::make_unique<PidfdCalls>(pidfd);
    return std::make_unique<OtherSide>(std::move(subject), Grounded::kMain, std::move(calls),
                                       pidfd);
}

}  // namespace mpol::test
