// SPDX-License-Identifier: Apache-2.0
// Fail points from a test's side: the board that it shares with its subjects, and which of the
// points' passes it tries. MPOL_FAIL_POINTS says which:
//
//     all                       each of them, with each deed
//     POINT:PASS:DEED           this strike alone, as a failure prints it: segment-create:3:die.
//     DEED is
//                               die, stop, or an errno that the point's call may fail with
//     (not set)                 a few of each
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "sys/fail_point.h"

namespace mpol::test {

struct PointName {
    sys::FailPoint point;
    std::string text;
    std::vector<int> errnos;
};
// All, in the order of sys/fail_points.def.
[[nodiscard]] const std::vector<PointName>& fail_points();
// Those whose text begins with one of the words, and that MPOL_FAIL_POINTS does not leave out.
[[nodiscard]] std::vector<PointName> fail_points_of(const std::vector<std::string>& words);

// What is to happen, at which pass.
struct Strike {
    PointName at;
    unsigned pass = 1;
    uint32_t deed = sys::kDie;

    // As MPOL_FAIL_POINTS has it.
    [[nodiscard]] std::string words() const;
    [[nodiscard]] bool fails_a_call() const { return deed < sys::kDie; }
};

class Board {
  public:
    Board();
    ~Board();
    Board(const Board&) = delete;
    Board& operator=(const Board&) = delete;

    // For Options::environment.
    [[nodiscard]] const std::string& setting() const { return setting_; }
    void arm(const Strike& strike);
    // Nobody has passed anything.
    void clear();
    [[nodiscard]] unsigned hits(sys::FailPoint point) const;
    [[nodiscard]] pid_t struck() const;

  private:
    int memory_;
    sys::FailBoard* board_;
    std::string setting_;
};

// The strikes to be tried at points that were passed as often as the board says.
[[nodiscard]] std::vector<Strike> strikes_at(const std::vector<PointName>& points,
                                             const Board& board);
// Calls attempt, which returns whether it struck, with each; complains of a point where none did.
void try_all(const std::vector<Strike>& strikes, const std::function<bool(const Strike&)>& attempt);

}  // namespace mpol::test
