// SPDX-License-Identifier: Apache-2.0
// What the table of verbs is made of: options, operands and examples.
#pragma once

#include "cli/verbs.h"

namespace mpol::cli::parts {

inline constexpr OptionInfo kCommonOptions[] = {
    {"--json", "", "print one JSON object, errors too", &Arguments::json},
    {"--help", "", "print this help", &Arguments::help},
    {"--version", "", "print the version", &Arguments::version},
};

inline constexpr OptionInfo kAllowAbsent = {
    "--allow-absent", "", "nodes that have no memory yet may be named", &Arguments::allow_absent};
inline constexpr OptionInfo kNoWait = {
    "--no-wait", "", "publish and don't wait until it is applied", &Arguments::no_wait};
inline constexpr OptionInfo kTimeout = {
    "--timeout", "MS", "give up waiting after MS milliseconds (2000)", &Arguments::timeout_ms};
inline constexpr OptionInfo kProcess = {
    "--process", "", "for the whole process: threads lose their own policies", &Arguments::process};

inline constexpr OptionInfo kKeepCached = {"--keep-cached", "",
                                           "free memory that is cached keeps the pages it has",
                                           &Arguments::keep_cached};
inline constexpr OptionInfo kRate = {"--rate", "BYTES",
                                     "move at most BYTES per second (K, M, G, T are 1024 times)",
                                     &Arguments::rate};
inline constexpr OptionInfo kMigrate = {
    "--migrate", "", "then move the pages that exist, as mpol migrate", &Arguments::migrate};

inline constexpr OptionInfo kRunOptions[] = {kAllowAbsent};
inline constexpr OptionInfo kGetOptions[] = {
    {"--threads", "", "every thread, not only those with a policy of their own",
     &Arguments::all_threads}};
inline constexpr OptionInfo kSetOptions[] = {kProcess,    kNoWait,  kTimeout, kAllowAbsent,
                                             kKeepCached, kMigrate, kRate};
inline constexpr OptionInfo kUnsetOptions[] = {kProcess, kNoWait, kTimeout};
inline constexpr OptionInfo kMapsOptions[] = {
    {"--no-residency", "", "leave the pages alone: microseconds for any heap",
     &Arguments::no_residency},
    {"--exact", "", "look at every page above 4 GiB too", &Arguments::exact}};
inline constexpr OptionInfo kWatchOptions[] = {
    {"--count", "N", "end after N events", &Arguments::count},
    {"--timeout", "MS", "end after MS milliseconds", &Arguments::watch_ms}};
inline constexpr OptionInfo kMigrateOptions[] = {
    kRate,
    {"--background", "", "begin, and don't wait for the end", &Arguments::background},
    {"--cancel", "", "end the migration that is under way", &Arguments::cancel},
    {"--timeout", "MS", "how long the target may take to begin, and to end (2000)",
     &Arguments::timeout_ms}};
inline constexpr OptionInfo kPolicyOptions[] = {
    {"--strict", "", "accept what the kernel's own parser accepts, nothing else",
     &Arguments::strict},
    {"--verbose", "", "the masks too, as the kernel prints them", &Arguments::verbose},
    kAllowAbsent};

inline constexpr OptionInfo kBenchOptions[] = {
    {"--quick", "", "be through in 2 minutes at most", &Arguments::quick},
    {"--seconds", "N", "how long to measure, about (600)", &Arguments::seconds},
    {"--output", "DIR", "the folder to make (mpol-bench-DATE-TIME)", &Arguments::output},
    {"--buffer", "BYTES", "memory of each measurement (512M, quick 128M)", &Arguments::buffer},
    {"--sweep", "", "run COMMAND under one policy after the other", &Arguments::sweep},
    {"--policies", "LIST", "sweep these, parted by blanks (one of every mode)",
     &Arguments::policies},
    {"--metric", "CMD", "of a program that doesn't end: prints what it has done",
     &Arguments::metric},
    {"--rounds", "N", "measure each policy N times, in turn (5, quick 3)", &Arguments::rounds}};

inline constexpr OptionInfo kRules = {
    "--rules", "PATH", "a file or folder of rules, not the default one", &Arguments::rules};
inline constexpr OptionInfo kRulesOptions[] = {kRules};
inline constexpr OptionInfo kSocket = {"--socket", "DIR", "ask the daemon whose folder this is",
                                       &Arguments::socket};
inline constexpr OptionInfo kSocketOptions[] = {kSocket};
inline constexpr OptionInfo kApplyOptions[] = {
    {"--dry-run", "", "only show what would change", &Arguments::dry_run},
    {"--all", "", "every process under control", &Arguments::all},
    kNoWait,
    kTimeout,
    kRules,
    kSocket};
inline constexpr OptionInfo kExplainOptions[] = {kRules, kSocket};
inline constexpr OptionInfo kStatusOptions[] = {
    {"--all", "", "the processes that it has, too", &Arguments::all}, kSocket};
inline constexpr OptionInfo kUndoOptions[] = {
    {"--all", "", "every process that the caller may", &Arguments::all}, kSocket};
inline constexpr OptionInfo kLogOptions[] = {
    {"-n", "N", "the newest N entries only", &Arguments::lines},
    {"--follow", "", "go on as more come, after the newest 10 or N", &Arguments::follow},
    kSocket};

inline constexpr OperandInfo kTargetOperand = {Operand::kTarget, "PID[/TID]", true};
inline constexpr OperandInfo kPolicyOperand = {Operand::kPolicy, "POLICY", true};
inline constexpr OperandInfo kRunOperands[] = {{Operand::kPolicy, "POLICY", false},
                                               {Operand::kCommand, "COMMAND", true}};
inline constexpr OperandInfo kTargetOperands[] = {kTargetOperand};
inline constexpr OperandInfo kSetOperands[] = {kTargetOperand, kPolicyOperand};
inline constexpr OperandInfo kUnsetOperands[] = {kTargetOperand, {Operand::kKind, "KIND", false}};
inline constexpr OperandInfo kPolicyOperands[] = {kPolicyOperand};
inline constexpr OperandInfo kProcessOperands[] = {{Operand::kTarget, "PID", true}};
inline constexpr OperandInfo kAnyProcessOperands[] = {{Operand::kTarget, "PID", false}};
inline constexpr OperandInfo kPathsOperands[] = {{Operand::kPaths, "FILE|DIR", false}};
inline constexpr OperandInfo kBenchOperands[] = {{Operand::kCommand, "COMMAND", false}};
inline constexpr OperandInfo kShellOperands[] = {{Operand::kShell, "bash|man", true}};

inline constexpr Example kRunExamples[] = {
    {"mpol run interleave:0-1 -- redis-server", "start a program under a policy"},
    {"mpol run -- make -j8", "under control, with the policy that the shell has"},
};
inline constexpr Example kListExamples[] = {
    {"mpol ls", "all processes under control that you may read"},
    {"mpol ls --json | jq '.processes[].pid'", "their process ids"},
};
inline constexpr Example kGetExamples[] = {
    {"mpol get 4242", "a process, and its threads that have a policy of their own"},
    {"mpol get 4242/4250", "one thread"},
    {"mpol get 4300", "a process without the allocator: what numa_maps tells"},
};
inline constexpr Example kSetExamples[] = {
    {"mpol set 4242 'weighted interleave:0-3'", "rewrite the process's policy, live"},
    {"mpol set 4242 'weighted interleave:0-3;weights=5,3,2,1'", "with weights of its own"},
    {"mpol set 4242 'weighted interleave:0-3;weights=auto'", "by the nodes' bandwidths"},
    {"mpol set 4242/4250 bind:2", "give one thread a policy of its own"},
    {"mpol set 4242/4242 local", "the main thread's own"},
    {"mpol set 4242 --process bind:0", "the process's, and no thread keeps its own"},
    {"mpol set 4242 --interleave=all", "as numactl spells it"},
    {"mpol set 4242 'large>=2M:bind:3'", "allocations of 2 MiB and more, whatever the rest has"},
    {"mpol set 4242 stack:local", "the threads' stacks"},
    {"mpol set 4242 mmap:interleave:0-3", "what the program maps itself: heaps of JVM and Go"},
    {"mpol set 4242/4250 mmap:bind:2", "what that thread maps from then on"},
};
inline constexpr Example kUnsetExamples[] = {
    {"mpol unset 4242", "back to the policy that the process was started with"},
    {"mpol unset 4242/4250", "the thread follows its process again"},
    {"mpol unset 4242 large", "large allocations follow the process again"},
};
inline constexpr Example kMapsExamples[] = {
    {"mpol maps 4242", "the heap of a process, region by region, and on which nodes it lies"},
    {"mpol maps 4242 --json | jq '.totals.misplaced_bytes'", "what a migration would move"},
    {"mpol maps 4242 --no-residency", "policies and sizes only"},
};
inline constexpr Example kWatchExamples[] = {
    {"mpol watch 4242", "what its heap does, as it happens"},
    {"mpol watch 4242 --json --count 100 | jq .event", "the next hundred events' kinds"},
};
inline constexpr Example kMigrateExamples[] = {
    {"mpol migrate 4242", "move what lies elsewhere than its policy says"},
    {"mpol migrate 4242/4250 --rate 100M", "one thread's memory, 100 MiB a second"},
    {"mpol set 4242 bind:2 --migrate", "rewrite, then move"},
};
inline constexpr Example kPolicyExamples[] = {
    {"mpol policy 'bind=static:0-3'", "what it means on this machine"},
    {"mpol policy --strict 'prefer (many):0'", "as the kernel's own parser reads it"},
};
inline constexpr Example kRulesCheckExamples[] = {
    {"mpol rules check", "the rules in force, before the daemon reads them"},
    {"mpol rules check draft.toml", "one file"},
};
inline constexpr Example kRulesListExamples[] = {
    {"mpol rules list", "in the order they are tried"}};
inline constexpr Example kRulesTestExamples[] = {
    {"mpol rules test 4242", "which rule, and the policy that it gives on this machine"},
    {"mpol rules test 4242 --rules draft.toml", "by rules that are not in force"},
};
inline constexpr Example kRulesApplyExamples[] = {
    {"mpol rules apply --dry-run --all", "every process under control"},
    {"mpol rules apply 4242", "put it under its rule now, also when it was undone"},
};
inline constexpr Example kExplainExamples[] = {
    {"mpol explain 4242", "why it has, or would get, its policy"}};
inline constexpr Example kDoctorExamples[] = {
    {"mpol doctor", "what this kernel can do, and what it does of its own"},
    {"mpol doctor 4242", "why a policy is not in force, or why there is no control"},
};
inline constexpr Example kRulesReloadExamples[] = {
    {"mpol rules reload", "after an edit; what is wrong with it is said here"}};
inline constexpr Example kStatusExamples[] = {
    {"mpol status", "is there a daemon, and how does it do?"},
    {"mpol status --all --json | jq '.processes[] | select(.rule == null)'", "without a rule"},
};
inline constexpr Example kUndoExamples[] = {
    {"mpol undo 4242", "what it had before the daemon touched it"},
    {"mpol undo --all", "the same for every process"},
};
inline constexpr Example kLogExamples[] = {
    {"mpol log -n 20", "the newest twenty changes that the daemon made, and why"},
    {"mpol log --follow --json | jq -c 'select(.event == \"apply\")'", "as they come"},
};
inline constexpr Example kBenchExamples[] = {
    {"mpol bench --quick", "latency and bandwidth of this machine's nodes, in 2 minutes"},
    {"mpol bench --seconds 1200 --output here", "the same with more certainty"},
    {"mpol bench --sweep -- ./solver input", "its run time under a policy of every mode"},
    {"mpol bench --sweep --policies 'bind:0 interleave:all' -- ./solver", "under these"},
    {"mpol bench --sweep --metric './ops-done' -- ./server", "by a count that grows"},
};
inline constexpr Example kCompletionExamples[] = {
    {"eval \"$(mpol completion bash)\"", "completion in this shell"},
};

}  // namespace mpol::cli::parts
