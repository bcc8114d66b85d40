// SPDX-License-Identifier: Apache-2.0
// A server of the API on a loop in a thread of its own, with a fake service behind it.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <functional>
#include <future>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "daemon/api/client.h"
#include "daemon/api/server.h"
#include "daemon/api/socket.h"
#include "daemon/event_loop.h"
#include "tests/api/fake_service.h"

namespace mpol::daemon {

class Served : public ::testing::Test {
  protected:
    Served() {
        char name[] = "/tmp/mpol-api-XXXXXX";
        folder_ = ::mkdtemp(name);
        path_ = folder_ + "/" + kApiSocket;
        wake_ = Descriptor(::eventfd(0, EFD_CLOEXEC));
        std::promise<void> listening;
        thread_ = std::thread([&] { serve(listening); });
        listening.get_future().wait();
        ::chmod(folder_.c_str(), 0755);
    }
    ~Served() override {
        in_loop([this] { sd_event_exit(loop_, 0); });
        thread_.join();
        ::rmdir(folder_.c_str());
    }

    // Runs it in the loop's thread, and waits for its end.
    void in_loop(const std::function<void()>& what) {
        std::promise<void> done;
        {
            const std::lock_guard guard(mutex_);
            tasks_.emplace_back([&] {
                what();
                done.set_value();
            });
        }
        ::eventfd_write(wake_.get(), 1);
        done.get_future().wait();
    }

    Client connected() {
        auto client = Client::connect(path_);
        EXPECT_TRUE(client) << client.error().what;
        return std::move(*client);
    }
    // A connection that says and reads nothing by itself.
    Descriptor raw() {
        Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        const auto address = socket_address(path_);
        EXPECT_EQ(
            ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof(*address)),
            0);
        return socket;
    }
    static void say(const Descriptor& socket, const std::string& text) {
        EXPECT_EQ(::send(socket.get(), text.data(), text.size(), MSG_NOSIGNAL),
                  static_cast<ssize_t>(text.size()));
    }
    static std::string hear_all(const Descriptor& socket) {
        std::string text;
        char buffer[4096];
        for (;;) {
            const ssize_t size = ::recv(socket.get(), buffer, sizeof(buffer), 0);
            if (size <= 0) return text;
            text.append(buffer, static_cast<size_t>(size));
        }
    }

    FakeService service_;  // of the loop's thread while it runs
    std::optional<Server> server_;
    std::string path_;
    std::string folder_;

  private:
    void serve(std::promise<void>& listening) {
        ASSERT_GE(sd_event_new(&loop_), 0);
        auto server = Server::listen(loop_, service_, path_, 0666);
        ASSERT_TRUE(server) << server.error().what;
        server_.emplace(std::move(*server));
        sd_event_source* source = nullptr;
        ASSERT_GE(sd_event_add_io(loop_, &source, wake_.get(), EPOLLIN, on_wake, this), 0);
        listening.set_value();
        sd_event_loop(loop_);
        server_.reset();
        sd_event_source_disable_unref(source);
        sd_event_unref(loop_);
    }

    static int on_wake(sd_event_source*, int fd, uint32_t, void* opaque) {
        auto* const self = static_cast<Served*>(opaque);
        eventfd_t count = 0;
        ::eventfd_read(fd, &count);
        std::vector<std::function<void()>> tasks;
        {
            const std::lock_guard guard(self->mutex_);
            tasks.swap(self->tasks_);
        }
        for (const auto& task : tasks) task();
        return 0;
    }

    sd_event* loop_ = nullptr;
    Descriptor wake_;
    std::mutex mutex_;
    std::vector<std::function<void()>> tasks_;
    std::thread thread_;
};

// In a thread of its own, as another user; only that thread is. False: it can't become that.
inline bool as_user(uid_t uid, const std::function<void()>& what) {
    bool became = false;
    std::thread([&] {
        became = ::syscall(SYS_setresuid, -1, uid, -1) == 0;
        if (became) what();
    }).join();
    return became;
}
inline constexpr uid_t kNobody = 65534;

}  // namespace mpol::daemon
