// SPDX-License-Identifier: Apache-2.0
// Which of many processes may have another cpuset than before, without polling. The kernel notifies
// nobody when cpuset.mems.effective changes (it is derived, and has no event), but whoever causes
// that writes a file: cpuset.mems or cpuset.cpus of the process's cgroup or of one above it, or
// cgroup.procs of another cgroup. A write wakes an inotify watch (inotify(7)) on that file.
//
// A move into a cgroup that no followed process is in is not seen: follow() says where a process
// is.
#pragma once

#include <sys/types.h>

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "control/attach.h"
#include "daemon/descriptor.h"

namespace mpol::daemon {

// The folder of the cgroup whose cpuset governs a process, from the text of /proc/PID/cgroup: of
// the cpuset hierarchy where that is mounted by itself (v1), else of the unified one. Empty:
// outside the caller's cgroup namespace, or none. Pure.
[[nodiscard]] std::string cpuset_folder(std::string_view proc_cgroup);

class CgroupWatch {
  public:
    // Folders watched, at most; each costs three of the user's inotify watches.
    static constexpr size_t kFoldersMax = 4096;

    // Failure: errno of inotify_init1(2).
    [[nodiscard]] static control::Result<CgroupWatch> open();

    // Readable when there is something to drain.
    [[nodiscard]] int fd() const { return inotify_.get(); }

    // False: its cgroup can't be watched, or told.
    bool follow(pid_t pid);
    void forget(pid_t pid);

    // The followed processes whose cpuset may have changed, ascending.
    [[nodiscard]] std::set<pid_t> drain();

    [[nodiscard]] size_t folders() const { return folders_.size(); }

  private:
    struct Folder {
        size_t users = 0;  // processes in it, and watched folders right below it
        std::vector<int> watches;
        std::set<pid_t> processes;
    };
    struct Watched {
        std::string folder;
        bool members = false;  // cgroup.procs
    };

    explicit CgroupWatch(Descriptor inotify) : inotify_(std::move(inotify)) {}
    [[nodiscard]] bool hold(const std::string& folder);
    void release(std::string folder);
    void add_watches(const std::string& name, Folder& folder);
    void add_below(const std::string& folder, std::set<pid_t>& ret_pids) const;
    void follow_moved(const std::string& folder, std::set<pid_t>& ret_pids);

    Descriptor inotify_;
    std::map<std::string, Folder> folders_;
    std::unordered_map<int, Watched> watches_;
    std::unordered_map<pid_t, std::string> places_;
};

}  // namespace mpol::daemon
