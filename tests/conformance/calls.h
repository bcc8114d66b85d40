// SPDX-License-Identifier: Apache-2.0
// The four calls in their four forms, and what they answer as text.
#pragma once

#include <sys/types.h>

#include <string>

#include "mpol/mpol.h"
#include "rows.h"

namespace mpol::test {

// All return 0 or -errno.
class Calls {
  public:
    virtual ~Calls() = default;
    virtual int set(int mode, const unsigned long* mask, unsigned long maxnode) = 0;
    virtual int get(int* ret_mode, unsigned long* ret_mask, unsigned long maxnode, void* addr,
                    unsigned long flags) = 0;
    virtual int mbind(const mpol_mbind_args& args) = 0;  // pid is the implementation's
    virtual int home_node(unsigned long start, unsigned long size, unsigned long node,
                          unsigned long flags) = 0;
};

// The kernel's, on the calling thread.
class KernelCalls : public Calls {
  public:
    int set(int mode, const unsigned long* mask, unsigned long maxnode) override;
    int get(int* ret_mode, unsigned long* ret_mask, unsigned long maxnode, void* addr,
            unsigned long flags) override;
    int mbind(const mpol_mbind_args& args) override;
    int home_node(unsigned long start, unsigned long size, unsigned long node,
                  unsigned long flags) override;
};

// mpol's, by thread id; 0: the calling thread.
class TidCalls : public Calls {
  public:
    explicit TidCalls(pid_t tid) : tid_(tid) {}
    int set(int mode, const unsigned long* mask, unsigned long maxnode) override;
    int get(int* ret_mode, unsigned long* ret_mask, unsigned long maxnode, void* addr,
            unsigned long flags) override;
    int mbind(const mpol_mbind_args& args) override;
    int home_node(unsigned long start, unsigned long size, unsigned long node,
                  unsigned long flags) override;

  private:
    pid_t tid_;
};

// mpol's, by pidfd, which stays the caller's.
class PidfdCalls : public Calls {
  public:
    explicit PidfdCalls(int pidfd) : pidfd_(pidfd) {}
    int set(int mode, const unsigned long* mask, unsigned long maxnode) override;
    int get(int* ret_mode, unsigned long* ret_mask, unsigned long maxnode, void* addr,
            unsigned long flags) override;
    int mbind(const mpol_mbind_args& args) override;
    int home_node(unsigned long start, unsigned long size, unsigned long node,
                  unsigned long flags) override;

  private:
    int pidfd_;
};

// Makes one of the four calls. "0" or "-ERRNO", and what it has stored: " mode N", " nodes LIST in
// N words".
[[nodiscard]] std::string make_call(const Op& op, Calls& calls);

// kSpend, in the calling thread.
void spend_kernel_memory();

}  // namespace mpol::test
