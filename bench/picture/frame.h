// SPDX-License-Identifier: Apache-2.0
// What all pictures share: caption, axes with round numbers, legend.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "picture/chart.h"
#include "picture/svg.h"

namespace mpol::picture {

inline constexpr double kMargin = 24;
inline constexpr double kTop = 84;     // above the drawing: the caption
inline constexpr double kBottom = 44;  // below it: the machine
inline constexpr std::string_view kGrid = "#dddddd";
inline constexpr std::string_view kInk = "#222222";

void draw_caption(Svg& svg, const Caption& caption, double height);

// The part of the picture where values are drawn.
struct Field {
    double left = 0, top = 0, right = 0, bottom = 0;
};

// A quantity's way to a pixel, and the round numbers on the way.
class Scale {
  public:
    // Widened to round numbers. logarithmic: low must be positive.
    Scale(double low, double high, bool logarithmic, double from_pixel, double to_pixel);
    [[nodiscard]] double pixel(double value) const;
    [[nodiscard]] const std::vector<double>& ticks() const { return ticks_; }

  private:
    bool logarithmic_;
    double low_, high_, from_, to_;
    std::vector<double> ticks_;
};

void draw_axes(Svg& svg, const Field& field, const Axis& x_axis, const Scale& x, const Axis& y_axis,
               const Scale& y);
// Downwards from at; the first name's colour is series_color(0).
void draw_legend(Svg& svg, Point at, const std::vector<std::string>& names);
[[nodiscard]] double legend_width(const std::vector<std::string>& names);

// "1,024", "0.25", "1.5M": short, and exact where ticks are.
[[nodiscard]] std::string number_words(double value);

}  // namespace mpol::picture
