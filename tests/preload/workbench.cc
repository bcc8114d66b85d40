// SPDX-License-Identifier: Apache-2.0
#include "workbench.h"

#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <stdexcept>

namespace mpol::test {
namespace {

constexpr unsigned kThreadsMax = 64;
constexpr unsigned kVerbsMax = 64;
constexpr size_t kManyMax = size_t{1} << 20;

struct Command {
    char verb[32];
    uint64_t first;
    uint64_t second;
};

// A thread and the command it was given. Static, so that a command costs no allocation.
struct Worker {
    pthread_t thread;
    pid_t tid;
    sem_t go;
    sem_t done;
    Command command;
    void** many;
    size_t many_count;
};
Worker workers[kThreadsMax];
unsigned worker_count = 1;

struct NamedVerb {
    const char* name;
    Verb::Action* action;
};
NamedVerb verbs[kVerbsMax];
unsigned verb_count = 0;

thread_local unsigned self = 0;

void serve();
void perform(const Command& command);

void* work(void* opaque) {
    Worker& worker = *static_cast<Worker*>(opaque);
    self = static_cast<unsigned>(&worker - workers);
    worker.tid = static_cast<pid_t>(::syscall(SYS_gettid));
    sem_post(&worker.done);
    for (;;) {
        while (sem_wait(&worker.go) != 0) {
        }
        if (std::strcmp(worker.command.verb, "end") == 0) return nullptr;
        perform(worker.command);
        sem_post(&worker.done);
    }
}

uint64_t start_thread() {
    Worker& worker = workers[worker_count];
    sem_init(&worker.go, 0, 0);
    sem_init(&worker.done, 0, 0);
    if (pthread_create(&worker.thread, nullptr, work, &worker) != 0) return 0;
    while (sem_wait(&worker.done) != 0) {
    }
    return worker_count++;
}

uint64_t allocate_many(size_t count, size_t size) {
    Worker& worker = workers[self];
    if (worker.many == nullptr) {
        worker.many =
            static_cast<void**>(::mmap(nullptr, kManyMax * sizeof(void*), PROT_READ | PROT_WRITE,
                                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    }
    if (worker.many_count + count > kManyMax) return 0;
    for (size_t i = 0; i < count; ++i) worker.many[worker.many_count++] = std::malloc(size);
    return count;
}

void say_units() {
    const Worker& worker = workers[self];
    char text[400];
    size_t used = 0;
    uint64_t units[16];
    unsigned known = 0;
    for (size_t i = 0; i < worker.many_count; ++i) {
        const uint64_t unit = reinterpret_cast<uint64_t>(worker.many[i]) >> 30;
        unsigned at = 0;
        while (at < known && units[at] != unit) ++at;
        if (at < known || known == 16) continue;
        units[known++] = unit;
        used += static_cast<size_t>(std::snprintf(text + used, sizeof(text) - used, " %#llx",
                                                  static_cast<unsigned long long>(unit)));
    }
    say("ok%s", known == 0 ? " 0" : text);
}

uint64_t release_many() {
    Worker& worker = workers[self];
    while (worker.many_count > 0) std::free(worker.many[--worker.many_count]);
    return 0;
}

uint64_t resident_pages(void* start, size_t size) {
    constexpr size_t kPage = 4096;
    static unsigned char there[(size_t{32} << 20) / kPage];
    if (size > sizeof(there) * kPage || ::mincore(start, size, there) != 0) return ~uint64_t{0};
    uint64_t pages = 0;
    for (size_t i = 0; i < size / kPage; ++i) pages += there[i] & 1;
    return pages;
}

// The child answers from now on; the parent goes on when it has ended.
void become_parent_or_child(pid_t child) {
    if (child == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        self = 0;
        worker_count = 1;
        workers[0] = {};
        workers[0].tid = static_cast<pid_t>(::syscall(SYS_gettid));
        say("ok %d", static_cast<int>(::syscall(SYS_getpid)));
        serve();
        ::_exit(0);
    }
    if (child < 0) return say("ok 0");
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    say("left %d", WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

const char* const kAgain[] = {"/proc/self/exe", "--subject", "workbench", nullptr};

pid_t spawn_again() {
    pid_t child = 0;
    char** const argv = const_cast<char**>(kAgain);
    return posix_spawn(&child, argv[0], nullptr, nullptr, argv, environ) == 0 ? child : -1;
}

pid_t vfork_again() {
    const pid_t child = ::vfork();
    if (child == 0) {
        ::execv(kAgain[0], const_cast<char**>(kAgain));
        ::_exit(127);
    }
    return child;
}

bool perform_with_child(const Command& command) {
    const auto is = [&](const char* name) { return std::strcmp(command.verb, name) == 0; };
    if (is("fork")) {
        become_parent_or_child(::fork());
    } else if (is("clone")) {
        become_parent_or_child(static_cast<pid_t>(::syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0)));
    } else if (is("spawn")) {
        become_parent_or_child(spawn_again());
    } else if (is("vfork")) {
        become_parent_or_child(vfork_again());
    } else if (is("exec")) {
        ::execv(kAgain[0], const_cast<char**>(kAgain));
        ::_exit(127);
    } else {
        return false;
    }
    return true;
}

uint64_t run_verb(const Command& command, std::string& ret_text) {
    for (unsigned i = 0; i < verb_count; ++i) {
        if (std::strcmp(verbs[i].name, command.verb) == 0) {
            return verbs[i].action(command.first, command.second, ret_text);
        }
    }
    ::_exit(124);
}

void perform(const Command& command) {
    if (perform_with_child(command)) return;
    const auto is = [&](const char* name) { return std::strcmp(command.verb, name) == 0; };
    auto* const pointer = reinterpret_cast<void*>(command.first);
    uint64_t answer = 0;
    if (is("call")) {
        call_allocator();
    } else if (is("malloc")) {
        answer = reinterpret_cast<uint64_t>(volatile_malloc(command.first));
    } else if (is("calloc")) {
        answer = reinterpret_cast<uint64_t>(std::calloc(command.first, 1));
    } else if (is("many")) {
        allocate_many(command.first, command.second);
        return say_units();
    } else if (is("unmany")) {
        release_many();
    } else if (is("realloc")) {
        answer = reinterpret_cast<uint64_t>(std::realloc(pointer, command.second));
    } else if (is("free")) {
        std::free(pointer);
    } else if (is("touch")) {
        touch(pointer, command.second);
    } else if (is("resident")) {
        answer = resident_pages(pointer, command.second);
    } else if (is("mmap")) {
        answer = reinterpret_cast<uint64_t>(::mmap(nullptr, command.first, PROT_READ | PROT_WRITE,
                                                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    } else if (is("thread")) {
        answer = start_thread();
    } else if (is("system")) {
        answer = static_cast<uint64_t>(std::system("true"));
    } else {
        std::string text;
        answer = run_verb(command, text);
        if (!text.empty()) return say("ok %s", text.c_str());
    }
    say("ok %#llx", static_cast<unsigned long long>(answer));
}

bool read_line(char* line, size_t size) {
    for (size_t at = 0; at + 1 < size; ++at) {
        line[at] = await_command();
        if (line[at] == '\0') return false;
        if (line[at] == '\n') {
            line[at] = '\0';
            return true;
        }
    }
    return false;
}

void give(unsigned thread, const Command& command) {
    Worker& worker = workers[thread];
    worker.command = command;
    sem_post(&worker.go);
    if (std::strcmp(command.verb, "end") == 0) {
        pthread_join(worker.thread, nullptr);
        return say("ok 0");
    }
    while (sem_wait(&worker.done) != 0) {
    }
}

// Until the test closes the pipe, or says "leave".
void serve() {
    char line[128];
    while (read_line(line, sizeof(line))) {
        Command command{};
        unsigned thread = 0;
        unsigned long long numbers[2]{};
        std::sscanf(line, "%u %31s %llx %llx", &thread, command.verb, &numbers[0], &numbers[1]);
        command.first = numbers[0];
        command.second = numbers[1];
        if (std::strcmp(command.verb, "leave") == 0) return;
        if (std::strcmp(command.verb, "tid") == 0) {
            say("ok %d", workers[thread].tid);
        } else if (thread == self) {
            perform(command);
        } else {
            give(thread, command);
        }
    }
}

}  // namespace

std::span<void* const> objects_of_this_thread() {
    return {workers[self].many, workers[self].many_count};
}

Rewriter::Rewriter(control::Target& target)
    : thread_([&target](const std::stop_token& stop) {
          for (unsigned i = 0; !stop.stop_requested(); ++i) {
              set_process(target, make_policy(i % 2 == 0 ? Mode::kInterleave : Mode::kBind, {0}));
              std::this_thread::sleep_for(std::chrono::milliseconds(1));
          }
      }) {}

Verb::Verb(const char* name, Action* action) {
    verbs[verb_count++] = {name, action};
}

SUBJECT(workbench) {
    workers[0].tid = static_cast<pid_t>(::syscall(SYS_gettid));
    say("ok %d", ::getpid());
    serve();
    ::_exit(0);
}

Workbench::Workbench(const Options& options) : Subject("workbench", options) {
    hear("ok");
}

std::string Workbench::run_text(unsigned thread, const std::string& verb, uint64_t first,
                                uint64_t second) {
    char line[128];
    std::snprintf(line, sizeof(line), "%u %s %llx %llx\n", thread, verb.c_str(),
                  static_cast<unsigned long long>(first), static_cast<unsigned long long>(second));
    for (const char* at = line; *at != '\0'; ++at) tell(*at);
    return hear("ok");
}

uint64_t Workbench::run(unsigned thread, const std::string& verb, uint64_t first, uint64_t second) {
    return std::strtoull(run_text(thread, verb, first, second).c_str(), nullptr, 0);
}

void Workbench::call(unsigned thread) {
    run(thread, "call");
}

uint64_t Workbench::allocate(unsigned thread, size_t size) {
    return run(thread, "malloc", size);
}

uint64_t Workbench::allocate_zeroed(unsigned thread, size_t size) {
    return run(thread, "calloc", size);
}

std::vector<uint64_t> Workbench::allocate_many(unsigned thread, size_t count, size_t size) {
    const std::string text = run_text(thread, "many", count, size);
    std::vector<uint64_t> units;
    const char* at = text.c_str();
    for (char* end = nullptr; *at != '\0'; at = end) {
        const uint64_t unit = std::strtoull(at, &end, 0);
        if (end == at) break;
        units.push_back(unit);
    }
    return units;
}

void Workbench::release_many(unsigned thread) {
    run(thread, "unmany");
}
void Workbench::release(unsigned thread, uint64_t address) {
    run(thread, "free", address);
}
uint64_t Workbench::resident(uint64_t address, size_t size) {
    return run(kMain, "resident", address, size);
}
void Workbench::touch(unsigned thread, uint64_t address, size_t size) {
    run(thread, "touch", address, size);
}
uint64_t Workbench::map(unsigned thread, size_t size) {
    return run(thread, "mmap", size);
}

unsigned Workbench::start_thread(unsigned creator) {
    const auto number = static_cast<unsigned>(run(creator, "thread"));
    if (number == 0) throw std::runtime_error("no thread could be started");
    return number;
}

void Workbench::end_thread(unsigned thread) {
    run(thread, "end");
}
pid_t Workbench::tid(unsigned thread) {
    return static_cast<pid_t>(run(thread, "tid"));
}

pid_t Workbench::fork(unsigned thread) {
    return static_cast<pid_t>(run(thread, "fork"));
}
pid_t Workbench::clone_raw(unsigned thread) {
    return static_cast<pid_t>(run(thread, "clone"));
}
pid_t Workbench::spawn(unsigned thread) {
    return static_cast<pid_t>(run(thread, "spawn"));
}
pid_t Workbench::vfork_exec(unsigned thread) {
    return static_cast<pid_t>(run(thread, "vfork"));
}
void Workbench::execute(unsigned thread) {
    run(thread, "exec");
}
int Workbench::system(unsigned thread) {
    return static_cast<int>(run(thread, "system"));
}

void Workbench::leave() {
    for (const char command : std::string("0 leave\n")) tell(command);
    if (hear("left") != "0") throw std::runtime_error("the child did not end well");
}

void Workbench::set_all(control::Target& target, const std::optional<Policy>& policy,
                        const std::vector<unsigned>& threads) {
    const uint64_t generation = set_process(target, policy);
    for (const unsigned thread : threads) call(thread);
    if (!target.wait_process(generation, kWaitMs)) throw std::runtime_error("never applied");
    const int err = target.process().applied_errno;
    if (err != 0) throw std::runtime_error("refused with errno " + std::to_string(err));
}

void Workbench::set_kind(control::Target& target, const control::KindName& kind,
                         const std::optional<Policy>& policy,
                         const std::vector<unsigned>& threads) {
    const auto generation = target.publish_kind(kind, policy, false, kWaitMs);
    if (!generation) throw std::runtime_error(generation.error().what);
    for (const unsigned thread : threads) call(thread);
    if (!target.wait_kind(kind.kind, *generation, kWaitMs)) {
        throw std::runtime_error("never applied");
    }
    for (const control::KindState& state : target.kinds()) {
        if (state.kind != kind.kind || state.applied_errno == 0) continue;
        throw std::runtime_error("refused with errno " + std::to_string(state.applied_errno));
    }
}

void Workbench::set_one(control::Target& target, const std::optional<Policy>& policy,
                        unsigned thread) {
    const pid_t of = tid(thread);
    const uint64_t generation = set_thread(target, of, policy);
    call(thread);
    if (!target.wait_thread(*target.slot_of(of), generation, kWaitMs)) {
        throw std::runtime_error("never applied");
    }
    const int err = target.thread(*target.slot_of(of)).value().applied_errno;
    if (err != 0) throw std::runtime_error("refused with errno " + std::to_string(err));
}

void Workbench::set_large(control::Target& target, uint64_t threshold,
                          const std::optional<Policy>& policy, unsigned thread) {
    set_own_kind(target, {MPOL_CTL_KIND_LARGE, threshold}, policy, thread);
}

void Workbench::set_own_kind(control::Target& target, const control::KindName& name,
                             const std::optional<Policy>& policy, unsigned thread) {
    const control::ThreadSlot slot = target.slot_of(tid(thread)).value();
    const auto generation = target.publish_own_kind(slot, name, policy, kWaitMs);
    if (!generation) throw std::runtime_error(generation.error().what);
    call(thread);
    if (!target.wait_own_kind(slot, name.kind, *generation, kWaitMs)) {
        throw std::runtime_error("never applied");
    }
    const int err = target.thread(slot).value().kinds[name.kind].value().applied_errno;
    if (err != 0) throw std::runtime_error("refused with errno " + std::to_string(err));
}

}  // namespace mpol::test
