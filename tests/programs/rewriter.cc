// SPDX-License-Identifier: Apache-2.0
// Rewrites the policy of every descendant of a process, again and again, until standard input ends;
// then prints one JSON object that says what was done and what the targets made of it.
//
//   rewriter ROOT_PID INTERVAL_MS [kinds]
//
// A process is rewritten when it is first seen and every INTERVAL_MS from then on, with each
// policy that this machine allows in turn; at every second turn one of its threads gets, changes
// or loses a policy of its own. With `kinds`, so do its large allocations, its stacks and its own
// mappings, one of them at each turn. Processes without a segment are left alone, ROOT_PID too.
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "control/attach.h"
#include "control/proc.h"
#include "policy/text.h"
#include "sys/sys.h"

namespace {

using namespace mpol;
using control::Access;
using control::Target;

// Short programs live for a fraction of the interval, so processes are looked for more often.
constexpr int kScansPerInterval = 5;
constexpr int kScanMsMin = 5;
// A writer's lock is held for microseconds; this only bounds a mistake.
constexpr int kLockTimeoutMs = 1000;
constexpr uint64_t kLargeBytes = 64 << 10;

using Asked = std::optional<Policy>;  // nullopt: unset

// One of each kind that the machine's nodes allow.
std::vector<Asked> policies_for(const NodeMask& nodes) {
    std::vector<Asked> all;
    for (unsigned node = nodes.first(); node < kMaxNodes; node = nodes.next(node + 1)) {
        all.push_back(Policy{.mode = Mode::kBind, .nodes = NodeMask::of(node)});
        all.push_back(Policy{.mode = Mode::kInterleave, .nodes = nodes});
        all.push_back(Policy{.mode = Mode::kPreferred, .nodes = NodeMask::of(node)});
        all.push_back(std::nullopt);
    }
    all.push_back(Policy{.mode = Mode::kLocal});
    all.push_back(Policy{.mode = Mode::kPreferredMany, .nodes = nodes});
    return all;
}

// A publication whose acknowledgement is still to come.
struct Pending {
    Target target;
    uint64_t generation;
    std::optional<unsigned> slot;  // empty: the process's policy
};

// Pids recycle: when the process with that pid was seen, CLOCK_MONOTONIC.
struct Life {
    pid_t pid;
    uint64_t first_ns;
    uint64_t last_ns;
};

struct Watched {
    uint64_t turn = 0;
    uint64_t due_ns = 0;
    std::optional<Life> life;  // empty: it was never rewritten
    std::string name;
    std::vector<Pending> pending;
};

struct Totals {
    uint64_t published = 0;
    uint64_t acknowledged = 0;
    uint64_t thread_published = 0;
    uint64_t thread_acknowledged = 0;
    uint64_t kind_published = 0;
    std::vector<Life> processes;
    std::map<std::string, uint64_t> refused;   // errno of an application, with the policy
    std::map<std::string, uint64_t> recorded;  // distinct errors of the segments, with a process
};

pid_t parent_of(pid_t pid) {
    FILE* const file = std::fopen(fmt::format("/proc/{}/stat", pid).c_str(), "re");
    if (file == nullptr) return 0;
    char line[512] = {};
    const size_t size = std::fread(line, 1, sizeof(line) - 1, file);
    std::fclose(file);
    const std::string text(line, size);
    const size_t name_end = text.rfind(')');  // A program may have any name.
    if (name_end == std::string::npos || name_end + 4 >= text.size()) return 0;
    return std::atoi(text.c_str() + name_end + 4);
}

std::string name_of(pid_t pid) {
    char name[64] = {};
    if (FILE* const file = std::fopen(fmt::format("/proc/{}/comm", pid).c_str(), "re")) {
        const size_t size = std::fread(name, 1, sizeof(name) - 1, file);
        std::fclose(file);
        return {name, size > 0 ? size - 1 : 0};
    }
    return "?";
}

std::vector<pid_t> descendants_of(pid_t root) {
    std::map<pid_t, std::vector<pid_t>> children;
    for (const pid_t pid : control::all_processes()) children[parent_of(pid)].push_back(pid);
    std::vector<pid_t> found = children[root];
    for (size_t i = 0; i < found.size(); ++i) {
        const std::vector<pid_t>& below = children[found[i]];
        found.insert(found.end(), below.begin(), below.end());
    }
    return found;
}

class Rewriter {
  public:
    Rewriter(pid_t root, uint64_t interval_ns, std::vector<Asked> policies, bool kinds)
        : root_(root), interval_ns_(interval_ns), policies_(std::move(policies)), kinds_(kinds) {}

    void scan() {
        const std::vector<pid_t> living = descendants_of(root_);
        for (const pid_t pid : living) {
            if (pid != ::getpid()) visit(pid);
        }
        const uint64_t now = sys::monotonic_ns();
        for (auto at = watched_.begin(); at != watched_.end();) {
            const bool alive = std::find(living.begin(), living.end(), at->first) != living.end();
            if (at->second.life) at->second.life->last_ns = now;
            if (!alive) end(at->second);
            at = alive ? std::next(at) : watched_.erase(at);
        }
    }

    [[nodiscard]] nlohmann::json report() {
        for (auto& [pid, watched] : watched_) end(watched);
        nlohmann::json processes = nlohmann::json::array();
        for (const Life& life : totals_.processes) {
            processes.push_back({{"pid", life.pid},
                                 {"first_s", static_cast<double>(life.first_ns) / 1e9},
                                 {"last_s", static_cast<double>(life.last_ns) / 1e9}});
        }
        return {{"processes", processes},
                {"published", totals_.published},
                {"acknowledged", totals_.acknowledged},
                {"thread_published", totals_.thread_published},
                {"thread_acknowledged", totals_.thread_acknowledged},
                {"kind_published", totals_.kind_published},
                {"refused", totals_.refused},
                {"recorded", totals_.recorded}};
    }

