// SPDX-License-Identifier: Apache-2.0
// fake-daemon FOLDER: the API's server with a fake service behind it, for tests of those who ask.
// Lines of standard input drive it, and each is answered by one line:
//   attach PID UID COMM    it has that process
//   log PID UID COUNT      so many entries about it
//   keep COUNT             entries that the log keeps
// It ends with its input.
#include <sys/epoll.h>

#include <cstdio>
#include <iostream>
#include <sstream>
#include <string>

#include "daemon/api/server.h"
#include "daemon/api/socket.h"
#include "tests/api/fake_service.h"

namespace {

using namespace mpol::daemon;

struct Driven {
    FakeService service;
    sd_event* loop = nullptr;
    std::string held;
};

void obey(Driven& driven, const std::string& line) {
    std::istringstream words(line);
    std::string verb;
    words >> verb;
    pid_t pid = 0;
    uid_t uid = 0;
    size_t count = 0;
    if (verb == "attach") {
        std::string comm;
        words >> pid >> uid >> comm;
        driven.service.attach(pid, uid, comm);
    } else if (verb == "log") {
        words >> pid >> uid >> count;
        for (size_t i = 0; i < count; ++i) driven.service.write(pid, uid);
    } else if (verb == "keep") {
        words >> driven.service.log_max;
    }
    std::puts(words ? "ok" : "wrong");
    std::fflush(stdout);
}

int on_input(sd_event_source*, int fd, uint32_t, void* opaque) {
    auto& driven = *static_cast<Driven*>(opaque);
    char buffer[4096];
    const ssize_t size = ::read(fd, buffer, sizeof(buffer));
    if (size <= 0) return sd_event_exit(driven.loop, 0);
    driven.held.append(buffer, static_cast<size_t>(size));
    for (size_t end = driven.held.find('\n'); end != std::string::npos;
         end = driven.held.find('\n')) {
        obey(driven, driven.held.substr(0, end));
        driven.held.erase(0, end + 1);
    }
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    Driven driven;
    if (argc != 2 || sd_event_new(&driven.loop) < 0) return 2;
    const auto folder = hold_folder(argv[1]);
    auto server =
        Server::listen(driven.loop, driven.service, std::string(argv[1]) + "/" + kApiSocket, 0666);
    if (!folder || !server) {
        std::cerr << (folder ? server.error().what : folder.error().what) << "\n";
        return 1;
    }
    if (sd_event_add_io(driven.loop, nullptr, 0, EPOLLIN, on_input, &driven) < 0) return 2;
    std::puts("ready");
    std::fflush(stdout);
    return sd_event_loop(driven.loop);
}
