// SPDX-License-Identifier: Apache-2.0
// Another process's control segment, from outside: find it, check it, read policies without a
// system call, publish new ones, wait until they are in force.
//
// The kernel decides who may (opening /proc/PID/fd/N asks for the same credentials and dumpability
// as ptrace's read access; proc_pid_fd(5)). What is in the segment is not believed: every field is
// loaded once, checked, and only the copy is used; nothing in it leads to an access outside it.
// The memfd is sealed against shrinking, so no access raises SIGBUS.
//
// Thread-safe for reading. One Target is used by one writing thread at a time.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "control/bound.h"
#include "control/words.h"
#include "mpol/control.h"
#include "policy/policy.h"

namespace mpol::control {

// What went wrong: errno, one sentence that names the object, and what to do about it.
struct Failure {
    int err = 0;
    std::string what;
    std::string hint;
};
[[nodiscard]] inline Failure fail(int err, std::string what, std::string hint = {}) {
    return {err, std::move(what), std::move(hint)};
}
template <class T>
using Result = tl::expected<T, Failure>;

enum class Access { kRead, kWrite };

// One policy as published.
struct Published {
    bool readable = true;  // false: the latch changed under every try, or the bytes are no policy
    bool set = false;
    Policy policy{};
    Origin origin{};
    uint64_t generation = 0;
};

struct ProcessState {
    Published asked;
    uint64_t applied = 0;       // generation in force on all of the heap's regions
    int applied_errno = 0;
    std::optional<NodeMask> effective;  // empty: nothing is bound
    NodeMask allowed;           // as the target last saw it; may be empty before the first policy
    std::optional<Policy> inherited;    // kernel task policy that the program started with
    Origin inherited_origin{};
    uint32_t status = 0;        // MPOL_CTL_STATUS_*
};

// One kind of memory (mpol_ctl_kind_id), of the process's or of a thread's own.
struct KindState {
    mpol_ctl_kind_id kind = MPOL_CTL_KIND_LARGE;
    Published asked;
    uint64_t threshold = 0;  // bytes; of MPOL_CTL_KIND_LARGE
    uint64_t applied = 0;    // generation of asked in force
    int applied_errno = 0;
    uint32_t scope = 0;  // whose regions hold its memory; 0: none
};

struct ThreadState {
    unsigned slot = 0;
    pid_t tid = 0;              // in the target's own pid namespace
    Published asked;            // set: a policy of its own
    uint64_t applied = 0;       // generation of asked in force on its heap memory
    uint64_t task_applied = 0;  // generation of asked that its kernel task policy reflects
    uint64_t process_seen = 0;  // generation of the process's policy that its task policy reflects
    int applied_errno = 0;
    uint32_t scope = 0;         // 0: allocates from the process's regions
    // Its own kinds, where a policy was ever set for them. Those of stacks and mappings are in force
    // at once, from the thread's next use on.
    std::optional<KindState> kinds[MPOL_CTL_KINDS]{};
    [[nodiscard]] const std::optional<KindState>& large() const {
        return kinds[MPOL_CTL_KIND_LARGE];
    }
};

// A slot as it is looked up for a thread. Slots pass from thread to thread: a publication goes only
// to the one that was meant. Without a thread: to whoever has the slot.
struct ThreadSlot {
    unsigned slot = 0;
    pid_t tid = 0;  // in the target's own pid namespace; 0: any

