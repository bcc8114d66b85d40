// SPDX-License-Identifier: Apache-2.0
// draw: one picture described as JSON on standard input becomes SVG on standard output. For what
// the drivers measure; mpol bench draws by itself. Exits with 1 and the reason when it is no
// picture.
#include <exception>
#include <iostream>
#include <nlohmann/json.hpp>

#include "picture/chart.h"

namespace mpol::picture {
namespace {

using Json = nlohmann::json;

Caption caption_of(const Json& from) {
    return {from.at("title"), from.at("better"), from.at("machine")};
}
Axis axis_of(const Json& from) {
    return {from.at("title"), from.value("logarithmic", false)};
}

std::string draw_heat_map(const Json& from) {
    HeatMap map{.caption = caption_of(from),
                .row_title = from.at("row_title"),
                .column_title = from.at("column_title"),
                .rows = from.at("rows"),
                .columns = from.at("columns"),
                .panels = {},
                .lower_is_better = from.at("lower_is_better"),
                .neutral = std::nullopt,
                .digits = from.value("digits", 1)};
    if (from.contains("neutral")) map.neutral = from.at("neutral").get<double>();
    for (const Json& each : from.at("panels")) {
        HeatPanel panel{each.at("title"), {}};
        for (const Json& row : each.at("values")) {
            auto& values = panel.values.emplace_back();
            for (const Json& value : row) {
                values.push_back(value.is_null() ? std::nullopt
                                                 : std::optional(value.get<double>()));
            }
            values.resize(map.columns.size());
        }
        panel.values.resize(map.rows.size(),
                            std::vector<std::optional<double>>(map.columns.size()));
        map.panels.push_back(std::move(panel));
    }
    return draw(map);
}

std::string draw_lines(const Json& from) {
    LineChart chart{caption_of(from), axis_of(from.at("x")), axis_of(from.at("y")), {}};
    for (const Json& each : from.at("series")) {
        Series series{each.at("name"), {}};
        for (const Json& sample : each.at("samples")) {
            series.samples.push_back({sample.at(0), sample.at(1), sample.at(2), sample.at(3)});
        }
        chart.series.push_back(std::move(series));
    }
    return draw(chart);
}

std::string draw_any(const Json& from) {
    const std::string kind = from.at("kind");
    if (kind == "heat map") return draw_heat_map(from);
    if (kind == "lines") return draw_lines(from);
    throw std::invalid_argument("no picture of the kind '" + kind + "': heat map, lines");
}

}  // namespace
}  // namespace mpol::picture

int main() {
    try {
        std::cout << mpol::picture::draw_any(nlohmann::json::parse(std::cin)) << std::flush;
    } catch (const std::exception& error) {
        std::cerr << "draw: " << error.what() << std::endl;
        return 1;
    }
    return std::cout ? 0 : 1;
}
