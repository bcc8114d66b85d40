// SPDX-License-Identifier: Apache-2.0
// A drawing as SVG 1.1 text: shapes, lines and words, nothing that needs a script. Lengths are
// pixels, y grows downwards. Texts may be any UTF-8 without control characters; they are escaped
// here.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mpol::picture {

struct Point {
    double x = 0;
    double y = 0;
};

enum class Anchor { kStart, kMiddle, kEnd };

struct Words {
    double size = 13;
    Anchor anchor = Anchor::kStart;
    bool bold = false;
    bool upright = true;  // false: turned by 90 degrees, from the bottom to the top
    std::string_view color = "#222222";
};

class Svg {
  public:
    // title: what a screen reader says of it.
    Svg(double width, double height, std::string_view title);

    void rectangle(Point corner, double width, double height, std::string_view color,
                   double opacity = 1);
    void line(Point from, Point to, std::string_view color, double width = 1, bool dashed = false);
    void path(const std::vector<Point>& points, std::string_view color, double width = 2);
    void area(const std::vector<Point>& outline, std::string_view color);
    void circle(Point center, double radius, std::string_view color);
    void text(Point at, std::string_view words, const Words& how = {});

    // The whole file.
    [[nodiscard]] std::string finish() &&;

  private:
    std::string out_;
};

// The colour of the nth series or node; told apart by those who see no red or no green, too.
[[nodiscard]] std::string_view series_color(size_t index);

// What a text takes, about.
[[nodiscard]] double text_width(std::string_view words, double size);

}  // namespace mpol::picture
