// SPDX-License-Identifier: Apache-2.0
// A call to its replies: parameters, permission, the service, values to JSON. No sockets, no
// waiting.
#pragma once

#include <functional>
#include <optional>
#include <variant>

#include "daemon/api/message.h"
#include "daemon/api/service.h"

namespace mpol::daemon {

// Of lists, in one reply: about 30 KiB, so a slow client holds no more than that.
inline constexpr size_t kPageRows = 64;

// The replies to a call with "more", each made when the one before it has been sent. The last one
// does not continue. Empty: there is none yet; ask again when the log has grown.
using Pages = std::function<std::optional<Reply>()>;

using Replies = std::variant<Reply, Pages>;

// service must outlive the pages.
[[nodiscard]] Replies answer(Service& service, const Caller& caller, const Call& call);

}  // namespace mpol::daemon
