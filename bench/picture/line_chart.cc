// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "picture/frame.h"

namespace mpol::picture {
namespace {

constexpr double kWidth = 900;
constexpr double kHeight = 540;

struct Bounds {
    double x_low = 1e300, x_high = -1e300, y_low = 1e300, y_high = -1e300;
};

Bounds bounds_of(const LineChart& chart) {
    Bounds out;
    for (const Series& series : chart.series) {
        for (const Sample& sample : series.samples) {
            out.x_low = std::min(out.x_low, sample.x);
            out.x_high = std::max(out.x_high, sample.x);
            out.y_low = std::min(out.y_low, sample.low);
            // A value that is hardly known must not make all others small.
            out.y_high = std::max(out.y_high, std::min(sample.high, 2 * sample.y));
        }
    }
    if (out.x_low > out.x_high) out = {1, 10, 1, 10};
    // What is compared are lengths from zero.
    if (!chart.y.logarithmic) out.y_low = 0;
    return out;
}

}  // namespace

std::string draw(const LineChart& chart) {
    std::vector<std::string> names;
    for (const Series& series : chart.series) names.push_back(series.name);
    const double legend = names.size() > 1 ? legend_width(names) : 0;
    const double width = std::max(
        {kWidth, text_width(chart.caption.machine, 11), text_width(chart.caption.better, 13)});
    const Field field = {kMargin + 76, kTop + 6, width - kMargin - legend, kHeight - kBottom - 56};
    const Bounds bounds = bounds_of(chart);
    const Scale x(bounds.x_low, bounds.x_high, chart.x.logarithmic, field.left, field.right);
    const Scale y(bounds.y_low, bounds.y_high, chart.y.logarithmic, field.bottom, field.top);
    Svg svg(width, kHeight, chart.caption.title);
    draw_caption(svg, chart.caption, kHeight);
    draw_axes(svg, field, chart.x, x, chart.y, y);
    for (size_t i = 0; i < chart.series.size(); ++i) {
        std::vector<Point> points;
        for (const Sample& sample : chart.series[i].samples) {
            const Point at = {x.pixel(sample.x), y.pixel(sample.y)};
            points.push_back(at);
            const double low = std::min(y.pixel(sample.low), field.bottom);
            const double high = std::max(y.pixel(sample.high), field.top);
            svg.line({at.x, low}, {at.x, high}, series_color(i), 1);
            svg.circle(at, 4, series_color(i));
        }
        svg.path(points, series_color(i));
    }
    if (legend > 0) draw_legend(svg, {field.right + kMargin, field.top + 12}, names);
    return std::move(svg).finish();
}

}  // namespace mpol::picture
