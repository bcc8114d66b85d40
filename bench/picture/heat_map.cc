// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "picture/frame.h"

namespace mpol::picture {
namespace {

constexpr double kCellHeight = 44;
constexpr double kCellLeast = 76;
constexpr double kPanelGap = 40;
constexpr size_t kPanelsAcross = 3;
constexpr double kLegendHeight = 46;

struct Color {
    double red, green, blue;
};
constexpr Color kGood = {0x5a, 0xb4, 0xac};
constexpr Color kMiddle = {0xf6, 0xf3, 0xe6};
constexpr Color kBad = {0xd8, 0x83, 0x4a};

// badness: 0 the best, 1 the worst.
std::string color_of(double badness) {
    const double share = std::clamp(badness, 0.0, 1.0);
    const Color from = share < 0.5 ? kGood : kMiddle;
    const Color to = share < 0.5 ? kMiddle : kBad;
    const double way = share < 0.5 ? share * 2 : share * 2 - 1;
    const auto mix = [&](double a, double b) { return static_cast<int>(a + (b - a) * way); };
    return fmt::format("#{:02x}{:02x}{:02x}", mix(from.red, to.red), mix(from.green, to.green),
                       mix(from.blue, to.blue));
}

struct Range {
    double low = 0, high = 0;
};

Range range_of(const HeatPanel& panel) {
    Range range{1e300, -1e300};
    for (const auto& row : panel.values) {
        for (const auto& value : row) {
            if (!value) continue;
            range.low = std::min(range.low, *value);
            range.high = std::max(range.high, *value);
        }
    }
    return range;
}

double badness_of(const HeatMap& map, const Range& range, double value) {
    double share = 0;
    if (map.neutral) {
        // Twice as much is as bad as it gets, half as good.
        share = 0.5 + 0.5 * std::clamp(std::log2(value / *map.neutral), -1.0, 1.0);
    } else if (range.high > range.low) {
        share = (value - range.low) / (range.high - range.low);
    } else {
        return 0;
    }
    return map.lower_is_better ? share : 1 - share;
}

struct Layout {
    double cell_width, row_labels, panel_width, panel_height;
    size_t across;
    double width, height;
};

Layout layout_of(const HeatMap& map) {
    Layout out{};
    out.cell_width = kCellLeast;
    for (const std::string& name : map.columns) {
        out.cell_width = std::max(out.cell_width, text_width(name, 12) + 8);
    }
    for (const std::string& name : map.rows) {
        out.row_labels = std::max(out.row_labels, text_width(name, 12));
    }
    out.row_labels += 34;
    out.panel_width = out.row_labels + out.cell_width * static_cast<double>(map.columns.size());
    for (const HeatPanel& panel : map.panels) {
        constexpr double kBold = 1.1;  // wider than upright letters
        out.panel_width =
            std::max(out.panel_width, out.row_labels + kBold * text_width(panel.title, 14));
    }
    out.panel_height = 78 + kCellHeight * static_cast<double>(map.rows.size());
    out.across = std::clamp<size_t>(map.panels.size(), 1, kPanelsAcross);
    const size_t down = (map.panels.size() + out.across - 1) / out.across;
    const double caption =
        std::max({text_width(map.caption.title, 21), text_width(map.caption.better, 13),
                  text_width(map.caption.machine, 11)});
    const auto across = static_cast<double>(out.across);
    out.width =
        2 * kMargin + std::max(caption, across * out.panel_width + (across - 1) * kPanelGap);
    out.height =
        kTop + static_cast<double>(down) * (out.panel_height + 16) + kLegendHeight + kBottom;
    return out;
}

void draw_panel(Svg& svg, const HeatMap& map, const Layout& layout, const HeatPanel& panel,
                Point corner) {
    const double left = corner.x + layout.row_labels;
    const double top = corner.y + 62;
    const Range range = range_of(panel);
    svg.text({left, corner.y + 14}, panel.title, {.size = 14, .bold = true});
    svg.text({left, corner.y + 34}, map.column_title, {.size = 12, .color = "#444444"});
    svg.text({corner.x + 12, top + kCellHeight * static_cast<double>(map.rows.size()) / 2},
             map.row_title,
             {.size = 12, .anchor = Anchor::kMiddle, .upright = false, .color = "#444444"});
    for (size_t column = 0; column < map.columns.size(); ++column) {
        svg.text({left + layout.cell_width * (static_cast<double>(column) + 0.5), top - 8},
                 map.columns[column], {.size = 12, .anchor = Anchor::kMiddle});
    }
    for (size_t row = 0; row < map.rows.size(); ++row) {
        const double y = top + kCellHeight * static_cast<double>(row);
        svg.text({left - 8, y + kCellHeight / 2 + 4}, map.rows[row],
                 {.size = 12, .anchor = Anchor::kEnd});
        for (size_t column = 0; column < map.columns.size(); ++column) {
            const auto& value = panel.values[row][column];
            const double x = left + layout.cell_width * static_cast<double>(column);
            svg.rectangle({x + 1, y + 1}, layout.cell_width - 2, kCellHeight - 2,
                          value ? color_of(badness_of(map, range, *value)) : "#eeeeee");
            svg.text({x + layout.cell_width / 2, y + kCellHeight / 2 + 5},
                     value ? fmt::format("{:.{}f}", *value, map.digits) : "-",
                     {.size = 14, .anchor = Anchor::kMiddle});
        }
    }
}

void draw_key(Svg& svg, const HeatMap& map, double top) {
    constexpr int kSteps = 24;
    constexpr double kStep = 6;
    svg.text({kMargin, top + 12}, "better", {.size = 12});
    for (int i = 0; i < kSteps; ++i) {
        svg.rectangle({kMargin + 50 + kStep * i, top}, kStep + 0.5, 16,
                      color_of(static_cast<double>(i) / (kSteps - 1)));
    }
    svg.text({kMargin + 58 + kStep * kSteps, top + 12},
             map.neutral ? fmt::format("worse; the middle is {:g}, the ends half and twice that",
                                       *map.neutral)
                         : std::string("worse; each panel has its own ends"),
             {.size = 12});
}

}  // namespace

std::string draw(const HeatMap& map) {
    const Layout layout = layout_of(map);
    Svg svg(layout.width, layout.height, map.caption.title);
    draw_caption(svg, map.caption, layout.height);
    for (size_t i = 0; i < map.panels.size(); ++i) {
        const auto column = static_cast<double>(i % layout.across);
        const auto row = static_cast<double>(i / layout.across);
        draw_panel(svg, map, layout, map.panels[i],
                   {kMargin + column * (layout.panel_width + kPanelGap),
                    kTop + row * (layout.panel_height + 16)});
    }
    draw_key(svg, map, layout.height - kBottom - kLegendHeight + 14);
    return std::move(svg).finish();
}

}  // namespace mpol::picture
