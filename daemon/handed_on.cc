// SPDX-License-Identifier: Apache-2.0
#include "daemon/handed_on.h"

#include <unistd.h>

namespace mpol::daemon {
namespace {

// The kernel tells the nodes that it uses, or those asked for where a mode flag has it keep them.
bool is_of(const Policy& inherited, const Policy& given) {
    return inherited.mode == given.mode && inherited.flags == given.flags &&
           inherited.nodes.subset_of(given.nodes);
}

}  // namespace

std::optional<HandedOn> handed_on_by(const control::Target& target,
                                     const std::optional<Policy>& inherited,
                                     const std::optional<HandedOn>& last) {
    const control::Held held = target.held({});
    const control::ProcessState state = target.process();
    const uint64_t generation = state.asked.generation;
    // Nobody has asked it for anything yet.
    if (inherited && state.inherited && state.asked.origin.kind == MPOL_CTL_ORIGIN_NONE) {
        return HandedOn{*state.inherited, *inherited, 0};
    }
    const bool by_us = state.asked.set && state.asked.origin.uid == ::geteuid();
    if (held.holder == control::Holder::kDaemon && by_us) {
        const Policy begun_with = inherited.value_or(state.inherited.value_or(Policy{}));
        return HandedOn{state.asked.policy, held.had_policy ? held.before : begun_with, generation};
    }
    const bool given_back = last && held.holder == control::Holder::kNobody &&
                            last->generation != 0 && generation == last->generation + 1;
    return given_back ? last : std::nullopt;
}

std::optional<Policy> before_of(const control::Target& target,
                                const std::optional<HandedOn>& handed_on) {
    if (!handed_on) return std::nullopt;
    const control::ProcessState state = target.process();
    if (!state.inherited || !is_of(*state.inherited, handed_on->given)) return std::nullopt;
    return handed_on->before;
}

}  // namespace mpol::daemon
