// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <cstring>
#include <ctime>
#include <iterator>

#include "fs/facts.h"
#include "policy/contextualise.h"
#include "policy/text.h"

namespace mpol::fs {
namespace {

using control::Origin;
using control::Published;

struct Name {
    unsigned value;
    const char* text;
};

constexpr Name kCounters[] = {
    {MPOL_CTL_APPLIED, "rewrites_applied"},        {MPOL_CTL_MBINDS, "mbind_calls"},
    {MPOL_CTL_MBIND_FAILURES, "mbind_failures"},   {MPOL_CTL_APPLY_NS_LAST, "apply_ns_last"},
    {MPOL_CTL_LATCH_GAVE_UP, "latch_gave_up"},     {MPOL_CTL_SLOTLESS_THREADS, "slotless_threads"},
    {MPOL_CTL_RESERVED_BYTES, "reserved_bytes"},   {MPOL_CTL_CARVED_BYTES, "carved_bytes"},
    {MPOL_CTL_UNMANAGED_BYTES, "unmanaged_bytes"}, {MPOL_CTL_SCOPES, "thread_scopes_made"},
    {MPOL_CTL_FOREIGN_FREES, "foreign_frees"},
};

constexpr Name kErrors[] = {
    {MPOL_CTL_ERROR_MBIND, "mbind"},
    {MPOL_CTL_ERROR_SET_MEMPOLICY, "set_mempolicy"},
    {MPOL_CTL_ERROR_HOME_NODE, "set_mempolicy_home_node"},
    {MPOL_CTL_ERROR_REGION, "region"},
    {MPOL_CTL_ERROR_COMMIT, "commit"},
    {MPOL_CTL_ERROR_SEGMENT, "segment"},
    {MPOL_CTL_ERROR_HELPER, "helper"},
    {MPOL_CTL_ERROR_SCOPE, "scope"},
    {MPOL_CTL_ERROR_SLOTS, "slots"},
    {MPOL_CTL_ERROR_PROBE, "probe"},
    {MPOL_CTL_ERROR_LATCH, "latch"},
    {MPOL_CTL_ERROR_SIGNAL, "signal"},
    {MPOL_CTL_ERROR_SIGNAL, "signal"},
};

constexpr Name kOrigins[] = {
    {MPOL_CTL_ORIGIN_PROGRAM, "program"}, {MPOL_CTL_ORIGIN_LAUNCHER, "launcher"},
    {MPOL_CTL_ORIGIN_OUTSIDE, "outside"}, {MPOL_CTL_ORIGIN_INHERITED, "inherited"},
    {MPOL_CTL_ORIGIN_DAEMON, "daemon"},
};

template <size_t kCount>
const char* name_of(unsigned value, const Name (&names)[kCount]) {
    for (const Name& name : names) {
        if (name.value == value) return name.text;
    }
    return "unknown";
}

template <class... Values>
void line(std::string& text, const char* name, fmt::format_string<Values...> form,
          Values&&... values) {
    fmt::format_to(std::back_inserter(text), "{}:\t", name);
    fmt::format_to(std::back_inserter(text), form, std::forward<Values>(values)...);
    text += '\n';
}

std::string errno_name(int err) {
    const char* const name = err == 0 ? "0" : ::strerrorname_np(err);
    return name != nullptr ? name : fmt::to_string(err);
}

// RFC 3339, UTC.
std::string time_text(uint64_t realtime_ns) {
    const auto seconds = static_cast<time_t>(realtime_ns / 1'000'000'000);
    struct tm parts {};
    char buf[32];
    if (::gmtime_r(&seconds, &parts) == nullptr ||
        std::strftime(buf, sizeof(buf), "%Y-%m-%dT%H:%M:%S", &parts) == 0) {
        return "unknown";
    }
    return fmt::format("{}.{:03}Z", buf, realtime_ns / 1'000'000 % 1000);
}

std::string asked_text(const Published& asked) {
    if (!asked.readable) return "unreadable";
    return asked.set ? policy_text(asked.policy) : "none";
}

void append_asked(const ProcessFacts& facts, std::string& text) {
    const Published& asked = facts.state.asked;
    line(text, "policy", "{}", asked_text(asked));
    if (asked.set) {
        line(text, "effective", "{}", process_policy_text(facts.state, facts.allowed));
    }
    line(text, "generation", "{}", asked.generation);
    line(text, "applied", "{}", facts.state.applied);
    line(text, "pending", "{}", facts.state.applied < asked.generation ? "yes" : "no");
    line(text, "errno", "{}", errno_name(facts.state.applied_errno));
    if (!asked.set) return;
    const Origin& origin = asked.origin;
    line(text, "set_by", "{} uid={} pid={}", name_of(origin.kind, kOrigins), origin.uid,
         origin.pid);
    line(text, "set_at", "{}", time_text(origin.time_ns));
}

// A thread's own kernel policy (stack, direct mmap) changes when the thread next allocates.
size_t threads_behind(const ProcessFacts& facts) {
    size_t count = 0;
    for (const control::ThreadState& thread : facts.threads) {
        const bool own = thread.asked.set;
        const uint64_t wanted = own ? thread.asked.generation : facts.state.asked.generation;
        count += (own ? thread.task_applied : thread.process_seen) < wanted ? 1U : 0U;
    }
    return count;
}

void append_threads(const ProcessFacts& facts, std::string& text) {
    line(text, "threads", "{}", facts.threads.size());
    line(text, "threads_behind", "{}", threads_behind(facts));
    for (const control::ThreadState& thread : facts.threads) {
        if (!thread.asked.set) continue;
        line(text, "thread", "{} {} generation={} applied={} scope={} errno={}", thread.tid,
             policy_text(thread.asked.policy), thread.asked.generation, thread.applied,
             thread.scope, errno_name(thread.applied_errno));
    }
}

}  // namespace

std::string effective_text(const Policy& policy, const NodeMask& allowed) {
    NodeMask nodes;
    // The cpuset may have moved away from under the policy: what was asked for still stands.
    if (contextualise(policy, allowed, nodes) != 0) nodes = policy.nodes;
    return kernel_text(policy, nodes);
}

std::string process_policy_text(const control::ProcessState& state, const NodeMask& allowed) {
    const bool in_force = state.applied >= state.asked.generation && state.applied_errno == 0;
    // The target's own word follows cpuset changes; before it has acted, it is the last policy's.
    if (in_force && state.effective) return kernel_text(state.asked.policy, *state.effective);
    return effective_text(state.asked.policy, allowed);
}

std::string escaped(std::string_view text) {
    std::string out;
    for (const char c : text) {
        const bool plain = c >= ' ' && c <= '~' && c != '\\';
        if (plain) {
            out += c;
        } else {
            out += fmt::format("\\{:03o}", static_cast<unsigned char>(c));
        }
    }
    return out;
}

std::string status_text(const ProcessFacts& facts) {
    const control::ProcessState& state = facts.state;
    std::string text;
    line(text, "name", "{}", escaped(facts.comm));
    line(text, "pid", "{}", facts.pid);
    append_asked(facts, text);
    if (state.inherited) line(text, "inherited", "{}", policy_text(*state.inherited));
    line(text, "mems_allowed", "{}", nodes_text(facts.allowed));
    line(text, "helper", "{}", (state.status & MPOL_CTL_STATUS_HELPER) != 0 ? "yes" : "no");
    line(text, "numa", "{}", (state.status & MPOL_CTL_STATUS_NO_NUMA) != 0 ? "refused" : "yes");
    append_threads(facts, text);
    for (const Name& name : kCounters) line(text, name.text, "{}", facts.counters[name.value]);
    for (const control::ErrorState& error : facts.errors) {
        line(text, "error", "{} {} count={} first={} last={}", name_of(error.code, kErrors),
             errno_name(error.err), error.count, time_text(error.first_ns),
             time_text(error.last_ns));
    }
    return text;
}

}  // namespace mpol::fs
