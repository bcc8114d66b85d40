// SPDX-License-Identifier: Apache-2.0
// What can go wrong in a verb, and the exit status that stands for it. Values only: main prints.
#pragma once

#include <optional>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "control/attach.h"
#include "daemon/rules/source.h"
#include "policy/parse.h"

namespace mpol::cli {

// The documented exit statuses. The last three are those of every program that runs another one
// (env, nice, timeout), and only `mpol run` uses them. 128 + N: signal N ended a migration.
enum class Status : int {
    kOk = 0,
    kFailed = 1,
    kUsage = 2,
    kNoTarget = 3,
    kNotPermitted = 4,
    kNotSupported = 6,
    kPartlyApplied = 7,
    kLauncherFailed = 125,
    kCannotExecute = 126,
    kCommandNotFound = 127,
};

// A policy's text and which of its characters are wrong.
struct BadText {
    std::string text;
    ParseError error;
};

struct Error {
    Status status = Status::kFailed;
    int err = 0;          // errno
    std::string message;  // one sentence, printable
    std::string hint;     // what to do about it; may be empty
    std::optional<BadText> bad_text{};
    std::vector<rules::Diagnostic> bad_rules{};
};

template <class T>
using Result = tl::expected<T, Error>;

// The one mapping from errno to exit status.
[[nodiscard]] Status status_of(int err);

[[nodiscard]] tl::unexpected<Error> failed(const control::Failure& failure);
[[nodiscard]] tl::unexpected<Error> failed(int err, std::string message, std::string hint = {});
[[nodiscard]] tl::unexpected<Error> misused(std::string message, std::string hint = {});
[[nodiscard]] tl::unexpected<Error> unparsed(std::string_view text, const ParseError& error);

// "EPERM"; "none" for 0, "errno 4711" for a number that has no name.
[[nodiscard]] std::string errno_name(int err);
// "EPERM (Operation not permitted)"
[[nodiscard]] std::string errno_text(int err);

}  // namespace mpol::cli
