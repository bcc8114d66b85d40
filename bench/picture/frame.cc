// SPDX-License-Identifier: Apache-2.0
#include "picture/frame.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace mpol::picture {

void draw_caption(Svg& svg, const Caption& caption, double height) {
    svg.text({kMargin, 34}, caption.title, {.size = 19, .bold = true});
    svg.text({kMargin, 58}, caption.better, {.size = 13, .color = "#444444"});
    svg.text({kMargin, height - 14}, caption.machine, {.size = 11, .color = "#666666"});
}

namespace {

// 1, 2 or 5 times a power of ten, at least as large.
double round_step(double least) {
    const double power = std::pow(10, std::floor(std::log10(least)));
    for (double factor : {1.0, 2.0, 5.0}) {
        if (factor * power >= least * (1 - 1e-9)) return factor * power;
    }
    return 10 * power;
}

constexpr double kTicksWanted = 6;

}  // namespace

Scale::Scale(double low, double high, bool logarithmic, double from_pixel, double to_pixel)
    : logarithmic_(logarithmic), low_(low), high_(high), from_(from_pixel), to_(to_pixel) {
    if (logarithmic_) {
        low_ = std::pow(10, std::floor(std::log10(low) + 1e-9));
        high_ = std::pow(10, std::ceil(std::log10(high) - 1e-9));
        if (high_ <= low_) high_ = 10 * low_;
        for (double tick = low_; tick <= high_ * 1.001; tick *= 10) ticks_.push_back(tick);
        return;
    }
    if (high_ <= low_) high_ = low_ + 1;
    const double step = round_step((high_ - low_) / kTicksWanted);
    low_ = std::floor(low_ / step) * step;
    high_ = std::ceil(high_ / step - 1e-9) * step;
    const auto count = static_cast<int>(std::lround((high_ - low_) / step));
    for (int i = 0; i <= count; ++i) ticks_.push_back(low_ + i * step);
}

double Scale::pixel(double value) const {
    const double share = logarithmic_
                             ? std::log(std::max(value, low_) / low_) / std::log(high_ / low_)
                             : (value - low_) / (high_ - low_);
    return from_ + share * (to_ - from_);
}

std::string number_words(double value) {
    const double size = std::fabs(value);
    if (size >= 1e9) return fmt::format("{:g}G", value / 1e9);
    if (size >= 1e6) return fmt::format("{:g}M", value / 1e6);
    if (size >= 1e4) return fmt::format("{:g}k", value / 1e3);
    return fmt::format("{:g}", value);
}

void draw_axes(Svg& svg, const Field& field, const Axis& x_axis, const Scale& x, const Axis& y_axis,
               const Scale& y) {
    for (double tick : y.ticks()) {
        const double at = y.pixel(tick);
        svg.line({field.left, at}, {field.right, at}, kGrid);
        svg.text({field.left - 8, at + 4}, number_words(tick),
                 {.size = 12, .anchor = Anchor::kEnd});
    }
    for (double tick : x.ticks()) {
        const double at = x.pixel(tick);
        svg.line({at, field.bottom}, {at, field.bottom + 5}, kInk);
        svg.text({at, field.bottom + 20}, number_words(tick),
                 {.size = 12, .anchor = Anchor::kMiddle});
    }
    svg.line({field.left, field.bottom}, {field.right, field.bottom}, kInk);
    svg.line({field.left, field.top}, {field.left, field.bottom}, kInk);
    svg.text({(field.left + field.right) / 2, field.bottom + 42}, x_axis.title,
             {.anchor = Anchor::kMiddle});
    svg.text({kMargin + 8, (field.top + field.bottom) / 2}, y_axis.title,
             {.anchor = Anchor::kMiddle, .upright = false});
}

void draw_legend(Svg& svg, Point at, const std::vector<std::string>& names) {
    constexpr double kLine = 22;
    for (size_t i = 0; i < names.size(); ++i) {
        const double y = at.y + kLine * static_cast<double>(i);
        svg.rectangle({at.x, y - 10}, 12, 12, series_color(i));
        svg.text({at.x + 18, y}, names[i], {.size = 12});
    }
}

double legend_width(const std::vector<std::string>& names) {
    double width = 0;
    for (const std::string& name : names) width = std::max(width, text_width(name, 12));
    return names.empty() ? 0 : width + 18 + kMargin;
}

}  // namespace mpol::picture
