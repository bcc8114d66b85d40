// SPDX-License-Identifier: Apache-2.0
// The nodes part of the lenient grammar (see parse.h): numbers become nodes of this machine here.
#include <algorithm>

#include "policy/text.h"
#include "policy/word.h"

namespace mpol {
namespace {

constexpr const char* kItems = "numbers, a-b, a-b:used/group, all, separated by commas or blanks";

using Number = tl::expected<unsigned, ParseError>;

class NodeExpression {
  public:
    NodeExpression(const Word& word, const ParseContext& context, bool ordinals)
        : word_(word),
          context_(context),
          usable_(context.has_memory & context.allowed),
          relative_policy_(ordinals) {}

    NodesResult parse() {
        const bool inverted = take('!');
        ordinals_ = take('+');
        if (relative_policy_ && at_ > 0) {
            return fail(word_.slice(0, at_), "with =relative the numbers are ordinals already",
                        "numbers, a-b, a-b:used/group");
        }
        NodeMask nodes;
        while (find_item()) {
            const NodesResult item = parse_item();
            if (!item) return item;
            nodes = nodes | *item;
        }
        if (nodes.empty()) return fail(word_.slice(at_), "the node list is empty", kItems);
        if (ordinals_) nodes = onto(nodes, usable_);
        if (inverted) nodes = usable_ - nodes;
        if (nodes.empty()) {
            return fail(word_, word_.quoted() + " leaves no node over",
                        "a part of " + names(usable_));
        }
        return nodes;
    }

  private:
    [[nodiscard]] static bool is_separator(char c) { return c == ' ' || c == '\t' || c == ','; }
    [[nodiscard]] bool at_end() const { return at_ == word_.text.size(); }

    bool take(char c) {
        if (at_end() || word_.text[at_] != c) return false;
        ++at_;
        return true;
    }

    bool find_item() {
        while (!at_end() && is_separator(word_.text[at_])) ++at_;
        return !at_end();
    }

    // From `from` to the next separator.
    [[nodiscard]] Word item_from(size_t from) const {
        const size_t to = word_.text.find_first_of(" \t,", from);
        return word_.slice(from, to);
    }

    NodesResult parse_item() {
        const size_t from = at_;
        if (equals_ignoring_case(item_from(from).text, "all")) return parse_all();
        const Number first = position();
        if (!first) return tl::unexpected<ParseError>(first.error());
        Number last = first;
        Number used = 1;
        Number group = 1;
        if (take('-')) {
            last = position();
            if (!last) return tl::unexpected<ParseError>(last.error());
            if (take(':')) {
                used = number("a count of nodes");
                if (!used) return tl::unexpected<ParseError>(used.error());
                if (!take('/')) return garbage();
                group = number("a group size");
                if (!group) return tl::unexpected<ParseError>(group.error());
            }
        }
        if (!at_end() && !is_separator(word_.text[at_])) return garbage();
        return expand(word_.slice(from, at_), *first, *last, *used, *group);
    }

    NodesResult parse_all() {
        const Word item = item_from(at_);
        if (ordinals_ || relative_policy_) {
            return fail(item, item.quoted() + " is no ordinal", "numbers, a-b, a-b:used/group");
        }
        at_ += item.text.size();
        return usable_;
    }

    NodesResult expand(const Word& item, unsigned first, unsigned last, unsigned used,
                       unsigned group) const {
        if (first > last) {
            return fail(item, "the range " + item.quoted() + " runs backwards", "a-b with a <= b");
        }
        if (used == 0 || used > group) {
            return fail(item,
                        item.quoted() + " uses " + std::to_string(used) +
                            " nodes of each group of " + std::to_string(group),
                        "a-b:used/group with 1 <= used <= group");
        }
        NodeMask nodes;
        for (unsigned node = first; node <= last; ++node) {
            if ((node - first) % group >= used) continue;
            if (!may_name(node)) return absent(item, std::to_string(node));
            nodes.set(node);
        }
        return nodes;
    }

    [[nodiscard]] bool may_name(unsigned number) const {
        if (relative_policy_) return true;
        if (ordinals_) return number < usable_.weight();
        return context_.allow_absent_nodes || context_.has_memory.test(number);
    }

    // Below kMaxNodes, so that every loop over a range is short.
    Number position() {
        const size_t from = at_;
        const Number value = number("a node number");
        if (!value || *value < kMaxNodes) return value;
        const Word digits = word_.slice(from, at_);
        return absent(digits, std::string(digits.text));
    }

    // Saturates; kMaxNodes and above are all alike.
    Number number(const char* what) {
        const size_t from = at_;
        unsigned value = 0;
        for (; !at_end() && is_digit(word_.text[at_]); ++at_) {
            value = std::min(value * 10 + static_cast<unsigned>(word_.text[at_] - '0'), kMaxNodes);
        }
        if (at_ > from) return value;
        const Word item = item_from(from);
        if (item.text.empty()) return fail(item, std::string(what) + " is missing", kItems);
        return fail(item, item.quoted() + " is not " + what, kItems);
    }

    [[nodiscard]] tl::unexpected<ParseError> garbage() const {
        const Word item = item_from(at_);
        if (item.text.empty()) return fail(item, "'/group' is missing", "a-b:used/group");
        if (item.text.front() == '=') {
            return fail(item, "flags stand before the nodes", "mode=flags:nodes");
        }
        return fail(item, item.quoted() + " is not part of a node list", kItems);
    }

    [[nodiscard]] tl::unexpected<ParseError> absent(const Word& word,
                                                    const std::string& number) const {
        const std::string limit = "below " + std::to_string(kMaxNodes);
        if (relative_policy_) return fail(word, "ordinal " + number + " is too large", limit);
        if (ordinals_) {
            return fail(word, "there is no usable node with ordinal " + number,
                        usable_.empty()
                            ? names(usable_)
                            : "ordinals " + nodes_text(NodeMask::first_nodes(usable_.weight())));
        }
        if (context_.allow_absent_nodes) {
            return fail(word, "node " + number + " is beyond every kernel's limit", limit);
        }
        return fail(word, "node " + number + reason(number), names(context_.has_memory));
    }

    [[nodiscard]] std::string reason(const std::string& number) const {
        if (context_.online.empty()) return " does not exist or has no memory";
        const bool exists =
            number.size() <= 4 && context_.online.test(static_cast<unsigned>(std::stoul(number)));
        return exists ? " has no memory" : " does not exist";
    }

    [[nodiscard]] static std::string names(const NodeMask& nodes) {
        return nodes.empty() ? "nothing, no node is usable" : "nodes " + nodes_text(nodes);
    }

    Word word_;
    const ParseContext& context_;
    NodeMask usable_;
    bool relative_policy_;
    bool ordinals_ = false;
    size_t at_ = 0;
};

}  // namespace

NodesResult parse_node_expression(const Word& word, const ParseContext& context, bool ordinals) {
    return NodeExpression(word, context, ordinals).parse();
}

NodesResult parse_nodes(std::string_view text, const ParseContext& context) {
    if (text.size() > kLenientTextBytesMax) {
        return fail(Word{text}.slice(kLenientTextBytesMax), "the text is too long",
                    "at most " + std::to_string(kLenientTextBytesMax) + " bytes");
    }
    return parse_node_expression(Word{text}.trimmed(" \t\r\n"), context, false);
}

}  // namespace mpol
