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
#include "commit.h"

namespace mpol::test {
namespace {

// Of a point that is passed many times, as the stores of a latch are, without MPOL_FAIL_POINTS=all.
constexpr unsigned kFewPasses = 8;
constexpr unsigned kManyHits = 40;

bool all_wanted() {
    const char* const wanted = std::getenv("MPOL_FAIL_POINTS");
    return wanted != nullptr && std::string(wanted) == "all";
}

// The first, the last and some between.
std::set<unsigned> passes(unsigned hits) {
    const unsigned wanted =
        all_wanted() ? hits : std::min(hits, hits > kManyHits ? kFewPasses : 2U);
    std::set<unsigned> found;
    for (unsigned i = 0; i < wanted; ++i) {
        found.insert(wanted == 1 ? 1 : 1 + i * (hits - 1) / (wanted - 1));
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
    return found;
}

std::string Strike::words() const {
    const std::string what = deed == sys::kDie    ? "dies"
                             : deed == sys::kStop ? "stops"
                                                  : ::strerrorname_np(static_cast<int>(deed));
    return fmt::format("{} at pass {} of {}", what, pass, at.text);
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
    std::vector<Strike> strikes;
    for (const PointName& point : points) {
        for (const unsigned pass : passes(board.hits(point.point))) {
            strikes.push_back({point, pass, sys::kDie});
            strikes.push_back({point, pass, sys::kStop});
            for (const int err : point.errnos) {
                strikes.push_back({point, pass, static_cast<uint32_t>(err)});
            }
        }
    }
    return strikes;
}

void try_all(const std::vector<Strike>& strikes,
             const std::function<bool(const Strike&)>& attempt) {
    std::cout << "commit " << MPOL_COMMIT << '\n';
    std::map<std::string, unsigned> struck;
    unsigned total = 0;
    for (const Strike& strike : strikes) {
        SCOPED_TRACE(strike.words());
        const bool hit = attempt(strike);
        struck[strike.at.text] += hit;
        total += hit;
        if (testing::Test::HasFatalFailure()) break;
    }
    for (const auto& [point, count] : struck) EXPECT_GT(count, 0U) << "nothing struck at " << point;
    std::cout << fmt::format("{} fail points, {} strikes tried, {} struck\n", struck.size(),
                             strikes.size(), total);
}

}  // namespace mpol::test
