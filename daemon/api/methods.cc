// SPDX-License-Identifier: Apache-2.0
#include "daemon/api/methods.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <limits>
#include <memory>
#include <string_view>
#include <utility>

#include "daemon/api/access.h"
#include "daemon/api/interface.h"
#include "daemon/api/parameters.h"

namespace mpol::daemon {
namespace {

struct Question {
    Service& service;
    const Caller& caller;
    const Call& call;
};

Reply failure(const control::Failure& failure, pid_t pid = 0) {
    const std::string prefix = std::string(kInterface) + ".";
    if (failure.err == EPERM || failure.err == EACCES) return permission_denied();
    if (failure.err == ESRCH && pid != 0) return {{{"pid", pid}}, false, prefix + "NotAttached"};
    const char* const name = ::strerrorname_np(failure.err);
    return {
        {{"errno", name != nullptr ? name : ""}, {"message", failure.what}, {"hint", failure.hint}},
        false,
        prefix + "Failed"};
}

// --- io.mpol.Daemon

Replies status(const Question& question) {
    if (const auto bad = refuse_unknown(question.call, {})) return *bad;
    return Reply{{{"status", to_wire(question.service.status())}}};
}

// Rows that one reply may hold of those above a pid, and the pid to go on from.
class ProcessPages {
  public:
    ProcessPages(Service& service, const Caller& caller) : service_(service), caller_(caller) {}

    // Empty: these were all.
    std::vector<AttachedProcess> next() {
        std::vector<AttachedProcess> rows = service_.processes(above_, kPageRows);
        if (rows.empty()) return rows;
        above_ = rows.back().pid;
        std::erase_if(rows, [&](const AttachedProcess& row) {
            return !may_reach(caller_, row.pid, row.uid);
        });
        return rows;
    }
    [[nodiscard]] bool at_end() const { return service_.processes(above_, 1).empty(); }

  private:
    Service& service_;
    Caller caller_;
    pid_t above_ = 0;
};

Replies list(const Question& question) {
    if (const auto bad = refuse_unknown(question.call, {})) return *bad;
    if (!question.call.more) return expected_more();
    return Pages([pages = ProcessPages(question.service, question.caller)]() mutable {
        const Json rows = to_wire(pages.next());
        return Reply{{{"processes", rows}}, !pages.at_end()};
    });
}

// The process that a call names, when the caller may reach it.
std::optional<Reply> refuse_process(const Question& question, pid_t pid) {
    const auto process = question.service.process(pid);
    if (!process) return failure(process.error(), pid);
    if (!may_reach(question.caller, pid, process->uid)) return permission_denied();
    return std::nullopt;
}

Replies explain(const Question& question) {
    pid_t pid = 0;
    if (const auto bad = refuse_unknown(question.call, {"pid"})) return *bad;
    if (const auto bad = read_pid(question.call, pid)) return *bad;
    if (pid == 0) return invalid_parameter("pid");
    if (const auto bad = refuse_process(question, pid)) return *bad;
    const auto account = question.service.explain(pid);
    if (!account) return failure(account.error(), pid);
    return Reply{{{"account", to_wire(*account)}}};
}

// What is done to one process, or to all that the caller may reach.
template <class Done>
struct Deed {
    const char* answer;  // the reply's member
    control::Result<std::vector<Done>> (Service::*run)(pid_t pid, const Caller& caller);
};

// A page's processes in one turn of the loop. One that can't be reached now is told among the rest.
template <class Done>
std::vector<Done> page_of(Service& service, const Caller& caller, ProcessPages& pages,
                          const Deed<Done>& deed) {
    std::vector<Done> out;
    for (const AttachedProcess& process : pages.next()) {
        auto done = (service.*deed.run)(process.pid, caller);
        if (done) {
            std::move(done->begin(), done->end(), std::back_inserter(out));
        } else if (done.error().err != ESRCH) {
            Done failed;
            failed.pid = process.pid;
            failed.comm = process.comm;
            failed.why = done.error().what;
            out.push_back(std::move(failed));
        }
    }
    return out;
}

template <class Done>
Replies do_to_one_or_all(const Question& question, const Deed<Done>& deed) {
    pid_t pid = 0;
    if (const auto bad = refuse_unknown(question.call, {"pid"})) return *bad;
    if (const auto bad = read_pid(question.call, pid)) return *bad;
    if (pid != 0) {
        if (const auto bad = refuse_process(question, pid)) return *bad;
        const auto done = (question.service.*deed.run)(pid, question.caller);
        if (!done) return failure(done.error(), pid);
        return Reply{{{deed.answer, to_wire(*done)}}};
    }
    if (!question.call.more) return expected_more();
    return Pages([&service = question.service, caller = question.caller, deed,
                  pages = ProcessPages(question.service, question.caller)]() mutable {
        const Json done = to_wire(page_of(service, caller, pages, deed));
        return Reply{{{deed.answer, done}}, !pages.at_end()};
    });
}

Replies undo(const Question& question) {
    return do_to_one_or_all(question, Deed<Undone>{"undone", &Service::undo});
}

Replies apply(const Question& question) {
    return do_to_one_or_all(question, Deed<Applied>{"applied", &Service::apply});
}

Replies reload(const Question& question) {
    if (const auto bad = refuse_unknown(question.call, {})) return *bad;
    if (!may_manage(question.caller)) return permission_denied();
    const auto rules = question.service.reload(question.caller);
    if (!rules) return failure(rules.error());
    return Reply{{{"rules", *rules}}};
}

// Goes through the log by sequence, so that the log itself is the only queue, however slow the
// client.
class LogPages {
  public:
    LogPages(Service& service, const Caller& caller, uint64_t first, bool follow)
        : service_(service), caller_(caller), next_(first), follow_(follow) {}

