// SPDX-License-Identifier: Apache-2.0
// mpol bench: measures this machine's nodes, or a program of the user's under a sweep of policies,
// and leaves JSON and pictures in a folder of their own.
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "cli/machine.h"
#include "cli/program.h"
#include "cli/verbs.h"
#include "cli/words.h"
#include "numa/report.h"
#include "policy/text.h"

namespace mpol::cli {
namespace {

using bench::Change;
using bench::Report;

// Set in the environment of the program that mpol bench starts of itself.
constexpr const char* kSubjectVariable = "MPOL_BENCH_SUBJECT";

constexpr uint64_t kSecond = 1'000'000'000;
constexpr int kSecondsFull = 600;
constexpr int kSecondsQuick = 60;  // with what comes around it well below two minutes
constexpr int kSecondsLeast = 1;
// What each change is shown for, of the whole; between what can be seen and what bores.
constexpr uint64_t kTimelineParts = 40;
constexpr uint64_t kSlotLeastNs = 200'000'000;
constexpr uint64_t kSlotMostNs = 3 * kSecond;
constexpr size_t kBufferFull = size_t{512} << 20;
constexpr size_t kBufferQuick = size_t{128} << 20;
constexpr size_t kBufferLeast = size_t{4} << 20;
constexpr unsigned kWeightStepsFull = 8;
constexpr unsigned kWeightStepsQuick = 4;
constexpr int kRounds = 5;
constexpr int kRoundsQuick = 3;

Result<void> check_options(const Arguments& arguments) {
    const bool has_command = !arguments.command.empty();
    if (arguments.sweep && !has_command) {
        return misused("--sweep wants a program: it stands after --",
                       "mpol bench --sweep -- COMMAND");
    }
    if (!arguments.sweep && has_command) {
        return misused(
            fmt::format("{} is a program to sweep: say --sweep", in_quotes(arguments.command[0])),
            "mpol bench --sweep -- COMMAND");
    }
    const std::pair<bool, const char*> of_sweep[] = {{!arguments.policies.empty(), "--policies"},
                                                     {!arguments.metric.empty(), "--metric"},
                                                     {arguments.rounds != 0, "--rounds"}};
    for (const auto& [given, name] : of_sweep) {
        if (given && !arguments.sweep) return misused(fmt::format("{} is for --sweep", name));
    }
    if (arguments.sweep && !arguments.buffer.empty()) return misused("--buffer is not for --sweep");
    if (arguments.quick && arguments.seconds >= 0) {
        return misused("--quick and --seconds say two different times");
    }
    if (arguments.seconds >= 0 && arguments.seconds < kSecondsLeast) {
        return misused(fmt::format("--seconds wants {} or more", kSecondsLeast));
    }
    return {};
}

Result<size_t> buffer_of(const Arguments& arguments) {
    if (arguments.buffer.empty()) return arguments.quick ? kBufferQuick : kBufferFull;
    const std::optional<uint64_t> bytes = parse_bytes(arguments.buffer);
    if (!bytes || *bytes < kBufferLeast) {
        return misused(
            fmt::format("--buffer wants {} or more, as bytes or with K, M, G or T, not {}",
                        bytes_words(kBufferLeast), in_quotes(arguments.buffer)),
            "--buffer 128M");
    }
    return *bytes;
}

uint64_t budget_ns(const Arguments& arguments) {
    const int seconds = arguments.seconds >= 0 ? arguments.seconds
                        : arguments.quick      ? kSecondsQuick
                                               : kSecondsFull;
    return static_cast<uint64_t>(seconds) * kSecond;
}

std::string default_folder() {
    const std::time_t now = std::time(nullptr);
    tm local{};
    ::localtime_r(&now, &local);
    return fmt::format("mpol-bench-{:%Y%m%d-%H%M%S}", local);
}

// Made before anything is measured: it is known then that the results can be kept.
Result<std::string> make_folder(const Arguments& arguments) {
    const std::string folder = arguments.output.empty() ? default_folder() : arguments.output;
    if (::mkdir(folder.c_str(), 0777) == 0) return folder;
    const int err = errno;
    return failed(
        err, fmt::format("can't make the folder {}: {}", in_quotes(folder), std::strerror(err)),
        err == EEXIST ? "name one that is not there yet with --output" : "");
}

Result<void> write_file(const std::string& folder, const std::string& name,
                        const std::string& text) {
    const std::string path = folder + "/" + name;
    std::ofstream file(path);
    file << text << std::flush;
    if (file) return {};
    return failed(EIO, fmt::format("can't write {}", in_quotes(path)));
}

Result<void> keep(Report& report) {
    const std::map<std::string, std::string> drawn = bench::pictures(report);
    report.files = {"results.json"};
    for (const auto& [name, svg] : drawn) {
        const Result<void> written = write_file(report.folder, name, svg);
        if (!written) return written;
        report.files.push_back(name);
    }
    return write_file(report.folder, "results.json", bench::report_json(report).dump(1) + "\n");
}

// --- The machine

void show_live(Report& report, uint64_t slot_ns) {
    const Result<std::string> library = find_library();
    if (!library) {
        report.notes.push_back("no timeline of a rewrite: " + library.error().message);
        return;
    }
    ::setenv(kSubjectVariable, "1", 1);
    const auto found =
        bench::watch_changes({"/proc/self/exe", "bench"}, *library,
                             bench::changes_to_show(report.topology), report.topology, slot_ns);
    ::unsetenv(kSubjectVariable);
    if (found) {
        report.timeline = *found;
    } else {
        report.notes.push_back("no timeline of a rewrite: " + found.error().what);
    }
}

Result<void> measure_machine(const Arguments& arguments, Report& report) {
    const Result<size_t> buffer = buffer_of(arguments);
    if (!buffer) return tl::unexpected(buffer.error());
    report.effort.budget_ns = budget_ns(arguments);
    report.effort.buffer_bytes = bench::buffer_bytes(report.topology, *buffer);
    report.effort.weight_steps = arguments.quick ? kWeightStepsQuick : kWeightStepsFull;
    if (report.topology.memory_nodes.weight() < 2) {
        report.notes.push_back(
            "no bandwidth against weights: this machine has one memory node, so there is nothing "
            "to share out");
    }
    show_live(report,
              std::clamp(report.effort.budget_ns / kTimelineParts, kSlotLeastNs, kSlotMostNs));
    report.measured = bench::measure(report.topology, report.effort);
    for (const std::string& each : report.measured->left_out) {
        report.notes.push_back("left out: " + each);
    }
    const auto wide = std::count_if(report.measured->pairs.begin(), report.measured->pairs.end(),
                                    [](const auto& pair) { return !pair.estimate.narrow; });
    if (wide != 0) {
        report.notes.push_back(fmt::format(
            "{} of {} figures of node pairs are less certain than {:.0f} %: the time was "
            "up first; more --seconds, or a quieter machine, would narrow them",
            wide, report.measured->pairs.size(), report.effort.relative * 100));
    }
    return {};
}

// --- A program

// The policies that were named, parted by blanks, or one of every mode.
Result<std::vector<Change>> policies_of(const Arguments& arguments, const Report& report) {
    std::vector<Change> out;
    const bool move = report.topology.memory_nodes.weight() > 1;
    if (arguments.policies.empty()) {
        for (const Policy& policy : bench::candidate_policies(report.topology)) {
            out.push_back({policy_text(policy), policy, move});
        }
        return out;
    }
    const Machine machine = read_machine();
    std::istringstream words(arguments.policies);
    for (std::string word; words >> word;) {
        const auto policy = read_policy(word, machine, report.topology.memory_nodes, false);
        if (!policy) return tl::unexpected(policy.error());
        out.push_back({policy_text(*policy), *policy, move});
    }
    if (out.empty()) return misused("--policies names none");
    return out;
}

Result<void> sweep_program(const Arguments& arguments, Report& report) {
    const Result<std::string> library = find_library();
    if (!library) return tl::unexpected(library.error());
    const auto policies = policies_of(arguments, report);
    if (!policies) return tl::unexpected(policies.error());
    const int rounds = arguments.rounds != 0 ? arguments.rounds
                       : arguments.quick     ? kRoundsQuick
                                             : kRounds;
    bench::SweepPlan plan{.command = arguments.command,
                          .library = *library,
                          .policies = *policies,
                          .metric = arguments.metric,
                          .rounds = static_cast<unsigned>(rounds)};
    plan.slot_ns =
        std::max(budget_ns(arguments) / (plan.rounds * plan.policies.size()), kSlotLeastNs);
    plan.longest_ns = budget_ns(arguments);
    const auto found = bench::sweep(plan);
    if (!found) return failed(found.error());
    report.sweep = *found;
    report.command = arguments.command;
    report.notes.insert(report.notes.end(), found->notes.begin(), found->notes.end());
    return {};
}

}  // namespace

Result<Answer> bench_machine(const Arguments& arguments) {
    if (std::getenv(kSubjectVariable) != nullptr) bench::run_renewing();
    const Result<void> checked = check_options(arguments);
    if (!checked) return tl::unexpected(checked.error());
    if (const auto buffer = buffer_of(arguments); !buffer) return tl::unexpected(buffer.error());
    Report report;
    report.topology = bench::read_topology();
    if (arguments.sweep) {
        if (const auto named = policies_of(arguments, report); !named) {
            return tl::unexpected(named.error());
        }
    }
    const Result<std::string> folder = make_folder(arguments);
    if (!folder) return tl::unexpected(folder.error());
    report.folder = *folder;
    const Result<void> done =
        arguments.sweep ? sweep_program(arguments, report) : measure_machine(arguments, report);
    if (!done) {
        ::rmdir(report.folder.c_str());  // nothing is in it yet
        return tl::unexpected(done.error());
    }
    const Result<void> kept = keep(report);
    if (!kept) return tl::unexpected(kept.error());
    return Answer{Status::kOk, std::move(report)};
}

}  // namespace mpol::cli
