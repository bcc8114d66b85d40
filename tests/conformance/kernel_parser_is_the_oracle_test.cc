// SPDX-License-Identifier: Apache-2.0
// parse_strict against the parser that it copies: tmpfs's mount option mpol= goes through the
// kernel's mpol_parse_str, and /proc/self/mountinfo shows what it made of it. 10,000 strings, made
// from the grammar and then damaged. MPOL_TEST_SEED=N replays a run.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/mount.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "machine.h"
#include "policy/parse.h"
#include "policy/text.h"
#include "replay.h"
#include "task/machine.h"

namespace mpol::test {
namespace {

constexpr unsigned kTexts = 10'000;
constexpr size_t kBytesMax = 250;  // fsconfig(2) takes 255

[[noreturn]] void fail(const std::string& what) {
    throw std::runtime_error(what + ": " + std::strerror(errno));
}

class Fd {
  public:
    explicit Fd(long fd) : fd_(static_cast<int>(fd)) {}
    ~Fd() {
        if (fd_ >= 0) ::close(fd_);
    }
    Fd(const Fd&) = delete;
    Fd& operator=(const Fd&) = delete;
    [[nodiscard]] int get() const { return fd_; }

  private:
    int fd_;
};

// Mounts are made in a mount namespace of our own, on a directory that is ours.
class Oracle {
  public:
    Oracle() {
        char name[] = "/tmp/mpol-oracle-XXXXXX";
        if (::mkdtemp(name) == nullptr) fail("no directory");
        directory_ = name;
        if (::unshare(CLONE_NEWNS) != 0) fail("no mount namespace");
        if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) fail("not private");
    }
    ~Oracle() { ::rmdir(directory_.c_str()); }
    Oracle(const Oracle&) = delete;
    Oracle& operator=(const Oracle&) = delete;

    // "reject", or the canonical text.
    std::string judge(const std::string& text) const {
        const Fd context(::syscall(SYS_fsopen, "tmpfs", FSOPEN_CLOEXEC));
        if (context.get() < 0) fail("fsopen");
        if (::syscall(SYS_fsconfig, context.get(), FSCONFIG_SET_STRING, "mpol", text.c_str(), 0) !=
            0) {
            if (errno != EINVAL) fail("fsconfig");
            return "reject";
        }
        if (::syscall(SYS_fsconfig, context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0) {
            fail("create");
        }
        const Fd mount(::syscall(SYS_fsmount, context.get(), FSMOUNT_CLOEXEC, 0));
        if (mount.get() < 0) fail("fsmount");
        if (::syscall(SYS_move_mount, mount.get(), "", AT_FDCWD, directory_.c_str(),
                      MOVE_MOUNT_F_EMPTY_PATH) != 0) {
            fail("move_mount");
        }
        const std::string shown = read_option();
        if (::umount2(directory_.c_str(), 0) != 0 &&
            ::umount2(directory_.c_str(), MNT_DETACH) != 0) {
            fail("umount");
        }
        return shown;
    }

  private:
    // mpol= is the last option shown, and blanks and commas are not escaped in it. A policy that is
    // the default is not shown.
    std::string read_option() const {
        std::ifstream file("/proc/self/mountinfo");
        const std::string here = " " + directory_ + " ";
        for (std::string line; std::getline(file, line);) {
            if (line.find(here) == std::string::npos) continue;
            const size_t at = line.find(",mpol=");
            return at == std::string::npos ? "default" : line.substr(at + 6);
        }
        throw std::runtime_error("the mount is not there");
    }

    std::string directory_;
};

class Generator {
  public:
    // Most numbers are below nodes.
    Generator(uint64_t seed, unsigned nodes) : random_(seed), nodes_(nodes) {}

    std::string next() {
        std::string text = one_in(6) ? pick(kStrangeModes) : pick(kModes);
        if (one_in(3)) text += flag();
        if (!one_in(5)) text += ":" + nodes();
        if (one_in(12)) text += flag();
        if (!one_in(3)) return text;
        for (unsigned damages = 1 + below(2); damages > 0; --damages) damage(text);
        if (text.size() > kBytesMax) text.resize(kBytesMax);
        return text;
    }

  private:
    using Words = std::vector<std::string>;

    unsigned below(size_t limit) {
        return std::uniform_int_distribution<unsigned>(0,
                                                       static_cast<unsigned>(limit) - 1)(random_);
    }
    bool one_in(unsigned chances) { return below(chances) == 0; }
    const std::string& pick(const Words& words) { return words[below(words.size())]; }

    std::string flag() { return one_in(5) ? pick(kStrangeFlags) : pick(kFlags); }

    std::string number() {
        if (one_in(40)) return pick(kStrangeNumbers);
        return std::to_string(below(one_in(40) ? 1100 : nodes_));
    }

