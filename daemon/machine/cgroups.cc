// SPDX-License-Identifier: Apache-2.0
#include "daemon/machine/cgroups.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/inotify.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "control/proc.h"

namespace mpol::daemon {
namespace {

const std::string kMount = "/sys/fs/cgroup";
constexpr const char* kMembers = "cgroup.procs";

// Empty: it is the topmost.
std::string above(const std::string& folder) {
    if (folder.size() <= kMount.size()) return {};
    return folder.substr(0, folder.rfind('/'));
}

bool is_below(std::string_view folder, std::string_view top) {
    return folder.starts_with(top) && (folder.size() == top.size() || folder[top.size()] == '/');
}

std::string folder_of(pid_t pid) {
    const auto text = control::read_small_file(AT_FDCWD, fmt::format("/proc/{}/cgroup", pid));
    return text ? cpuset_folder(*text) : std::string();
}

}  // namespace

std::string cpuset_folder(std::string_view proc_cgroup) {
    constexpr std::string_view kV1 = ":cpuset:";
    std::string folder;
    while (!proc_cgroup.empty()) {
        const size_t end = std::min(proc_cgroup.find('\n'), proc_cgroup.size());
        const std::string_view line = proc_cgroup.substr(0, end);
        proc_cgroup.remove_prefix(std::min(end + 1, proc_cgroup.size()));
        // Behind the number; the name of a cgroup may hold it, too.
        const size_t colon = std::min(line.find(':'), line.size());
        const bool unified = line.starts_with("0::");
        if (!unified && !line.substr(colon).starts_with(kV1)) continue;
        const std::string_view path = line.substr(colon + (unified ? 2 : kV1.size()));
        if (path.find("/..") != std::string_view::npos || !path.starts_with('/')) continue;
        folder = fmt::format("{}{}{}", kMount, unified ? "" : "/cpuset", path == "/" ? "" : path);
        if (!unified) break;
    }
    return folder;
}

control::Result<CgroupWatch> CgroupWatch::open() {
    Descriptor inotify(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    if (inotify) return CgroupWatch(std::move(inotify));
    return tl::unexpected(
        control::fail(errno, fmt::format("cgroups can't be watched: {}", std::strerror(errno)),
                      "see fs.inotify.max_user_instances"));
}

void CgroupWatch::add_watches(const std::string& name, Folder& folder) {
    for (const char* const file : {"cpuset.mems", "cpuset.cpus", kMembers}) {
        const int watch = ::inotify_add_watch(inotify_.get(),
                                              fmt::format("{}/{}", name, file).c_str(), IN_MODIFY);
        if (watch < 0) continue;  // The root has no cpuset.mems.
        folder.watches.push_back(watch);
        watches_[watch] = {name, file == kMembers};
    }
}

bool CgroupWatch::hold(const std::string& folder) {
    const auto [at, is_new] = folders_.try_emplace(folder);
    ++at->second.users;
    if (!is_new) return true;
    const std::string parent = above(folder);
    bool watched = folders_.size() <= kFoldersMax && (parent.empty() || hold(parent));
    if (watched) {
        add_watches(folder, at->second);
        watched = parent.empty() || !at->second.watches.empty();
        if (!watched && !parent.empty()) release(parent);
    }
    if (!watched) folders_.erase(folder);
    return watched;
}

void CgroupWatch::release(std::string folder) {
    while (!folder.empty()) {
        const auto at = folders_.find(folder);
        if (at == folders_.end() || --at->second.users > 0) return;
        for (const int watch : at->second.watches) {
            ::inotify_rm_watch(inotify_.get(), watch);
            watches_.erase(watch);
        }
        folders_.erase(at);
        folder = above(folder);
    }
}

bool CgroupWatch::follow(pid_t pid) {
    const std::string folder = folder_of(pid);
    const auto place = places_.find(pid);
    if (place != places_.end() && place->second == folder) return true;
    forget(pid);
    if (folder.empty() || !hold(folder)) return false;
    folders_[folder].processes.insert(pid);
    places_[pid] = folder;
    return true;
}

void CgroupWatch::forget(pid_t pid) {
    const auto place = places_.find(pid);
    if (place == places_.end()) return;
    const std::string folder = std::move(place->second);
    places_.erase(place);
    folders_[folder].processes.erase(pid);
    release(folder);
}

void CgroupWatch::add_below(const std::string& folder, std::set<pid_t>& ret_pids) const {
    for (auto at = folders_.lower_bound(folder);
         at != folders_.end() && at->first.starts_with(folder); ++at) {
        if (!is_below(at->first, folder)) continue;
        ret_pids.insert(at->second.processes.begin(), at->second.processes.end());
    }
}

// Somebody was put into the folder: those of its processes that were elsewhere.
void CgroupWatch::follow_moved(const std::string& folder, std::set<pid_t>& ret_pids) {
    const auto text = control::read_small_file(AT_FDCWD, fmt::format("{}/{}", folder, kMembers));
    if (!text) return;
    const char* at = text->data();
    const char* const end = at + text->size();
    while (at < end) {
        pid_t pid = 0;
        const auto [stop, err] = std::from_chars(at, end, pid);
        if (err != std::errc{}) return;
        at = stop + 1;
        const auto place = places_.find(pid);
        if (place == places_.end() || place->second == folder) continue;
        follow(pid);
        ret_pids.insert(pid);
    }
}

std::set<pid_t> CgroupWatch::drain() {
    std::set<std::string> changed;
    std::set<std::string> joined;
    alignas(inotify_event) char buffer[4096];
    for (;;) {
        const ssize_t size = ::read(inotify_.get(), buffer, sizeof(buffer));
        if (size <= 0) break;
        for (ssize_t at = 0; at < size;) {
            const auto* const event = reinterpret_cast<const inotify_event*>(buffer + at);
            at += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
            if ((event->mask & IN_Q_OVERFLOW) != 0) changed.insert(kMount);
            const auto watch = watches_.find(event->wd);
            if (watch == watches_.end()) continue;
            (watch->second.members ? joined : changed).insert(watch->second.folder);
        }
    }
    std::set<pid_t> pids;
    for (const std::string& folder : changed) add_below(folder, pids);
    for (const std::string& folder : joined) follow_moved(folder, pids);
    return pids;
}

}  // namespace mpol::daemon
