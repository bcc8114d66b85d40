// SPDX-License-Identifier: Apache-2.0
// Who carries out the table's rows, and on whom.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "calls.h"
#include "rows.h"
#include "subject.h"

namespace mpol::test {

// A process that stands on prepared ground (ground.h), with two threads that allocate all the time:
// every few milliseconds, and in between they do as they are told. Pinned to processor 0, so that
// every such process is as near to each node as any other.
class Grounded : public Subject {
  public:
    enum Thread { kMain = 0, kOther = 1 };

    explicit Grounded(bool preload, const Options& more = {});

    // By the thread, which allocates first (so it has acted on what was asked of it).
    std::string view(Thread thread);
    void prepare();
    void touch(Thread thread, uint64_t start, uint64_t size);
    void spend(Thread thread);
    // The row's call in the kernel's own form, or mpol's on the calling thread.
    std::string call_kernel(Thread thread, size_t row, size_t op);
    std::string call_self(Thread thread, size_t row, size_t op);
    [[nodiscard]] pid_t tid(Thread thread);
    // set_mempolicy(2) by the thread: 0 or -errno.
    int set_policy(Thread thread, int mode_word, uint64_t nodes);
    // Where fresh memory falls: pages of a mapping, by number; and of the heap, as a list.
    std::string place_pages(Thread thread);
    struct HeapMemory {
        uint64_t start;
        std::string nodes;
    };
    HeapMemory place_heap(Thread thread);

  private:
    std::string run(Thread thread, const char* verb, uint64_t first = 0, uint64_t second = 0);
};

// One way to carry out a row.
class Side {
  public:
    virtual ~Side() = default;
    virtual std::string perform(size_t row, size_t op) = 0;
    virtual std::string view() = 0;
    virtual void reset(bool ground) = 0;
};

// The kernel's calls, by a process on itself.
[[nodiscard]] std::unique_ptr<Side> kernel_side();
// mpol's calls with thread id 0, by a process on itself.
[[nodiscard]] std::unique_ptr<Side> self_side();
// mpol's calls on another process: by thread id, on a thread that isn't the main one; by pidfd.
[[nodiscard]] std::unique_ptr<Side> tid_side();
[[nodiscard]] std::unique_ptr<Side> pidfd_side();

}  // namespace mpol::test