  private:
    void end(Watched& watched) {
        collect(watched);  // The mapping outlives the process.
        if (watched.life) totals_.processes.push_back(*watched.life);
    }

    void visit(pid_t pid) {
        Watched& watched = watched_[pid];
        collect(watched);
        const uint64_t now = sys::monotonic_ns();
        if (now < watched.due_ns) return;
        // Anew each time: an exec leaves the old segment to nobody.
        control::Result<Target> target = Target::attach(pid, Access::kWrite);
        if (!target) return;
        watched.due_ns = now + interval_ns_;
        watched.name = name_of(pid);
        watched.pending.clear();  // What was not acknowledged for a whole interval.
        if (!watched.life) watched.life = Life{pid, now, now};
        rewrite(*target, watched);
    }

    void rewrite(Target& target, Watched& watched) {
        const uint64_t turn = watched.turn++;
        const Asked& asked = policies_[turn % policies_.size()];
        if (const auto generation = target.publish_process(asked, kLockTimeoutMs)) {
            ++totals_.published;
            remember(watched, target.pid(), *generation, std::nullopt);
        }
        if (kinds_) rewrite_kind(target, turn);
        if (turn % 2 == 0) return;
        const std::vector<control::ThreadState> threads = target.threads();
        if (threads.empty()) return;
        const unsigned slot = threads[turn / 2 % threads.size()].slot;
        const Asked& other = policies_[(turn / 2 + 1) % policies_.size()];
        if (const auto generation = target.publish_thread(slot, other, kLockTimeoutMs)) {
            ++totals_.thread_published;
            remember(watched, target.pid(), *generation, slot);
        }
    }

    void rewrite_kind(Target& target, uint64_t turn) {
        const control::KindName kinds[] = {
            {MPOL_CTL_KIND_MMAP}, {MPOL_CTL_KIND_LARGE, kLargeBytes}, {MPOL_CTL_KIND_STACK}};
        const Asked& asked = policies_[(turn / 3 + 2) % policies_.size()];
        if (target.publish_kind(kinds[turn % 3], asked, false, kLockTimeoutMs)) {
            ++totals_.kind_published;
        }
    }

    static void remember(Watched& watched, pid_t pid, uint64_t generation,
                         std::optional<unsigned> slot) {
        if (auto target = Target::attach(pid, Access::kRead)) {
            watched.pending.push_back({std::move(*target), generation, slot});
        }
    }

    void collect(Watched& watched) {
        std::erase_if(watched.pending, [&](const Pending& pending) {
            const bool done = pending.slot ? thread_done(pending, watched.name)
                                           : process_done(pending, watched.name);
            if (done) note_errors(pending.target, watched.name);
            return done;
        });
    }

    bool process_done(const Pending& pending, const std::string& name) {
        const control::ProcessState state = pending.target.process();
        if (state.applied < pending.generation) return false;
        ++totals_.acknowledged;
        note_refusal(name, state.applied_errno, state.asked);
        return true;
    }

    bool thread_done(const Pending& pending, const std::string& name) {
        const auto state = pending.target.thread(*pending.slot);
        if (!state) return true;  // It has exited.
        if (state->applied < pending.generation) return false;
        ++totals_.thread_acknowledged;
        note_refusal(name, state->applied_errno, state->asked);
        return true;
    }

    void note_refusal(const std::string& name, int err, const control::Published& asked) {
        if (err == 0) return;
        const std::string text = asked.set ? policy_text(asked.policy) : "unset";
        ++totals_.refused[fmt::format("{}: errno {} for {}", name, err, text)];
    }

    void note_errors(const Target& target, const std::string& name) {
        for (const control::ErrorState& error : target.errors()) {
            ++totals_.recorded[fmt::format("{}: error {} errno {}", name,
                                           static_cast<int>(error.code), error.err)];
        }
    }

    pid_t root_;
    uint64_t interval_ns_;
    std::vector<Asked> policies_;
    bool kinds_;
    std::map<pid_t, Watched> watched_;
    Totals totals_;
};

bool input_ended(int timeout_ms) {
    pollfd input{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
    char byte = 0;
    return ::poll(&input, 1, timeout_ms) > 0 && ::read(STDIN_FILENO, &byte, 1) <= 0;
}

}  // namespace

int main(int argc, char** argv) {
    const bool kinds = argc == 4 && std::string_view(argv[3]) == "kinds";
    const bool complete = argc == 3 || kinds;
    const int root = complete ? std::atoi(argv[1]) : 0;
    const int interval_ms = complete ? std::atoi(argv[2]) : 0;
    if (root <= 0 || interval_ms <= 0) {
        fmt::print(stderr, "usage: rewriter ROOT_PID INTERVAL_MS [kinds]\n");
        return 2;
    }
    const std::optional<NodeMask> nodes = control::mems_allowed(::getpid());
    if (!nodes) {
        fmt::print(stderr, "rewriter: can't read the memory nodes that it may use\n");
        return 1;
    }
    Rewriter rewriter(root, static_cast<uint64_t>(interval_ms) * 1'000'000, policies_for(*nodes),
                      kinds);
    while (!input_ended(std::max(interval_ms / kScansPerInterval, kScanMsMin))) rewriter.scan();
    rewriter.scan();
    fmt::print("{}\n", rewriter.report().dump());
    return 0;
}
