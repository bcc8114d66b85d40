// SPDX-License-Identifier: Apache-2.0
#include "fs/operations.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <exception>
#include <memory>
#include <mutex>
#include <string>

#include "fs/act_as.h"
#include "fs/policy_text.h"
#include "fs/process.h"

namespace mpol::fs {
namespace {

// An open file, in fuse_file_info.fh. Refers to one process: a later one with its pid is not met.
struct OpenFile {
    Node node;
    uint64_t start_time = 0;
    std::mutex mutex;  // protects text; nothing else is taken under it
    std::string text;  // as it was when it was last read from the start, so that parts fit together
};

OpenFile& open_file(const fuse_file_info* info) {
    return *reinterpret_cast<OpenFile*>(info->fh);
}

// The one way from libfuse into process.h. act returns 0 or more, or -errno.
template <class Act>
int as_caller(Act act) {
    const fuse_context* const context = fuse_get_context();
    const Caller caller{context->uid, context->gid, context->pid};
    const ActAs acting(caller);
    if (!acting.ok()) return -EACCES;
    try {
        return act(caller);
    } catch (const std::exception&) {
        return -ENOMEM;
    }
}

// A name that is not there, or not any more, is ENOENT; in a file that is open it is ESRCH.
int look_up_errno(int err) {
    return err == EACCES ? -EACCES : -ENOENT;
}

void fill_attributes(Kind kind, uid_t owner, gid_t group, struct stat* ret_attributes) {
    std::memset(ret_attributes, 0, sizeof(*ret_attributes));
    ret_attributes->st_mode = mode_of(kind);
    ret_attributes->st_nlink = is_directory(kind) ? 2 : 1;
    ret_attributes->st_uid = owner;
    ret_attributes->st_gid = group;
    ret_attributes->st_mtime = ret_attributes->st_ctime = ret_attributes->st_atime =
        std::time(nullptr);
}

int get_attributes(const char* path, struct stat* ret_attributes, fuse_file_info* /*info*/) {
    return as_caller([&](const Caller& caller) {
        const auto node = parse_path(path);
        if (!node) return -ENOENT;
        Task task;
        if (node->kind != Kind::kRoot) {
            const auto found = look_up(caller, *node);
            if (!found) return look_up_errno(found.error());
            task = *found;
        }
        fill_attributes(node->kind, task.owner, task.group, ret_attributes);
        return 0;
    });
}

int read_directory(const char* path, void* buf, fuse_fill_dir_t fill, off_t /*offset*/,
                   fuse_file_info* /*info*/, fuse_readdir_flags /*flags*/) {
    return as_caller([&](const Caller& caller) {
        const auto node = parse_path(path);
        if (!node) return -ENOENT;
        const auto names = list(caller, *node);
        if (!names) return look_up_errno(names.error());
        constexpr auto kNoFlags = static_cast<fuse_fill_dir_flags>(0);
        for (const char* name : {".", ".."}) fill(buf, name, nullptr, 0, kNoFlags);
        for (const std::string& name : *names) fill(buf, name.c_str(), nullptr, 0, kNoFlags);
        return 0;
    });
}

int open_node(const char* path, fuse_file_info* info) {
    return as_caller([&](const Caller& caller) {
        const auto node = parse_path(path);
        if (!node) return -ENOENT;
        const auto task = look_up(caller, *node);
        if (!task) return -task.error();
        const bool writes = (info->flags & O_ACCMODE) != O_RDONLY || (info->flags & O_TRUNC) != 0;
        if (writes && !is_writable(node->kind)) return -EACCES;
        auto file = std::make_unique<OpenFile>();
        file->node = *node;
        file->start_time = task->start_time;
        info->direct_io = 1;
        info->fh = reinterpret_cast<uint64_t>(file.release());
        return 0;
    });
}

// That the process of an open file is still the same.
int check_same(const Caller& caller, const OpenFile& file) {
    const auto task = check(caller, file.node.pid);
    if (!task) return -task.error();
    return task->start_time == file.start_time ? 0 : -ESRCH;
}

int read_file(const char* /*path*/, char* buf, size_t size, off_t offset, fuse_file_info* info) {
    return as_caller([&](const Caller& caller) {
        OpenFile& file = open_file(info);
        if (const int err = check_same(caller, file); err != 0) return err;
        if (offset == 0) {
            auto fresh = read_text(caller, file.node);
            if (!fresh) return -fresh.error();
            const std::lock_guard lock(file.mutex);
            file.text = std::move(*fresh);
        }
        const std::lock_guard lock(file.mutex);
        const auto begin = std::min(static_cast<size_t>(offset), file.text.size());
        const size_t length = std::min(size, file.text.size() - begin);
        std::memcpy(buf, file.text.data() + begin, length);
        return static_cast<int>(length);
    });
}

// One write(2) is one policy.
int write_file(const char* /*path*/, const char* buf, size_t size, off_t offset,
               fuse_file_info* info) {
    return as_caller([&](const Caller& caller) {
        const OpenFile& file = open_file(info);
        if (const int err = check_same(caller, file); err != 0) return err;
        if (offset != 0 || size > kWriteBytesMax) return -EINVAL;
        const int err = write_policy(caller, file.node, {buf, size});
        return err != 0 ? -err : static_cast<int>(size);
    });
}

int release_file(const char* /*path*/, fuse_file_info* info) {
    delete &open_file(info);
    return 0;
}

// What a shell's ">" does first; there is nothing to cut.
int truncate_file(const char* path, off_t /*size*/, fuse_file_info* /*info*/) {
    return as_caller([&](const Caller& caller) {
        const auto node = parse_path(path);
        if (!node) return -ENOENT;
        if (!is_writable(node->kind)) return -EACCES;
        const auto task = look_up(caller, *node);
        return task ? 0 : look_up_errno(task.error());
    });
}

// As in /proc, a name that is not there can't be made.
int refuse_creation(const char* /*path*/, mode_t /*mode*/, fuse_file_info* /*info*/) {
    return -ENOENT;
}

void* start(fuse_conn_info* connection, fuse_config* config) {
    // Answers differ from caller to caller and from moment to moment: the kernel may keep none.
    config->entry_timeout = 0;
    config->attr_timeout = 0;
    config->negative_timeout = 0;
    config->direct_io = 1;
    config->kernel_cache = 0;
    config->auto_cache = 0;
    config->set_mode = config->set_uid = config->set_gid = 0;
    // It would look every name of the directory up.
    connection->want &= ~static_cast<unsigned>(FUSE_CAP_READDIRPLUS);
    return nullptr;
}

}  // namespace

const fuse_operations& operations() {
    static const fuse_operations table = [] {
        fuse_operations made{};
        made.getattr = get_attributes;
        made.truncate = truncate_file;
        made.open = open_node;
        made.read = read_file;
        made.write = write_file;
        made.release = release_file;
        made.readdir = read_directory;
        made.create = refuse_creation;
        made.init = start;
        return made;
    }();
    return table;
}

}  // namespace mpol::fs
