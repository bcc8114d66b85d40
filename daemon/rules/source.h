// SPDX-License-Identifier: Apache-2.0
// A rule file's text, places in it, and what is wrong there. Values only; nothing here reads a
// file.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace mpol::rules {

struct Source {
    std::string path;
    std::string text;
};

// Lines and columns count from 1; a column is a code point, as editors count. length 0: something
// is missing there. line 0: the file as a whole.
struct Location {
    unsigned line = 0;
    unsigned column = 0;
    unsigned length = 0;

    friend bool operator==(const Location&, const Location&) = default;
};

// A string of a rule file.
struct Text {
    std::string text;
    Location at{};          // with its quotes
    bool verbatim = false;  // between the quotes stands exactly text, in ASCII: offsets are columns
};
// Bytes [offset, offset + length) of the text; the whole of it where they can't be told.
[[nodiscard]] Location inside(const Text& text, size_t offset, size_t length);

struct Diagnostic {
    std::string file;
    Location at{};
    std::string line;      // the source line, unchanged
    std::string problem;   // what is wrong, for a sentence
    std::string accepted;  // what could stand there
};

// A person mends a few errors and runs the check again.
inline constexpr size_t kDiagnosticsMax = 50;

struct Diagnostics {
    std::vector<Diagnostic> list;
    size_t left_out = 0;  // beyond kDiagnosticsMax

    [[nodiscard]] bool empty() const { return list.empty(); }
};

// Where the stages put what is wrong with one file. Holds references: must not outlive either.
class Report {
  public:
    Report(const Source& source, Diagnostics& ret_diagnostics)
        : source_(source), diagnostics_(ret_diagnostics) {}

    void error(const Location& at, std::string problem, std::string accepted);

  private:
    const Source& source_;
    Diagnostics& diagnostics_;
};

// By file (in the order of first appearance) and place.
void sort_by_place(Diagnostics& diagnostics);

// Four lines, each with its newline: place and problem, source line, carets, what is accepted. Only
// printable ASCII; of a long line only the surroundings are shown.
[[nodiscard]] std::string render(const Diagnostic& diagnostic);

// Printable ASCII, and not much of it, in quotes.
[[nodiscard]] std::string quoted(std::string_view text);

}  // namespace mpol::rules
