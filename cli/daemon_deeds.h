// SPDX-License-Identifier: Apache-2.0
// Having daemons do something to one process, or to all: undo and apply.
#pragma once

#include <sys/types.h>

#include <cerrno>
#include <iterator>
#include <optional>
#include <utility>
#include <vector>

#include "cli/daemon.h"

namespace mpol::cli {

// A method of the daemons', and the member of its replies that has the rows.
struct Deed {
    const char* method;
    const char* member;
};

template <class Row>
[[nodiscard]] Result<std::vector<Row>> do_to_all(std::vector<daemon::Client>& daemons,
                                                 const Deed& deed) {
    std::vector<Row> rows;
    for (daemon::Client& client : daemons) {
        Result<void> shape;
        const auto ended =
            client.stream(deed.method, daemon::Json::object(), [&](const daemon::Json& page) {
                auto some = take_value<std::vector<Row>>(page, deed.member);
                if (some) std::move(some->begin(), some->end(), std::back_inserter(rows));
                if (!some) shape = tl::unexpected(some.error());
                return shape.has_value();
            });
        if (!ended) return failed(ended.error());
        if (!shape) return tl::unexpected(shape.error());
    }
    return rows;
}

// Empty: no daemon has it.
template <class Row>
[[nodiscard]] Result<std::optional<std::vector<Row>>> do_to_one(
    std::vector<daemon::Client>& daemons, const Deed& deed, pid_t pid) {
    for (daemon::Client& client : daemons) {
        const auto reply = client.call(deed.method, {{"pid", pid}});
        if (!reply && reply.error().err == ESRCH) continue;
        if (!reply) return failed(reply.error());
        auto rows = take_value<std::vector<Row>>(*reply, deed.member);
        if (!rows) return tl::unexpected(rows.error());
        return std::optional(std::move(*rows));
    }
    return std::nullopt;
}

}  // namespace mpol::cli
