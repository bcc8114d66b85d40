// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "picture/frame.h"

namespace mpol::picture {
namespace {

constexpr double kWidth = 900;
constexpr double kBarHeight = 16;
constexpr double kGroupGap = 16;

double most(const BarChart& chart) {
    double out = 0;
    for (const BarGroup& group : chart.groups) {
        for (const Bar& bar : group.bars) out = std::max(out, bar.high);
    }
    return out;
}

double label_width(const BarChart& chart) {
    double out = 60;
    for (const BarGroup& group : chart.groups) out = std::max(out, text_width(group.name, 13));
    return out;
}

}  // namespace

std::string draw(const BarChart& chart) {
    const double group_height = kBarHeight * static_cast<double>(chart.names.size()) + kGroupGap;
    const double legend = legend_width(chart.names);
    const double width = std::max(
        {kWidth, text_width(chart.caption.machine, 11), text_width(chart.caption.better, 13)});
    const double height =
        kTop + group_height * static_cast<double>(chart.groups.size()) + 70 + kBottom;
    const Field field = {kMargin + label_width(chart) + 12, kTop, width - kMargin - legend,
                         height - kBottom - 60};
    const Scale x(0, most(chart), false, field.left, field.right);
    Svg svg(width, height, chart.caption.title);
    draw_caption(svg, chart.caption, height);
    for (double tick : x.ticks()) {
        const double at = x.pixel(tick);
        svg.line({at, field.top}, {at, field.bottom}, kGrid);
        svg.text({at, field.bottom + 18}, number_words(tick),
                 {.size = 12, .anchor = Anchor::kMiddle});
    }
    svg.text({(field.left + field.right) / 2, field.bottom + 40}, chart.axis_title,
             {.anchor = Anchor::kMiddle});
    for (size_t i = 0; i < chart.groups.size(); ++i) {
        const BarGroup& group = chart.groups[i];
        const double top = field.top + group_height * static_cast<double>(i) + kGroupGap / 2;
        svg.text({field.left - 8, top + (group_height - kGroupGap) / 2 + 4}, group.name,
                 {.anchor = Anchor::kEnd});
        for (size_t bar = 0; bar < group.bars.size(); ++bar) {
            const double y = top + kBarHeight * static_cast<double>(bar);
            const auto& [value, low, high] = group.bars[bar];
            svg.rectangle({field.left, y + 1}, x.pixel(value) - field.left, kBarHeight - 2,
                          series_color(bar));
            svg.line({x.pixel(low), y + kBarHeight / 2}, {x.pixel(high), y + kBarHeight / 2}, kInk,
                     1.5);
            svg.text({std::max(x.pixel(high), field.left) + 5, y + kBarHeight - 4},
                     fmt::format("{:.3g}", value), {.size = 11});
        }
    }
    svg.line({field.left, field.top}, {field.left, field.bottom}, kInk);
    draw_legend(svg, {field.right + kMargin + 16, field.top + 14}, chart.names);
    return std::move(svg).finish();
}

}  // namespace mpol::picture