    ThreadSlot(unsigned slot_in, pid_t tid_in = 0) : slot(slot_in), tid(tid_in) {}
    operator unsigned() const { return slot; }
};

struct KindName {
    mpol_ctl_kind_id kind = MPOL_CTL_KIND_LARGE;
    uint64_t threshold = 0;
};

struct RegionState {
    uint64_t start = 0;
    uint64_t size = 0;
    uint64_t committed = 0;
    uint64_t carved = 0;
    uint32_t scope = 0;
    uint64_t stretches = 0;  // for decode_layout() of policy/stretches.h
    int applied_errno = 0;
    std::optional<Bound> bound;  // empty: nothing, the task policy of whoever touches a page decides
};

struct ErrorState {
    mpol_ctl_error_code code = MPOL_CTL_ERROR_NONE;
    int err = 0;
    uint64_t count = 0;
    uint64_t first_ns = 0;
    uint64_t last_ns = 0;
    uint64_t detail[4]{};
};
// Empty: the row is unused, or of a later version.
[[nodiscard]] std::optional<ErrorState> read_error(const mpol_ctl_error& row);

// A system call that the target makes on itself (struct mpol_ctl_request).
struct Request {
    mpol_ctl_request_op op = MPOL_CTL_REQUEST_MBIND;
    uint64_t start = 0;
    uint64_t size = 0;
    uint64_t mode = 0;
    uint64_t max_node = 0;
    uint64_t flags = 0;
    NodeMask nodes{};
};
struct Answer {
    int result = 0;  // 0 or -errno, the target kernel's
    uint64_t mode = 0;
    NodeMask nodes{};
};

// A migration (struct mpol_ctl_migration).
struct MigrationRequest {
    std::optional<ThreadSlot> thread{};  // empty: all heap memory of the process
    uint64_t bytes_per_second = 0;       // 0: as fast as it goes
    uint32_t lease_ms = 0;  // it pauses when renew_migration is not called for so long; 0: never
};
enum class MigrationPhase : uint8_t {
    kIdle, kAsked, kRunning, kPaused, kDone, kCancelled, kRefused,
};
[[nodiscard]] constexpr bool has_ended(MigrationPhase phase) {
    return phase >= MigrationPhase::kDone;
}
// In bytes of heap memory. Nothing here is believed beyond its shape: see remaining().
struct MigrationState {
    uint64_t generation = 0;  // of the latest migration asked for; 0: there was none
    MigrationPhase phase = MigrationPhase::kIdle;
    uint64_t elapsed_ns = 0;
    uint64_t total = 0;
    uint64_t seen = 0;
    uint64_t moved = 0;
    uint64_t placed = 0;
    uint64_t unbound = 0;
    uint64_t failed[MPOL_CTL_MIGRATION_OTHER + 1]{};  // by enum mpol_ctl_migration_failure
    uint64_t batches = 0;
    uint64_t longest_batch_ns = 0;
    uint32_t batch_pages = 0;
    int error = 0;
    uint64_t rewrites = 0;

    [[nodiscard]] uint64_t remaining() const { return total > seen ? total - seen : 0; }
    [[nodiscard]] uint64_t failed_in_all() const;
};

// Whose a scope's policy is, to a daemon (struct mpol_ctl_saved).
enum class Holder : uint8_t {
    kNobody,  // the daemon has not touched it, or has given it back
    kDaemon,
    kOther,   // somebody has set it since the daemon did
};
struct Held {
    Holder holder = Holder::kNobody;
    bool had_policy = false;  // what it had before: else none
    Policy before{};
};
// The process, or the thread in a slot.
using ScopeName = std::optional<ThreadSlot>;

// Of undo: a scope that the daemon had set.
struct GivenBack {
    ScopeName scope;
    Holder holder = Holder::kNobody;  // kDaemon: it has again what it had; kOther: it was left alone
    bool had_policy = false;
    Policy before{};
};

class Target {
  public:
    // Failure: ESRCH no such process, EPERM not permitted, ENODEV not under the preload, EPROTO the
    // segment is of another ABI, is damaged or is another process's.
    [[nodiscard]] static Result<Target> attach(pid_t pid, Access access);

    Target(Target&& other) noexcept;
    Target& operator=(Target&& other) noexcept;
    Target(const Target&) = delete;
    Target& operator=(const Target&) = delete;
    ~Target();

    [[nodiscard]] pid_t pid() const { return pid_; }
    [[nodiscard]] bool alive() const;
    // Alive, no zombie, and still the program whose segment this is: exec makes another.
    [[nodiscard]] bool runs_this() const;

    // --- Reading: no system call.

