// SPDX-License-Identifier: Apache-2.0
// The private memory is page-aligned in the library's uninitialised data, which the loader maps
// directly above the library's own writable mapping:
//
//     libmpol-preload.so   rw-p, of the file       its data
//     (no name)            rw-p, where that ends   uninitialised data: somewhere in it a header
#include "control/unpublished.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <string>

namespace mpol::control {
namespace {

constexpr std::string_view kLibrary = "libmpol-preload";
constexpr uint64_t kPage = 4096;
// Several times what the library has.
constexpr uint64_t kBytesMax = uint64_t{64} << 20;

struct Range {
    uint64_t start = 0;
    uint64_t end = 0;
};

// Empty where the library is not, or has no such data.
Range uninitialised_data(pid_t pid) {
    std::ifstream maps(fmt::format("/proc/{}/maps", pid));
    uint64_t data_end = 0;
    for (std::string text; std::getline(maps, text);) {
        std::istringstream line(text);
        Range range;
        char dash = 0;
        std::string permissions;
        std::string offset;
        std::string device;
        std::string name;
        uint64_t inode = 0;
        line >> std::hex >> range.start >> dash >> range.end >> permissions >> offset >> device >>
            std::dec >> inode >> name;
        if (inode == 0 && name.empty() && range.start == data_end) return range;
        const bool data = permissions == "rw-p" && name.find(kLibrary) != std::string::npos;
        data_end = data ? range.end : 0;
    }
    return {};
}

class Memory {
  public:
    explicit Memory(pid_t pid)
        : fd_(::open(fmt::format("/proc/{}/mem", pid).c_str(), O_RDONLY | O_CLOEXEC)) {}
    ~Memory() {
        if (fd_ >= 0) ::close(fd_);
    }
    Memory(const Memory&) = delete;
    Memory& operator=(const Memory&) = delete;

    template <class T>
    [[nodiscard]] bool read(uint64_t address, T& ret_value) const {
        return ::pread(fd_, &ret_value, sizeof(T), static_cast<off_t>(address)) ==
               static_cast<ssize_t>(sizeof(T));
    }

  private:
    int fd_;
};

bool is_header(const mpol_ctl_header& header) {
    return header.magic == MPOL_CTL_MAGIC && header.abi == MPOL_CTL_ABI &&
           header.header_size == sizeof(mpol_ctl_header) && header.total_size == sizeof(mpol_ctl) &&
           header.error_size == sizeof(mpol_ctl_error);
}

}  // namespace

std::optional<ErrorState> why_unpublished(pid_t pid) {
    const Range data = uninitialised_data(pid);
    const uint64_t end = std::min(data.end, data.start + kBytesMax);
    const Memory memory(pid);
    mpol_ctl_header header;
    for (uint64_t at = data.start; at + sizeof(header) <= end; at += kPage) {
        uint64_t magic = 0;
        if (!memory.read(at, magic)) return std::nullopt;
        if (magic != MPOL_CTL_MAGIC || !memory.read(at, header) || !is_header(header)) continue;
        mpol_ctl_error rows[MPOL_CTL_ERRORS];
        if (!memory.read(at + MPOL_CTL_ERRORS_OFFSET, rows)) return std::nullopt;
        for (const mpol_ctl_error& row : rows) {
            const auto error = read_error(row);
            if (error && error->code == MPOL_CTL_ERROR_SEGMENT) return error;
        }
    }
    return std::nullopt;
}

}  // namespace mpol::control
