// SPDX-License-Identifier: Apache-2.0
#include "subject.h"

#include <dirent.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <sstream>
#include <stdexcept>
#include <thread>

namespace mpol::test {

std::vector<std::string> subject_arguments;

namespace {

using Clock = std::chrono::steady_clock;

std::map<std::string, SubjectMain*>& subjects() {
    static std::map<std::string, SubjectMain*> all;
    return all;
}

[[noreturn]] void fail(const std::string& what) {
    throw std::runtime_error(what);
}

[[noreturn]] void become(const char* name, const Options& options, int in, int out) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::dup2(in, STDIN_FILENO);
    ::dup2(out, STDOUT_FILENO);
    const std::string preload =
        options.preload_before + ":" MPOL_PRELOAD_LIBRARY ":" + options.preload_after;
    if (options.preload) ::setenv("LD_PRELOAD", preload.c_str(), 1);
    for (const std::string& setting : options.environment) ::putenv(strdup(setting.c_str()));
    const std::string program = options.program.empty() ? "/proc/self/exe" : options.program;
    std::vector<char*> argv{strdup(program.c_str())};
    if (options.program.empty()) argv.insert(argv.end(), {strdup("--subject"), strdup(name)});
    for (const std::string& argument : options.arguments) argv.push_back(strdup(argument.c_str()));
    argv.push_back(nullptr);
    if (options.before_exec) options.before_exec();
    ::execv(program.c_str(), argv.data());
    ::_exit(127);
}

int reap(pid_t pid) {
    int status = 0;
    const auto deadline = Clock::now() + std::chrono::milliseconds(kWaitMs);
    while (::waitpid(pid, &status, WNOHANG) == 0) {
        if (Clock::now() > deadline) {
            ADD_FAILURE() << "process " << pid << " did not end";
            ::kill(pid, SIGKILL);
            ::waitpid(pid, &status, 0);
            break;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

std::string read_whole(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
}

std::string maps_path(pid_t pid, pid_t tid) {
    return "/proc/" + std::to_string(pid) + "/task/" + std::to_string(tid == 0 ? pid : tid) +
           "/numa_maps";
}

// "7f.. prefer (many):0-1 anon=3": the two words of some modes belong together.
std::string policy_of_line(std::istringstream& line) {
    std::string policy;
    line >> policy;
    if (policy == "prefer" || policy == "weighted") {
        std::string second;
        line >> second;
        policy += " " + second;
    }
    return policy;
}

}  // namespace

void say(const char* format, ...) {
    char line[512];
    va_list arguments;
    va_start(arguments, format);
    int size = std::vsnprintf(line, sizeof(line) - 1, format, arguments);
    va_end(arguments);
    size = std::min<int>(size, sizeof(line) - 2);
    line[size++] = '\n';
    if (::write(STDOUT_FILENO, line, static_cast<size_t>(size)) != size) ::_exit(126);
}

char await_command() {
    char command = 0;
    ssize_t got = 0;
    while ((got = ::read(STDIN_FILENO, &command, 1)) < 0 && errno == EINTR) {
    }
    return got == 1 ? command : '\0';
}

void* volatile_malloc(size_t size) {
    void* memory = std::malloc(size);
    asm volatile("" : "+r"(memory)::"memory");
    return memory;
}

void call_allocator() {
    std::free(volatile_malloc(1));
}

void touch(void* memory, size_t size) {
    for (size_t at = 0; at < size; at += 4096) static_cast<volatile char*>(memory)[at] = 1;
}

Registered::Registered(const char* name, SubjectMain* main) {
    subjects()[name] = main;
}

Subject::Subject(const char* name, const Options& options) {
    int in[2];
    int out[2];
    if (::pipe2(in, O_CLOEXEC) != 0 || ::pipe2(out, O_CLOEXEC) != 0) fail("no pipes");
    pid_ = ::fork();
    if (pid_ == 0) become(name, options, in[0], out[1]);
    ::close(in[0]);
    ::close(out[1]);
    to_ = in[1];
    from_ = out[0];
}

Subject::~Subject() {
    if (to_ >= 0) ::close(to_);
    if (from_ >= 0) ::close(from_);
    if (pid_ > 0) {
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
    }
}

std::string Subject::hear() {
    const auto deadline = Clock::now() + std::chrono::milliseconds(kWaitMs);
    for (;;) {
        const size_t end = unread_.find('\n');
        if (end != std::string::npos) {
            std::string line = unread_.substr(0, end);
            unread_.erase(0, end + 1);
            return line;
        }
        const auto left =
            std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
        pollfd waiting{from_, POLLIN, 0};
        if (left <= 0 || ::poll(&waiting, 1, static_cast<int>(left)) == 0) {
            fail("the subject said nothing in time");
        }
        char buffer[4096];
        const ssize_t got = ::read(from_, buffer, sizeof(buffer));
        if (got <= 0) fail("the subject has gone");
        unread_.append(buffer, static_cast<size_t>(got));
    }
}

std::string Subject::hear(const std::string& word) {
    const std::string line = hear();
    if (line == word) return {};
    if (line.rfind(word + " ", 0) != 0) fail("heard '" + line + "' instead of '" + word + "'");
    return line.substr(word.size() + 1);
}

uint64_t Subject::hear_number(const std::string& word) {
    return std::strtoull(hear(word).c_str(), nullptr, 0);
}

void Subject::tell(char command) {
    if (::write(to_, &command, 1) != 1) fail("the subject does not listen");
}

std::string Subject::ask(char command, const std::string& word) {
    tell(command);
    return hear(word);
}

int Subject::finish() {
    ::close(to_);
    to_ = -1;
    const int status = reap(pid_);
    pid_ = -1;
    return status;
}

control::Target Subject::attach() const {
    return mpol::test::attach(pid_);
}

control::Target attach(pid_t pid) {
    auto target = control::Target::attach(pid, control::Access::kWrite);
    if (!target) fail("attach: " + target.error().what);
    return std::move(*target);
}

Policy make_policy(Mode mode, std::initializer_list<unsigned> nodes) {
    Policy policy;
    policy.mode = mode;
    for (const unsigned node : nodes) policy.nodes.set(node);
    return policy;
}

Policy bind_to(std::initializer_list<unsigned> nodes) {
    return make_policy(Mode::kBind, nodes);
}

uint64_t set_process(control::Target& target, const std::optional<Policy>& policy) {
    const auto generation = target.publish_process(policy, kWaitMs);
    if (!generation) fail(generation.error().what);
    return *generation;
}

uint64_t set_thread(control::Target& target, pid_t tid, const std::optional<Policy>& policy) {
    const auto slot = target.slot_of(tid);
    if (!slot) fail(slot.error().what);
    const auto generation = target.publish_thread(*slot, policy, kWaitMs);
    if (!generation) fail(generation.error().what);
    return *generation;
}

std::string policy_at(pid_t pid, uint64_t address, pid_t tid) {
    std::ifstream maps(maps_path(pid, tid));
    std::string best;
    for (std::string text; std::getline(maps, text);) {
        std::istringstream line(text);
        uint64_t start = 0;
        line >> std::hex >> start;
        if (start > address) break;
        best = policy_of_line(line);
    }
    return best;
}

std::string task_policy(pid_t pid, pid_t tid) {
    std::ifstream maps(maps_path(pid, tid));
    std::string text;
    std::getline(maps, text);
    std::istringstream line(text);
    uint64_t start = 0;
    line >> std::hex >> start;
    return policy_of_line(line);
}

std::vector<pid_t> tasks(pid_t pid) {
    std::vector<pid_t> all;
    DIR* const dir = ::opendir(("/proc/" + std::to_string(pid) + "/task").c_str());
    if (dir == nullptr) return all;
    while (const dirent* entry = ::readdir(dir)) {
        if (entry->d_name[0] != '.') all.push_back(std::atoi(entry->d_name));
    }
    ::closedir(dir);
    std::sort(all.begin(), all.end());
    return all;
}

std::string task_name(pid_t pid, pid_t tid) {
    std::string name =
        read_whole("/proc/" + std::to_string(pid) + "/task/" + std::to_string(tid) + "/comm");
    if (!name.empty()) name.pop_back();
    return name;
}

pid_t task_named(pid_t pid, const std::string& name) {
    for (const pid_t tid : tasks(pid)) {
        if (task_name(pid, tid) == name) return tid;
    }
    return 0;
}

std::vector<int> segment_descriptors(pid_t pid) {
    std::vector<int> found;
    const std::string path = "/proc/" + std::to_string(pid) + "/fd";
    DIR* const dir = ::opendir(path.c_str());
    if (dir == nullptr) return found;
    while (const dirent* entry = ::readdir(dir)) {
        char link[256]{};
        if (::readlinkat(::dirfd(dir), entry->d_name, link, sizeof(link) - 1) > 0 &&
            std::strstr(link, "memfd:" MPOL_CTL_NAME) != nullptr) {
            found.push_back(std::atoi(entry->d_name));
        }
    }
    ::closedir(dir);
    return found;
}

std::string segment_bytes(pid_t pid) {
    const std::vector<int> all = segment_descriptors(pid);
    if (all.size() != 1) fail("not one segment but " + std::to_string(all.size()));
    return read_whole("/proc/" + std::to_string(pid) + "/fd/" + std::to_string(all[0]));
}

const mpol_ctl& header_of(const std::string& segment_bytes) {
    if (segment_bytes.size() != sizeof(mpol_ctl)) fail("a segment of a strange size");
    return *reinterpret_cast<const mpol_ctl*>(segment_bytes.data());
}

bool in_regions(const control::Target& target, uint64_t address, uint32_t scope) {
    const auto regions = target.regions();
    return std::any_of(regions.begin(), regions.end(), [&](const control::RegionState& region) {
        return address - region.start < region.size && region.scope == scope;
    });
}

bool eventually(const std::function<bool()>& condition) {
    const auto deadline = Clock::now() + std::chrono::milliseconds(kWaitMs);
    while (!condition()) {
        if (Clock::now() > deadline) return false;
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return true;
}

const control::ErrorState* find_error(const std::vector<control::ErrorState>& errors,
                                      mpol_ctl_error_code code) {
    const auto found = std::find_if(errors.begin(), errors.end(),
                                    [&](const auto& error) { return error.code == code; });
    return found == errors.end() ? nullptr : &*found;
}

}  // namespace mpol::test

int main(int argc, char** argv) {
    using namespace mpol::test;
    if (argc > 2 && std::strcmp(argv[1], "--subject") == 0) {
        const auto found = subjects().find(argv[2]);
        if (found == subjects().end()) return 125;
        subject_arguments.assign(argv + 3, argv + argc);
        return found->second();
    }
    ::signal(SIGPIPE, SIG_IGN);
    ::testing::InitGoogleTest(&argc, argv);
    return RUN_ALL_TESTS();
}
