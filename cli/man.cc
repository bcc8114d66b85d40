// SPDX-License-Identifier: Apache-2.0
// The sections of the manual page that the table of verbs has: SYNOPSIS, OPTIONS and VERBS, in
// man(7)'s macros. docs/man/mpol.1.in has the rest.
#include <fmt/format.h>

#include <iterator>
#include <string>

#include "cli/verbs.h"

namespace mpol::cli {
namespace {

// Text that roff prints as it is.
std::string escaped(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (c == '\\') out += "\\e";
        if (c == '-') out += "\\-";
        if (c == '\n') out += ' ';
        if (c != '\\' && c != '-' && c != '\n') out += c;
    }
    // At a line's beginning these begin a request.
    return out.starts_with('.') || out.starts_with('\'') ? "\\&" + out : out;
}

// As an argument of a macro.
std::string quoted(std::string_view text) {
    std::string out = "\"";
    for (const char c : escaped(text)) out += c == '"' ? std::string("\\(dq") : std::string(1, c);
    return out + "\"";
}

void add(std::string& out, std::string_view request, std::string_view text) {
    fmt::format_to(std::back_inserter(out), "{} {}\n", request, text);
}

void add_verb_synopsis(std::string& out, const Verb& verb) {
    add(out, ".B", "mpol " + escaped(verb.name));
    for (const OptionInfo& option : verb.options) {
        const std::string metavar =
            option.metavar.empty() ? "" : "\\ \\fI" + escaped(option.metavar) + "\\fP";
        add(out, ".RB", fmt::format("[ {}{} ]", escaped(option.name), metavar));
    }
    if (!verb.synopsis.empty()) add(out, ".I", escaped(verb.synopsis));
    out += ".br\n";
}

void add_options(std::string& out, std::span<const OptionInfo> options) {
    for (const OptionInfo& option : options) {
        out += ".TP\n";
        add(out, option.metavar.empty() ? ".B" : ".BI",
            option.metavar.empty()
                ? escaped(option.name)
                : escaped(option.name) + " " + quoted(fmt::format(" {}", option.metavar)));
        out += escaped(option.summary) + "\n";
    }
}

void add_verb(std::string& out, const Verb& verb) {
    add(out, ".SS", quoted(fmt::format("mpol {} {}", verb.name, verb.synopsis)));
    out += escaped(verb.description) + "\n";
    add_options(out, verb.options);
    for (const Example& example : verb.examples) {
        out += ".PP\n.RS\n.nf\n";
        add(out, ".B", quoted(example.command));
        out += ".fi\n.RS\n" + escaped(example.meaning) + "\n.RE\n.RE\n";
    }
}

}  // namespace

std::string man_sections() {
    std::string out = ".SH SYNOPSIS\n";
    for (const Verb& verb : verbs()) add_verb_synopsis(out, verb);
    out +=
        ".SH DESCRIPTION\nPrograms that know nothing of NUMA are started under mpol's allocator; "
        "from then on\nwhoever may debug them can read and rewrite their memory policy, and that "
        "of each\nthread, while they run.\n.SH OPTIONS\n";
    add_options(out, common_options());
    out += ".SH VERBS\n";
    for (const Verb& verb : verbs()) add_verb(out, verb);
    return out;
}

}  // namespace mpol::cli
