// SPDX-License-Identifier: Apache-2.0
#include "daemon/machine/machine_watch.h"

#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/inotify.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <optional>
#include <utility>
#include <vector>

#include "daemon/machine/cgroups.h"
#include "daemon/machine/uevents.h"
#include "policy/text.h"

namespace mpol::daemon {
namespace {

// An administrator's; the kernel tells nobody, but a write wakes inotify.
constexpr const char* kWeights = "/sys/kernel/mm/mempolicy/weighted_interleave";
constexpr uint64_t kTimerSlackUs = 5'000;

// Empty: this kernel has no such weights (before Linux 6.9).
Descriptor watch_weights() {
    Descriptor inotify(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    if (!inotify || ::inotify_add_watch(inotify.get(), kWeights, IN_MODIFY) < 0) return {};
    return inotify;
}

void drain_inotify(int fd) {
    alignas(inotify_event) char buffer[4096];
    // What is left wakes the loop again.
    (void)!::read(fd, buffer, sizeof(buffer));
}

}  // namespace

struct MachineWatch::Ears {
    explicit Ears(Handler handler_in) : handler(std::move(handler_in)) {}
    Ears(const Ears&) = delete;
    Ears& operator=(const Ears&) = delete;

    void open();
    int listen(sd_event* loop);
    int listen_to(sd_event* loop, int fd);
    void hear();

    static int on_event(sd_event_source* source, int fd, uint32_t events, void* opaque);
    static int on_settled(sd_event_source* source, uint64_t time, void* opaque);

    Handler handler;
    rules::Topology topology = rules::read_topology();
    std::string deaf_to;
    std::optional<UeventSocket> uevents;
    std::optional<CgroupWatch> cgroups;
    Descriptor weights;
    // Off while a burst settles, so that it wakes the loop once.
    std::vector<EventSource> sources;
    EventSource timer;
};

void MachineWatch::Ears::open() {
    const auto add_note = [&](const std::string& note) {
        deaf_to += (deaf_to.empty() ? "" : "; ") + note;
    };
    if (auto opened = UeventSocket::open()) {
        uevents.emplace(std::move(*opened));
    } else {
        add_note(opened.error().what);
    }
    if (auto opened = CgroupWatch::open()) {
        cgroups.emplace(std::move(*opened));
    } else {
        add_note(opened.error().what);
    }
    weights = watch_weights();
}

int MachineWatch::Ears::listen_to(sd_event* loop, int fd) {
    sd_event_source* source = nullptr;
    const int result = sd_event_add_io(loop, &source, fd, EPOLLIN, on_event, this);
    if (result >= 0) sources.emplace_back(source);
    return result;
}

int MachineWatch::Ears::listen(sd_event* loop) {
    sd_event_source* source = nullptr;
    int result = sd_event_add_time(loop, &source, CLOCK_MONOTONIC, UINT64_MAX, kTimerSlackUs,
                                   on_settled, this);
    if (result < 0) return result;
    timer.reset(source);
    sd_event_source_set_enabled(source, SD_EVENT_OFF);
    if (uevents) result = listen_to(loop, uevents->fd());
    if (result >= 0 && cgroups) result = listen_to(loop, cgroups->fd());
    if (result >= 0 && weights) result = listen_to(loop, weights.get());
    return result;
}

int MachineWatch::Ears::on_event(sd_event_source* source, int /*fd*/, uint32_t /*events*/,
                                 void* opaque) {
    auto* const self = static_cast<Ears*>(opaque);
    sd_event_source_set_enabled(source, SD_EVENT_OFF);
    int armed = SD_EVENT_OFF;
    sd_event_source_get_enabled(self->timer.get(), &armed);
    if (armed != SD_EVENT_OFF) return 0;
    sd_event_source_set_time_relative(self->timer.get(), kSettleMs * 1000);
    sd_event_source_set_enabled(self->timer.get(), SD_EVENT_ONESHOT);
    return 0;
}

int MachineWatch::Ears::on_settled(sd_event_source* /*source*/, uint64_t /*time*/, void* opaque) {
    static_cast<Ears*>(opaque)->hear();
    return 0;
}

void MachineWatch::Ears::hear() {
    MachineChange change;
    if (uevents) change.cpus = uevents->drain();
    if (cgroups) change.processes = cgroups->drain();
    if (weights) drain_inotify(weights.get());
    for (const EventSource& source : sources) {
        sd_event_source_set_enabled(source.get(), SD_EVENT_ON);
    }
    // After the draining: what changes from here on wakes the loop again.
    rules::Topology now = rules::read_topology();
    change.topology = !(now == topology);
    change.memory_came = now.has_memory - topology.has_memory;
    change.memory_gone = topology.has_memory - now.has_memory;
    topology = std::move(now);
    if (change.anything()) handler(change);
}

MachineWatch::MachineWatch(std::unique_ptr<Ears> ears) : ears_(std::move(ears)) {}
MachineWatch::MachineWatch(MachineWatch&&) noexcept = default;
MachineWatch& MachineWatch::operator=(MachineWatch&&) noexcept = default;
MachineWatch::~MachineWatch() = default;

control::Result<MachineWatch> MachineWatch::start(sd_event* loop, Handler handler) {
    auto ears = std::make_unique<Ears>(std::move(handler));
    ears->open();
    // What happened between the reading and the listening.
    ears->topology = rules::read_topology();
    const int result = ears->listen(loop);
    if (result < 0) {
        return tl::unexpected(control::fail(
            -result, fmt::format("the machine can't be watched: {}", std::strerror(-result))));
    }
    return MachineWatch(std::move(ears));
}

const rules::Topology& MachineWatch::topology() const {
    return ears_->topology;
}

const std::string& MachineWatch::deaf_to() const {
    return ears_->deaf_to;
}

bool MachineWatch::follow(pid_t pid) {
    return ears_->cgroups && ears_->cgroups->follow(pid);
}

void MachineWatch::forget(pid_t pid) {
    if (ears_->cgroups) ears_->cgroups->forget(pid);
}

std::string words_of(const MachineChange& change) {
    std::vector<std::string> words;
    if (!change.memory_came.empty()) {
        words.push_back(fmt::format("memory came on nodes {}", nodes_text(change.memory_came)));
    }
    if (!change.memory_gone.empty()) {
        words.push_back(fmt::format("memory went from nodes {}", nodes_text(change.memory_gone)));
    }
    if (change.topology && words.empty()) {
        words.emplace_back("distances, tiers, weights or CPUs of nodes are others");
    }
    if (change.cpus) words.emplace_back("CPUs came or went");
    if (!change.processes.empty()) {
        words.push_back(fmt::format("{} cpusets may be others", change.processes.size()));
    }
    return fmt::format("{}", fmt::join(words, ", "));
}

}  // namespace mpol::daemon
