// SPDX-License-Identifier: Apache-2.0
// mpolfs: reads its command line, says in one sentence what stands in the way of mounting, mounts
// and serves until it is unmounted or told to end by SIGTERM, SIGINT or SIGHUP. Exit status: 0, 1
// it could not be mounted or failed, 2 wrong usage.
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "fs/operations.h"

namespace mpol::fs {
namespace {

constexpr int kFailed = 1;
constexpr int kUsage = 2;

// libfuse's default, 10, is few when callers wait for their targets (kWaitersMax in write.cc).
#define MPOL_FS_THREADS "32"

constexpr char kHelp[] =
    "usage: mpolfs [OPTION]... MOUNTPOINT\n"
    "Shows the memory policies of processes under mpol's allocator, to read and to write:\n"
    "  PID/mempolicy           the process's policy, in the kernel's text\n"
    "  PID/task/TID/mempolicy  one thread's policy\n"
    "  PID/numa_maps           its regions: scope, policy, pages on each node\n"
    "  PID/status              what was asked for, and what is in force\n"
    "Every access is checked against the caller. Mounted by root, all users may enter.\n"
    "\n"
    "  -h, --help     this text\n"
    "  -V, --version  version\n"
    "  -f             stay in the foreground\n"
    "  -d             like -f, and log every request\n"
    "  -o OPTIONS     mount options, mount.fuse3(8); for root, allow_other is always one\n"
    "\n"
    "Unmount with: fusermount3 -u MOUNTPOINT\n";

// libfuse reads argv, and each of its functions takes something out of it.
class Arguments {
  public:
    explicit Arguments(const std::vector<std::string>& words) {
        for (const std::string& word : words) fuse_opt_add_arg(&args_, word.c_str());
    }
    Arguments(const Arguments&) = delete;
    Arguments& operator=(const Arguments&) = delete;
    ~Arguments() { fuse_opt_free_args(&args_); }
    fuse_args* get() { return &args_; }

  private:
    fuse_args args_{};
};

bool complain(const std::string& sentence) {
    fmt::print(stderr, "mpolfs: {}\n", sentence);
    return false;
}

bool check_mount_point(const std::string& path) {
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) {
        return complain(fmt::format("can't mount on {}: {}", path, std::strerror(errno)));
    }
    if (!S_ISDIR(status.st_mode)) {
        return complain(fmt::format("can't mount on {}: it is not a directory", path));
    }
    if (::access("/dev/fuse", F_OK) != 0) {
        return complain("there is no /dev/fuse: load the kernel's module with: modprobe fuse");
    }
    return true;
}

int serve(fuse* filesystem, const fuse_cmdline_opts& options) {
    fuse_session* const session = fuse_get_session(filesystem);
    // Returns in the child, so that the parent's exit status tells whether it is mounted.
    if (fuse_daemonize(options.foreground) != 0 || fuse_set_signal_handlers(session) != 0) {
        return kFailed;
    }
    fuse_loop_config* const config = fuse_loop_cfg_create();
    fuse_loop_cfg_set_clone_fd(config, static_cast<unsigned>(options.clone_fd));
    fuse_loop_cfg_set_idle_threads(config, options.max_idle_threads);
    fuse_loop_cfg_set_max_threads(config, options.max_threads);
    const int result =
        options.singlethread != 0 ? fuse_loop(filesystem) : fuse_loop_mt(filesystem, config);
    fuse_loop_cfg_destroy(config);
    fuse_remove_signal_handlers(session);
    // Above 0 it is the signal that ended it: the way to end it.
    return result < 0 ? kFailed : 0;
}

// libfuse itself says, in one sentence each, what it does not like.
int mount_and_serve(fuse_args* args, const fuse_cmdline_opts& options) {
    fuse* const filesystem = fuse_new(args, &operations(), sizeof(fuse_operations), nullptr);
    if (filesystem == nullptr) return kUsage;
    int status = kFailed;
    if (fuse_mount(filesystem, options.mountpoint) == 0) {
        status = serve(filesystem, options);
        fuse_unmount(filesystem);
    }
    fuse_destroy(filesystem);
    return status;
}

int run(std::vector<std::string> words) {
    // Before the user's, so that the user's win.
    std::vector<std::string> defaults = {"-omax_threads=" MPOL_FS_THREADS,
                                         "-ofsname=mpolfs,subtype=mpolfs,nosuid,nodev,noexec"};
    if (::geteuid() == 0) defaults.emplace_back("-oallow_other");
    words.insert(words.begin() + (words.empty() ? 0 : 1), defaults.begin(), defaults.end());
    Arguments arguments(words);
    fuse_cmdline_opts options{};
    if (fuse_parse_cmdline(arguments.get(), &options) != 0) return kUsage;
    const std::unique_ptr<char, decltype(&std::free)> mount_point(options.mountpoint, std::free);
    if (options.show_help != 0) return std::fputs(kHelp, stdout) < 0 ? kFailed : 0;
    if (options.show_version != 0) {
        fmt::print("mpolfs " MPOL_VERSION ", libfuse {}\n", fuse_pkgversion());
        return 0;
    }
    if (!mount_point) {
        complain("no mount point is named; try: mpolfs --help");
        return kUsage;
    }
    if (!check_mount_point(mount_point.get())) return kFailed;
    return mount_and_serve(arguments.get(), options);
}

}  // namespace
}  // namespace mpol::fs

int main(int argc, char** argv) {
    return mpol::fs::run({argv, argv + argc});
}
