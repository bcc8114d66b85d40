// SPDX-License-Identifier: Apache-2.0
#include "daemon/mpold.h"

#include <fmt/format.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <utility>

#include "daemon/api/socket.h"
#include "daemon/privilege.h"
#include "sys/fail_point.h"
#include "sys/sys.h"

namespace mpol::daemon {
namespace {

constexpr const char* kAtStart = "start";

// A line for whoever reads standard error; the journal takes the level off it.
void say(const char* level, const std::string& sentence) {
    fmt::print(stderr, "{}mpold: {}\n", ::getenv("JOURNAL_STREAM") != nullptr ? level : "",
               sentence);
    std::fflush(stderr);
}

// As sd_notify(3), which waits for a service manager that does not read: a status is not worth
// that.
void tell_in_passing(const std::string& text) {
    const char* const path = ::getenv("NOTIFY_SOCKET");
    const size_t length = path != nullptr ? std::strlen(path) : 0;
    sockaddr_un address{};
    if (length == 0 || length >= sizeof(address.sun_path)) return;
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path, length);
    if (path[0] == '@') address.sun_path[0] = '\0';
    const Descriptor socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    (void)::sendto(socket.get(), text.data(), text.size(), MSG_NOSIGNAL,
                   reinterpret_cast<const sockaddr*>(&address),
                   static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length));
}

control::Failure loop_failure(int err) {
    return control::fail(-err, fmt::format("no event loop can be had: {}", std::strerror(-err)));
}

}  // namespace

Mpold::Mpold(const Options& options, EventLoop loop, Descriptor folder, uint64_t descriptors)
    : options_(options),
      loop_(std::move(loop)),
      folder_(std::move(folder)),
      log_(loop_.get(), options.folder + "/log"),
      book_(loop_.get(), options.rules, ::geteuid(),
            [this](const std::string& error) { rules_read(error, "a change of the files"); }),
      keeper_(loop_.get(), book_, log_, descriptors) {}

control::Result<std::unique_ptr<Mpold>> Mpold::start(const Options& options) {
    auto folder = hold_folder(options.folder);
    if (!folder) return tl::unexpected(folder.error());
    sd_event* raw = nullptr;
    if (const int err = sd_event_new(&raw); err < 0) return tl::unexpected(loop_failure(err));
    const uint64_t descriptors = raise_descriptor_limit();
    raise_priority();
    std::unique_ptr<Mpold> mpold(
        new Mpold(options, EventLoop(raw), std::move(*folder), descriptors));
    if (const auto opened = mpold->open(); !opened) return tl::unexpected(opened.error());
    return mpold;
}

// Ears first, then a look around: nobody comes unseen in between.
control::Result<void> Mpold::open() {
    if (const auto heeded = heed_signals(); !heeded) return heeded;
    if (options_.bpf) open_events();
    if (!options_.bpf) events_note_ = options_.user ? "a user's daemon needs none" : "--no-bpf";
    auto machine = MachineWatch::start(
        loop_.get(), [this](const MachineChange& change) { machine_changed(change); });
    if (!machine) return tl::unexpected(machine.error());
    machine_.emplace(std::move(*machine));
    keeper_.set_machine(*machine_);
    auto door = Door::open(
        loop_.get(), options_.folder + "/" + kDoorSocket, 0666,
        [this](pid_t pid, Descriptor pidfd) {
            hear_events();  // Its exec came before its knock.
            keeper_.arrived(pid, std::move(pidfd));
        },
        [this] { keeper_.look_around_soon(); });
    if (!door) return tl::unexpected(door.error());
    if (const auto dropped = drop_privileges(); !dropped) return dropped;
    const auto read = book_.read();
    rules_read(read ? std::string() : read.error().what, kAtStart);
    door_.emplace(std::move(*door));
    keeper_.set_deaf_to_threads(!events_);
    desk_.emplace(keeper_, book_, log_,
                  Desk::Circumstances{options_.user, events_ ? "bpf" : "hello", events_note_},
                  [this](const std::string& by) { return reload(by); });
    auto server = Server::listen(loop_.get(), *desk_, options_.folder + "/" + kApiSocket,
                                 options_.user ? 0600 : 0666);
    if (!server) return tl::unexpected(server.error());
    server_.emplace(std::move(*server));
    keeper_.look_around();
    return {};
}

