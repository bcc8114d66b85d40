// SPDX-License-Identifier: Apache-2.0
#include "cli/program.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <vector>

namespace mpol::cli {
namespace {

// The kernel's own limit on interpreters of interpreters.
constexpr int kInterpretersMax = 4;
constexpr size_t kScriptLineBytesMax = 256;  // BINPRM_BUF_SIZE
constexpr size_t kNamesBytesMax = 64 << 10;
constexpr unsigned kSectionsMax = 4096;

#if defined(__x86_64__)
constexpr uint16_t kOwnMachine = EM_X86_64;
#elif defined(__aarch64__)
constexpr uint16_t kOwnMachine = EM_AARCH64;
#else
constexpr uint16_t kOwnMachine = EM_NONE;
#endif

class File {
  public:
    explicit File(const std::string& path)
        : fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {}
    ~File() {
        if (fd_ >= 0) ::close(fd_);
    }
    File(const File&) = delete;
    File& operator=(const File&) = delete;

    // What is there of size bytes at offset.
    [[nodiscard]] std::string read(size_t size, uint64_t offset) const {
        std::string bytes(size, '\0');
        const ssize_t got = ::pread(fd_, bytes.data(), size, static_cast<off_t>(offset));
        bytes.resize(got > 0 ? static_cast<size_t>(got) : 0);
        return bytes;
    }

    template <class T>
    [[nodiscard]] bool read_into(T& ret_value, uint64_t offset) const {
        const std::string bytes = read(sizeof(T), offset);
        if (bytes.size() != sizeof(T)) return false;
        std::memcpy(&ret_value, bytes.data(), sizeof(T));
        return true;
    }

    [[nodiscard]] bool stat(struct stat& ret_status) const {
        return ::fstat(fd_, &ret_status) == 0;
    }
    [[nodiscard]] bool has_capabilities() const {
        return ::fgetxattr(fd_, "security.capability", nullptr, 0) > 0;
    }

  private:
    int fd_;
};

// The second word of "#!/usr/bin/env python3", the first of "#!/bin/sh -e"; env's is not followed.
std::string interpreter_of(const File& file) {
    const std::string line = file.read(kScriptLineBytesMax, 0);
    if (!line.starts_with("#!")) return {};
    const size_t begin = line.find_first_not_of(" \t", 2);
    if (begin == std::string::npos) return {};
    const size_t end = line.find_first_of(" \t\n", begin);
    std::string interpreter = line.substr(begin, end - begin);
    if (!interpreter.ends_with("/env") || end == std::string::npos) return interpreter;
    const size_t name = line.find_first_not_of(" \t", end);
    if (name == std::string::npos || line[name] == '-' || line[name] == '\n') return interpreter;
    return find_program(line.substr(name, line.find_first_of(" \t\n", name) - name));
}

std::string elf_interpreter(const File& file, const Elf64_Ehdr& header) {
    for (unsigned i = 0; i < header.e_phnum; ++i) {
        Elf64_Phdr segment;
        if (!file.read_into(segment, header.e_phoff + uint64_t{i} * sizeof(segment))) break;
        if (segment.p_type == PT_INTERP) return file.read(kScriptLineBytesMax, segment.p_offset);
    }
    return {};
}

bool built_by_go(const File& file, const Elf64_Ehdr& header) {
    Elf64_Shdr names_section;
    const unsigned count = header.e_shnum < kSectionsMax ? header.e_shnum : kSectionsMax;
    const auto offset = [&](unsigned i) {
        return header.e_shoff + uint64_t{i} * sizeof(Elf64_Shdr);
    };
    if (!file.read_into(names_section, offset(header.e_shstrndx))) return false;
    const std::string names = file.read(kNamesBytesMax, names_section.sh_offset);
    for (unsigned i = 0; i < count; ++i) {
        Elf64_Shdr section;
        if (!file.read_into(section, offset(i)) || section.sh_name >= names.size()) continue;
        const std::string_view name = names.c_str() + section.sh_name;
        if (name == ".note.go.buildid" || name == ".gopclntab") return true;
    }
    return false;
}

// The loader ignores LD_PRELOAD where the kernel raises AT_SECURE.
bool raises_privilege(const File& file) {
    struct stat status {};
    if (!file.stat(status)) return false;
    if ((status.st_mode & S_ISUID) != 0 && status.st_uid != ::getuid()) return true;
    if ((status.st_mode & S_ISGID) != 0 && (status.st_mode & S_IXGRP) != 0 &&
        status.st_gid != ::getgid()) {
        return true;
    }
    return ::getuid() != 0 && file.has_capabilities();
}

std::string note_of_elf(const File& file, const std::string& path) {
    Elf64_Ehdr header{};
    if (!file.read_into(header, 0) || std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) return {};
    if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_machine != kOwnMachine) {
        return "is for another architecture than mpol: its memory can't be controlled";
    }
    const std::string loader = elf_interpreter(file, header);
    const bool go = built_by_go(file, header);
    if (loader.empty()) {
        return go ? "is a statically linked Go program: its memory can't be controlled"
                  : "is statically linked: its memory can't be controlled";
    }
    if (raises_privilege(file)) {
        return "is set-user-ID, set-group-ID or has file capabilities: the loader drops the "
               "preload, and its memory can't be controlled";
    }
    if (loader.find("ld-musl") != std::string::npos) {
        return "uses another C library than mpol: its memory can't be controlled";
    }
    if (go) return "is a Go program: its heap is not malloc's and does not follow mpol set";
    if (path.ends_with("/java")) {
        return "has a heap of its own that is not malloc's and does not follow mpol set";
    }
    return {};
}

}  // namespace

std::string find_program(const std::string& name) {
    if (name.find('/') != std::string::npos) return name;
    const char* const path = std::getenv("PATH");
    std::string_view rest = path != nullptr ? path : "/bin:/usr/bin";
    while (!name.empty()) {
        const size_t colon = rest.find(':');
        const std::string_view directory = rest.substr(0, colon);
        const std::string candidate =
            directory.empty() ? name : std::string(directory) + "/" + name;
        struct stat status {};
        if (::access(candidate.c_str(), X_OK) == 0 && ::stat(candidate.c_str(), &status) == 0 &&
            S_ISREG(status.st_mode)) {
            return candidate;
        }
        if (colon == std::string_view::npos) break;
        rest.remove_prefix(colon + 1);
    }
    return {};
}

std::string coverage_note(const std::string& path) {
    std::string current = path;
    for (int depth = 0; depth < kInterpretersMax && !current.empty(); ++depth) {
        const File file(current);
        const std::string interpreter = interpreter_of(file);
        if (interpreter.empty()) return note_of_elf(file, current);
        current = interpreter;
    }
    return {};
}

}  // namespace mpol::cli
