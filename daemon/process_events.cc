// SPDX-License-Identifier: Apache-2.0
#include "daemon/process_events.h"

#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <linux/types.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

#include "process.h"
#include "process.skel.h"

namespace mpol::daemon {
namespace {

// PROC_PID_INIT_INO of linux include/linux/proc_ns.h.
constexpr ino_t kInitialPidNamespace = 0xEFFFFFFC;

bool in_initial_pid_namespace() {
    struct stat status {};
    return ::stat("/proc/self/ns/pid", &status) == 0 && status.st_ino == kInitialPidNamespace;
}

// The other way round: kinds are numbered from 0 here, from 1 there.
uint32_t record_kind(ProcessEventKind kind) {
    return static_cast<uint32_t>(kind) + MPOL_PROCESS_FORK;
}

std::optional<ProcessEventKind> kind_of(uint32_t kind) {
    switch (kind) {
        case MPOL_PROCESS_FORK:
            return ProcessEventKind::kFork;
        case MPOL_PROCESS_EXEC:
            return ProcessEventKind::kExec;
        case MPOL_PROCESS_EXIT:
            return ProcessEventKind::kExit;
        case MPOL_PROCESS_RENAME:
            return ProcessEventKind::kRename;
        case MPOL_PROCESS_MOVE:
            return ProcessEventKind::kMove;
        default:
            return std::nullopt;
    }
}

// libbpf's own words go into the failure, not to a terminal.
thread_local std::string last_warning;

int keep_warning(libbpf_print_level level, const char* format, va_list arguments) {
    if (level != LIBBPF_WARN) return 0;
    char text[512];
    std::vsnprintf(text, sizeof(text), format, arguments);
    if (last_warning.empty()) last_warning = text;
    while (!last_warning.empty() && last_warning.back() == '\n') last_warning.pop_back();
    return 0;
}

control::Failure failed(int err, const char* step) {
    const bool refused = err == EPERM || err == EACCES;
    return control::fail(
        err,
        fmt::format("process events can't be {}: {}{}{}", step, std::strerror(err),
                    last_warning.empty() ? "" : "; ", last_warning),
        refused ? "CAP_BPF and CAP_PERFMON are needed"
                : "a kernel with BPF and its type information is needed (CONFIG_DEBUG_INFO_BTF)");
}

}  // namespace

struct ProcessEvents::Loaded {
    explicit Loaded(Handler handler_in) : handler(std::move(handler_in)) {}
    Loaded(const Loaded&) = delete;
    Loaded& operator=(const Loaded&) = delete;
    ~Loaded() {
        ring_buffer__free(ring);
        process_bpf__destroy(programs);
    }

    // 0 or -errno.
    int load(const Wish& wish, bool with_moves) {
        process_bpf__destroy(programs);
        programs = process_bpf__open();
        if (programs == nullptr) return -errno;
        const auto load_for = [&](ProcessEventKind kind, bpf_program* program, bool there = true) {
            bpf_program__set_autoload(program, there && wish.kinds.contains(kind));
        };
        load_for(ProcessEventKind::kFork, programs->progs.on_fork);
        load_for(ProcessEventKind::kExec, programs->progs.on_exec);
        load_for(ProcessEventKind::kExit, programs->progs.on_exit);
        load_for(ProcessEventKind::kRename, programs->progs.on_rename);
        load_for(ProcessEventKind::kMove, programs->progs.on_move, with_moves);
        uint32_t bits = 0;
        for (const ProcessEventKind kind : wish.urgent) bits |= 1U << record_kind(kind);
        programs->rodata->urgent = bits;
        programs->rodata->followed_only = wish.followed_only;
        return process_bpf__load(programs);
    }
    static int on_record(void* opaque, void* data, size_t size);

    Handler handler;
    process_bpf* programs = nullptr;
    ring_buffer* ring = nullptr;
};

int ProcessEvents::Loaded::on_record(void* opaque, void* data, size_t size) {
    mpol_process_event record;
    if (size < sizeof(record)) return 0;
    std::memcpy(&record, data, sizeof(record));
    const std::optional<ProcessEventKind> kind = kind_of(record.kind);
    if (!kind) return 0;
    const size_t length = ::strnlen(record.comm, sizeof(record.comm));
    static_cast<Loaded*>(opaque)->handler(
        {*kind, static_cast<pid_t>(record.pid), static_cast<pid_t>(record.tid),
         static_cast<pid_t>(record.parent), record.time_ns, std::string(record.comm, length)});
    return 0;
}

ProcessEvents::ProcessEvents(std::unique_ptr<Loaded> loaded) : loaded_(std::move(loaded)) {}
ProcessEvents::ProcessEvents(ProcessEvents&&) noexcept = default;
ProcessEvents& ProcessEvents::operator=(ProcessEvents&&) noexcept = default;
ProcessEvents::~ProcessEvents() = default;

control::Result<ProcessEvents> ProcessEvents::open(Handler handler, const Wish& wish) {
    if (!in_initial_pid_namespace()) {
        return tl::unexpected(control::fail(
            EINVAL,
            "process events tell the pids of the initial pid namespace, and this is another",
            "run mpold on the host, or let it rely on what the programs themselves tell it"));
    }
    last_warning.clear();
    libbpf_set_print(keep_warning);
    auto loaded = std::make_unique<Loaded>(std::move(handler));
    int err = loaded->load(wish, true);
    // A kernel without cgroups has no moves between them.
    if (err == -ESRCH || err == -ENOENT) err = loaded->load(wish, false);
    if (err != 0) return tl::unexpected(failed(-err, "loaded"));
    loaded->ring = ring_buffer__new(bpf_map__fd(loaded->programs->maps.events), Loaded::on_record,
                                    loaded.get(), nullptr);
    if (loaded->ring == nullptr) return tl::unexpected(failed(errno, "read"));
    err = process_bpf__attach(loaded->programs);
    if (err != 0) return tl::unexpected(failed(-err, "attached"));
    return ProcessEvents(std::move(loaded));
}

int ProcessEvents::fd() const {
    return ring_buffer__epoll_fd(loaded_->ring);
}

int ProcessEvents::dispatch() {
    return ring_buffer__consume(loaded_->ring);
}

void ProcessEvents::follow(pid_t pid, bool followed) {
    if (pid <= 0 || pid >= MPOL_PROCESS_PIDS) return;
    auto* const word = &loaded_->programs->bss->followed[pid / 64];
    const auto bit = decltype(*word + 0){1} << (pid % 64);
    if (followed) {
        __atomic_fetch_or(word, bit, __ATOMIC_RELAXED);
    } else {
        __atomic_fetch_and(word, ~bit, __ATOMIC_RELAXED);
    }
}

uint64_t ProcessEvents::lost() const {
    return __atomic_load_n(&loaded_->programs->bss->lost, __ATOMIC_RELAXED);
}

}  // namespace mpol::daemon
