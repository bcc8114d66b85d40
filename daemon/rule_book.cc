// SPDX-License-Identifier: Apache-2.0
#include "daemon/rule_book.h"

#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/inotify.h>

#include <cerrno>
#include <filesystem>
#include <utility>

#include "daemon/rules/load.h"
#include "sys/fail_point.h"
#include "sys/sys.h"

namespace mpol::daemon {

using sys::FailPoint;

namespace {

// An editor writes a file in several steps; a package installs several files.
constexpr uint64_t kSettleNs = 100'000'000;
constexpr uint32_t kChanges = IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ATTRIB |
                              IN_DELETE_SELF | IN_MOVE_SELF | IN_CREATE;

struct Watched {
    std::filesystem::path folder;
    std::string entry;  // empty: every rule file in it
};

// Of a file the folder: editors put a new file in its place. Of a folder that does not exist, the
// nearest one above it that does: its entry tells when it does.
Watched watched_by(const std::string& from) {
    std::error_code ignored;
    Watched watched{from, {}};
    while (watched.folder.has_relative_path() &&
           !std::filesystem::is_directory(watched.folder, ignored)) {
        watched.entry = watched.folder.filename();
        watched.folder = watched.folder.parent_path();
    }
    if (watched.folder.empty()) watched.folder = ".";
    return watched;
}

std::string all_errors(const rules::Diagnostics& diagnostics) {
    std::string text;
    for (const rules::Diagnostic& one : diagnostics.list) text += rules::render(one);
    if (diagnostics.left_out > 0) text += fmt::format("and {} more\n", diagnostics.left_out);
    if (!text.empty()) text.pop_back();
    return text;
}

}  // namespace

RuleBook::RuleBook(sd_event* loop, std::string from, uid_t owner,
                   std::function<void(const std::string&)> changed)
    : from_(std::move(from)),
      owner_(owner),
      changed_(std::move(changed)),
      inotify_(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)),
      settled_(loop, CLOCK_MONOTONIC, [this] {
          const auto read_again = read();
          changed_(read_again ? std::string() : read_again.error().what);
      }) {
    sd_event_source* source = nullptr;
    if (inotify_ && sd_event_add_io(loop, &source, inotify_.get(), EPOLLIN, on_change, this) >= 0) {
        source_.reset(source);
    }
}

int RuleBook::on_change(sd_event_source*, int fd, uint32_t, void* opaque) {
    alignas(inotify_event) char events[4096];
    auto* const book = static_cast<RuleBook*>(opaque);
    bool changed = false;
    for (ssize_t size = 1; (size = ::read(fd, events, sizeof(events))) > 0;) {
        for (const char* at = events; at < events + size;) {
            const auto* const event = reinterpret_cast<const inotify_event*>(at);
            changed = changed || book->concerns(event->mask, event->len > 0 ? event->name : "");
            at += sizeof(*event) + event->len;
        }
    }
    if (changed) book->settled_.set_at_ns(sys::monotonic_ns() + kSettleNs);
    return 0;
}

// The folder may be that of the daemon's sockets and log, or any other that much happens in.
bool RuleBook::concerns(uint32_t mask, std::string_view name) const {
    if ((mask & IN_Q_OVERFLOW) != 0) return true;
    if ((mask & IN_IGNORED) != 0) return false;
    return name.empty() || (entry_.empty() ? name.ends_with(".toml") : name == entry_);
}

// The same folder as before keeps its watch.
void RuleBook::watch() {
    if (!inotify_ || fail_point(FailPoint::kReloadWatch) != 0) return;
    auto [folder, entry] = watched_by(from_);
    const int watched = ::inotify_add_watch(inotify_.get(), folder.c_str(), kChanges);
    if (watched_ >= 0 && watched != watched_) ::inotify_rm_watch(inotify_.get(), watched_);
    watched_ = watched;
    entry_ = std::move(entry);
}

control::Result<uint64_t> RuleBook::failed(int err, std::string what) {
    error_ = std::move(what);
    return tl::unexpected(control::fail(err, error_, "the rules from before stay in force"));
}

control::Result<uint64_t> RuleBook::read() {
    (void)fail_point(FailPoint::kReloadBegin);
    watch();  // First: what changes while the files are read is seen.
    auto sources = rules::read_sources(from_, owner_);
    if (!sources && sources.error().err != ENOENT) {
        const rules::LoadFailure& failure = sources.error();
        return failed(failure.err, fmt::format("{}: {}", failure.path, failure.what));
    }
    rules::Diagnostics diagnostics;
    rules::CompiledRules compiled;
    (void)fail_point(FailPoint::kReloadCompile);
    // Who has written no rules has none.
    if (sources) compiled = rules::compile_sources(*sources, diagnostics);
    if (!diagnostics.empty()) return failed(EINVAL, all_errors(diagnostics));
    (void)fail_point(FailPoint::kReloadSwap);
    error_.clear();
    loaded_ns_ = sys::realtime_ns();
    rules_ = std::make_shared<RuleSet>(rule_set_of(std::move(compiled)));
    return rules_->compiled.rules.size();
}

}  // namespace mpol::daemon