void Mpold::open_events() {
    // Ends are told by pidfds. A fork's child knocks, too: it has no need to be heard of at once.
    Wish wish;
    wish.kinds.erase(ProcessEventKind::kExit);
    wish.urgent = {ProcessEventKind::kExec, ProcessEventKind::kRename, ProcessEventKind::kMove};
    wish.followed_only = true;
    auto opened =
        ProcessEvents::open([this](const ProcessEvent& event) { keeper_.happened(event); }, wish);
    if (!opened) {
        events_note_ = opened.error().what;
        return;
    }
    events_.emplace(std::move(*opened));
    keeper_.on_following([this](pid_t pid, bool followed) { events_->follow(pid, followed); });
    sd_event_source* source = nullptr;
    if (sd_event_add_io(loop_.get(), &source, events_->fd(), EPOLLIN, on_events, this) >= 0) {
        events_source_.reset(source);
        sd_event_source_set_priority(source, SD_EVENT_PRIORITY_IMPORTANT);
    }
}

void Mpold::hear_events() {
    if (!events_) return;
    events_->dispatch();
    if (const uint64_t lost = events_->lost(); lost != events_lost_) {
        events_lost_ = lost;
        keeper_.look_around();
    }
}

void Mpold::machine_changed(const MachineChange& change) {
    keeper_.machine_changed(change, machine_->topology());
    if (!change.topology && !change.cpus) return;
    LogEntry entry;
    entry.event = "machine";
    entry.by = "kernel";
    entry.why = words_of(change);
    log_.add(std::move(entry));
}

int Mpold::on_events(sd_event_source*, int, uint32_t, void* opaque) {
    static_cast<Mpold*>(opaque)->hear_events();
    return 0;
}

control::Result<void> Mpold::heed_signals() {
    sigset_t signals;
    sigemptyset(&signals);
    for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, signal);
    ::sigprocmask(SIG_BLOCK, &signals, nullptr);
    ::signal(SIGPIPE, SIG_IGN);
    sd_event_source* source = nullptr;
    int err = sd_event_add_signal(loop_.get(), &source, SIGHUP, on_reload, this);
    reload_source_.reset(source);
    // Without a handler they end the loop.
    for (const int signal : {SIGTERM, SIGINT}) {
        if (err >= 0) err = sd_event_add_signal(loop_.get(), nullptr, signal, nullptr, nullptr);
    }
    if (err < 0) return tl::unexpected(loop_failure(err));
    return {};
}

int Mpold::on_reload(sd_event_source*, const signalfd_siginfo* info, void* opaque) {
    auto* const mpold = static_cast<Mpold*>(opaque);
    (void)mpold->reload(fmt::format("SIGHUP of pid {}", info->ssi_pid));
    return 0;
}

control::Result<uint64_t> Mpold::reload(const std::string& by) {
    sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu",
               static_cast<unsigned long long>(sys::monotonic_ns() / 1000));
    auto count = book_.read();
    (void)fail_point(sys::FailPoint::kReloadTell);
    rules_read(count ? std::string() : count.error().what, by);
    sd_notify(0, "READY=1");
    return count;
}

void Mpold::rules_read(const std::string& error, const std::string& by) {
    LogEntry entry;
    entry.event = error.empty() ? "reload" : "reload failed";
    entry.by = by;
    entry.why = error;
    if (error.empty()) {
        entry.to = fmt::format("{} rules", book_.rules()->compiled.rules.size());
        keeper_.look_again();
    } else {
        say(SD_ERR, fmt::format("{}:\n{}",
                                by == kAtStart ? "there are no rules"
                                               : "the rules from before stay in force",
                                error));
    }
    log_.add(std::move(entry));
    tell_status();
}

void Mpold::tell_status() const {
    tell_in_passing(
        fmt::format("STATUS={} rules{}; events: {}", book_.rules()->compiled.rules.size(),
                    book_.error().empty() ? "" : " (the files on disk are wrong: mpol rules check)",
                    events_ ? "bpf" : "hello"));
}

int Mpold::run() {
    sd_event_set_watchdog(loop_.get(), 1);
    if (!machine_->deaf_to().empty()) say(SD_INFO, machine_->deaf_to());
    say(SD_INFO, fmt::format("ready: {} rules from {}, sockets in {}, events: {}",
                             book_.rules()->compiled.rules.size(), options_.rules, options_.folder,
                             events_ ? "bpf" : fmt::format("hello ({})", events_note_)));
    sd_notify(0, "READY=1");
    const int status = sd_event_loop(loop_.get());
    sd_notify(0, "STOPPING=1");
    return status < 0 ? 1 : 0;
}

}  // namespace mpol::daemon
