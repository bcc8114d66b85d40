// SPDX-License-Identifier: Apache-2.0
// Processes under the preloaded library for a benchmark to look at or to rewrite.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "control/attach.h"

namespace mpol::bench {

[[noreturn]] inline void fail(const char* what) {
    std::fprintf(stderr, "benchmark: %s\n", what);
    std::exit(1);
}

inline void sleep_ns(long ns) {
    const timespec pause{0, ns};
    ::nanosleep(&pause, nullptr);
}

// A program whose stdin and stdout are pipes; it says something once it is ready. Killed at the
// end.
class Child {
  public:
    // This program again, preloaded, with one argument.
    explicit Child(const char* argument)
        : Child({"/proc/self/exe", argument}, MPOL_PRELOAD_LIBRARY) {}
    // command: found as execvp(3) does. library: what is preloaded; nullptr: nothing.
    Child(const std::vector<std::string>& command, const char* library) {
        std::vector<char*> words;
        for (const std::string& word : command) words.push_back(const_cast<char*>(word.c_str()));
        words.push_back(nullptr);
        int in[2];
        int out[2];
        if (::pipe2(in, O_CLOEXEC) != 0 || ::pipe2(out, O_CLOEXEC) != 0) fail("no pipes");
        pid_ = ::fork();
        if (pid_ == 0) {
            ::prctl(PR_SET_PDEATHSIG, SIGKILL);
            ::dup2(in[0], STDIN_FILENO);
            ::dup2(out[1], STDOUT_FILENO);
            if (library != nullptr) ::setenv("LD_PRELOAD", library, 1);
            ::execvp(words[0], words.data());
            ::_exit(127);
        }
        ::close(in[0]);
        ::close(out[1]);
        to_ = in[1];
        from_ = out[0];
        char ready = 0;
        if (!hear(ready)) fail("the child did not start");
    }
    ~Child() {
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
        ::close(to_);
        ::close(from_);
    }
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;

    [[nodiscard]] pid_t pid() const { return pid_; }
    template <class Message>
    void tell(const Message& message) {
        if (::write(to_, &message, sizeof(message)) != sizeof(message)) {
            fail("the child does not listen");
        }
    }
    template <class Message>
    bool hear(Message& ret_message) {
        return ::read(from_, &ret_message, sizeof(ret_message)) ==
               static_cast<ssize_t>(sizeof(ret_message));
    }
    [[nodiscard]] control::Target attach() const {
        auto target = control::Target::attach(pid_, control::Access::kWrite);
        if (!target) fail(target.error().what.c_str());
        return std::move(*target);
    }

  private:
    pid_t pid_ = -1;
    int to_ = -1;
    int from_ = -1;
};

// In the child.
template <class Message>
void say(const Message& message) {
    if (::write(STDOUT_FILENO, &message, sizeof(message)) != sizeof(message)) ::_exit(1);
}
inline char await_command() {
    char command = 0;
    return ::read(STDIN_FILENO, &command, 1) == 1 ? command : '\0';
}

[[nodiscard]] inline Policy policy_on_node_0(Mode mode) {
    Policy policy;
    policy.mode = mode;
    policy.nodes.set(0);
    return policy;
}

}  // namespace mpol::bench