    std::optional<Reply> next() {
        std::vector<LogEntry> entries = service_.log(next_, kPageRows);
        if (entries.empty() && told_end_) return std::nullopt;
        uint64_t lost = 0;
        if (!entries.empty()) {
            lost = entries.front().sequence - next_;
            next_ = entries.back().sequence + 1;
        }
        const bool at_end = service_.log(next_, 1).empty();
        told_end_ = follow_ && entries.empty();
        std::erase_if(entries,
                      [&](const LogEntry& entry) { return !may_reach(caller_, entry.uid); });
        return Reply{{{"entries", to_wire(entries)}, {"lost", lost}}, follow_ || !at_end};
    }

  private:
    Service& service_;
    Caller caller_;
    uint64_t next_;
    bool follow_;
    bool told_end_ = false;
};

Replies log(const Question& question) {
    constexpr uint64_t kAll = std::numeric_limits<int64_t>::max();
    bool follow = false;
    uint64_t count = kAll;
    if (const auto bad = refuse_unknown(question.call, {"count", "follow"})) return *bad;
    if (const auto bad = read_parameter(question.call, "follow", follow)) return *bad;
    if (const auto bad = read_parameter(question.call, "count", count)) return *bad;
    if (!question.call.more && (follow || count > kPageRows)) return expected_more();
    const DaemonStatus status = question.service.status();
    const uint64_t oldest = std::max<uint64_t>(status.log_first, 1);
    const uint64_t first = std::max(oldest, status.log_last + 1 - std::min(count, status.log_last));
    return Pages([pages = LogPages(question.service, question.caller, first, follow)]() mutable {
        return pages.next();
    });
}

// --- org.varlink.service

Replies get_info(const Question& question) {
    if (const auto bad = refuse_unknown(question.call, {})) return *bad;
    return Reply{{{"vendor", "mpol"},
                  {"product", "mpold"},
                  {"version", question.service.status().version},
                  {"url", "https://varlink.org/Service"},
                  {"interfaces", {kServiceInterface, kInterface}}}};
}

Replies get_interface_description(const Question& question) {
    std::string interface;
    if (const auto bad = refuse_unknown(question.call, {"interface"})) return *bad;
    if (const auto bad = read_parameter(question.call, "interface", interface)) return *bad;
    const std::string_view description = interface_description(interface);
    if (description.empty()) return interface_not_found(interface);
    return Reply{{{"description", description}}};
}

struct Method {
    std::string_view interface;
    std::string_view name;
    Replies (*run)(const Question&);
};
constexpr Method kMethods[] = {
    {kServiceInterface, "GetInfo", get_info},
    {kServiceInterface, "GetInterfaceDescription", get_interface_description},
    {kInterface, "Status", status},
    {kInterface, "List", list},
    {kInterface, "Explain", explain},
    {kInterface, "Undo", undo},
    {kInterface, "Apply", apply},
    {kInterface, "Reload", reload},
    {kInterface, "Log", log},
};

}  // namespace

Replies answer(Service& service, const Caller& caller, const Call& call) {
    const size_t dot = call.method.rfind('.');
    if (dot == std::string::npos) return method_not_found(call.method);
    const auto whole = std::string_view(call.method);
    const std::string_view interface = whole.substr(0, dot);
    const std::string_view name = whole.substr(dot + 1);
    for (const Method& method : kMethods) {
        if (method.interface == interface && method.name == name) {
            return method.run({service, caller, call});
        }
    }
    if (interface_description(interface).empty()) return interface_not_found(interface);
    return method_not_found(call.method);
}

}  // namespace mpol::daemon
