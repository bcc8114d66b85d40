// SPDX-License-Identifier: Apache-2.0
// Varlink's framing: each message ends with a NUL byte. Pure.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace mpol::daemon {

// The longest call has a pid and two words. A client that sends more wants something else.
inline constexpr size_t kCallBytesMax = 16 * 1024;
// A page of the longest entries; what a client takes from a daemon that it has no reason to trust.
inline constexpr size_t kReplyBytesMax = 4 * 1024 * 1024;

class Frames {
  public:
    explicit Frames(size_t bytes_max) : bytes_max_(bytes_max) {}

    // False: a message is longer than bytes_max. Nothing is taken in then or ever after.
    [[nodiscard]] bool feed(std::string_view bytes);
    // The oldest whole message, without its NUL.
    [[nodiscard]] std::optional<std::string> next();
    // A whole message waits.
    [[nodiscard]] bool ready() const { return end_ != std::string::npos; }

  private:
    size_t bytes_max_;
    std::string held_;
    size_t end_ = std::string::npos;  // of the oldest message: its NUL
};

}  // namespace mpol::daemon
