// SPDX-License-Identifier: Apache-2.0
// A client's bytes through framing, calls and methods. Every reply is a frame that the client's
// half reads back as it was, and every call that is read comes back the same when it is written.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "daemon/api/frame.h"
#include "daemon/api/methods.h"
#include "tests/api/fake_service.h"

namespace {

using namespace mpol::daemon;

// Of one call; a client may ask for more as long as it likes.
constexpr int kPagesMax = 4;

void require(bool condition) {
    if (!condition) std::abort();
}

void check_reply(const Reply& reply) {
    const std::string text = frame(reply);
    require(text.find('\0') == text.size() - 1);
    const auto back = parse_reply(std::string_view(text).substr(0, text.size() - 1));
    require(back.has_value());
    require(back->error == reply.error && back->continues == reply.continues);
}

void check_call(FakeService& service, const Call& call) {
    const std::string text = frame(call);
    const auto back = parse_call(std::string_view(text).substr(0, text.size() - 1));
    require(back && back->method == call.method && back->parameters == call.parameters &&
            back->more == call.more && back->oneway == call.oneway);
    Replies replies = answer(service, Caller{1, 0, 0}, call);
    if (const auto* const reply = std::get_if<Reply>(&replies)) return check_reply(*reply);
    const Pages& pages = std::get<Pages>(replies);
    for (int i = 0; i < kPagesMax; ++i) {
        const auto page = pages();
        if (!page) return;
        check_reply(*page);
        if (!page->continues) return;
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    FakeService service;
    service.attach(4242, 0, "a\xff");
    service.write(4242, 0);
    if (size == 0) return 0;
    // The first byte says how the rest is cut.
    const size_t cut = data[0] + 1U;
    std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
    Frames frames(kCallBytesMax);
    while (!bytes.empty()) {
        const bool fits = frames.feed(bytes.substr(0, cut));
        bytes.remove_prefix(std::min(cut, bytes.size()));
        while (const auto message = frames.next()) {
            if (const auto call = parse_call(*message)) check_call(service, *call);
        }
        if (!fits) break;
    }
    return 0;
}
