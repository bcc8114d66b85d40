// SPDX-License-Identifier: Apache-2.0
// Node sets from text.
#include "daemon/rules/nodes.h"

#include <charconv>
#include <optional>

namespace mpol::rules {
namespace {

constexpr const char* kItems =
    "numbers, a-b, a-b:used/group, all, cpu-nodes, memory-only, near, dist<=N, tier:N, "
    "same-as:PID, "
    "and after '!' what to leave out";

struct Spelling {
    std::string_view text;
    NodeName name;
    bool number;  // follows
};
constexpr Spelling kSpellings[] = {
    {"cpu-nodes", NodeName::kCpuNodes, false}, {"memory-only", NodeName::kMemoryOnly, false},
    {"near", NodeName::kNear, false},          {"dist<=", NodeName::kDistance, true},
    {"tier:", NodeName::kTier, true},          {"same-as:", NodeName::kSameAs, true},
};

const Spelling* find_spelling(std::string_view text) {
    for (const Spelling& one : kSpellings) {
        if (one.number ? text.starts_with(one.text) : text == one.text) return &one;
    }
    return nullptr;
}

ParseContext any_machine() {
    ParseContext context;
    context.has_memory = NodeMask::first_nodes(kMaxNodes);
    context.allow_absent_nodes = true;
    return context;
}

tl::expected<NodeItem, ParseError> parse_item(const Word& word) {
    NodeItem item{NodeName::kListed, 0, std::string(word.text), word.offset};
    const Spelling* const spelling = find_spelling(word.text);
    if (spelling == nullptr) {
        if (!is_digit(word.text[0]) && !equals_ignoring_case(word.text, "all")) {
            return fail(word, word.quoted() + " is no set of nodes", kItems);
        }
        const NodesResult nodes = parse_node_expression(word, any_machine(), false);
        if (!nodes) return tl::unexpected<ParseError>(nodes.error());
        return item;
    }
    item.name = spelling->name;
    if (!spelling->number) return item;
    const Word digits = word.slice(spelling->text.size());
    const char* const end = digits.text.data() + digits.text.size();
    const auto [stop, err] = std::from_chars(digits.text.data(), end, item.number);
    const unsigned max = item.name == NodeName::kSameAs ? 1U << 22U : kMaxNodes;
    const bool positive = item.number > 0 || item.name == NodeName::kDistance;
    if (err == std::errc{} && stop == end && positive && item.number <= max) return item;
    return fail(digits.text.empty() ? word : digits,
                std::string(spelling->text) + " wants a number",
                item.name == NodeName::kDistance ? "a distance as in numactl --hardware"
                : item.name == NodeName::kTier   ? "1 (the fastest), 2, ..."
                                                 : "a process id");
}

class SetParser {
  public:
    explicit SetParser(const Word& word) : word_(word) {
        set_.text = std::string(word.text);
        set_.offset = word.offset;
    }

    tl::expected<NodeSet, ParseError> parse() {
        std::vector<NodeItem>* list = &set_.with;
        while (find_item()) {
            if (word_.text[at_] == '!') {
                if (list == &set_.without) {
                    return fail(word_.slice(at_, at_ + 1), "a second '!' in one set", "LIST!LIST");
                }
                list = &set_.without;
                ++at_;
                continue;
            }
            const size_t end = word_.text.find_first_of(" \t,!", at_);
            const auto item = parse_item(word_.slice(at_, end));
            if (!item) return tl::unexpected<ParseError>(item.error());
            if (set_.with.size() + set_.without.size() >= kNodeItemsMax) {
                return fail(word_.slice(at_, end), "the set has too many parts",
                            std::to_string(kNodeItemsMax));
            }
            list->push_back(*item);
            at_ = std::min(end, word_.text.size());
        }
        set_.symbolic = true;
        if (list->empty()) {
            return fail(word_.slice(word_.text.size()), "the node list is empty", kItems);
        }
        return set_;
    }

  private:
    bool find_item() {
        at_ = std::min(word_.text.find_first_not_of(" \t,", at_), word_.text.size());
        return at_ < word_.text.size();
    }

    Word word_;
    NodeSet set_;
    size_t at_ = 0;
};

// Nothing but what policy/parse.h knows: digits, "all", a leading '!' or '+'.
bool is_plain(std::string_view text) {
    std::string_view rest = text;
    if (rest.starts_with('!')) rest.remove_prefix(1);
    if (rest.starts_with('+')) return true;
    return rest.find('!') == std::string_view::npos &&
           (rest.empty() ||
            rest.find_first_not_of("0123456789-:/ \t,aAlL") == std::string_view::npos);
}

}  // namespace

tl::expected<NodeSet, ParseError> parse_node_set(const Word& word) {
    if (!is_plain(word.text)) return SetParser(word).parse();
    NodeSet set;
    set.text = std::string(word.text);
    set.offset = word.offset;
    return set;
}

}  // namespace mpol::rules
