// SPDX-License-Identifier: Apache-2.0
// mpol: reads a command line, runs one verb, prints its value or its error once, and exits with a
// documented status. Nothing else in cli/ prints, but for `mpol run`'s note before it executes;
// `mpol watch` prints its lines through show().
#include <fcntl.h>
#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>
#include <string>

#include "cli/command_line.h"

namespace mpol::cli {
namespace {

// A closed standard descriptor would be reused by the next open, and text for a person would be
// written into a process's segment. What takes its place fails every write, and exec closes it.
void occupy_standard_descriptors() {
    for (int fd = 0; fd <= 2; ++fd) {
        if (::fcntl(fd, F_GETFD) >= 0 || errno != EBADF) continue;
        (void)::open("/dev/null", (fd == 0 ? O_WRONLY : O_RDONLY) | O_CLOEXEC);
    }
}

bool print(const std::string& text, std::FILE* to) {
    return std::fwrite(text.data(), 1, text.size(), to) == text.size() && std::fflush(to) == 0;
}

}  // namespace

bool show(const Arguments& arguments, const Value& value) {
    return print(arguments.json ? json(value) : plain(value), stdout);
}

namespace {

int finish(const std::string& text, Status status) {
    if (print(text, stdout)) return static_cast<int>(status);
    print(fmt::format("mpol: can't write to standard output: {}\n", std::strerror(errno)), stderr);
    return static_cast<int>(Status::kFailed);
}

// env, nice and timeout fail with 125, so that their command's own statuses can be told apart.
Status status_in(const Verb* verb, Status status) {
    const bool own = status < Status::kLauncherFailed;
    return verb != nullptr && verb->launches && own ? Status::kLauncherFailed : status;
}

int report(const Invocation& call, Error error) {
    error.status = status_in(call.verb, error.status);
    if (call.arguments.json) return finish(json(error), error.status);
    print(plain(error), stderr);
    return static_cast<int>(error.status);
}

int run(const std::vector<std::string>& words) {
    const Invocation call = parse_command_line(words);
    if (call.error) return report(call, *call.error);
    const bool as_json = call.arguments.json;
    if (call.arguments.help || call.arguments.version) {
        const Value text = Text{call.arguments.help ? help(call.verb) : "mpol " MPOL_VERSION "\n"};
        return finish(as_json ? json(text) : plain(text), Status::kOk);
    }
    const Result<Answer> answer = call.verb->run(call.arguments);
    if (!answer) return report(call, answer.error());
    return finish(as_json ? json(answer->value) : plain(answer->value), answer->status);
}

}  // namespace
}  // namespace mpol::cli

int main(int argc, char** argv) {
    mpol::cli::occupy_standard_descriptors();
    try {
        return mpol::cli::run({argv + (argc > 0 ? 1 : 0), argv + argc});
    } catch (const std::exception& exception) {
        std::fputs("mpol: ", stderr);
        std::fputs(exception.what(), stderr);
        std::fputs("\n", stderr);
        return static_cast<int>(mpol::cli::Status::kFailed);
    }
}
