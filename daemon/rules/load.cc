// SPDX-License-Identifier: Apache-2.0
#include "daemon/rules/load.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "daemon/rules/tree.h"
#include "sys/fail_point.h"

namespace mpol::rules {
namespace {

using Failure = tl::unexpected<LoadFailure>;

Failure failure(int err, const std::string& path) {
    return Failure({err, path, std::strerror(err)});
}

// Empty: nobody but root and the owner can have written it.
std::string distrust(const struct stat& facts, std::optional<uid_t> owner) {
    if (!owner) return {};
    if (facts.st_uid != 0 && facts.st_uid != *owner) {
        return "belongs to uid " + std::to_string(facts.st_uid) + ", not to root" +
               (*owner != 0 ? " or uid " + std::to_string(*owner) : "");
    }
    if ((facts.st_mode & (S_IWGRP | S_IWOTH)) != 0) return "may be written by others";
    return {};
}

// Non-blocking, so that a pipe in a user's folder does not stop the reader.
tl::expected<Source, LoadFailure> read_source(const std::string& path, std::optional<uid_t> owner) {
    const int fd = sys::fallible_libc(sys::FailPoint::kReloadOpen, [&] {
        return ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    });
    if (fd < 0) return failure(errno, path);
    struct stat facts {};
    const bool regular = ::fstat(fd, &facts) == 0 && S_ISREG(facts.st_mode);
    const std::string strange = distrust(facts, owner);
    Source source{path, std::string(kFileBytesMax + 1, '\0')};
    size_t size = 0;
    ssize_t got = regular && strange.empty() ? 1 : 0;
    while (got > 0 && size < source.text.size()) {
        got = sys::fallible_libc(sys::FailPoint::kReloadRead, [&] {
            return ::read(fd, source.text.data() + size, source.text.size() - size);
        });
        if (got > 0) size += static_cast<size_t>(got);
    }
    const int err = got < 0 ? errno : 0;
    ::close(fd);
    if (!regular) return Failure({EINVAL, path, "is no regular file"});
    if (!strange.empty()) return Failure({EACCES, path, strange});
    if (err != 0) return failure(err, path);
    source.text.resize(size);
    return source;
}

// Empty: no folder.
tl::expected<std::vector<std::string>, LoadFailure> files_in(const std::string& path) {
    if (const int err = fail_point(sys::FailPoint::kReloadList); err != 0) {
        return failure(-err, path);
    }
    DIR* const folder = ::opendir(path.c_str());
    if (folder == nullptr) return failure(errno, path);
    std::vector<std::string> files;
    while (const dirent* entry = ::readdir(folder)) {
        const std::string name = entry->d_name;
        if (name.starts_with('.') || !name.ends_with(".toml")) continue;
        files.push_back(path + (path.ends_with('/') ? "" : "/") + name);
        if (files.size() > kFilesMax) break;
    }
    ::closedir(folder);
    if (files.size() > kFilesMax) {
        return Failure({E2BIG, path, "has more than " + std::to_string(kFilesMax) + " rule files"});
    }
    std::sort(files.begin(), files.end());
    return files;
}

}  // namespace

std::string user_folder() {
    const char* const config = ::secure_getenv("XDG_CONFIG_HOME");
    if (config != nullptr && config[0] == '/') return std::string(config) + "/mpol/rules.d";
    const char* const home = ::secure_getenv("HOME");
    return home != nullptr && home[0] == '/' ? std::string(home) + "/.config/mpol/rules.d" : "";
}

std::string default_folder() {
    return ::geteuid() == 0 ? kSystemFolder : user_folder();
}

tl::expected<std::vector<Source>, LoadFailure> read_sources(const std::string& path,
                                                            std::optional<uid_t> owner) {
    std::vector<std::string> files = {path};
    struct stat facts {};
    if (::stat(path.c_str(), &facts) != 0) return failure(errno, path);
    if (S_ISDIR(facts.st_mode)) {
        const std::string strange = distrust(facts, owner);
        if (!strange.empty()) return Failure({EACCES, path, strange});
        auto found = files_in(path);
        if (!found) return Failure(found.error());
        files = std::move(*found);
    }
    std::vector<Source> sources;
    for (const std::string& file : files) {
        auto source = read_source(file, owner);
        if (!source) return Failure(source.error());
        sources.push_back(std::move(*source));
    }
    return sources;
}

}  // namespace mpol::rules
