// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "calls.h"

namespace mpol::test {
namespace {

const std::vector<Call>& all_calls() {
    static const std::vector<Call> all = [] {
        std::vector<Call> both = calls_of_ours();
        const auto& others = calls_of_any_allocator();
        both.insert(both.end(), others.begin(), others.end());
        return both;
    }();
    return all;
}

std::string name_of(int err) {
    return ::strerrorname_np(err);
}

tl::expected<NamedFault, std::string> parse_fault(const WantedText& text) {
    const auto& all = all_calls();
    const auto call = std::find_if(all.begin(), all.end(),
                                   [&](const Call& one) { return one.name == text.what; });
    if (call == all.end()) {
        return tl::unexpected(fmt::format("\"{}\" is no call; there are {}", text.what,
                                          listed(all, [](const Call& one) { return one.name; })));
    }
    const bool onward = text.place.ends_with('+');
    const unsigned place = parse_place(text.place.substr(0, text.place.size() - onward));
    if (place == 0) {
        return tl::unexpected(fmt::format(
            "\"{}\" is no place; they are counted from 1, and 17+ is the 17th and all that follow",
            text.place));
    }
    const auto err = std::find_if(call->errnos.begin(), call->errnos.end(),
                                  [&](int one) { return name_of(one) == text.how; });
    if (err == call->errnos.end()) {
        return tl::unexpected(fmt::format("\"{}\" is no errno of {}; there are {}", text.how,
                                          text.what, listed(call->errnos, name_of)));
    }
    return NamedFault{text.what, place, onward, *err};
}

const testing::Environment* const text_check =
    testing::AddGlobalTestEnvironment(new WantedCheck([] { return wanted_faults().why_not(); }));

}  // namespace

std::string NamedFault::words() const {
    return fmt::format("{}:{}{}:{}", call, place, onward ? "+" : "", name_of(err));
}

const Wanted<NamedFault>& wanted_faults() {
    static const Wanted<NamedFault> from_environment(
        "MPOL_FAULTS", "CALL:PLACE:ERRNO as in mbind:17:EPERM", parse_fault);
    return from_environment;
}

}  // namespace mpol::test
