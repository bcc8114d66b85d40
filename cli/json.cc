// SPDX-License-Identifier: Apache-2.0
// Values for programs: one object on one line, ASCII only. Names are stable; new ones may be added.
#include "cli/json.h"

#include "cli/values.h"
#include "cli/words.h"
#include "policy/kind_text.h"
#include "policy/modes.h"
#include "policy/text.h"
#include "policy/weights.h"

namespace mpol::cli {
namespace {

std::string dump(const Json& object) {
    // Names of processes need not be UTF-8.
    return object.dump(-1, ' ', true, Json::error_handler_t::replace) + "\n";
}

}  // namespace

Json nodes_json(const NodeMask& nodes) {
    Json out = Json::array();
    for (unsigned node = nodes.first(); node < kMaxNodes; node = nodes.next(node + 1)) {
        out.push_back(node);
    }
    return out;
}

Json policy_json(const Policy& policy) {
    Json flags = Json::array();
    for (const FlagInfo& info : kFlags) {
        if ((policy.flags & info.bit) != 0) flags.push_back(info.kernel_name);
    }
    Json out = {{"text", policy_text(policy)},
                {"mode", mode_info(policy.mode)->kernel_name},
                {"flags", flags},
                {"nodes", nodes_json(policy.nodes)}};
    if (policy.home_node != kNoNode) out["home_node"] = policy.home_node;
    if (has_own_weights(policy)) {
        const NodeWeights weights = weights_in_force(policy, policy.nodes);
        Json by_node = Json::object();
        for (unsigned i = 0; i < weights.count; ++i) {
            by_node[std::to_string(weights.nodes[i])] = weights.weights[i];
        }
        out["weights"] = {{"source", weight_source_name(policy.weight_source)},
                          {"by_node", by_node}};
    }
    return out;
}

// What part of the memory each effective node gets; null where no weights of one's own say so.
Json shares_json(const std::optional<Policy>& policy, const NodeMask& effective) {
    const NodeWeights weights = weights_in_force(policy.value_or(Policy{}), effective);
    if (weights.count == 0) return nullptr;
    Json out = Json::object();
    for (unsigned i = 0; i < weights.count; ++i) {
        out[std::to_string(weights.nodes[i])] = 1.0 * weights.weights[i] / weights.total;
    }
    return out;
}

Json optional_policy(const std::optional<Policy>& policy) {
    return policy ? policy_json(*policy) : Json(nullptr);
}

Json errno_json(int err) {
    return err == 0 ? Json(nullptr) : Json(errno_name(err));
}

Json origin_json(const control::Origin& origin) {
    Json out = {{"kind", origin_name(origin.kind)}, {"time", utc_time(origin.time_ns)}};
    if (origin.kind == MPOL_CTL_ORIGIN_OUTSIDE || origin.kind == MPOL_CTL_ORIGIN_DAEMON) {
        out["uid"] = origin.uid;
        out["user"] = user_name(origin.uid);
        out["pid"] = origin.pid;
    }
    return out;
}

namespace {

// What is common to a process's and a thread's published policy.
Json asked_json(const control::Published& asked, uint64_t applied, int err) {
    Json out = {{"readable", asked.readable},
                {"asked", asked.set ? policy_json(asked.policy) : Json(nullptr)},
                {"set_by", asked.set ? origin_json(asked.origin) : Json(nullptr)},
                {"generation", asked.generation},
                {"applied_generation", applied},
                {"applied", applied >= asked.generation && err == 0},
                {"errno", errno_json(err)}};
    return out;
}

Json kind_json(const KindView& view) {
    const auto& [state, effective] = view;
    Json kind = {{"kind", kind_name(state.kind)}};
    const bool has_threshold = state.kind == MPOL_CTL_KIND_LARGE && state.asked.set;
    kind["threshold_bytes"] = has_threshold ? Json(state.threshold) : Json(nullptr);
    kind.update(asked_json(state.asked, state.applied, state.applied_errno));
    kind["effective"] = state.asked.set ? nodes_json(effective) : Json(nullptr);
    return kind;
}

Json thread_json(const ThreadView& thread, uint64_t process_generation) {
    Json out = {{"tid", thread.tid}, {"comm", thread.comm}};
    out.update(asked_json(thread.state.asked, thread.state.applied, thread.state.applied_errno));
    const bool own = thread.state.asked.set;
    out["follows_process"] = !own;
    out["effective"] = own ? nodes_json(thread.effective) : Json(nullptr);
    out["shares"] = own ? shares_json(thread.state.asked.policy, thread.effective) : Json(nullptr);
    out["caught_up"] = own ? thread.state.task_applied >= thread.state.asked.generation
                           : thread.state.process_seen >= process_generation;
    for (const auto kind : {MPOL_CTL_KIND_LARGE, MPOL_CTL_KIND_STACK, MPOL_CTL_KIND_MMAP}) {
        const KindView* const view = thread.kind(kind);
        out[std::string(kind_name(kind))] = view != nullptr ? kind_json(*view) : Json(nullptr);
    }
    return out;
}

Json heap_json(const ProcessView& view) {
    const ProcessView::Heap heap = view.heap();
    return {{"regions", view.regions.size()},
            {"reserved_bytes", heap.reserved_bytes},
            {"carved_bytes", heap.carved_bytes}};
}

Json errors_json(const ProcessView& view) {
    Json out = Json::array();
    for (const control::ErrorState& error : view.errors) {
        out.push_back({{"code", static_cast<int>(error.code)},
                       {"errno", errno_json(error.err)},
                       {"count", error.count},
                       {"first", utc_time(error.first_ns)},
                       {"last", utc_time(error.last_ns)}});
    }
    return out;
}

Json kinds_json(const ProcessView& view) {
    Json out = Json::array();
    for (const KindView& kind : view.kinds) out.push_back(kind_json(kind));
    return out;
}

Json process_json(const ProcessView& view) {
    const control::ProcessState& state = view.state;
    Json out = {{"pid", view.pid}, {"comm", view.comm}, {"controlled", true}};
    out.update(asked_json(state.asked, state.applied, state.applied_errno));
    out["started_with"] = optional_policy(state.inherited);
    out["started_by"] = state.inherited ? origin_json(state.inherited_origin) : Json(nullptr);
    out["effective"] = view.effective ? nodes_json(*view.effective) : Json(nullptr);
    out["shares"] = shares_json(view.followed(), view.effective.value_or(NodeMask{}));
    out["allowed"] = nodes_json(view.allowed);
    out["helper"] = (state.status & MPOL_CTL_STATUS_HELPER) != 0;
    out["mbind_refused"] = (state.status & MPOL_CTL_STATUS_NO_NUMA) != 0;
    out["heap"] = heap_json(view);
    out["kinds"] = kinds_json(view);
    Json threads = Json::array();
    for (const ThreadView& thread : view.threads) {
        threads.push_back(thread_json(thread, state.asked.generation));
    }
    out["threads"] = threads;
    out["slotless_threads"] = view.slotless;
    out["errors"] = errors_json(view);
    return out;
}

Json render(const GetView& view) {
    Json out = process_json(view.process);
    if (!view.only_thread) return out;
    Json only = nullptr;
    for (const Json& thread : out["threads"]) {
        if (thread["tid"] == *view.only_thread) only = thread;
    }
    out["tid"] = *view.only_thread;
    out["thread"] = only;
    out.erase("threads");
    return out;
}

Json render(const UncontrolledView& view) {
    Json policies = Json::array();
    for (const auto& [policy, use] : view.maps.by_policy) {
        Json nodes = Json::object();
        for (const auto& [node, bytes] : use.bytes_by_node) nodes[std::to_string(node)] = bytes;
        policies.push_back({{"policy", policy}, {"ranges", use.ranges}, {"bytes_by_node", nodes}});
    }
    Json out = {{"pid", view.pid}, {"comm", view.comm}, {"controlled", false}};
    if (view.tid) out["tid"] = *view.tid;
    out["task_policy"] = view.maps.task_policy;
    out["policies"] = policies;
    return out;
}

Json render(const Listing& listing) {
    Json processes = Json::array();
    for (const ProcessView& view : listing.processes) processes.push_back(process_json(view));
    Json unusable = Json::array();
    for (const control::Failure& failure : listing.unusable) unusable.push_back(failure.what);
    return {{"processes", processes}, {"unusable", unusable}};
}

std::string_view phase_name(control::MigrationPhase phase) {
    constexpr std::string_view kNames[] = {"idle", "asked",     "running", "paused",
                                           "done", "cancelled", "refused"};
    return kNames[static_cast<size_t>(phase)];
}

Json render(const Migration& migration) {
    const control::MigrationState& state = migration.state;
    Json out = {{"pid", migration.pid}};
    if (migration.tid) out["tid"] = *migration.tid;
    out["phase"] = phase_name(state.phase);
    out["done"] = migration.done;
    out["total_bytes"] = state.total;
    out["remaining_bytes"] = state.remaining();
    out["moved_bytes"] = state.moved;
    out["in_place_bytes"] = state.placed;
    out["unbound_bytes"] = state.unbound;
    out["failed_bytes"] = {{"busy", state.failed[MPOL_CTL_MIGRATION_BUSY]},
                           {"no_memory", state.failed[MPOL_CTL_MIGRATION_NO_MEMORY]},
                           {"shared", state.failed[MPOL_CTL_MIGRATION_SHARED]},
                           {"other", state.failed[MPOL_CTL_MIGRATION_OTHER]}};
    out["errno"] = errno_json(state.error);
    out["elapsed_ms"] = state.elapsed_ns / 1'000'000;
    const auto left_ms = migration.left_ms();
    out["left_ms"] = left_ms ? Json(*left_ms) : Json(nullptr);
    out["batches"] = state.batches;
    out["batch_pages"] = state.batch_pages;
    out["longest_batch_us"] = state.longest_batch_ns / 1000;
    out["rewrites"] = state.rewrites;
    return out;
}

Json render(const Change& change) {
    Json out = {{"pid", change.pid}};
    if (change.tid) out["tid"] = *change.tid;
    out["scope"] = change.tid ? "thread" : change.everywhere ? "everywhere" : "process";
    if (change.kind) {
        out["kind"] = kind_name(change.kind->kind);
        if (change.kind->threshold != 0) out["threshold_bytes"] = change.kind->threshold;
    }
    out["policy"] = optional_policy(change.policy);
    out["generation"] = change.generation;
    out["waited"] = change.waited;
    out["applied"] = change.applied;
    out["latency_us"] = change.applied ? Json(change.latency_ns / 1000) : Json(nullptr);
    out["effective"] = change.policy ? nodes_json(change.effective) : Json(nullptr);
    out["dropped"] = nodes_json(change.not_allowed);
    out["absent"] = nodes_json(change.absent);
    out["behind"] = change.behind;
    out["kept"] = change.kept;
    out["superseded"] = change.superseded;
    out["stopped"] = change.stopped;
    if (change.migration) out["migration"] = render(*change.migration);
    return out;
}

Json render(const Meaning& meaning) {
    return {{"kernel_text", kernel_text(meaning.policy, meaning.effective)},
            {"policy", policy_json(meaning.policy)},
            {"user_nodes", nodes_json(meaning.policy.nodes)},
            {"effective", nodes_json(meaning.effective)},
            {"shares", shares_json(meaning.policy, meaning.effective)},
            {"allowed", nodes_json(meaning.allowed)},
            {"mode_word", meaning.policy.mode_word()}};
}

template <class View>
Json render(const View& view) {
    return render_json(view);
}

Json render(const WatchLine& line) {
    return {{"sequence", line.event.sequence},
            {"time", utc_time(line.event.time_ns)},
            {"event", event_name(line.event.event)},
            {"phase", line.event.end ? "end" : "start"},
            {"start", line.event.start},
            {"size", line.event.size},
            {"tid", line.tid}};
}

Json render(const WatchGap& gap) {
    return {{"lost", gap.lost}};
}

Json render(const WatchEnd& end) {
    return {{"pid", end.pid},
            {"end", watch_end_name(end.why)},
            {"events", end.events},
            {"lost", end.lost}};
}

Json render(const bench::Report& report) {
    return bench::report_json(report);
}

Json render(const Text& text) {
    return {{"text", text.text}};
}

}  // namespace

std::string json(const Value& value) {
    return dump(std::visit([](const auto& it) { return render(it); }, value));
}

std::string json(const Error& error) {
    Json out = {{"status", static_cast<int>(error.status)},
                {"errno", errno_name(error.err)},
                {"message", error.message},
                {"hint", error.hint}};
    if (error.bad_text) {
        out["text"] = error.bad_text->text;
        out["offset"] = error.bad_text->error.offset;
        out["length"] = error.bad_text->error.length;
        out["problem"] = error.bad_text->error.problem;
        out["accepted"] = error.bad_text->error.accepted;
    }
    if (!error.bad_rules.empty()) out["diagnostics"] = render_json(error.bad_rules);
    return dump({{"error", out}});
}

}  // namespace mpol::cli