    [[nodiscard]] ProcessState process() const;
    // Empty when the slot's thread is gone or not there yet. Precondition: slot < MPOL_CTL_SLOTS.
    [[nodiscard]] std::optional<ThreadState> thread(unsigned slot) const;
    [[nodiscard]] std::vector<ThreadState> threads() const;
    // Those that a policy was ever published for; it may have been taken back.
    [[nodiscard]] std::vector<KindState> kinds() const;
    [[nodiscard]] std::vector<RegionState> regions() const;
    [[nodiscard]] std::vector<ErrorState> errors() const;
    [[nodiscard]] uint64_t counter(mpol_ctl_counter which) const;
    // Threads that found no slot and follow the process's policy.
    [[nodiscard]] uint64_t slotless_threads() const { return counter(MPOL_CTL_SLOTLESS_THREADS); }

    // --- Threads, by the id that the caller's pid namespace knows.

    // ESRCH: the process has no such thread. ENODEV: it has, but the thread has no slot.
    [[nodiscard]] Result<ThreadSlot> slot_of(pid_t tid) const;
    // The target names its threads as the caller does.
    [[nodiscard]] bool same_namespace() const {
        return static_cast<pid_t>(load(segment_->header.pid)) == pid_;
    }
    // The caller's name for a thread of the target; the target's own when they are the same.
    [[nodiscard]] pid_t outer_tid(pid_t target_tid) const;

    // --- Writing: one exclusive lock, held for microseconds. Access::kWrite only.

    // The process that is recorded as the writer of what follows; without it, the calling one. For a
    // server that writes for others; the uid is the calling thread's effective one.
    void set_writer(pid_t writer) { writer_ = writer; }

    // What follows leaves the free memory that the target has cached as it is, pages and all.
    void set_keep_cached(bool keep) { keep_cached_ = keep; }

    // nullopt: unset. Returns the generation published. Failure: ESRCH the thread has gone, EBUSY
    // another writer holds the lock for longer than timeout_ms.
    [[nodiscard]] Result<uint64_t> publish_process(const std::optional<Policy>& policy,
                                                   int timeout_ms);
    [[nodiscard]] Result<uint64_t> publish_thread(ThreadSlot slot,
                                                  const std::optional<Policy>& policy,
                                                  int timeout_ms);
    // The threshold counts with a policy. everywhere: no thread keeps its own policy, either.
    // Failure: ENOMEM, no memory for the rows.
    [[nodiscard]] Result<uint64_t> publish_kind(const KindName& name,
                                                const std::optional<Policy>& policy,
                                                bool everywhere, int timeout_ms);
    // Of a thread's own allocations of at least a threshold, of the stacks of threads that it creates
    // from then on, or of what it maps from then on. Failure: ENODATA, the thread has no policy of
    // its own, which large allocations take; ESRCH, ENOMEM.
    [[nodiscard]] Result<uint64_t> publish_own_kind(ThreadSlot slot, const KindName& name,
                                                    const std::optional<Policy>& policy,
                                                    int timeout_ms);
    // The process's policy, and no thread keeps its own.
    [[nodiscard]] Result<uint64_t> publish_everywhere(const std::optional<Policy>& policy,
                                                      int timeout_ms);

    // --- For a daemon, whose policies can be given back by anyone who may write, also after its end.

    // As publish_process and publish_thread, and keeps what the scope had if the daemon had not set it
    // before; inherited: what a process that has no policy of its own would have begun with, where a
    // daemon's has been handed on to it. Failure: EEXIST somebody else has set it since the daemon
    // did; ECANCELED its policies were undone; ENOMEM no memory for the row.
    [[nodiscard]] Result<uint64_t> hold(const ScopeName& scope, const Policy& policy,
                                        int timeout_ms,
                                        const std::optional<Policy>& inherited = std::nullopt);
    // The scope has again what it had, who set it and when included. kNobody: there was nothing to
    // give back; kOther: it stays as somebody else has set it.
    [[nodiscard]] Result<Holder> give_back(const ScopeName& scope, int timeout_ms);
    // Every scope, and daemons leave the process alone from now on. One answer for each scope that the
    // daemon held, or had held before somebody else set it.
    [[nodiscard]] Result<std::vector<GivenBack>> undo(int timeout_ms);
    // Daemons may come again.
    [[nodiscard]] Result<void> redo(int timeout_ms);
    [[nodiscard]] Held held(const ScopeName& scope) const;
    [[nodiscard]] bool undone() const;

