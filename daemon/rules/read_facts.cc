// SPDX-License-Identifier: Apache-2.0
// Facts from /proc/PID, proc(5), through one descriptor of it: a reused pid is never met. What is
// read has a bound each (control/proc.h).
#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <linux/limits.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <ctime>

#include "control/proc.h"
#include "daemon/rules/facts.h"
#include "daemon/rules/typed.h"

namespace mpol::rules {
namespace {

// As much as read_small_file() reads: a text of that size may have been cut off.
constexpr size_t kWholeBytesMax = (64 << 10) - 1;
constexpr size_t kGroupsMax = 256;
// Threads of the preloaded library, which are not the program's.
constexpr std::string_view kOwnThreads[] = {"mpol-helper", "mpol-cpuset"};
constexpr std::string_view kDeleted = " (deleted)";

class Process {
  public:
    explicit Process(pid_t pid)
        : fd_(::open(fmt::format("/proc/{}", pid).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {}
    Process(const Process&) = delete;
    Process& operator=(const Process&) = delete;
    ~Process() {
        if (fd_ >= 0) ::close(fd_);
    }

    [[nodiscard]] int fd() const { return fd_; }
    [[nodiscard]] std::optional<std::string> file(const std::string& name) const {
        return control::read_small_file(fd_, name);
    }

  private:
    int fd_;
};

std::optional<std::string> line_of(std::optional<std::string> text) {
    if (text && text->ends_with('\n')) text->pop_back();
    return text;
}

std::optional<std::vector<std::string>> strings(const std::optional<std::string>& text) {
    if (!text) return std::nullopt;
    std::vector<std::string> out;
    for (std::string_view rest = *text; !rest.empty();) {
        const std::string_view one = rest.substr(0, rest.find('\0'));
        out.emplace_back(one);
        rest.remove_prefix(std::min(one.size() + 1, rest.size()));
    }
    return out;
}

// Without the mark of a program that was replaced while it runs.
std::optional<std::string> exe_of(const Process& process) {
    std::string path(PATH_MAX, '\0');
    const ssize_t size = ::readlinkat(process.fd(), "exe", path.data(), path.size());
    if (size <= 0) return std::nullopt;
    path.resize(static_cast<size_t>(size));
    if (path.ends_with(kDeleted)) path.resize(path.size() - kDeleted.size());
    return path;
}

std::optional<std::string> cgroup_of(const Process& process) {
    const auto text = process.file("cgroup");
    return text ? unified_cgroup(*text) : std::nullopt;
}

// The numbers of a "Name:\t1 2 3" line.
std::vector<uint64_t> status_numbers(std::string_view status, std::string_view name) {
    std::vector<uint64_t> numbers;
    const size_t at = status.find(fmt::format("\n{}:", name));
    if (at == std::string_view::npos) return numbers;
    std::string_view line = status.substr(at + name.size() + 2);
    line = line.substr(0, line.find('\n'));
    while (numbers.size() < kGroupsMax) {
        line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
        uint64_t number = 0;
        const auto [end, err] = std::from_chars(line.data(), line.data() + line.size(), number);
        if (err != std::errc{}) break;
        numbers.push_back(number);
        line.remove_prefix(static_cast<size_t>(end - line.data()));
    }
    return numbers;
}

NamedId user(uint32_t uid) {
    const passwd* const entry = ::getpwuid(uid);
    return {uid, entry != nullptr ? entry->pw_name : ""};
}

NamedId group(uint32_t gid) {
    const ::group* const entry = ::getgrgid(gid);
    return {gid, entry != nullptr ? entry->gr_name : ""};
}

std::optional<NamedId> user_of(std::string_view status) {
    const auto ids = status_numbers(status, "Uid");
    if (ids.size() < 2) return std::nullopt;
    return user(static_cast<uint32_t>(ids[1]));
}

std::optional<std::vector<NamedId>> groups_of(std::string_view status) {
    const auto ids = status_numbers(status, "Gid");
    if (ids.size() < 2) return std::nullopt;
    std::vector<NamedId> groups = {group(static_cast<uint32_t>(ids[1]))};
    for (const uint64_t id : status_numbers(status, "Groups")) {
        if (id != ids[1]) groups.push_back(group(static_cast<uint32_t>(id)));
    }
    return groups;
}

std::optional<std::vector<ThreadFact>> threads_of(const Process& process) {
    const int fd = ::openat(process.fd(), "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR* const folder = fd < 0 ? nullptr : ::fdopendir(fd);
    if (folder == nullptr) {
        if (fd >= 0) ::close(fd);
        return std::nullopt;
    }
    std::vector<ThreadFact> threads;
    while (const dirent* entry = ::readdir(folder)) {
        const std::string_view name = entry->d_name;
        pid_t tid = 0;
        std::from_chars(name.data(), name.data() + name.size(), tid);
        if (tid <= 0 || threads.size() >= kThreadsMax) continue;
        const auto comm = line_of(process.file(fmt::format("task/{}/comm", tid)));
        const bool own = comm && std::find(std::begin(kOwnThreads), std::end(kOwnThreads), *comm) !=
                                     std::end(kOwnThreads);
        if (comm && !own) threads.push_back({tid, *comm});
    }
    ::closedir(folder);
    return threads;
}

std::optional<uint64_t> age_of(const Process& process) {
    const auto ids = control::read_task_ids(process.fd());
    timespec now{};
    const long ticks = ::sysconf(_SC_CLK_TCK);
    if (!ids || ticks <= 0 || ::clock_gettime(CLOCK_BOOTTIME, &now) != 0) return std::nullopt;
    const uint64_t started = ids->start_time / static_cast<uint64_t>(ticks);
    const auto seconds = static_cast<uint64_t>(now.tv_sec);
    return seconds > started ? seconds - started : 0;
}

void read_status(const Process& process, FieldSet fields, Facts& facts) {
    const auto wants = [&](Field field) {
        return (fields >> static_cast<unsigned>(field) & 1U) != 0;
    };
    const auto status = process.file("status");
    if (!status) return;
    if (wants(Field::kUser)) facts.user = user_of(*status);
    if (wants(Field::kGroup)) facts.groups = groups_of(*status);
    if (wants(Field::kResident)) {
        // A kernel thread has none.
        const auto kib = status_numbers(*status, "VmRSS");
        facts.resident_bytes = kib.empty() ? 0 : kib[0] << 10;
    }
}

}  // namespace

std::optional<Facts> read_facts(pid_t pid, FieldSet fields) {
    const Process process(pid);
    const auto wants = [&](Field field) {
        return (fields >> static_cast<unsigned>(field) & 1U) != 0;
    };
    Facts facts;
    facts.pid = pid;
    facts.comm = line_of(process.file("comm"));
    if (!facts.comm) return std::nullopt;
    if (wants(Field::kExe)) facts.exe = exe_of(process);
    if (wants(Field::kArgv)) facts.argv = strings(process.file("cmdline"));
    if (wants(Field::kUser) || wants(Field::kGroup) || wants(Field::kResident)) {
        read_status(process, fields, facts);
    }
    if (wants(Field::kCgroup) || wants(Field::kUnit)) facts.cgroup = cgroup_of(process);
    if (wants(Field::kUnit) && facts.cgroup) facts.units = units_of(*facts.cgroup);
    if (wants(Field::kThread)) facts.threads = threads_of(process);
    if (wants(Field::kEnv)) {
        const auto text = process.file("environ");
        facts.env_whole = !text || text->size() <= kWholeBytesMax;
        facts.env = strings(text);
    }
    if (wants(Field::kAge)) facts.age_s = age_of(process);
    return facts;
}

}  // namespace mpol::rules
