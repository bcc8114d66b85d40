// SPDX-License-Identifier: Apache-2.0
// Memory whose pages lie where a policy, or weights, put them.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "control/attach.h"
#include "policy/policy.h"

namespace mpol::bench {

// A node and how many of each round's pages it gets.
struct Share {
    unsigned node = 0;
    unsigned weight = 0;
};

class Buffer {
  public:
    // Every page is there when it returns. huge: transparent huge pages are asked for, else
    // forbidden. Failure: ENOMEM; the kernel's errno of mbind.
    [[nodiscard]] static control::Result<Buffer> make(size_t bytes, bool huge,
                                                      const Policy& policy);
    // Page by page in proportion, whatever the kernel's own weights are. Not thread-safe: the
    // calling thread's task policy is changed meanwhile.
    [[nodiscard]] static control::Result<Buffer> make(size_t bytes, bool huge,
                                                      const std::vector<Share>& shares);
    Buffer(Buffer&& other) noexcept;
    Buffer& operator=(Buffer&& other) noexcept;
    Buffer(const Buffer&) = delete;
    Buffer& operator=(const Buffer&) = delete;
    ~Buffer();

    [[nodiscard]] std::span<uint64_t> words() const {
        return {static_cast<uint64_t*>(start_), bytes_ / sizeof(uint64_t)};
    }
    // Parts of the pages, sampled, that lie on each node; by node.
    [[nodiscard]] std::vector<double> placement() const;

  private:
    Buffer() = default;
    [[nodiscard]] static control::Result<Buffer> map(size_t bytes, bool huge);

    void* start_ = nullptr;
    size_t bytes_ = 0;
};

}  // namespace mpol::bench
