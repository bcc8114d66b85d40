// SPDX-License-Identifier: Apache-2.0
// The C API of include/mpol/mpol.h: a target held open, and text.
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>

#include "control/attach.h"
#include "control/proc.h"
#include "mpol/mpol.h"
#include "policy/parse.h"
#include "policy/text.h"
#include "policy/weights.h"
#include "task/guarded.h"
#include "task/machine.h"
#include "task/target_handle.h"

using mpol::NodeMask;
using mpol::Policy;
using namespace mpol::task;
namespace control = mpol::control;

static_assert(mpol::kWeightedNodesMax == MPOL_WEIGHTED_NODES);
static_assert(static_cast<int>(mpol::WeightSource::kSystem) == MPOL_WEIGHTS_SYSTEM);
static_assert(static_cast<int>(mpol::WeightSource::kAuto) == MPOL_WEIGHTS_AUTO);

namespace {

// What a target can be asked for: it makes weighted interleave itself where its kernel doesn't.
mpol::KernelModes target_modes() {
    mpol::KernelModes modes = kernel_modes();
    if (modes.mode_count > static_cast<unsigned>(mpol::Mode::kInterleave)) {
        modes.mode_count = mpol::kModeCount;
    }
    return modes;
}

bool to_policy(const mpol_policy& in, Policy& ret_policy) {
    NodeMask nodes;
    std::copy_n(in.nodes, mpol::kNodeWords, nodes.words);
    const auto mode_word = static_cast<uint32_t>(in.mode) | in.flags;
    if (in.mode < 0 || (in.flags & ~uint32_t{mpol::kModeFlags}) != 0 ||
        in.weight_source > MPOL_WEIGHTS_SYSTEM) {
        return false;
    }
    if (mpol::make_policy(static_cast<int>(mode_word), nodes, target_modes(), ret_policy) != 0) {
        return false;
    }
    ret_policy.weight_source = static_cast<mpol::WeightSource>(in.weight_source);
    if (mpol::has_own_weights(ret_policy)) {
        std::copy_n(in.weights, mpol::kWeightedNodesMax, ret_policy.weights);
        std::fill(ret_policy.weights + std::min(nodes.weight(), mpol::kWeightedNodesMax),
                  std::end(ret_policy.weights), uint8_t{0});
    }
    if (!mpol::weights_make_sense(ret_policy)) return false;
    if (in.home_node == MPOL_NO_NODE) return true;
    ret_policy.home_node = in.home_node;
    return mpol::takes_home_node(ret_policy.mode) && in.home_node >= 0 &&
           in.home_node < static_cast<int32_t>(mpol::kMaxNodes);
}

mpol_policy from_policy(const Policy& in) {
    mpol_policy out{};
    out.mode = static_cast<int32_t>(in.mode);
    out.flags = in.flags;
    out.home_node = in.home_node;
    std::copy_n(in.nodes.words, mpol::kNodeWords, out.nodes);
    out.weight_source = static_cast<uint32_t>(in.weight_source);
    std::copy_n(in.weights, mpol::kWeightedNodesMax, out.weights);
    return out;
}

mpol_state to_state(const control::Published& asked, uint64_t applied, int error) {
    mpol_state out{};
    out.set = asked.set ? 1 : 0;
    out.in_force = applied == asked.generation && error == 0 ? 1 : 0;
    out.generation = asked.generation;
    out.origin = static_cast<uint32_t>(asked.origin.kind);
    out.origin_uid = asked.origin.uid;
    out.origin_pid = asked.origin.pid;
    out.error = error;
    out.set_at_ns = asked.origin.time_ns;
    out.policy = from_policy(asked.policy);
    return out;
}

int contextualised(const mpol_target& target, const Policy& policy) {
    const auto allowed = control::mems_allowed(target.target.pid());
    if (!allowed) return -ESRCH;
    NodeMask effective;
    return mpol::contextualise(policy, *allowed & node_list("has_memory"), effective);
}

int write_process(mpol_target& handle, const std::optional<Policy>& policy, bool keep_cached,
                  int timeout_ms) {
    const auto published = in_turn(handle, [&](control::Target& target, int left_ms) {
        target.set_keep_cached(keep_cached);
        return target.publish_process(policy, left_ms);
    });
    if (!published) return -published.error().err;
    if (timeout_ms == 0) return 0;
    if (!handle.target.wait_process(*published, timeout_ms)) return -ETIMEDOUT;
    return -handle.target.process().applied_errno;
}

int write_thread(mpol_target& handle, pid_t tid, const std::optional<Policy>& policy,
                 bool keep_cached, int timeout_ms) {
    const auto slot = handle.target.slot_of(tid);
    if (!slot) return -slot.error().err;
    const auto published = in_turn(handle, [&](control::Target& target, int left_ms) {
        target.set_keep_cached(keep_cached);
        return target.publish_thread(*slot, policy, left_ms);
    });
    if (!published) return -published.error().err;
    if (timeout_ms == 0) return 0;
    if (!handle.target.wait_thread(*slot, *published, timeout_ms)) return -ETIMEDOUT;
    const auto state = handle.target.thread(*slot);
    return state ? -state->applied_errno : 0;
}

// A null policy is an unset.
int to_wanted(const mpol_target& target, const mpol_policy* policy,
              std::optional<Policy>& ret_wanted) {
    if (policy == nullptr) return 0;
    ret_wanted.emplace();
    return to_policy(*policy, *ret_wanted) ? contextualised(target, *ret_wanted) : -EINVAL;
}

control::KindState kind_state(const control::Target& target, unsigned kind) {
    for (const control::KindState& state : target.kinds()) {
        if (state.kind == static_cast<mpol_ctl_kind_id>(kind)) return state;
    }
    return {};
}

int write_kind(mpol_target& handle, const control::KindName& kind,
               const std::optional<Policy>& policy, int timeout_ms) {
    const auto published = in_turn(handle, [&](control::Target& target, int left_ms) {
        target.set_keep_cached(false);
        return target.publish_kind(kind, policy, false, left_ms);
    });
    if (!published) return -published.error().err;
    if (timeout_ms == 0) return 0;
    if (!handle.target.wait_kind(kind.kind, *published, timeout_ms)) return -ETIMEDOUT;
    return -kind_state(handle.target, kind.kind).applied_errno;
}

int write_own_kind(mpol_target& handle, pid_t tid, const control::KindName& kind,
                   const std::optional<Policy>& policy, int timeout_ms) {
    const auto slot = handle.target.slot_of(tid);
    if (!slot) return -slot.error().err;
    const auto published = in_turn(handle, [&](control::Target& target, int left_ms) {
        target.set_keep_cached(false);
        return target.publish_own_kind(*slot, kind, policy, left_ms);
    });
    if (!published) return -published.error().err;
    if (timeout_ms == 0) return 0;
    if (!handle.target.wait_own_kind(*slot, kind.kind, *published, timeout_ms)) return -ETIMEDOUT;
    const auto state = handle.target.thread(*slot);
    return state && state->kinds[kind.kind] ? -state->kinds[kind.kind]->applied_errno : 0;
}

// What a call that writes a kind was given. 0 or -errno.
int to_kind(const mpol_target& target, unsigned kind, uint64_t threshold, const mpol_policy* policy,
            control::KindName& ret_name, std::optional<Policy>& ret_wanted) {
    if (const int err = to_wanted(target, policy, ret_wanted); err != 0) return err;
    const bool takes_threshold = kind == MPOL_CTL_KIND_LARGE && ret_wanted;
    if (kind >= MPOL_CTL_KINDS || (!takes_threshold && threshold != 0) ||
        (takes_threshold && threshold < MPOL_CTL_THRESHOLD_MIN)) {
        return -EINVAL;
    }
    if (kind != MPOL_CTL_KIND_LARGE && ret_wanted && mpol::has_own_weights(*ret_wanted)) {
        return -EOPNOTSUPP;
    }
    ret_name = {static_cast<mpol_ctl_kind_id>(kind), threshold};
    return 0;
}

// What the caller names and wants, checked, and handed to write.
template <class Write>
int write_as_kind(mpol_target& target, unsigned kind, uint64_t threshold,
                  const struct mpol_policy* policy, Write write) {
    return guarded([&] {
        std::optional<Policy> wanted;
        control::KindName name;
        if (const int err = to_kind(target, kind, threshold, policy, name, wanted); err != 0) {
            return err;
        }
        return write(name, wanted);
    });
}

int read_state(const control::KindState& state, uint64_t* ret_threshold, mpol_state* ret_state) {
    if (!state.asked.readable) return -EAGAIN;
    *ret_state = to_state(state.asked, state.applied, state.applied_errno);
    if (ret_threshold != nullptr) *ret_threshold = state.asked.set ? state.threshold : 0;
    return 0;
}
}  // namespace

