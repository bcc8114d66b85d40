// SPDX-License-Identifier: Apache-2.0
#include "numa/live.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <utility>

#include "control/numa_maps.h"
#include "policy/text.h"
#include "sys/sys.h"

namespace mpol::bench {
namespace {

constexpr int kApplyMs = 2'000;
constexpr int kAttachMs = 10'000;
constexpr uint64_t kSampleNs = 50'000'000;  // 20 points a second are a smooth line

void sleep_ns(uint64_t ns) {
    const timespec pause{static_cast<time_t>(ns / 1'000'000'000),
                         static_cast<long>(ns % 1'000'000'000)};
    ::nanosleep(&pause, nullptr);
}

[[noreturn]] void become(const std::vector<std::string>& command, const std::string& library,
                         bool quiet, int report) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    const char* const before = std::getenv("LD_PRELOAD");
    const std::string preload = before != nullptr ? library + ":" + before : library;
    ::setenv("LD_PRELOAD", preload.c_str(), 1);
    if (quiet) {
        const int null = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
        ::dup2(null, STDOUT_FILENO);
    }
    std::vector<char*> words;
    for (const std::string& word : command) words.push_back(const_cast<char*>(word.c_str()));
    words.push_back(nullptr);
    ::execvp(words[0], words.data());
    const int err = errno;
    (void)!::write(report, &err, sizeof(err));
    ::_exit(127);
}

}  // namespace

control::Result<Program> Program::start(const std::vector<std::string>& command,
                                        const std::string& library, bool quiet) {
    int report[2];  // Closed by exec; else errno comes through it.
    if (::pipe2(report, O_CLOEXEC) != 0) return tl::unexpected(control::fail(errno, "no pipe"));
    Program out;
    out.pid_ = ::fork();
    if (out.pid_ == 0) become(command, library, quiet, report[1]);
    ::close(report[1]);
    int err = 0;
    const bool failed = ::read(report[0], &err, sizeof(err)) == sizeof(err);
    ::close(report[0]);
    if (failed) {
        return tl::unexpected(
            control::fail(err, fmt::format("can't run '{}': {}", command[0], std::strerror(err))));
    }
    out.pidfd_ = static_cast<int>(::syscall(SYS_pidfd_open, out.pid_, 0));
    return out;
}

Program::Program(Program&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      pidfd_(std::exchange(other.pidfd_, -1)),
      status_(other.status_),
      ended_(other.ended_) {}

Program::~Program() {
    if (pid_ > 0 && !ended_) {
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
    }
    if (pidfd_ >= 0) ::close(pidfd_);
}

control::Result<control::Target> Program::attach(int timeout_ms) const {
    // The library announces itself to nobody: looked for until it is there.
    const uint64_t end = sys::monotonic_ns() + static_cast<uint64_t>(timeout_ms) * 1'000'000;
    for (;;) {
        auto target = control::Target::attach(pid_, control::Access::kWrite);
        pollfd gone{pidfd_, POLLIN, 0};
        if (target || sys::monotonic_ns() > end || ::poll(&gone, 1, 1) == 1) return target;
    }
}

bool Program::wait_end(int timeout_ms) {
    pollfd gone{pidfd_, POLLIN, 0};
    if (!ended_ && ::poll(&gone, 1, timeout_ms) == 1) {
        ended_ = ::waitpid(pid_, &status_, 0) == pid_;
    }
    return ended_;
}

void run_renewing() {
    constexpr size_t kBlocks = 48;
    constexpr size_t kBlock = size_t{1} << 20;
    constexpr size_t kPage = 4096;
    constexpr uint64_t kRenewNs = 10'000'000;  // all of it within half a second
    void* blocks[kBlocks];
    for (void*& block : blocks) {
        block = std::aligned_alloc(kPage, kBlock);
        if (block == nullptr) std::exit(1);
        std::memset(block, 1, kBlock);
    }
    for (size_t next = 0;; next = (next + 1) % kBlocks) {
        // Given back to the kernel and faulted anew; what is only freed comes back with its pages.
        ::madvise(blocks[next], kBlock, MADV_DONTNEED);
        std::memset(blocks[next], 1, kBlock);
        sleep_ns(kRenewNs);
    }
}

namespace {

// MiB of private memory on each node, as the kernel counts them.
std::vector<double> private_mib(pid_t pid, const std::vector<unsigned>& nodes) {
    std::vector<double> out(nodes.size());
    std::ifstream file(fmt::format("/proc/{}/numa_maps", pid));
    for (std::string text; std::getline(file, text);) {
        const auto line = control::parse_numa_maps_line(text);
        if (!line || line->rest.find("file=") != std::string::npos) continue;
        for (size_t i = 0; i < nodes.size(); ++i) {
            const auto found = line->pages.find(nodes[i]);
            if (found == line->pages.end()) continue;
            out[i] += static_cast<double>(found->second * line->page_bytes) / (1 << 20);
        }
    }
    return out;
}

class Watcher {
  public:
    Watcher(const Program& program, LiveTimeline& to) : program_(program), to_(to) {}

    [[nodiscard]] double now() const {
        return static_cast<double>(sys::monotonic_ns() - begin_) / 1e9;
    }
    void sample_for(uint64_t ns) {
        const uint64_t end = sys::monotonic_ns() + ns;
        while (sys::monotonic_ns() < end) {
            to_.seconds.push_back(now());
            to_.mib.push_back(private_mib(program_.pid(), to_.nodes));
            sleep_ns(kSampleNs);
        }
    }

  private:
    const Program& program_;
    LiveTimeline& to_;
    uint64_t begin_ = sys::monotonic_ns();
};

control::Result<double> apply(control::Target& target, const Change& change) {
    const uint64_t begin = sys::monotonic_ns();
    const auto generation = target.publish_process(change.policy, kApplyMs);
    if (!generation) return tl::unexpected(generation.error());
    if (!target.wait_process(*generation, kApplyMs)) {
        return tl::unexpected(
            control::fail(ETIMEDOUT, fmt::format("{} did not come into force", change.name)));
    }
    const double us = static_cast<double>(sys::monotonic_ns() - begin) / 1e3;
    if (!change.migrate) return us;
    // It goes on by itself while samples are taken.
    const auto migration = target.start_migration({}, kApplyMs);
    if (!migration) return tl::unexpected(migration.error());
    return us;
}

Policy policy_of(Mode mode, const NodeMask& nodes) {
    Policy policy;
    policy.mode = mode;
    policy.nodes = nodes;
    return policy;
}

}  // namespace

std::vector<Change> changes_to_show(const Topology& topology) {
    const NodeMask all = topology.memory_nodes;
    const unsigned last = all.end() - 1;
    const NodeMask first = NodeMask::of(all.first());
    std::vector<Policy> policies = {policy_of(Mode::kBind, NodeMask::of(last)),
                                    policy_of(Mode::kInterleave, all)};
    if (all.weight() > 1) {
        Policy weighted = policy_of(Mode::kWeightedInterleave, all);
        weighted.weight_source = WeightSource::kGiven;
        const unsigned count = std::min(all.weight(), kWeightedNodesMax);
        for (unsigned i = 0; i < count; ++i) weighted.weights[i] = static_cast<uint8_t>(count - i);
        if (all.weight() <= kWeightedNodesMax) policies.push_back(weighted);
    }
    policies.push_back(policy_of(Mode::kBind, first));
    std::vector<Change> out;
    for (const Policy& policy : policies) out.push_back({policy_text(policy), policy, false});
    out.back().migrate = true;
    out.back().name += ", and migrate";
    return out;
}

control::Result<LiveTimeline> watch_changes(const std::vector<std::string>& subject,
                                            const std::string& library,
                                            const std::vector<Change>& changes,
                                            const Topology& topology, uint64_t slot_ns) {
    auto program = Program::start(subject, library, true);
    if (!program) return tl::unexpected(program.error());
    auto target = program->attach(kAttachMs);
    if (!target) return tl::unexpected(target.error());
    LiveTimeline out;
    for (const auto& [node, bytes] : topology.memory_bytes) out.nodes.push_back(node);
    Watcher watcher(*program, out);
    watcher.sample_for(slot_ns);
    for (const Change& change : changes) {
        out.changes.emplace_back(watcher.now(), change.name);
        const auto latency_us = apply(*target, change);
        if (!latency_us) return tl::unexpected(latency_us.error());
        out.latency_us.push_back(*latency_us);
        watcher.sample_for(slot_ns);
    }
    return out;
}

}  // namespace mpol::bench
