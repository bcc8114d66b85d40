// SPDX-License-Identifier: Apache-2.0
// The kinds of picture that results are shown as. Each says what was measured, in which unit, which
// end is better, and on which machine: a reader needs nothing else. Values in, SVG text out.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mpol::picture {

struct Caption {
    std::string title;    // what was measured
    std::string better;   // "lower is better", and what else a reader must know
    std::string machine;  // where and when
};

// --- Values in a grid, coloured by how good they are.

struct HeatPanel {
    std::string title;
    // By row, then column; empty: not measured.
    std::vector<std::vector<std::optional<double>>> values;
};
struct HeatMap {
    Caption caption;
    std::string row_title, column_title;
    std::vector<std::string> rows, columns;
    std::vector<HeatPanel> panels;
    bool lower_is_better = true;
    std::optional<double>
        neutral{};  // the value that is neither good nor bad; empty: by the extremes
    int digits = 1;
};
[[nodiscard]] std::string draw(const HeatMap& map);

// --- Values over a quantity.

struct Axis {
    std::string title;  // with its unit
    bool logarithmic = false;
};
struct Sample {
    double x = 0, y = 0;
    double low = 0, high = 0;  // of y: the spread
};
struct Series {
    std::string name;
    std::vector<Sample> samples;
};
struct LineChart {
    Caption caption;
    Axis x, y;
    std::vector<Series> series;
};
[[nodiscard]] std::string draw(const LineChart& chart);

// --- Groups of bars, from left to right.

struct Bar {
    double value = 0, low = 0, high = 0;
};
struct BarGroup {
    std::string name;
    std::vector<Bar> bars;  // one for each of the chart's names, in order
};
struct BarChart {
    Caption caption;
    std::string axis_title;
    std::vector<std::string> names;
    std::vector<BarGroup> groups;
};
[[nodiscard]] std::string draw(const BarChart& chart);

// --- Amounts that make up a whole, over time.

struct Moment {
    double x = 0;
    std::string words;
};
struct Timeline {
    Caption caption;
    Axis x, y;
    std::vector<std::string> layers;  // from the bottom
    std::vector<double> times;
    std::vector<std::vector<double>> amounts;  // by time, then layer
    std::vector<Moment> moments;               // what was done then
};
[[nodiscard]] std::string draw(const Timeline& timeline);

}  // namespace mpol::picture
