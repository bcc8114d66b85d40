// SPDX-License-Identifier: Apache-2.0
#include "control/attach.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <climits>
#include <cstring>
#include <string_view>
#include <utility>

#include "control/proc.h"
#include "sys/sys.h"

namespace mpol::control {
namespace {

constexpr int kSealsNeeded = F_SEAL_SHRINK | F_SEAL_GROW;
constexpr std::string_view kLinkName = "/memfd:" MPOL_CTL_NAME;
// A writer holds the lock for microseconds; this is how often a second one looks again.
constexpr int64_t kLockRetryNs = 1'000'000;
// While waiting for an acknowledgement: how often the target is checked to be alive.
constexpr int64_t kAliveCheckNs = 100'000'000;

Failure fail(int err, std::string what, std::string hint = {}) {
    return {err, std::move(what), std::move(hint)};
}

Failure not_permitted(pid_t pid) {
    return fail(EPERM, fmt::format("not permitted to open the control segment of process {}", pid),
                "run as its user or as root; a process that is not dumpable needs root");
}

// Every descriptor of the process that is a control segment: its own, or one inherited by fork.
Result<std::vector<int>> segment_descriptors(pid_t pid, int proc_fd) {
    const int dir_fd = ::openat(proc_fd, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir_fd < 0) {
        if (errno == EACCES || errno == EPERM) return tl::unexpected(not_permitted(pid));
        return tl::unexpected(fail(ESRCH, fmt::format("no process {}", pid)));
    }
    std::vector<int> found;
    DIR* const dir = ::fdopendir(dir_fd);
    while (const dirent* entry = ::readdir(dir)) {
        char link[PATH_MAX];
        const ssize_t size = ::readlinkat(dir_fd, entry->d_name, link, sizeof(link));
        if (size < 0 || !std::string_view(link, static_cast<size_t>(size)).starts_with(kLinkName)) {
            continue;
        }
        int fd = 0;
        std::from_chars(entry->d_name, entry->d_name + std::strlen(entry->d_name), fd);
        found.push_back(fd);
    }
    ::closedir(dir);
    // The segment lies high; a program may hold others' segments below.
    std::sort(found.rbegin(), found.rend());
    return found;
}

// The mapping, for a process that has closed the descriptor. Root only.
std::vector<std::string> segment_mappings(int proc_fd) {
    std::vector<std::string> found;
    const int fd = ::openat(proc_fd, "maps", O_RDONLY | O_CLOEXEC);
    if (fd < 0) return found;
    FILE* const file = ::fdopen(fd, "r");
    char* line = nullptr;
    size_t capacity = 0;
    while (::getline(&line, &capacity, file) > 0) {
        const std::string_view text = line;
        if (text.find(kLinkName) == std::string_view::npos) continue;
        found.push_back("map_files/" + std::string(text.substr(0, text.find(' '))));
    }
    std::free(line);
    ::fclose(file);
    return found;
}

// What a mapped header says of itself; empty when it is all right.
std::string header_complaint(const mpol_ctl_header& header, const TaskIds& ids) {
    if (load(header.magic) != MPOL_CTL_MAGIC) return "it does not begin with the segment's magic";
    const uint32_t abi = load(header.abi);
    if (abi != MPOL_CTL_ABI) {
        return fmt::format("its ABI version is {}, and this mpol speaks {}", abi, MPOL_CTL_ABI);
    }
    if (load(header.header_size) != sizeof(mpol_ctl_header) ||
        load(header.total_size) != sizeof(mpol_ctl) || load(header.slot_count) != MPOL_CTL_SLOTS ||
        load(header.slot_size) != sizeof(mpol_ctl_slot) ||
        load(header.region_count) != MPOL_CTL_REGIONS ||
        load(header.region_size) != sizeof(mpol_ctl_region)) {
        return "its sizes are not those of its ABI version";
    }
    const auto pid = static_cast<pid_t>(load(header.pid));
    const uint64_t start = load(header.start_time);
    if (pid != ids.inner_pid || (start != 0 && start != ids.start_time)) {
        return fmt::format("it belongs to process {} started at tick {}", pid, start);
    }
    return {};
}

struct Mapped {
    int fd = -1;
    mpol_ctl* segment = nullptr;
};

Result<Mapped> map_segment(pid_t pid, int fd, Access access, const TaskIds& ids) {
    const auto refuse = [&](const std::string& why) {
        ::close(fd);
        return tl::unexpected(
            fail(EPROTO, fmt::format("the control segment of process {} is not usable: {}", pid, why),
                 "was it started with the same version of mpol?"));
    };
    struct stat status {};
    if (::fstat(fd, &status) != 0 || status.st_size != sizeof(mpol_ctl)) {
        return refuse(fmt::format("its size is {} bytes, not {}", status.st_size, sizeof(mpol_ctl)));
    }
    const int seals = ::fcntl(fd, F_GET_SEALS);
    if (seals < 0 || (seals & kSealsNeeded) != kSealsNeeded) {
        return refuse("it is not sealed against shrinking and growing");
    }
    const int prot = access == Access::kWrite ? PROT_READ | PROT_WRITE : PROT_READ;
    void* const at = ::mmap(nullptr, sizeof(mpol_ctl), prot, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED) return refuse(std::strerror(errno));
    auto* const segment = static_cast<mpol_ctl*>(at);
    const std::string complaint = header_complaint(segment->header, ids);
    if (!complaint.empty()) {
        ::munmap(at, sizeof(mpol_ctl));
        return refuse(complaint);
    }
    return Mapped{fd, segment};
}

Published read_published(const SharedLatch& latch) {
    Published out;
    PolicyWords words;
    uint64_t word = 0;
    if (!latch_read(latch, words.words, word)) {
        out.readable = false;
        return out;
    }
    out.generation = generation(word);
    if ((word & kHasPolicy) != 0) {
        out.set = out.readable = decode(words, out.policy, out.origin);
    }
    return out;
}

// The policy words of an unset: nothing but who and when.
PolicyWords words_of(const std::optional<Policy>& policy) {
    const Origin origin{MPOL_CTL_ORIGIN_OUTSIDE, ::geteuid(), static_cast<uint32_t>(::getpid()),
                        sys::realtime_ns()};
    return encode(policy.value_or(Policy{}), origin);
}

// Writes one latch; the caller holds the writers' lock and has settled the spare's last owner.
bool publish_one(mpol_ctl& segment, uint64_t owner, const SharedLatch& latch, uint64_t seen,
                 const std::optional<Policy>& policy) {
    store(segment.header.spare_owner, owner);
    const PolicyWords words = words_of(policy);
    return latch_publish(latch, seen, policy ? kHasPolicy : 0, words.words);
}

}  // namespace

Result<Target> Target::attach(pid_t pid, Access access) {
    Target target;
    target.pid_ = pid;
    target.proc_fd_ =
        ::open(fmt::format("/proc/{}", pid).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
    const std::optional<TaskIds> ids =
        target.proc_fd_ < 0 ? std::nullopt : read_task_ids(target.proc_fd_);
    if (!ids) return tl::unexpected(fail(ESRCH, fmt::format("no process {}", pid)));
    const auto descriptors = segment_descriptors(pid, target.proc_fd_);
    if (!descriptors) return tl::unexpected(descriptors.error());
    std::vector<std::string> paths;
    for (const int fd : *descriptors) paths.push_back(fmt::format("fd/{}", fd));
    if (paths.empty()) paths = segment_mappings(target.proc_fd_);
    Failure failure =
        fail(ENODEV, fmt::format("process {} does not run under mpol's allocator", pid),
             "start it with: mpol run -- COMMAND");
    for (const std::string& path : paths) {
        const int flags = (access == Access::kWrite ? O_RDWR : O_RDONLY) | O_CLOEXEC;
        const int fd = ::openat(target.proc_fd_, path.c_str(), flags);
        if (fd < 0) {
            failure = not_permitted(pid);
            continue;
        }
        const Result<Mapped> mapped = map_segment(pid, fd, access, *ids);
        if (mapped) {
            target.fd_ = mapped->fd;
            target.segment_ = mapped->segment;
            return target;
        }
        failure = mapped.error();
    }
    return tl::unexpected(failure);
}

Target::Target(Target&& other) noexcept { *this = std::move(other); }

Target& Target::operator=(Target&& other) noexcept {
    std::swap(pid_, other.pid_);
    std::swap(proc_fd_, other.proc_fd_);
    std::swap(fd_, other.fd_);
    std::swap(segment_, other.segment_);
    return *this;
}

Target::~Target() {
    if (segment_ != nullptr) ::munmap(segment_, sizeof(mpol_ctl));
    if (fd_ >= 0) ::close(fd_);
    if (proc_fd_ >= 0) ::close(proc_fd_);
}

bool Target::alive() const { return read_task_ids(proc_fd_).has_value(); }

ProcessState Target::process() const {
    ProcessState state;
    const mpol_ctl_header& header = segment_->header;
    state.asked = read_published(process_latch(*segment_));
    state.applied = load(header.process_applied);
    state.applied_errno = static_cast<int>(load(header.process_errno) & INT_MAX);
    state.status = load(header.status);
    uint64_t word = 0;
    NodeMask nodes;
    if (latch_read(effective_latch(*segment_), nodes.words.data(), word) &&
        (word & kHasPolicy) != 0) {
        state.effective = nodes;
    }
    if (latch_read(allowed_latch(*segment_), nodes.words.data(), word)) state.allowed = nodes;
    PolicyWords words;
    for (unsigned i = 0; i < kPolicyWords; ++i) words.words[i] = load(header.inherited[i]);
    Policy policy;
    if ((state.status & MPOL_CTL_STATUS_INHERITED) != 0 &&
        decode(words, policy, state.inherited_origin)) {
        state.inherited = policy;
    }
    return state;
}

std::optional<ThreadState> Target::thread(unsigned slot) const {
    const mpol_ctl_slot& row = segment_->slots[slot];
    const uint64_t before = load(row.word);
    if ((before & kState) != kLive) return std::nullopt;
    ThreadState state;
    state.slot = slot;
    state.tid = static_cast<pid_t>(load(row.tid));
    state.asked = read_published(slot_latch(*segment_, slot));
    state.applied = load(row.applied);
    state.task_applied = load(row.task_applied);
    state.process_seen = load(row.process_seen);
    state.applied_errno = static_cast<int>(load(row.applied_errno) & INT_MAX);
    state.scope = load(row.scope);
    return state;
}

std::vector<ThreadState> Target::threads() const {
    std::vector<ThreadState> all;
    const unsigned used = std::min(load(segment_->header.slots_used), MPOL_CTL_SLOTS);
    for (unsigned slot = 0; slot < used; ++slot) {
        if (auto state = thread(slot)) all.push_back(*state);
    }
    return all;
}

std::vector<RegionState> Target::regions() const {
    std::vector<RegionState> all;
    const unsigned used = std::min(load(segment_->header.regions_used), MPOL_CTL_REGIONS);
    for (unsigned row = 0; row < used; ++row) {
        const mpol_ctl_region& region = segment_->regions[row];
        RegionState state;
        state.start = load(region.start);
        state.size = load(region.size);
        state.carved = std::min(load(region.carved), state.size);
        state.scope = load(region.scope);
        state.applied_errno = static_cast<int>(load(region.applied_errno) & INT_MAX);
        if (state.start != 0) all.push_back(state);
    }
    return all;
}

std::vector<ErrorState> Target::errors() const {
    std::vector<ErrorState> all;
    for (const mpol_ctl_error& row : segment_->errors) {
        ErrorState state;
        const uint32_t code = load(row.code);
        if (code == MPOL_CTL_ERROR_NONE || code > MPOL_CTL_ERROR_LATCH) continue;
        state.code = static_cast<mpol_ctl_error_code>(code);
        state.err = static_cast<int>(load(row.err) & INT_MAX);
        state.count = load(row.count);
        state.first_ns = load(row.first_ns);
        state.last_ns = load(row.last_ns);
        for (unsigned i = 0; i < 4; ++i) state.detail[i] = load(row.detail[i]);
        all.push_back(state);
    }
    return all;
}

uint64_t Target::counter(mpol_ctl_counter which) const {
    return load(segment_->header.counters[which]);
}

Result<unsigned> Target::slot_of(pid_t tid) const {
    const std::optional<pid_t> inner = inner_tid(proc_fd_, tid);
    if (!inner) {
        return tl::unexpected(
            fail(ESRCH, fmt::format("process {} has no thread {}", pid_, tid),
                 fmt::format("mpol get {} lists its threads", pid_)));
    }
    for (const ThreadState& state : threads()) {
        if (state.tid == *inner) return state.slot;
    }
    return tl::unexpected(
        fail(ENODEV, fmt::format("thread {} of process {} has no slot in the segment", tid, pid_),
             "it has not allocated yet, or all slots are taken; it follows the process's policy"));
}

pid_t Target::outer_tid(pid_t target_tid) const {
    return mpol::control::outer_tid(proc_fd_, target_tid).value_or(target_tid);
}

template <class Publish>
Result<uint64_t> Target::locked(int timeout_ms, Publish publish) {
    struct flock lock {};
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    const uint64_t deadline = sys::monotonic_ns() + static_cast<uint64_t>(timeout_ms) * 1'000'000;
    while (::fcntl(fd_, F_OFD_SETLK, &lock) != 0) {
        if (errno != EAGAIN && errno != EACCES && errno != EINTR) {
            return tl::unexpected(fail(errno, fmt::format("can't lock the control segment of "
                                                          "process {}", pid_)));
        }
        if (sys::monotonic_ns() >= deadline) {
            return tl::unexpected(fail(
                EBUSY, fmt::format("another writer holds the control segment of process {}", pid_),
                "try again, or find the holder with: lslocks"));
        }
        const timespec pause{0, kLockRetryNs};
        ::nanosleep(&pause, nullptr);
    }
    SharedLatch unfinished{};
    if (owner_latch(*segment_, load(segment_->header.spare_owner), unfinished)) {
        latch_finish(unfinished);
    }
    Result<uint64_t> result = publish();
    add(segment_->header.epoch, uint32_t{1});
    sys::futex_wake(&segment_->header.epoch, INT_MAX);
    lock.l_type = F_UNLCK;
    ::fcntl(fd_, F_OFD_SETLK, &lock);
    return result;
}

Result<uint64_t> Target::publish_process(const std::optional<Policy>& policy, int timeout_ms) {
    return locked(timeout_ms, [&]() -> Result<uint64_t> {
        const SharedLatch latch = process_latch(*segment_);
        // Only writers change this word, and the lock is ours: it can't fail on an honest segment.
        if (!publish_one(*segment_, 0, latch, SharedMemory::load(*latch.word), policy)) {
            return tl::unexpected(fail(EPROTO, fmt::format("the control segment of process {} "
                                                           "changed under the lock", pid_)));
        }
        return generation(SharedMemory::load(*latch.word));
    });
}

Result<uint64_t> Target::publish_thread(unsigned slot, const std::optional<Policy>& policy,
                                        int timeout_ms) {
    return locked(timeout_ms, [&]() -> Result<uint64_t> {
        const SharedLatch latch = slot_latch(*segment_, slot);
        const uint64_t seen = SharedMemory::load(*latch.word);
        if ((seen & kState) != kLive || !publish_one(*segment_, 1 + slot, latch, seen, policy)) {
            return tl::unexpected(
                fail(ESRCH, fmt::format("the thread in slot {} of process {} has exited", slot,
                                        pid_)));
        }
        return generation(next_generation(seen));
    });
}

Result<uint64_t> Target::publish_everywhere(const std::optional<Policy>& policy, int timeout_ms) {
    return locked(timeout_ms, [&]() -> Result<uint64_t> {
        const unsigned used = std::min(load(segment_->header.slots_used), MPOL_CTL_SLOTS);
        for (unsigned slot = 0; slot < used; ++slot) {
            const SharedLatch latch = slot_latch(*segment_, slot);
            const uint64_t seen = SharedMemory::load(*latch.word);
            if ((seen & kState) != kLive || (seen & kHasPolicy) == 0) continue;
            // A thread that exits meanwhile needs no unset.
            (void)publish_one(*segment_, 1 + slot, latch, seen, std::nullopt);
        }
        const SharedLatch latch = process_latch(*segment_);
        if (!publish_one(*segment_, 0, latch, SharedMemory::load(*latch.word), policy)) {
            return tl::unexpected(fail(EPROTO, fmt::format("the control segment of process {} "
                                                           "changed under the lock", pid_)));
        }
        return generation(SharedMemory::load(*latch.word));
    });
}

template <class Done>
bool Target::wait(int timeout_ms, Done done) const {
    const uint64_t deadline = sys::monotonic_ns() + static_cast<uint64_t>(timeout_ms) * 1'000'000;
    for (;;) {
        const uint32_t seen = load(segment_->header.ack);
        if (done()) return true;
        const uint64_t now = sys::monotonic_ns();
        if (now >= deadline) return false;
        const auto left = static_cast<int64_t>(deadline - now);
        if (sys::futex_wait(&segment_->header.ack, seen, std::min(left, kAliveCheckNs)) ==
                -ETIMEDOUT &&
            !alive()) {
            return false;
        }
    }
}

bool Target::wait_process(uint64_t wanted, int timeout_ms) const {
    return wait(timeout_ms, [&] { return load(segment_->header.process_applied) >= wanted; });
}

bool Target::wait_thread(unsigned slot, uint64_t wanted, int timeout_ms) const {
    return wait(timeout_ms, [&] { return load(segment_->slots[slot].applied) >= wanted; });
}

std::vector<pid_t> attachable_processes() {
    std::vector<pid_t> found;
    for (const pid_t pid : all_processes()) {
        if (Target::attach(pid, Access::kRead)) found.push_back(pid);
    }
    return found;
}

}  // namespace mpol::control
