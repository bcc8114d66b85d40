// SPDX-License-Identifier: Apache-2.0
// The subject that most tests use: a program that allocates, starts threads, forks and executes
// exactly as told, thread by thread, and says where its memory lies.
#pragma once

#include <span>
#include <string>
#include <thread>
#include <vector>

#include "subject.h"

namespace mpol::test {

// After fork, clone_raw and spawn the child answers, with the asked thread as its only one (main),
// until leave(); the parent waits for it meanwhile.
class Workbench : public Subject {
  public:
    static constexpr unsigned kMain = 0;

    explicit Workbench(const Options& options = {});

    // By the thread of that number:
    void call(unsigned thread = kMain);  // one malloc and free
    uint64_t allocate(unsigned thread, size_t size);
    uint64_t allocate_zeroed(unsigned thread, size_t size);
    // count objects of size bytes, kept; returns the 1 GiB units that hold them. Released together.
    std::vector<uint64_t> allocate_many(unsigned thread, size_t count, size_t size);
    void release_many(unsigned thread);
    void release(unsigned thread, uint64_t address);
    void touch(unsigned thread, uint64_t address, size_t size);
    // Pages of a range of at most 32 MiB that begins at one. Calls no allocator.
    uint64_t resident(uint64_t address, size_t size);
    uint64_t map(unsigned thread, size_t size);  // mmap, private anonymous
    unsigned start_thread(unsigned creator);     // its number
    void end_thread(unsigned thread);
    [[nodiscard]] pid_t tid(unsigned thread);

    pid_t fork(unsigned thread = kMain);
    pid_t clone_raw(unsigned thread = kMain);
    pid_t spawn(unsigned thread = kMain);    // posix_spawn, a new workbench
    pid_t vfork_exec(unsigned thread = kMain);
    void execute(unsigned thread = kMain);   // exec, a new workbench in place of this one
    void leave();                            // the child ends
    int system(unsigned thread = kMain);     // system("true")

    // Publishes, makes every given thread call the allocator, and waits until it is in force on the
    // heap. Throws when it is not, or was refused.
    void set_all(control::Target& target, const std::optional<Policy>& policy,
                 const std::vector<unsigned>& threads = {kMain});
    void set_one(control::Target& target, const std::optional<Policy>& policy, unsigned thread);

    void set_kind(control::Target& target, const control::KindName& kind,
                  const std::optional<Policy>& policy,
                  const std::vector<unsigned>& threads = {kMain});

    // Of a thread that has a policy of its own: for its allocations of threshold bytes and more.
    void set_large(control::Target& target, uint64_t threshold, const std::optional<Policy>& policy,
                   unsigned thread);
    // Of the thread's own; stacks and mappings are those it makes from then on.
    void set_own_kind(control::Target& target, const control::KindName& name,
                      const std::optional<Policy>& policy, unsigned thread);

    // Runs anything else by name: the number it answers with.
    uint64_t run(unsigned thread, const std::string& verb, uint64_t first = 0, uint64_t second = 0);
    std::string run_text(unsigned thread, const std::string& verb, uint64_t first = 0,
                         uint64_t second = 0);
};

// Rewrites the process's policy a thousand times a second, for the length of a block.
class Rewriter {
  public:
    explicit Rewriter(control::Target& target);

  private:
    std::jthread thread_;
};

// For tests that need more verbs: called in the asked thread. Returns the answer's number, or puts
// a text of at most 500 characters into ret_text.
struct Verb {
    using Action = uint64_t(uint64_t first, uint64_t second, std::string& ret_text);
    Verb(const char* name, Action* action);
};

// In a verb: what allocate_many left with the thread.
[[nodiscard]] std::span<void* const> objects_of_this_thread();

}  // namespace mpol::test
