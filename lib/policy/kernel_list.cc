// SPDX-License-Identifier: Apache-2.0
// The list syntax of linux lib/bitmap-str.c, including what it does by accident; each accident is
// named where it happens.
#include <algorithm>
#include <limits>

#include "policy/word.h"

namespace mpol {
namespace {

constexpr const char* kAccepted =
    "numbers, a-b, a-b:used/group, all, and N for the last possible node, separated by commas or "
    "blanks";

// The kernel's ctype table is Latin-1: a no-break space is a blank.
constexpr bool is_blank(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r') || c == '\xa0';
}
constexpr bool is_separator(char c) {
    return is_blank(c) || c == ',';
}
constexpr bool ends_list(char c) {
    return c == '\0' || c == '\n';
}
constexpr bool ends_region(char c) {
    return is_separator(c) || ends_list(c);
}

struct Region {
    unsigned start = 0;
    unsigned end = 0;
    unsigned used = 0;
    unsigned group = 0;
};

using Number = tl::expected<unsigned, ParseError>;

class KernelList {
  public:
    KernelList(const Word& word, unsigned max_nodes) : word_(word), max_nodes_(max_nodes) {}

    NodesResult parse() {
        NodeMask nodes;
        bool more = true;
        while (more && find_region()) {
            const size_t from = at_;
            Region region;
            const auto goes_on = parse_region(region);
            if (!goes_on) return tl::unexpected<ParseError>(goes_on.error());
            if (const char* problem = check(region)) {
                return fail(word_.slice(from, at_), problem, kAccepted);
            }
            add(region, nodes);
            more = *goes_on;
        }
        return nodes;
    }

  private:
    [[nodiscard]] char peek() const { return at_ < word_.text.size() ? word_.text[at_] : '\0'; }

    // Blanks include the newline: one that follows a separator, or leads, does not end the list.
    bool find_region() {
        while (is_separator(peek())) ++at_;
        return !ends_list(peek());
    }

    // False when the list ends behind the region. After used/group the kernel looks for no
    // separator: "0-3:1/2all" is two regions, and a newline there does not end the list.
    tl::expected<bool, ParseError> parse_region(Region& ret_region) {
        Region region;
        if (equals_ignoring_case(word_.text.substr(at_, 3), "all")) {
            region.end = max_nodes_ - 1;
            at_ += 3;
        } else {
            const Number start = number();
            if (!start) return tl::unexpected<ParseError>(start.error());
            region.start = region.end = *start;
            if (!ends_region(peek())) {
                if (peek() != '-') return unexpected_here();
                ++at_;
                const Number end = number();
                if (!end) return tl::unexpected<ParseError>(end.error());
                region.end = *end;
            }
        }
        if (ends_region(peek())) {
            region.used = region.group = region.end + 1;
            ret_region = region;
            return !ends_list(peek());
        }
        if (peek() != ':') return unexpected_here();
        return parse_pattern(region, ret_region);
    }

    tl::expected<bool, ParseError> parse_pattern(Region region, Region& ret_region) {
        ++at_;
        const Number used = number();
        if (!used) return tl::unexpected<ParseError>(used.error());
        if (peek() != '/') return unexpected_here();
        ++at_;
        const Number group = number();
        if (!group) return tl::unexpected<ParseError>(group.error());
        region.used = *used;
        region.group = *group;
        ret_region = region;
        return true;
    }

    Number number() {
        if (peek() == 'N') {
            ++at_;
            return max_nodes_ - 1;
        }
        const size_t from = at_;
        constexpr uint64_t kLimit = std::numeric_limits<unsigned>::max();
        uint64_t value = 0;
        for (; is_digit(peek()); ++at_) {
            value = std::min(value * 10 + static_cast<unsigned>(peek() - '0'), kLimit + 1);
        }
        if (at_ == from) return unexpected_here();
        if (value > kLimit) {
            return fail(word_.slice(from, at_), "the number is too large", kAccepted);
        }
        return static_cast<unsigned>(value);
    }

    [[nodiscard]] const char* check(const Region& region) const {
        if (region.start > region.end) return "the range runs backwards";
        if (region.group == 0) return "the group is empty";
        if (region.used > region.group) return "more nodes are used than the group has";
        if (region.end >= max_nodes_) return "the node is beyond the last possible one";
        return nullptr;
    }

    // The kernel's unsigned int counter may wrap: "1-3:1/4294967295" also sets node 0. It always
    // leaves the region within kMaxNodes steps.
    static void add(const Region& region, NodeMask& nodes) {
        for (unsigned start = region.start; start <= region.end; start += region.group) {
            const unsigned count = std::min(region.end - start + 1, region.used);
            for (unsigned node = start; node < start + count; ++node) nodes.set(node);
        }
    }

    // Everything up to the next separator is wrong.
    [[nodiscard]] tl::unexpected<ParseError> unexpected_here() const {
        size_t to = at_;
        while (to < word_.text.size() && !ends_region(word_.text[to])) ++to;
        const Word rest = word_.slice(at_, to);
        const std::string problem = rest.text.empty() ? "something is missing in the node list"
                                                      : rest.quoted() + " is no node list";
        return fail(rest, problem, kAccepted);
    }

    Word word_;
    unsigned max_nodes_;
    size_t at_ = 0;
};

}  // namespace

NodesResult parse_kernel_list(const Word& word, unsigned max_nodes) {
    return KernelList(word, max_nodes).parse();
}

NodesResult parse_kernel_list(std::string_view text, unsigned max_nodes) {
    return parse_kernel_list(Word{text.substr(0, text.find('\0'))},
                             std::clamp(max_nodes, 1U, kMaxNodes));
}

}  // namespace mpol
