// SPDX-License-Identifier: Apache-2.0
// Makes chosen system calls of a program fail. The program and its children run under a seccomp
// filter that asks this process about each call of one kind (seccomp_unotify(2)); it counts them,
// over all threads and children, answers the chosen ones with an error and lets the others pass.
// To the program it looks as if there were no filter: prctl(PR_GET_SECCOMP) says 0, so that the
// library under test goes the way that it goes without one.
#pragma once

#include <atomic>
#include <climits>
#include <functional>
#include <string>
#include <thread>
#include <vector>

namespace mpol::test {

// Calls of one kind: those of the given numbers whose argument, under the mask, has the value.
struct Call {
    std::string name;
    std::vector<int> numbers;
    std::vector<int> errnos;  // with which it may plausibly fail
    int argument = -1;        // -1: whatever the arguments
    unsigned mask = UINT_MAX;
    unsigned value = 0;
    bool by_chance = false;  // made only when threads happen to meet
};

// The calls with the numbers first to last fail, counted from 1.
struct Fault {
    int err = 0;
    unsigned first = 0;
    unsigned last = 0;
};

class Injector {
  public:
    // armed: counts from the program's exec on; else start_counting() says when.
    Injector(const Call& call, const Fault& fault, bool armed);
    ~Injector();  // After the program's end.
    Injector(const Injector&) = delete;
    Injector& operator=(const Injector&) = delete;

    // For Options::before_exec: puts the process under the filter, or ends it.
    [[nodiscard]] std::function<void()> before_exec();
    void start_counting() { armed_ = true; }
    [[nodiscard]] unsigned seen() const { return seen_; }
    [[nodiscard]] unsigned failed() const { return failed_; }

  private:
    void serve();

    Call call_;
    Fault fault_;
    std::atomic<bool> armed_;
    int sockets_[2] = {-1, -1};
    std::atomic<unsigned> seen_{0};
    std::atomic<unsigned> failed_{0};
    std::thread server_;
};

// Whether the kernel has what this needs; else why not.
[[nodiscard]] std::string why_no_injection();

}  // namespace mpol::test
