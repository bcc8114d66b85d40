// SPDX-License-Identifier: Apache-2.0
#include "daemon/api/frame.h"

namespace mpol::daemon {

bool Frames::feed(std::string_view bytes) {
    if (held_.size() > bytes_max_ && !ready()) return false;
    const size_t before = held_.size();
    held_ += bytes;
    if (!ready()) end_ = held_.find('\0', before);
    return ready() ? end_ <= bytes_max_ : held_.size() <= bytes_max_;
}

std::optional<std::string> Frames::next() {
    if (!ready()) return std::nullopt;
    std::string message = held_.substr(0, end_);
    held_.erase(0, end_ + 1);
    end_ = held_.find('\0');
    return message;
}

}  // namespace mpol::daemon
