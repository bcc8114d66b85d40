// SPDX-License-Identifier: Apache-2.0
#include "cli/verbs.h"

namespace mpol::cli {
namespace {

constexpr OptionInfo kCommonOptions[] = {
    {"--json", "", "print one JSON object, errors too", &Arguments::json},
    {"--help", "", "print this help", &Arguments::help},
    {"--version", "", "print the version", &Arguments::version},
};

constexpr OptionInfo kAllowAbsent = {
    "--allow-absent", "", "nodes that have no memory yet may be named", &Arguments::allow_absent};
constexpr OptionInfo kNoWait = {"--no-wait", "", "publish and don't wait until it is applied",
                                &Arguments::no_wait};
constexpr OptionInfo kTimeout = {"--timeout", "MS", "give up waiting after MS milliseconds (2000)",
                                 &Arguments::timeout_ms};
constexpr OptionInfo kProcess = {
    "--process", "", "for the whole process: threads lose their own policies", &Arguments::process};

constexpr OptionInfo kKeepCached = {
    "--keep-cached", "", "free memory that is cached keeps the pages it has",
    &Arguments::keep_cached};
constexpr OptionInfo kRate = {
    "--rate", "BYTES", "move at most BYTES per second (K, M, G, T are 1024 times)",
    &Arguments::rate};
constexpr OptionInfo kMigrate = {"--migrate", "", "then move the pages that exist, as mpol migrate",
                                 &Arguments::migrate};

constexpr OptionInfo kRunOptions[] = {kAllowAbsent};
constexpr OptionInfo kGetOptions[] = {{"--threads", "",
                                       "every thread, not only those with a policy of their own",
                                       &Arguments::all_threads}};
constexpr OptionInfo kSetOptions[] = {kProcess, kNoWait, kTimeout, kAllowAbsent,
                                      kKeepCached, kMigrate, kRate};
constexpr OptionInfo kUnsetOptions[] = {kProcess, kNoWait, kTimeout};
constexpr OptionInfo kMapsOptions[] = {
    {"--no-residency", "", "leave the pages alone: microseconds for any heap",
     &Arguments::no_residency},
    {"--exact", "", "look at every page above 4 GiB too", &Arguments::exact}};
constexpr OptionInfo kWatchOptions[] = {
    {"--count", "N", "end after N events", &Arguments::count},
    {"--timeout", "MS", "end after MS milliseconds", &Arguments::watch_ms}};
constexpr OptionInfo kMigrateOptions[] = {
    kRate,
    {"--background", "", "begin, and don't wait for the end", &Arguments::background},
    {"--cancel", "", "end the migration that is under way", &Arguments::cancel},
    {"--timeout", "MS", "how long the target may take to begin, and to end (2000)",
     &Arguments::timeout_ms}};
constexpr OptionInfo kPolicyOptions[] = {
    {"--strict", "", "accept what the kernel's own parser accepts, nothing else",
     &Arguments::strict},
    {"--verbose", "", "the masks too, as the kernel prints them", &Arguments::verbose},
    kAllowAbsent};

constexpr OptionInfo kBenchOptions[] = {
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

constexpr OptionInfo kRules = {"--rules", "PATH", "a file or folder of rules, not the default one",
                               &Arguments::rules};
constexpr OptionInfo kRulesOptions[] = {kRules};
constexpr OptionInfo kApplyOptions[] = {
    {"--dry-run", "", "only show what would change", &Arguments::dry_run},
    {"--all", "", "every process under control", &Arguments::all},
    kRules};

constexpr OptionInfo kSocket = {"--socket", "DIR", "ask the daemon whose folder this is",
                                &Arguments::socket};
constexpr OptionInfo kSocketOptions[] = {kSocket};
constexpr OptionInfo kExplainOptions[] = {kRules, kSocket};
constexpr OptionInfo kStatusOptions[] = {
    {"--all", "", "the processes that it has, too", &Arguments::all}, kSocket};
constexpr OptionInfo kUndoOptions[] = {
    {"--all", "", "every process that the caller may", &Arguments::all}, kSocket};
constexpr OptionInfo kLogOptions[] = {
    {"-n", "N", "the newest N entries only", &Arguments::lines},
    {"--follow", "", "go on as more come, after the newest 10 or N", &Arguments::follow},
    kSocket};

constexpr OperandInfo kTargetOperand = {Operand::kTarget, "PID[/TID]", true};
constexpr OperandInfo kPolicyOperand = {Operand::kPolicy, "POLICY", true};
constexpr OperandInfo kRunOperands[] = {{Operand::kPolicy, "POLICY", false},
                                        {Operand::kCommand, "COMMAND", true}};
constexpr OperandInfo kTargetOperands[] = {kTargetOperand};
constexpr OperandInfo kSetOperands[] = {kTargetOperand, kPolicyOperand};
constexpr OperandInfo kUnsetOperands[] = {kTargetOperand, {Operand::kKind, "KIND", false}};
constexpr OperandInfo kPolicyOperands[] = {kPolicyOperand};
constexpr OperandInfo kProcessOperands[] = {{Operand::kTarget, "PID", true}};
constexpr OperandInfo kAnyProcessOperands[] = {{Operand::kTarget, "PID", false}};
constexpr OperandInfo kPathsOperands[] = {{Operand::kPaths, "FILE|DIR", false}};
constexpr OperandInfo kBenchOperands[] = {{Operand::kCommand, "COMMAND", false}};
constexpr OperandInfo kShellOperands[] = {{Operand::kShell, "bash|man", true}};

constexpr Example kRunExamples[] = {
    {"mpol run interleave:0-1 -- redis-server", "start a program under a policy"},
    {"mpol run -- make -j8", "under control, with the policy that the shell has"},
};
constexpr Example kListExamples[] = {
    {"mpol ls", "all processes under control that you may read"},
    {"mpol ls --json | jq '.processes[].pid'", "their process ids"},
};
constexpr Example kGetExamples[] = {
    {"mpol get 4242", "a process, and its threads that have a policy of their own"},
    {"mpol get 4242/4250", "one thread"},
    {"mpol get 4300", "a process without the allocator: what numa_maps tells"},
};
constexpr Example kSetExamples[] = {
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
constexpr Example kUnsetExamples[] = {
    {"mpol unset 4242", "back to the policy that the process was started with"},
    {"mpol unset 4242/4250", "the thread follows its process again"},
    {"mpol unset 4242 large", "large allocations follow the process again"},
};
constexpr Example kMapsExamples[] = {
    {"mpol maps 4242", "the heap of a process, region by region, and on which nodes it lies"},
    {"mpol maps 4242 --json | jq '.totals.misplaced_bytes'", "what a migration would move"},
    {"mpol maps 4242 --no-residency", "policies and sizes only"},
};
constexpr Example kWatchExamples[] = {
    {"mpol watch 4242", "what its heap does, as it happens"},
    {"mpol watch 4242 --json --count 100 | jq .event", "the next hundred events' kinds"},
};
constexpr Example kMigrateExamples[] = {
    {"mpol migrate 4242", "move what lies elsewhere than its policy says"},
    {"mpol migrate 4242/4250 --rate 100M", "one thread's memory, 100 MiB a second"},
    {"mpol set 4242 bind:2 --migrate", "rewrite, then move"},
};
constexpr Example kPolicyExamples[] = {
    {"mpol policy 'bind=static:0-3'", "what it means on this machine"},
    {"mpol policy --strict 'prefer (many):0'", "as the kernel's own parser reads it"},
};
constexpr Example kRulesCheckExamples[] = {
    {"mpol rules check", "the rules in force, before the daemon reads them"},
    {"mpol rules check draft.toml", "one file"},
};
constexpr Example kRulesListExamples[] = {{"mpol rules list", "in the order they are tried"}};
constexpr Example kRulesTestExamples[] = {
    {"mpol rules test 4242", "which rule, and the policy that it gives on this machine"},
    {"mpol rules test 4242 --rules draft.toml", "by rules that are not in force"},
};
constexpr Example kRulesApplyExamples[] = {
    {"mpol rules apply --dry-run --all", "every process under control"},
    {"mpol rules apply --dry-run 4242", "one of them"},
};
constexpr Example kExplainExamples[] = {
    {"mpol explain 4242", "why it has, or would get, its policy"}};
constexpr Example kDoctorExamples[] = {
    {"mpol doctor", "what this kernel can do, and what it does of its own"},
    {"mpol doctor 4242", "why a policy is not in force, or why there is no control"},
};
constexpr Example kRulesReloadExamples[] = {
    {"mpol rules reload", "after an edit; what is wrong with it is said here"}};
constexpr Example kStatusExamples[] = {
    {"mpol status", "is there a daemon, and how does it do?"},
    {"mpol status --all --json | jq '.processes[] | select(.rule == null)'", "without a rule"},
};
constexpr Example kUndoExamples[] = {
    {"mpol undo 4242", "what it had before the daemon touched it"},
    {"mpol undo --all", "the same for every process"},
};
constexpr Example kLogExamples[] = {
    {"mpol log -n 20", "the newest twenty changes that the daemon made, and why"},
    {"mpol log --follow --json | jq -c 'select(.event == \"apply\")'", "as they come"},
};
constexpr Example kBenchExamples[] = {
    {"mpol bench --quick", "latency and bandwidth of this machine's nodes, in 2 minutes"},
    {"mpol bench --seconds 1200 --output here", "the same with more certainty"},
    {"mpol bench --sweep -- ./solver input", "its run time under a policy of every mode"},
    {"mpol bench --sweep --policies 'bind:0 interleave:all' -- ./solver", "under these"},
    {"mpol bench --sweep --metric './ops-done' -- ./server", "by a count that grows"},
};
constexpr Example kCompletionExamples[] = {
    {"eval \"$(mpol completion bash)\"", "completion in this shell"},
};

constexpr Verb kVerbs[] = {
    {"run", "[POLICY] -- COMMAND [ARGUMENT...]", "start a program whose policy can be rewritten",
     "Runs COMMAND under mpol's allocator, with POLICY as its memory policy if one\n"
     "is given. The exit status is COMMAND's; 125 if mpol itself fails, 126 if\n"
     "COMMAND can't be run, 127 if it can't be found.",
     kRunOperands, kRunOptions, kRunExamples, launch, true},
    {"ls",
     "",
     "list the processes under control",
     "Lists the processes under mpol's allocator that the caller may read.",
     {},
     {},
     kListExamples,
     list},
    {"get", "PID[/TID]", "show the policy of a process or of a thread",
     "Shows what was asked for, what it means, who asked and when, and whether it\n"
     "is applied.",
     kTargetOperands, kGetOptions, kGetExamples, get},
    {"set", "PID[/TID] [KIND:]POLICY", "rewrite the policy of a process or of a thread",
     "Publishes POLICY and waits until it is applied. Threads with a policy of\n"
     "their own keep it, unless --process is given. PID/PID is the main thread.\n"
     "KIND is large>=SIZE, stack or mmap: only that part of its memory. Of a thread:\n"
     "large>=SIZE where it has a policy of its own; stack, the stacks of threads\n"
     "that it creates from then on; mmap, what it maps itself from then on.",
     kSetOperands, kSetOptions, kSetExamples, set},
    {"unset", "PID[/TID] [KIND]", "take a policy back",
     "A thread follows its process again; a process has again the policy that it\n"
     "started with. KIND (large, stack or mmap) follows its process or thread again.",
     kUnsetOperands, kUnsetOptions, kUnsetExamples, unset},
    {"maps", "PID", "show the heap of a process, region by region",
     "Shows each region's scope, the policy asked for and the one in effect, bytes\n"
     "reserved, committed and carved (given to the allocator), and which pages are\n"
     "there: on each node, in huge pages, and misplaced: not where the policy in\n"
     "effect wants them. Of more than 4 GiB, pages are sampled, and it says so.",
     kProcessOperands, kMapsOptions, kMapsExamples, maps},
    {"watch", "PID", "print what a process's heap does, as it happens",
     "A line for the beginning and the end of every operation on a range of the\n"
     "heap: map, unmap, policy, migrate. Events that came too fast are counted.\n"
     "Ends when the process exits, or with Ctrl-C.",
     kProcessOperands, kWatchOptions, kWatchExamples, watch},
    {"migrate", "PID[/TID]", "move pages to where the policy wants them",
     "The process moves the pages of its heap, batch by batch, while it runs; threads\n"
     "with a policy of their own by theirs. PID/TID moves that thread's alone. Ctrl-C\n"
     "ends it after the batch under way and says what moved; asking again resumes.",
     kTargetOperands, kMigrateOptions, kMigrateExamples, migrate},
    {"rules check", "[FILE|DIR...]", "check rule files",
     "Reads the rules, from FILEs and DIRs if any are given, and says all that is\n"
     "wrong with them and where. Rules lie in /etc/mpol/rules.d/*.toml, those of a\n"
     "user's daemon in ~/.config/mpol/rules.d/*.toml.",
     kPathsOperands, kRulesOptions, kRulesCheckExamples, rules_check},
    {"rules list",
     "",
     "list the rules, in the order in which they are tried",
     "Lists every rule: the first that matches a process wins.",
     {},
     kRulesOptions,
     kRulesListExamples,
     rules_list},
    {"rules test", "PID", "show which rule a process is under",
     "Shows what is known of the process, the rule that matches it, and the policy\n"
     "that the rule gives on this machine now. Fails if it can't be had here.",
     kProcessOperands, kRulesOptions, kRulesTestExamples, rules_test},
    {"rules apply", "--dry-run PID|--all", "show what the rules would change",
     "Shows for each process under control which policy it has, and which one the\n"
     "rules give it. Nothing is changed.",
     kAnyProcessOperands, kApplyOptions, kRulesApplyExamples, rules_apply},
    {"rules reload",
     "",
     "have the daemon read its rules again",
     "The daemon reads its rules and gives processes what they say now. When a file\n"
     "is wrong, it keeps the rules that it has, and says what is wrong.",
     {},
     kSocketOptions,
     kRulesReloadExamples,
     rules_reload},
    {"explain", "PID", "say why a process has, or would get, its policy",
     "Shows the policy of the process and who set it, the rule that it is under,\n"
     "why it matches and where it is written, which nodes the cpuset dropped, and of\n"
     "every other rule whether it matches and what decided. Where a daemon runs, what\n"
     "it did to the process, too.",
     kProcessOperands, kExplainOptions, kExplainExamples, explain},
    {"undo", "PID|--all", "give back what processes had before the daemon",
     "Gives a process, and its threads, the policies that they had before the daemon\n"
     "first touched them, and keeps rules from it. What was set by hand since stays.\n"
     "Works without a daemon, too: the process itself keeps what it had.",
     kAnyProcessOperands, kUndoOptions, kUndoExamples, undo},
    {"log",
     "",
     "print what the daemon changed, and why",
     "An entry for every change: when, which process, from, to, the rule and where it\n"
     "is written, and how long it took. The caller's own processes only, but for root.",
     {},
     kLogOptions,
     kLogExamples,
     log},
    {"status",
     "",
     "show how the daemon does",
     "Shows which daemon answers, how it learns of processes, its rules and how many\n"
     "processes it has. Fails when none runs.",
     {},
     kStatusOptions,
     kStatusExamples,
     status},
    {"policy", "POLICY", "show what a policy's text means here",
     "Prints POLICY as the kernel prints it, the nodes that were named and the nodes\n"
     "that are meant on this machine; or what is wrong with it.",
     kPolicyOperands, kPolicyOptions, kPolicyExamples, explain_policy},
    {"doctor",
     "[PID]",
     "say what keeps a policy from being in force, and what to do",
     "Examines the kernel and its settings, and of a process its cpuset, seccomp\n"
     "filter, limits, state under the preload and errors. Says a remedy for each\n"
     "finding. Exit status 1 when something that was asked for is not, or can't be.",
     kAnyProcessOperands,
     {},
     kDoctorExamples,
     doctor},
    {"bench", "[--sweep -- COMMAND [ARGUMENT...]]",
     "measure this machine's nodes, or a program under policies",
     "Measures latency and bandwidth of every node's memory from every node's\n"
     "processors, under every mode and under weights, with small and huge pages, and\n"
     "shows a live rewrite. Leaves JSON and pictures (SVG) in a folder of their own.\n"
     "With --sweep COMMAND is run under policies that are changed live, and the best\n"
     "one is reported: by its run time, or by --metric, a command that prints a number\n"
     "that grows as the program (MPOL_PID) works.",
     kBenchOperands, kBenchOptions, kBenchExamples, bench_machine},
    {"completion",
     "bash|man",
     "print shell completion, or what the manual page says of verbs",
     "Prints a completion script for bash, or the manual page's sections about verbs.",
     kShellOperands,
     {},
     kCompletionExamples,
     completion},
};

}  // namespace

std::span<const Verb> verbs() {
    return kVerbs;
}

std::span<const OptionInfo> common_options() {
    return kCommonOptions;
}

const Verb* find_verb(std::string_view name) {
    for (const Verb& verb : kVerbs) {
        if (verb.name == name) return &verb;
    }
    return nullptr;
}

std::string second_words(std::string_view first) {
    std::string words;
    for (const Verb& verb : kVerbs) {
        const size_t blank = verb.name.find(' ');
        if (blank == std::string_view::npos || verb.name.substr(0, blank) != first) continue;
        words += (words.empty() ? "" : ", ") + std::string(verb.name.substr(blank + 1));
    }
    return words;
}

}  // namespace mpol::cli
