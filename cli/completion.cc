// SPDX-License-Identifier: Apache-2.0
// What is generated from the table of verbs for other programs to read.
#include <fmt/format.h>

#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "cli/verbs.h"
#include "cli/words.h"
#include "policy/modes.h"

namespace mpol::cli {
namespace {

// A spelling that a shell takes without quotes.
std::string_view unquoted_spelling(const ModeInfo& info) {
    for (const char* spelling : info.spellings) {
        if (spelling == nullptr) break;
        const std::string_view text = spelling;
        if (text.find_first_of(" (_") == std::string_view::npos) return text;
    }
    return info.kernel_name;
}

std::string option_words(std::span<const OptionInfo> options) {
    std::string out;
    for (const OptionInfo& option : options)
        fmt::format_to(std::back_inserter(out), " {}", option.name);
    return out;
}

// What stands at an operand's place, as a bash word list.
std::string operand_words(const OperandInfo& operand) {
    switch (operand.kind) {
        case Operand::kTarget:
            return " $(mpol ls 2>/dev/null | awk 'NR > 1 { print $1 }')";
        case Operand::kShell:
            return " bash man";
        case Operand::kKind:
            return " large stack mmap";
        case Operand::kPolicy: {
            std::string out;
            for (const ModeInfo& info : kModes) {
                fmt::format_to(std::back_inserter(out), " {}", unquoted_spelling(info));
            }
            return out;
        }
        case Operand::kPaths:
            return {};
        case Operand::kCommand:
            return " --";
    }
    return {};
}

// By a verb's first word, in the table's order; verbs that share it share their words, too.
std::vector<std::pair<std::string, std::string>> words_of_verbs() {
    std::vector<std::pair<std::string, std::string>> out;
    for (const Verb& verb : verbs()) {
        const size_t blank = verb.name.find(' ');
        const std::string first(verb.name.substr(0, blank));
        if (out.empty() || out.back().first != first) out.emplace_back(first, "");
        std::string& words = out.back().second;
        if (blank != std::string_view::npos) words += verb.name.substr(blank);
        words += option_words(verb.options);
        if (words.find(" --help") == std::string::npos) words += option_words(common_options());
        for (const OperandInfo& operand : verb.operands) words += operand_words(operand);
    }
    return out;
}

}  // namespace

std::string bash_completion() {
    std::string names;
    std::string cases;
    for (const auto& [name, words] : words_of_verbs()) {
        fmt::format_to(std::back_inserter(names), "{}{}", names.empty() ? "" : " ", name);
        fmt::format_to(std::back_inserter(cases), "        {}) words=\"{}\" ;;\n", name,
                       words.substr(1));
    }
    return fmt::format(
        "# bash completion of mpol\n"
        "_mpol() {{\n"
        "    local current=${{COMP_WORDS[COMP_CWORD]}} words=\"{} {}\"\n"
        "    case ${{COMP_WORDS[1]}} in\n{}    esac\n"
        "    if ((COMP_CWORD == 1)); then words=\"{} {}\"; fi\n"
        "    COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
        "}}\n"
        "complete -o default -F _mpol mpol\n",
        names, option_words(common_options()).substr(1), cases, names,
        option_words(common_options()).substr(1));
}

Result<Answer> completion(const Arguments& arguments) {
    if (arguments.shell == "bash") return Answer{Status::kOk, Text{bash_completion()}};
    if (arguments.shell == "man") return Answer{Status::kOk, Text{man_sections()}};
    return misused(fmt::format("no completion for {}", in_quotes(arguments.shell)),
                   "mpol completion bash");
}

}  // namespace mpol::cli
