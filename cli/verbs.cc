// SPDX-License-Identifier: Apache-2.0
#include "cli/verbs.h"

#include "cli/verb_parts.h"

namespace mpol::cli {
namespace {

using namespace parts;

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
    {"rules apply", "[--dry-run] PID|--all",
     "put processes under their rules, or show what would change",
     "Gives processes under control the policies of their rules now, those that were\n"
     "undone, too: by the daemon, or without one once, and mpol undo gives back what\n"
     "they had. It waits until the policies are in force, as set does, for all of them\n"
     "together. With --dry-run it shows which policy each has and which one the rules\n"
     "give it; nothing is changed.",
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
