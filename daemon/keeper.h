// SPDX-License-Identifier: Apache-2.0
// Keeps every process under the preloaded library in the policy that the rules give it, from its
// first knock to its end. All work is done in pieces of a few milliseconds, none of which waits for
// a process; a process that makes work without end gets a share of the time, and no more.
//
// Not thread-safe: on the daemon's loop.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "daemon/audit_log.h"
#include "daemon/descriptor_budget.h"
#include "daemon/enforce.h"
#include "daemon/kept.h"
#include "daemon/machine/machine_watch.h"
#include "daemon/process_events.h"
#include "daemon/rule_book.h"
#include "daemon/rules/topology.h"
#include "daemon/timer.h"

namespace mpol::daemon {

class Keeper {
  public:
    // book and log must outlive it. descriptors: how many the daemon may have. Throws
    // std::bad_alloc.
    Keeper(sd_event* loop, const RuleBook& book, AuditLog& log, uint64_t descriptors);

    // --- What is heard of

    // A process has a segment. pidfd: of it, if the caller has one.
    void arrived(pid_t pid, Descriptor pidfd);
    void happened(const ProcessEvent& event);
    // Processes may have come without a word: all of /proc is looked through, once.
    void look_around();
    // The same, at most once a second: whoever makes it necessary must not make it endless.
    void look_around_soon();
    // Rules, machine or time of day are others: every process is looked at again.
    void look_again();
    void machine_changed(const MachineChange& change, const rules::Topology& topology);
    // Whom to tell whose cpuset matters. Must outlive this.
    void set_machine(MachineWatch& machine) { machine_ = &machine; }
    // Called before a process is first looked at, and with false when it is kept no more.
    void on_following(std::function<void(pid_t pid, bool followed)> listener) {
        following_ = std::move(listener);
    }
    // Nothing tells of new names of threads (no process events): who has rules for threads is
    // looked at every second.
    void set_deaf_to_threads(bool deaf) { deaf_to_threads_ = deaf; }

    // --- What is asked of it

    [[nodiscard]] const std::map<pid_t, std::unique_ptr<Kept>>& kept() const { return kept_; }
    [[nodiscard]] Kept* find(pid_t pid) const;
    // Processes that were met since the descriptors ran out, and are not kept; 0: they have not.
    [[nodiscard]] uint64_t left_out() const { return left_out_.size(); }
    [[nodiscard]] uint64_t descriptors() const { return budget_.limit(); }
    // Failure: ESRCH it is not kept; EBUSY another writer is at it.
    [[nodiscard]] control::Result<std::vector<Undone>> undo(pid_t pid, const std::string& by);
    // Now, and also when it was undone. Failure: as undo.
    [[nodiscard]] control::Result<std::vector<Applied>> apply(pid_t pid, const std::string& by);

  private:
    struct Probe {
        pid_t pid = 0;
        unsigned tries = 0;
    };
    // A change that its process has not told to be in force yet.
    struct Pending {
        LogEntry entry;
        control::ScopeName scope;
        uint64_t generation = 0;
        uint64_t since_ns = 0;  // that its reason was heard of
    };

    // keeper.cc: coming and going
    void try_to_attach(const Probe& probe);
    void meet(pid_t pid, Descriptor pidfd);
    bool attach(pid_t pid, Descriptor pidfd);
    void renew(Kept& kept);
    void drop(pid_t pid);
    void leave_out(pid_t pid);
    void follow(pid_t pid, bool followed) const;
    static int on_exit(sd_event_source* source, int fd, uint32_t events, void* opaque);
    void probe_in(uint64_t delay_ns, const Probe& probe);
    void run_probes();

    // keeper_turns.cc: whose turn it is
    void enqueue(Kept& kept);
    void look_later(Kept& kept, uint64_t at_ns);
    [[nodiscard]] static Clocks clocks();
    void spend(Kept& kept, const Clocks& from);
    void run_queue();
    static int on_turn(sd_event_source* source, void* opaque);
    void run_later();
    void plan_schedule();

    // keeper_evaluate.cc: what is done
    void evaluate(Kept& kept, uint64_t since_ns);
    [[nodiscard]] bool unfold(Kept& kept);
    void fold(Kept& kept);
    [[nodiscard]] std::vector<Applied> bring(Kept& kept, uint64_t since_ns, const std::string& by);
    void record(Kept& kept, const Wanted& wanted, const Enforced& done, uint64_t since_ns,
                const std::string& by);
    void remember_handed_on(Kept& kept, const Wanted& wanted, const Enforced& done);
    void note(Kept& kept, const Wanted& wanted, const Enforced& done);
    bool respect_undo(Kept& kept);
    void wait_for(Pending change, uint64_t look_ns);
    void check_pending();
    bool settle(Pending& one, Kept* kept, uint64_t now_ns, bool last_look);
    void settle_all_of(Kept& kept);
    [[nodiscard]] LogEntry entry_of(const Kept& kept, std::string event) const;

    // keeper_requests.cc: what somebody asked for
    [[nodiscard]] control::Result<Kept*> unfolded(pid_t pid);
    [[nodiscard]] Undone record_undo(const Kept& kept, const control::GivenBack& given,
                                     const std::string& by);

    sd_event* loop_;
    const RuleBook& book_;
    AuditLog& log_;
    rules::Topology topology_;
    MachineWatch* machine_ = nullptr;
    std::function<void(pid_t, bool)> following_;
    bool deaf_to_threads_ = false;
    DescriptorBudget budget_;
    std::set<pid_t> left_out_;
    std::map<pid_t, std::unique_ptr<Kept>> kept_;
    std::multimap<uint64_t, Probe> probes_;  // by when
    std::deque<pid_t> queue_;
    std::multimap<uint64_t, pid_t> later_;      // by when
    std::multimap<uint64_t, Pending> pending_;  // by when it is looked at next
    uint64_t lost_probes_ = 0;
    uint64_t may_look_ns_ = 0;  // around
    // That knocked, and have no segment.
    struct Stranger {
        Share share;
        bool awaited = false;  // it knocked once too often: it is looked at when its share allows
    };
    std::unordered_map<pid_t, Stranger> strangers_;
    EventSource turn_;
    Timer around_timer_;
    Timer probe_timer_;
    Timer later_timer_;
    Timer pending_timer_;
    Timer schedule_timer_;
};

}  // namespace mpol::daemon
