// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <numeric>

#include "picture/frame.h"

namespace mpol::picture {
namespace {

constexpr double kWidth = 980;
constexpr double kHeight = 540;
constexpr double kMomentLine = 16;  // what was done stands above the drawing, a line for each

double most(const Timeline& timeline) {
    double out = 1;
    for (const auto& amounts : timeline.amounts) {
        out = std::max(out, std::accumulate(amounts.begin(), amounts.end(), 0.0));
    }
    return out;
}

// From the sum of the layers below to the one with this layer.
std::vector<Point> outline_of(const Timeline& timeline, size_t layer, const Scale& x,
                              const Scale& y) {
    std::vector<Point> upper, lower;
    for (size_t i = 0; i < timeline.times.size(); ++i) {
        const auto& amounts = timeline.amounts[i];
        const auto end = amounts.begin() + static_cast<ptrdiff_t>(layer);
        const double below = std::accumulate(amounts.begin(), end, 0.0);
        lower.push_back({x.pixel(timeline.times[i]), y.pixel(below)});
        upper.push_back({x.pixel(timeline.times[i]), y.pixel(below + amounts[layer])});
    }
    upper.insert(upper.end(), lower.rbegin(), lower.rend());
    return upper;
}

}  // namespace

std::string draw(const Timeline& timeline) {
    const double legend = legend_width(timeline.layers);
    const double width = std::max(kWidth, text_width(timeline.caption.better, 13));
    const Field field = {kMargin + 76,
                         kTop + kMomentLine * static_cast<double>(timeline.moments.size()) + 8,
                         width - kMargin - legend, kHeight - kBottom - 56};
    const double end = timeline.times.empty() ? 1 : timeline.times.back();
    const Scale x(0, end, false, field.left, field.right);
    const Scale y(0, most(timeline), false, field.bottom, field.top);
    Svg svg(width, kHeight, timeline.caption.title);
    draw_caption(svg, timeline.caption, kHeight);
    draw_axes(svg, field, timeline.x, x, timeline.y, y);
    for (size_t layer = 0; layer < timeline.layers.size(); ++layer) {
        svg.area(outline_of(timeline, layer, x, y), series_color(layer));
    }
    for (size_t i = 0; i < timeline.moments.size(); ++i) {
        const double at = x.pixel(timeline.moments[i].x);
        // The later, the lower: no line crosses the words of another.
        const double above = kMomentLine * static_cast<double>(timeline.moments.size() - 1 - i);
        svg.line({at, field.top - 4 - above}, {at, field.bottom}, kInk, 1.5, true);
        svg.text({at + 4, field.top - 8 - above}, timeline.moments[i].words,
                 {.size = 12, .bold = true});
    }
    draw_legend(svg, {field.right + kMargin, field.top + 14}, timeline.layers);
    return std::move(svg).finish();
}

}  // namespace mpol::picture