    // Between two uses: no mapping, and one descriptor or none. Nothing but pid(), in_force(), unfold()
    // and the destructor may be called while folded. Without a descriptor the segment is opened anew
    // each time, as long as its program has it open where it was.
    enum class Folded { kOneDescriptor, kNone };
    void fold(Folded how);
    // Failure: ESRCH, the process is gone; ENODEV, the segment is not where it was; what open and mmap
    // say.
    [[nodiscard]] Result<void> unfold();
    // The generation, or a later one, is applied to the scope's memory; or its thread has gone. False
    // also where the segment is not to be had any more.
    [[nodiscard]] bool in_force(const ScopeName& scope, uint64_t generation);

    // Waits for the answer. Failure: EBUSY (all rows taken, or the lock), ETIMEDOUT: the target has
    // not taken it up, and won't any more.
    [[nodiscard]] Result<Answer> ask(const Request& request, int timeout_ms);

    // --- Migration. The target's helper thread does it.

    // Returns its generation. Failure: EBUSY one is under way, or the lock.
    [[nodiscard]] Result<uint64_t> start_migration(const MigrationRequest& request, int timeout_ms);
    [[nodiscard]] MigrationState migration() const;  // no system call
    // "Somebody still waits for it." Wakes it when it has paused.
    void renew_migration();
    // It stops after the batch under way. One that was never taken up is taken back.
    void cancel_migration(uint64_t generation);
    // Waits until it is not in that phase any more, or another one has taken its place. False: time.
    [[nodiscard]] bool wait_migration(uint64_t generation, MigrationPhase phase,
                                      int timeout_ms) const;

    // --- Waiting: sleeps on the target's acknowledgement. True when in force.

    [[nodiscard]] bool wait_process(uint64_t generation, int timeout_ms) const;
    [[nodiscard]] bool wait_thread(ThreadSlot slot, uint64_t generation, int timeout_ms) const;
    [[nodiscard]] bool wait_kind(mpol_ctl_kind_id kind, uint64_t generation, int timeout_ms) const;
    // Of a thread's own kind. Stacks and mappings need no waiting.
    [[nodiscard]] bool wait_own_kind(ThreadSlot slot, mpol_ctl_kind_id kind, uint64_t generation,
                                     int timeout_ms) const;
    // True when every thread without a policy of its own has the process's as its kernel task policy;
    // one that is blocked or computes does not.
    [[nodiscard]] bool wait_all_threads(uint64_t generation, int timeout_ms) const;

  private:
    friend class Watch;  // watch.h
    Target() = default;
    template <class Publish>
    auto locked(int timeout_ms, Publish publish) -> decltype(publish());
    [[nodiscard]] Failure exited(ThreadSlot slot) const;
    [[nodiscard]] Holder give_back_locked(unsigned row, Held& ret_held);
    [[nodiscard]] mpol_ctl_request* free_request();
    [[nodiscard]] Result<void> open_again();
    template <class Done>
    bool wait(int timeout_ms, Done done) const;

    pid_t pid_ = -1;
    int proc_fd_ = -1;  // /proc/PID: goes stale with the process, so a reused pid is never met
    int fd_ = -1;
    std::string path_;    // of fd_, below proc_fd_, and which file that is
    uint64_t inode_ = 0;  // all memfds are on one device
    mpol_ctl* segment_ = nullptr;
    pid_t writer_ = 0;  // 0: the calling process
    bool keep_cached_ = false;
};

// Pids under /proc whose segment the caller can open for reading, ascending.
[[nodiscard]] std::vector<pid_t> attachable_processes();

}  // namespace mpol::control
