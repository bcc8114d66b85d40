// SPDX-License-Identifier: Apache-2.0
#include "picture/svg.h"

#include <fmt/format.h>

#include <array>
#include <iterator>

namespace mpol::picture {
namespace {

std::string escaped(std::string_view text) {
    std::string out;
    for (char letter : text) {
        switch (letter) {
            case '<':
                out += "&lt;";
                break;
            case '>':
                out += "&gt;";
                break;
            case '&':
                out += "&amp;";
                break;
            case '"':
                out += "&quot;";
                break;
            default:
                out += static_cast<unsigned char>(letter) < 0x20 ? ' ' : letter;
        }
    }
    return out;
}

std::string_view anchor_name(Anchor anchor) {
    constexpr std::string_view kNames[] = {"start", "middle", "end"};
    return kNames[static_cast<size_t>(anchor)];
}

template <class... Args>
void add(std::string& out, fmt::format_string<Args...> format, Args&&... args) {
    fmt::format_to(std::back_inserter(out), format, std::forward<Args>(args)...);
}

std::string joined(const std::vector<Point>& points) {
    std::string out;
    for (const Point& point : points) add(out, "{:.1f},{:.1f} ", point.x, point.y);
    return out;
}

}  // namespace

Svg::Svg(double width, double height, std::string_view title) {
    add(out_,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0:.0f}\" height=\"{1:.0f}\" "
        "viewBox=\"0 0 {0:.0f} {1:.0f}\" font-family=\"DejaVu Sans, Helvetica, Arial, "
        "sans-serif\">\n<title>{2}</title>\n",
        width, height, escaped(title));
    rectangle({0, 0}, width, height, "#ffffff");
}

void Svg::rectangle(Point corner, double width, double height, std::string_view color,
                    double opacity) {
    add(out_,
        "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" fill=\"{}\" "
        "fill-opacity=\"{:.2f}\"/>\n",
        corner.x, corner.y, width, height, color, opacity);
}

void Svg::line(Point from, Point to, std::string_view color, double width, bool dashed) {
    add(out_,
        "<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" stroke=\"{}\" "
        "stroke-width=\"{:.1f}\"{}/>\n",
        from.x, from.y, to.x, to.y, color, width, dashed ? " stroke-dasharray=\"5 4\"" : "");
}

void Svg::path(const std::vector<Point>& points, std::string_view color, double width) {
    add(out_, "<polyline points=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"{:.1f}\"/>\n",
        joined(points), color, width);
}

void Svg::area(const std::vector<Point>& outline, std::string_view color) {
    add(out_, "<polygon points=\"{}\" fill=\"{}\"/>\n", joined(outline), color);
}

void Svg::circle(Point center, double radius, std::string_view color) {
    add(out_, "<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"{:.1f}\" fill=\"{}\"/>\n", center.x,
        center.y, radius, color);
}

void Svg::text(Point at, std::string_view words, const Words& how) {
    add(out_, "<text x=\"{:.1f}\" y=\"{:.1f}\" font-size=\"{:.0f}\" text-anchor=\"{}\" fill=\"{}\"",
        at.x, at.y, how.size, anchor_name(how.anchor), how.color);
    if (how.bold) out_ += " font-weight=\"bold\"";
    if (!how.upright) add(out_, " transform=\"rotate(-90 {:.1f} {:.1f})\"", at.x, at.y);
    add(out_, ">{}</text>\n", escaped(words));
}

std::string Svg::finish() && {
    out_ += "</svg>\n";
    return std::move(out_);
}

std::string_view series_color(size_t index) {
    // Okabe and Ito's palette, the black one left out.
    constexpr std::array<std::string_view, 8> kColors = {
        "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#888888", "#c9b800"};
    return kColors[index % kColors.size()];
}

double text_width(std::string_view words, double size) {
    constexpr double kMeanLetter = 0.6;  // of the size, in DejaVu Sans
    return kMeanLetter * size * static_cast<double>(words.size());
}

}  // namespace mpol::picture