    std::string range() {
        const unsigned first = below(nodes_);
        return std::to_string(first) + "-" + std::to_string(first + below(nodes_ - first));
    }

    std::string item() {
        if (one_in(25)) return pick(kStrangeItems);
        if (one_in(2)) return number();
        std::string text = one_in(10) ? number() + "-" + number() : range();
        if (one_in(3)) text += ":" + std::to_string(below(4)) + "/" + std::to_string(1 + below(5));
        return text;
    }

    const std::string& separator() {
        return one_in(8) ? pick(kStrangeSeparators) : pick(kSeparators);
    }

    std::string nodes() {
        std::string text = one_in(12) ? separator() : "";
        for (unsigned items = one_in(2) ? 1 : below(5); items > 0; --items) {
            text += item();
            if (items > 1 || one_in(10)) text += separator();
        }
        return text;
    }

    void damage(std::string& text) {
        const size_t at = below(text.size() + 1);
        switch (below(5)) {
            case 0:
                text.insert(at, 1, kBytes[below(kBytes.size())]);
                break;
            case 1:
                if (at < text.size()) text.erase(at, 1);
                break;
            case 2:
                if (at < text.size()) text[at] = kBytes[below(kBytes.size())];
                break;
            case 3:
                if (at < text.size()) text.insert(at, text.substr(at, 1 + below(4)));
                break;
            default:
                text.resize(at);
                break;
        }
    }

    static const Words kModes, kStrangeModes, kFlags, kStrangeFlags, kSeparators,
        kStrangeSeparators, kStrangeNumbers, kStrangeItems;
    static const std::string kBytes;

    std::mt19937_64 random_;
    unsigned nodes_;
};

const Generator::Words Generator::kModes = {
    "default", "prefer", "bind", "interleave", "local", "prefer (many)", "weighted interleave"};
const Generator::Words Generator::kStrangeModes = {
    "preferred", "prefer(many)", "prefer  (many)", "weighted-interleave", "BIND",
    "",          "noop",         " bind"};
const Generator::Words Generator::kFlags = {"=static", "=relative"};
const Generator::Words Generator::kStrangeFlags = {"=balancing", "=static|relative", "=",
                                                   "=STATIC",    "=static=relative", "=static "};
const Generator::Words Generator::kSeparators = {",", " ", ", ", " ,", ",,"};
const Generator::Words Generator::kStrangeSeparators = {"\t", "\n", "\v", "\f", "\r", "-", ";"};
const Generator::Words Generator::kStrangeNumbers = {
    "00",  "03",   "N",    "n",          "4",          "9",           "63",
    "64",  "1023", "1024", "4294967295", "4294967296", "99999999999", "18446744073709551616",
    "0x1", "-1",   "+1",   "",           "all"};
const Generator::Words Generator::kStrangeItems = {
    "all",     "ALL",     "All",     "all:1/2", "N",     "0-N",        "0-N:1/2", "0-3:1/2",
    "0-3:0/1", "0-3:2/1", "0-3:1/0", "0-3:4/4", "1-0",   "0-",         "-",       "!0",
    "+0",      "0-3:",    "0-3:1",   "0-3:1/",  "0:1/2", "0-3:1/2:1/2"};
// Every printable byte that the grammar knows, blanks of all kinds, and some that it doesn't know.
const std::string Generator::kBytes =
    "0123456789,,--::==//()|Nnal sticreve\t\n\v\f\r\x01\x7f\xa0\xff";

std::string quoted(const std::string& text) {
    return ::testing::PrintToString(text);
}

}  // namespace

TEST(StrictParser, AgreesWithTheKernels) {
    if (const std::string lack = lacks_mounts(); !lack.empty()) GTEST_SKIP() << lack;
    const NodeMask has_memory = task::node_list("has_memory");
    Generator generator(announced_seed(), has_memory.end());
    const Oracle oracle;
    const unsigned modes = task::kernel_modes().mode_count;
    unsigned accepted = 0;
    unsigned different = 0;
    for (unsigned i = 0; i < kTexts; ++i) {
        const std::string text = generator.next();
        const auto policy = parse_strict(text, has_memory, modes);
        const std::string ours = policy ? policy_text(*policy) : "reject";
        const std::string kernels = oracle.judge(text);
        accepted += kernels != "reject" ? 1 : 0;
        if (ours == kernels) continue;
        EXPECT_EQ(ours, kernels) << "string " << i << ": " << quoted(text);
        if (++different == 20) break;
    }
    std::printf("%u strings, %u accepted, %u different\n", kTexts, accepted, different);
    EXPECT_GT(accepted, kTexts / 10) << "too few to compare";
    EXPECT_LT(accepted, kTexts * 9 / 10) << "too few refused";
}

}  // namespace mpol::test
