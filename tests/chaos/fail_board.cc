// SPDX-License-Identifier: Apache-2.0
#include "fail_board.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <map>
#include <set>

#include "chaos.h"
#include "replay.h"
#include "wanted.h"

namespace mpol::test {
namespace {

// Of a point that is passed many times, as the stores of a latch are, without MPOL_FAIL_POINTS=all.
constexpr unsigned kFewPasses = 8;
constexpr unsigned kManyHits = 40;

std::string name_of(uint32_t deed) {
    if (deed == sys::kDie) return "die";
    return deed == sys::kStop ? "stop" : ::strerrorname_np(static_cast<int>(deed));
}

std::vector<uint32_t> deeds_at(const PointName& point) {
    std::vector<uint32_t> deeds = {sys::kDie, sys::kStop};
    deeds.insert(deeds.end(), point.errnos.begin(), point.errnos.end());
    return deeds;
}

tl::expected<Strike, std::string> parse_strike(const WantedText& text) {
    const auto& all = fail_points();
    const auto at = std::find_if(all.begin(), all.end(),
                                 [&](const PointName& one) { return one.text == text.what; });
    if (at == all.end()) {
        return tl::unexpected(
            fmt::format("\"{}\" is no fail point; there are {}", text.what,
                        listed(all, [](const PointName& one) { return one.text; })));
    }
    const unsigned pass = parse_place(text.place);
    if (pass == 0) {
        return tl::unexpected(
            fmt::format("\"{}\" is no pass; they are counted from 1", text.place));
    }
    const auto deeds = deeds_at(*at);
    const auto deed = std::find_if(deeds.begin(), deeds.end(),
                                   [&](uint32_t one) { return name_of(one) == text.how; });
    if (deed == deeds.end()) {
        return tl::unexpected(fmt::format("\"{}\" is no deed of {}; there are {}", text.how,
                                          text.what, listed(deeds, name_of)));
    }
    return Strike{*at, pass, *deed};
}

const Wanted<Strike>& wanted() {
    static const Wanted<Strike> from_environment(
        "MPOL_FAIL_POINTS", "POINT:PASS:DEED as in segment-create:3:die", parse_strike);
    return from_environment;
}

const testing::Environment* const text_check =
    testing::AddGlobalTestEnvironment(new WantedCheck([] { return wanted().why_not(); }));

// The first, the last and some between.
std::set<unsigned> passes(unsigned hits) {
    const unsigned count =
        wanted().all() ? hits : std::min(hits, hits > kManyHits ? kFewPasses : 2U);
    std::set<unsigned> found;
    for (unsigned i = 0; i < count; ++i) {
        found.insert(count == 1 ? 1 : 1 + i * (hits - 1) / (count - 1));
    }
    return found;
}

}  // namespace

const std::vector<PointName>& fail_points() {
    static const std::vector<PointName> all = {
#define MPOL_FAIL_POINT(name, text, ...) {sys::FailPoint::name, text, {__VA_ARGS__}},
#include "sys/fail_points.def"
#undef MPOL_FAIL_POINT
    };
    return all;
}

std::vector<PointName> fail_points_of(const std::vector<std::string>& words) {
    std::vector<PointName> found;
    for (const PointName& point : fail_points()) {
        const std::string word = point.text.substr(0, point.text.find('-'));
        if (std::find(words.begin(), words.end(), word) != words.end()) found.push_back(point);
    }
    if (const auto& one = wanted().one()) {
        std::erase_if(found, [&](const PointName& point) { return point.text != one->at.text; });
    }
    return found;
}

std::string Strike::words() const {
    return fmt::format("{}:{}:{}", at.text, pass, name_of(deed));
}

Board::Board()
    : memory_(::memfd_create("fail-board", MFD_CLOEXEC)),
      setting_(fmt::format("MPOL_FAIL_BOARD=/proc/{}/fd/{}", ::getpid(), memory_)) {
    EXPECT_EQ(::ftruncate(memory_, sizeof(sys::FailBoard)), 0);
    void* const at =
        ::mmap(nullptr, sizeof(sys::FailBoard), PROT_READ | PROT_WRITE, MAP_SHARED, memory_, 0);
    if (at == MAP_FAILED) throw std::runtime_error("no memory for a board");
    board_ = static_cast<sys::FailBoard*>(at);
    clear();
}

Board::~Board() {
    ::munmap(board_, sizeof(*board_));
    ::close(memory_);
}

void Board::clear() {
    board_->point = sys::kFailPoints;
    board_->struck = 0;
    for (auto& hits : board_->hits) hits = 0;
}

void Board::arm(const Strike& strike) {
    clear();
    board_->deed = strike.deed;
    board_->left = strike.pass;
    board_->point = static_cast<uint32_t>(strike.at.point);
}

unsigned Board::hits(sys::FailPoint point) const {
    return board_->hits[static_cast<uint32_t>(point)];
}

pid_t Board::struck() const {
    return static_cast<pid_t>(board_->struck.load());
}

std::vector<Strike> strikes_at(const std::vector<PointName>& points, const Board& board) {
    if (const auto& one = wanted().one()) return {*one};
    std::vector<Strike> strikes;
    for (const PointName& point : points) {
        for (const unsigned pass : passes(board.hits(point.point))) {
            for (const uint32_t deed : deeds_at(point)) strikes.push_back({point, pass, deed});
        }
    }
    return strikes;
}

void try_all(const std::vector<Strike>& strikes,
             const std::function<bool(const Strike&)>& attempt) {
    std::cout << "commit " << commit() << '\n';
    std::map<std::string, unsigned> struck;
    unsigned total = 0;
    for (const Strike& strike : strikes) {
        SCOPED_TRACE(fmt::format("MPOL_FAIL_POINTS={} at commit {}", strike.words(), commit()));
        const bool hit = attempt(strike);
        struck[strike.at.text] += hit;
        total += hit;
        if (testing::Test::HasFatalFailure()) break;
    }
    const auto& one = wanted().one();
    for (const auto& [point, count] : struck)
        EXPECT_GT(count, 0U) << "nothing struck at " << (one ? one->words() : point);
    std::cout << fmt::format("{} fail points, {} strikes tried, {} struck\n", struck.size(),
                             strikes.size(), total);
}

}  // namespace mpol::test
