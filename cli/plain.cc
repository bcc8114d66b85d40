// SPDX-License-Identifier: Apache-2.0
// Lists, changes, meanings and errors for people.
#include "cli/plain.h"

#include <algorithm>

#include "cli/values.h"
#include "cli/words.h"
#include "policy/kind_text.h"
#include "policy/text.h"

namespace mpol::cli {
namespace {

// --- ls

std::string list_policy(const ProcessView& view) {
    if (!view.state.asked.readable) return "unreadable";
    const auto followed = view.followed();
    std::string text = followed ? policy_text(*followed) : "default";
    if (view.state.applied < view.state.asked.generation) return text + " (pending)";
    return view.state.applied_errno != 0 ? text + " (refused)" : text;
}

std::string list_setter(const ProcessView& view) {
    if (!view.followed()) return "-";
    const control::Origin& origin = view.followed_origin();
    if (origin.kind != MPOL_CTL_ORIGIN_OUTSIDE) return std::string(origin_name(origin.kind));
    const std::string name = user_name(origin.uid);
    return fmt::format("{}/{}", name.empty() ? std::to_string(origin.uid) : name, origin.pid);
}

std::vector<std::string> list_row(const ProcessView& view) {
    const ProcessView::Heap heap = view.heap();
    const size_t own = view.own_count();
    return {
        std::to_string(view.pid),
        printable(view.comm),
        list_policy(view),
        view.effective ? nodes_words(*view.effective) : "-",
        list_setter(view),
        fmt::format("{}/{}", own, view.threads.size() + view.slotless),
        fmt::format("{} of {}", bytes_words(heap.carved_bytes), bytes_words(heap.reserved_bytes))};
}

std::string render(const Listing& listing) {
    std::vector<std::vector<std::string>> rows = {
        {"PID", "COMMAND", "POLICY", "EFFECTIVE", "SET BY", "OWN/THREADS", "HEAP"}};
    for (const ProcessView& view : listing.processes) rows.push_back(list_row(view));
    std::vector<size_t> widths(rows[0].size());
    for (const auto& row : rows) {
        for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
    }
    std::string out;
    for (const auto& row : rows) {
        for (size_t i = 0; i + 1 < row.size(); ++i) add(out, "{:<{}}  ", row[i], widths[i]);
        add(out, "{}\n", row.back());
    }
    for (const control::Failure& failure : listing.unusable) add(out, "note: {}\n", failure.what);
    return out;
}

// --- set, unset

std::string kind_words(const control::KindName& kind) {
    return kind.threshold != 0 ? kind_text(kind.kind, kind.threshold) : kind_name(kind.kind);
}

std::string target_words(const Change& change) {
    if (change.tid) {
        const std::string of = change.kind ? kind_words(*change.kind) + " of " : "";
        return fmt::format("{}thread {}/{}", of, change.pid, *change.tid);
    }
    if (change.kind) {
        return fmt::format("{} of process {}", kind_words(*change.kind), change.pid);
    }
    return fmt::format("process {}", change.pid);
}

std::string policy_words(const Change& change) {
    if (change.policy) return policy_text(*change.policy);
    const bool mapped = change.kind && change.kind->kind != MPOL_CTL_KIND_LARGE;
    if (mapped && change.tid) return "the process's, or the task policy";
    if (mapped) return "the threads' task policy";
    if (change.tid && change.kind) return "the thread's policy";
    if (change.tid || change.kind) return "the process's policy";
    return change.fallback ? policy_text(*change.fallback) + " (what it started with)"
                           : "what it started with";
}

void add_pending(std::string& out, const Change& change) {
    if (!change.waited) {
        add(out, "{}: {} published as generation {}\n", target_words(change), policy_words(change),
            change.generation);
        return;
    }
    add(out, "{}: {} published as generation {}, not applied after {} ms\n", target_words(change),
        policy_words(change), change.generation, change.timeout_ms);
    out += pending_note(change.stopped, change.tid, change.helper);
}

void add_dropped(std::string& out, const Change& change) {
    if (!change.not_allowed.empty()) {
        add(out, "note: dropped nodes {}: the cpuset of process {} allows {}\n",
            nodes_words(change.not_allowed), change.pid, nodes_words(change.allowed));
    }
    if (!change.absent.empty()) {
        add(out, "note: nodes {} have no memory yet\n", nodes_words(change.absent));
    }
}

std::string render(const Change& change) {
    std::string out;
    if (change.applied) {
        add(out, "{}: {} applied in {} us{}\n", target_words(change), policy_words(change),
            change.latency_ns / 1000,
            change.policy && has_nodes(change.policy->mode)
                ? ", effective nodes " + nodes_words(change.effective)
                : "");
    } else {
        add_pending(out, change);
    }
    add_dropped(out, change);
    if (change.superseded) add(out, "note: somebody else has set another policy since\n");
    if (!change.kept.empty()) {
        add(out, "note: {} kept a policy of {} own: {} (--process clears it)\n",
            count_words(change.kept.size(), "thread"), change.kept.size() == 1 ? "its" : "their",
            ids_words(change.kept));
    }
    out += behind_note(change.behind);
    if (change.migration) out += render(*change.migration);
    return out;
}

// --- policy

// As /proc/PID/status prints Mems_allowed, without the leading zero words.
std::string mask_words(const NodeMask& nodes) {
    const unsigned words = std::max(1U, (nodes.end() + 31) / 32);
    std::string out;
    for (unsigned i = words; i-- > 0;) {
        const auto half = static_cast<uint32_t>(nodes.words[i / 2] >> (i % 2 * 32));
        add(out, "{:08x}{}", half, i == 0 ? "" : ",");
    }
    return out;
}

std::string render(const Meaning& meaning) {
    std::string out = kernel_text(meaning.policy, meaning.effective) + "\n";
    const auto nodes = [&](const NodeMask& set) {
        return nodes_words(set) + (meaning.verbose ? " (mask " + mask_words(set) + ")" : "");
    };
    add(out, "  user nodes:      {}\n", nodes(meaning.policy.nodes));
    add(out, "  effective nodes: {}\n", nodes(meaning.effective));
    if (meaning.policy.home_node != kNoNode) {
        add(out, "  home node:       {}\n", meaning.policy.home_node);
    }
    const std::string weights = weights_words(meaning.policy, meaning.effective);
    if (!weights.empty()) add(out, "  weights:         {}\n", weights);
    if (meaning.verbose) {
        add(out, "  allowed nodes:   {}\n", nodes(meaning.allowed));
        add(out, "  mode word:       {:#x}\n", meaning.policy.mode_word());
    }
    return out;
}

std::string render(const WatchLine& line) {
    const control::WatchedEvent& event = line.event;
    return fmt::format("{}  {:<7}  {:<5}  {:#x} + {}  thread {}\n", local_time(event.time_ns),
                       event_name(event.event), event.end ? "end" : "start", event.start,
                       bytes_words(event.size), line.tid);
}

std::string render(const WatchGap& gap) {
    return fmt::format("{} lost\n", count_words(gap.lost, "event"));
}

std::string render(const WatchEnd& end) {
    return fmt::format("process {}: {}, {} lost: {}\n", end.pid, count_words(end.events, "event"),
                       end.lost, watch_end_words(end.why));
}

std::string render(const Text& text) {
    return text.text;
}

}  // namespace

std::string pending_note(bool stopped, std::optional<pid_t> tid, bool helper) {
    if (stopped) return "note: it is stopped; it takes effect when it continues\n";
    if (tid) {
        return fmt::format(
            "note: thread {} has not caught up: it takes effect at its next allocation\n", *tid);
    }
    if (!helper) {
        return "note: it has no helper thread and is busy elsewhere: it takes effect at its next "
               "allocation\n";
    }
    return "note: its helper thread has not answered yet\n";
}

std::string behind_note(const std::vector<pid_t>& behind) {
    if (behind.empty()) return {};
    return fmt::format(
        "note: {} not caught up: {}; heap memory follows already, stacks and direct mappings "
        "follow "
        "at the next allocation\n",
        count_words(behind.size(), "thread") + (behind.size() == 1 ? " has" : " have"),
        ids_words(behind));
}

std::string plain(const Value& value) {
    return std::visit([](const auto& it) { return render(it); }, value);
}

std::string plain(const Error& error) {
    std::string out = error.bad_text
                          ? fmt::format("mpol: this is no policy\n{}\n",
                                        render_error(error.bad_text->error, error.bad_text->text))
                          : fmt::format("mpol: {}\n", error.message);
    std::string places;
    for (const rules::Diagnostic& one : error.bad_rules) places += rules::render(one);
    out.insert(0, places);
    if (!error.hint.empty()) add(out, "hint: {}\n", error.hint);
    return out;
}

}  // namespace mpol::cli
