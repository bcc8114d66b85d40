// SPDX-License-Identifier: Apache-2.0
// Subjects: what runs under the preloaded library while a test watches from outside. The test
// program starts itself again, preloaded, with a subject's name; so a behaviour's two halves stand
// in one file. They talk over the subject's stdin (one character is one command) and stdout
// (lines). Nothing waits longer than kWaitMs.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

#include "control/attach.h"

namespace mpol::test {

// Well above what a loaded two-core machine needs for any single step.
inline constexpr int kWaitMs = 60'000;

// --- Inside the subject. None of these allocates, so that only what a subject does itself counts.

// One line to the test.
[[gnu::format(printf, 1, 2)]] void say(const char* format, ...);
// The next command; 0 when the test has gone.
char await_command();
// One malloc and free that the compiler can't remove: the library looks at its segment.
void call_allocator();
// Writes to every page.
void touch(void* memory, size_t size);
// Opaque to the compiler.
void* volatile_malloc(size_t size);

using SubjectMain = int();
struct Registered {
    Registered(const char* name, SubjectMain* main);
};
// Options::arguments, as the subject received them.
extern std::vector<std::string> subject_arguments;

#define SUBJECT(name)                                                            \
    static int subject_##name();                                                 \
    static const ::mpol::test::Registered registered_##name(#name, subject_##name); \
    static int subject_##name()

// --- In the test

struct Options {
    std::vector<std::string> arguments{};
    std::vector<std::string> environment{};  // NAME=VALUE
    std::string program{};                   // empty: this program, as the subject of that name
    std::string preload_before{};            // a library in front of ours in LD_PRELOAD
    std::string preload_after{};             // and one behind it
    bool preload = true;
    std::function<void()> before_exec{};     // in the child: limits and the like
};

class Subject {
  public:
    explicit Subject(const char* name, const Options& options = {});
    ~Subject();  // Kills it.
    Subject(const Subject&) = delete;
    Subject& operator=(const Subject&) = delete;

    [[nodiscard]] pid_t pid() const { return pid_; }
    // The subject's next line. Throws when there is none in time: the test has failed then.
    std::string hear();
    // The rest of a line that begins with word; throws when it begins otherwise.
    std::string hear(const std::string& word);
    uint64_t hear_number(const std::string& word);  // any base, as strtoull
    void tell(char command);
    // Tells, and hears word.
    std::string ask(char command, const std::string& word);
    // Closes the subject's stdin and waits. The exit code, or 128 + the signal.
    int finish();
    [[nodiscard]] control::Target attach() const;

  private:
    pid_t pid_ = -1;
    int to_ = -1;
    int from_ = -1;
    std::string unread_;
};

[[nodiscard]] control::Target attach(pid_t pid);

// --- Policies and publishing; throw when refused

[[nodiscard]] Policy bind_to(std::initializer_list<unsigned> nodes);
[[nodiscard]] Policy make_policy(Mode mode, std::initializer_list<unsigned> nodes);
uint64_t set_process(control::Target& target, const std::optional<Policy>& policy);
uint64_t set_thread(control::Target& target, pid_t tid, const std::optional<Policy>& policy);

// --- Facts of /proc

// Policy of the mapping that holds address, as numa_maps of the thread prints it: the mapping's
// own, or else the thread's task policy. tid 0: the main thread.
[[nodiscard]] std::string policy_at(pid_t pid, uint64_t address, pid_t tid = 0);
// The thread's task policy: that of a mapping that has none of its own, the program's text.
[[nodiscard]] std::string task_policy(pid_t pid, pid_t tid = 0);
[[nodiscard]] std::vector<pid_t> tasks(pid_t pid);
[[nodiscard]] std::string task_name(pid_t pid, pid_t tid);
// 0: there is none.
[[nodiscard]] pid_t task_named(pid_t pid, const std::string& name);
// Descriptors of the process that are a segment.
[[nodiscard]] std::vector<int> segment_descriptors(pid_t pid);
// The whole segment, as the process's descriptor shows it.
[[nodiscard]] std::string segment_bytes(pid_t pid);
[[nodiscard]] const mpol_ctl& header_of(const std::string& segment_bytes);
[[nodiscard]] bool in_regions(const control::Target& target, uint64_t address, uint32_t scope);
// Polls until true; false when kWaitMs were not enough. For what nothing signals.
[[nodiscard]] bool eventually(const std::function<bool()>& condition);
[[nodiscard]] const control::ErrorState* find_error(const std::vector<control::ErrorState>& errors,
                                                    mpol_ctl_error_code code);

}  // namespace mpol::test
