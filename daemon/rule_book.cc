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

// Of a folder that does not exist, the nearest one above it that does: its entries tell when it
// does.
std::filesystem::path watched_path(const std::string& from) {
    std::error_code ignored;
    std::filesystem::path path = from;
    // Of a file the folder: editors put a new file in its place.
    if (!std::filesystem::is_directory(path, ignored)) path = path.parent_path();
    while (path.has_relative_path() && !std::filesystem::is_directory(path, ignored)) {
        path = path.parent_path();
    }
    return path.empty() ? "." : path;
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
    while (::read(fd, events, sizeof(events)) > 0) {
    }
    auto* const book = static_cast<RuleBook*>(opaque);
    book->settled_.set_at_ns(sys::monotonic_ns() + kSettleNs);
    return 0;
}

// The same folder as before keeps its watch.
void RuleBook::watch() {
    if (fail_point(FailPoint::kReloadWatch) != 0) return;
    if (inotify_) ::inotify_add_watch(inotify_.get(), watched_path(from_).c_str(), kChanges);
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
    auto set = std::make_shared<RuleSet>();
    (void)fail_point(FailPoint::kReloadCompile);
    // Who has written no rules has none.
    if (sources) set->compiled = rules::compile_sources(*sources, diagnostics);
    if (!diagnostics.empty()) return failed(EINVAL, all_errors(diagnostics));
    for (const rules::Rule& rule : set->compiled.rules) {
        set->names.push_back(
            std::make_shared<RuleName>(RuleName{rule.name, rule.file, rule.at.line}));
        set->scheduled = set->scheduled || !rule.schedule.empty();
    }
    (void)fail_point(FailPoint::kReloadSwap);
    error_.clear();
    loaded_ns_ = sys::realtime_ns();
    rules_ = std::move(set);
    return rules_->compiled.rules.size();
}

}  // namespace mpol::daemon
