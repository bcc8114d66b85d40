// SPDX-License-Identifier: Apache-2.0
// One process or thread for people.

#include <algorithm>

#include "cli/plain.h"
#include "cli/words.h"
#include "policy/kind_text.h"
#include "policy/text.h"

namespace mpol::cli {
namespace {

std::string progress(uint64_t asked, uint64_t applied, int err) {
    if (applied < asked) return fmt::format("{}, pending ({} is in force)", asked, applied);
    if (err != 0) {
        return fmt::format("{}, refused: {}; the one before stays in force", asked,
                           errno_text(err));
    }
    return fmt::format("{}, applied", asked);
}

void add_weights(std::string& out, const Policy& policy, const NodeMask& effective) {
    const std::string weights = weights_words(policy, effective);
    if (!weights.empty()) add(out, "  weights:    {}\n", weights);
}

void add_process_policy(std::string& out, const ProcessView& view) {
    const control::ProcessState& state = view.state;
    if (!state.asked.readable) {
        add(out, "  policy:     unreadable: its bytes in the segment are no policy\n");
    } else if (const auto followed = view.followed()) {
        add(out, "  policy:     {}{}\n", policy_text(*followed),
            state.asked.set ? "" : " (what it started with)");
        add(out, "  set by:     {}\n", setter(view.followed_origin()));
    } else {
        add(out, "  policy:     default (nothing was asked for)\n");
    }
    if (view.effective) add(out, "  effective:  {}\n", nodes_words(*view.effective));
    if (view.effective && view.followed()) add_weights(out, *view.followed(), *view.effective);
    add(out, "  allowed:    {}\n", nodes_words(view.allowed));
    add(out, "  generation: {}\n",
        progress(state.asked.generation, state.applied, state.applied_errno));
    if ((state.status & MPOL_CTL_STATUS_NO_NUMA) != 0) {
        add(out, "  limits:     the kernel refuses mbind(2) to it: nothing can be applied\n");
    }
}

void add_heap(std::string& out, const ProcessView& view) {
    const ProcessView::Heap heap = view.heap();
    add(out, "  heap:       {} in use of {} reserved, {}\n", bytes_words(heap.carved_bytes),
        bytes_words(heap.reserved_bytes), count_words(view.regions.size(), "region"));
}

void add_threads_summary(std::string& out, const ProcessView& view) {
    const size_t own = view.own_count();
    add(out, "  threads:    {}, {} with a policy of {} own\n",
        count_words(view.threads.size(), "thread"), own, own == 1 ? "its" : "their");
    if (view.slotless != 0) {
        add(out, "              {} more without a slot follow the process's policy\n",
            view.slotless);
    }
}

// of: whose, in front of the kind's name; empty: the process's.
void add_kind(std::string& out, const std::string& of, const KindView& kind) {
    const auto& [state, effective] = kind;
    if (!state.asked.readable) {
        add(out, "{}{}\n  policy:     unreadable: its bytes in the segment are no policy\n", of,
            kind_name(state.kind));
    } else if (state.asked.set) {
        add(out, "{}{}\n  policy:     {}\n  set by:     {}\n  effective:  {}\n", of,
            kind_text(state.kind, state.threshold), policy_text(state.asked.policy),
            setter(state.asked.origin), nodes_words(effective));
    }
    if (state.asked.readable && (state.asked.set || state.applied < state.asked.generation)) {
        add(out, "{}  generation: {}\n",
            state.asked.set ? "" : of + kind_name(state.kind) + ", taken back\n",
            progress(state.asked.generation, state.applied, state.applied_errno));
    }
}

void add_thread(std::string& out, const ThreadView& thread, uint64_t process_generation) {
    add(out, "thread {} ({})\n", thread.tid, printable(thread.comm));
    const control::Published& asked = thread.state.asked;
    if (!asked.readable) {
        add(out, "  policy:     unreadable: its bytes in the segment are no policy\n");
    } else if (!asked.set) {
        add(out, "  policy:     follows the process{}\n",
            thread.state.process_seen < process_generation
                ? "; its stack and direct mappings will at its next allocation"
                : "");
    } else {
        add(out, "  policy:     {}\n  set by:     {}\n  effective:  {}\n",
            policy_text(asked.policy), setter(asked.origin), nodes_words(thread.effective));
        add_weights(out, asked.policy, thread.effective);
        add(out, "  generation: {}\n",
            progress(asked.generation, thread.state.applied, thread.state.applied_errno));
    }
    for (const auto kind : {MPOL_CTL_KIND_LARGE, MPOL_CTL_KIND_STACK, MPOL_CTL_KIND_MMAP}) {
        const KindView* const view = thread.kind(kind);
        if (view != nullptr) add_kind(out, fmt::format("thread {}, ", thread.tid), *view);
    }
}

// It does not only follow the process.
bool has_own(const ThreadView& thread) {
    const auto is_set = [](const KindView& kind) { return kind.state.asked.set; };
    return thread.state.asked.set || !thread.state.asked.readable ||
           std::any_of(thread.kinds.begin(), thread.kinds.end(), is_set);
}

void add_kinds(std::string& out, const ProcessView& view) {
    for (const KindView& kind : view.kinds) add_kind(out, "", kind);
}

void add_errors(std::string& out, const ProcessView& view) {
    for (const control::ErrorState& error : view.errors) {
        add(out, "error: {}: {}, {}, last at {}\n", error_sentence(error.code),
            errno_text(error.err), count_words(error.count, "time"), local_time(error.last_ns));
    }
}

}  // namespace

std::string render(const GetView& view) {
    std::string out;
    const ProcessView& process = view.process;
    const uint64_t generation = process.state.asked.generation;
    if (view.only_thread) {
        for (const ThreadView& thread : process.threads) {
            if (thread.tid != *view.only_thread) continue;
            add_thread(out, thread, generation);
            if (thread.state.asked.set) return out;
        }
        if (out.empty()) {
            add(out, "thread {}\n  policy:     follows the process; it has not allocated yet\n",
                *view.only_thread);
        }
    }
    add(out, "process {} ({})\n", process.pid, printable(process.comm));
    add_process_policy(out, process);
    if (view.only_thread) return out;
    add_heap(out, process);
    add_threads_summary(out, process);
    for (const ThreadView& thread : process.threads) {
        if (view.all_threads || has_own(thread)) add_thread(out, thread, generation);
    }
    add_kinds(out, process);
    add_errors(out, process);
    return out;
}

std::string render(const UncontrolledView& view) {
    std::string out;
    const std::string name =
        view.tid ? fmt::format("thread {}", *view.tid) : fmt::format("process {}", view.pid);
    add(out, "{} ({}) is not under mpol's allocator; the kernel tells:\n", name,
        printable(view.comm));
    add(out, "  task policy: {}\n", view.maps.task_policy);
    for (const auto& [policy, use] : view.maps.by_policy) {
        add(out, "  {}: {}", policy, count_words(use.ranges, "range"));
        for (const auto& [node, bytes] : use.bytes_by_node) {
            add(out, ", {} on node {}", bytes_words(bytes), node);
        }
        out += '\n';
    }
    out += "hint: to rewrite its policy, start it with: mpol run -- COMMAND\n";
    return out;
}

}  // namespace mpol::cli