extern "C" {

int mpol_open(pid_t pid, unsigned access, mpol_target** ret_target) {
    return guarded([&] {
        if (access != MPOL_READ && access != MPOL_WRITE) return -EINVAL;
        auto target = control::Target::attach(
            pid, access == MPOL_WRITE ? control::Access::kWrite : control::Access::kRead);
        if (!target) return -target.error().err;
        *ret_target = new mpol_target{std::move(*target), access == MPOL_WRITE, {}};
        return 0;
    });
}

void mpol_close(mpol_target* target) {
    delete target;
}

int mpol_read(const mpol_target* target, pid_t tid, struct mpol_state* ret_state) {
    return guarded([&] {
        if (tid == 0) {
            const control::ProcessState state = target->target.process();
            if (!state.asked.readable) return -EAGAIN;
            *ret_state = to_state(state.asked, state.applied, state.applied_errno);
            return 0;
        }
        const auto slot = target->target.slot_of(tid);
        if (!slot) return -slot.error().err;
        const auto state = target->target.thread(*slot);
        if (!state) return -ESRCH;
        if (!state->asked.readable) return -EAGAIN;
        *ret_state = to_state(state->asked, state->applied, state->applied_errno);
        return 0;
    });
}

int mpol_read_kind(const mpol_target* target, unsigned kind, uint64_t* ret_threshold,
                   struct mpol_state* ret_state) {
    return guarded([&] {
        if (kind >= MPOL_CTL_KINDS) return -EINVAL;
        return read_state(kind_state(target->target, kind), ret_threshold, ret_state);
    });
}

int mpol_read_thread_kind(const mpol_target* target, pid_t tid, unsigned kind,
                          uint64_t* ret_threshold, struct mpol_state* ret_state) {
    return guarded([&] {
        if (kind >= MPOL_CTL_KINDS) return -EINVAL;
        const auto slot = target->target.slot_of(tid);
        if (!slot) return -slot.error().err;
        const auto state = target->target.thread(*slot);
        if (!state) return -ESRCH;
        return read_state(state->kinds[kind].value_or(control::KindState{}), ret_threshold,
                          ret_state);
    });
}

int mpol_write_thread_kind(mpol_target* target, pid_t tid, unsigned kind, uint64_t threshold,
                           const struct mpol_policy* policy, int timeout_ms) {
    return write_as_kind(*target, kind, threshold, policy,
                         [&](const auto& name, const auto& wanted) {
                             return write_own_kind(*target, tid, name, wanted, timeout_ms);
                         });
}

int mpol_write_kind(mpol_target* target, unsigned kind, uint64_t threshold,
                    const struct mpol_policy* policy, int timeout_ms) {
    return write_as_kind(*target, kind, threshold, policy,
                         [&](const auto& name, const auto& wanted) {
                             return write_kind(*target, name, wanted, timeout_ms);
                         });
}

int mpol_write(mpol_target* target, pid_t tid, const struct mpol_policy* policy, int timeout_ms) {
    return mpol_write_flags(target, tid, policy, 0, timeout_ms);
}

int mpol_write_flags(mpol_target* target, pid_t tid, const struct mpol_policy* policy,
                     unsigned flags, int timeout_ms) {
    return guarded([&] {
        if ((flags & ~MPOL_KEEP_CACHED) != 0) return -EINVAL;
        std::optional<Policy> wanted;
        if (const int err = to_wanted(*target, policy, wanted); err != 0) return err;
        const bool keep_cached = (flags & MPOL_KEEP_CACHED) != 0;
        return tid == 0 ? write_process(*target, wanted, keep_cached, timeout_ms)
                        : write_thread(*target, tid, wanted, keep_cached, timeout_ms);
    });
}

int mpol_parse(const char* text, struct mpol_policy* ret_policy, char* ret_error,
               size_t error_size) {
    return guarded([&] {
        mpol::ParseContext context;
        context.has_memory = node_list("has_memory");
        context.kernel = target_modes();
        add_weights(text, context);
        const auto policy = mpol::parse_lenient(text, context);
        if (policy) {
            *ret_policy = from_policy(*policy);
            return 0;
        }
        if (ret_error != nullptr && error_size > 0) {
            const std::string line =
                policy.error().problem + "; accepted: " + policy.error().accepted;
            const size_t size = std::min(line.size(), error_size - 1);
            std::memcpy(ret_error, line.data(), size);
            ret_error[size] = '\0';
        }
        return policy.error().not_here ? -ENOTSUP : -EINVAL;
    });
}

int mpol_format(const struct mpol_policy* policy, char* ret_text, size_t size) {
    return guarded([&] {
        Policy value;
        if (!to_policy(*policy, value)) return -EINVAL;
        const std::string text = mpol::policy_text(value);
        if (size > 0) {
            const size_t kept = std::min(text.size(), size - 1);
            std::memcpy(ret_text, text.data(), kept);
            ret_text[kept] = '\0';
        }
        return static_cast<int>(text.size());
    });
}

}  // extern "C"
