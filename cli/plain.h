// SPDX-License-Identifier: Apache-2.0
// Values as text for people. What a process says of itself goes through printable().
#pragma once

#include <fmt/format.h>

#include <iterator>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cli/values.h"

namespace mpol::cli {

template <class... Args>
void add(std::string& out, fmt::format_string<Args...> format, Args&&... args) {
    fmt::format_to(std::back_inserter(out), format, std::forward<Args>(args)...);
}

[[nodiscard]] std::string render(const GetView& view);
[[nodiscard]] std::string render(const UncontrolledView& view);
[[nodiscard]] std::string render(const MapsView& view);
[[nodiscard]] std::string render(const Migration& migration);
// Why what was published is not in force yet, and which threads are behind when it is; lines.
[[nodiscard]] std::string pending_note(bool stopped, std::optional<pid_t> tid, bool helper);
[[nodiscard]] std::string behind_note(const std::vector<pid_t>& behind);
// One line without its end, to be written over: a bar, and what is left.
[[nodiscard]] std::string progress_words(const Migration& migration);
[[nodiscard]] std::string render(const RulesCheck& check);
[[nodiscard]] std::string render(const RulesList& list);
[[nodiscard]] std::string render(const Explanation& it);
[[nodiscard]] std::string render(const Plan& plan);
[[nodiscard]] std::string render(const Checkup& checkup);
[[nodiscard]] std::string render(const DaemonView& view);
[[nodiscard]] std::string render(const UndoReport& report);
[[nodiscard]] std::string render(const ApplyReport& report);
[[nodiscard]] std::string render(const LogLine& line);
[[nodiscard]] std::string render(const LogGap& gap);
[[nodiscard]] std::string render(const LogEnd& end);
[[nodiscard]] std::string render(const Reloaded& reloaded);
// A line for each thing that is known, below what is said of its process.
[[nodiscard]] std::string account_words(const daemon::Account& account);
[[nodiscard]] std::string render(const bench::Report& report);

}  // namespace mpol::cli
