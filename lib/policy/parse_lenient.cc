// SPDX-License-Identifier: Apache-2.0
// The grammar of parse.h: cut into parts, check the parts against each other, build the policy.
#include <algorithm>
#include <optional>

#include "policy/modes.h"
#include "policy/text.h"
#include "policy/word.h"

namespace mpol {
namespace {

constexpr const char* kFlagNames = "static, relative, balancing, joined by '|' or ','";
constexpr const char* kOptionNames =
    "--interleave, --weighted-interleave, --preferred, --preferred-many, --membind, --localalloc, "
    "--balancing";

struct Parts {
    const ModeInfo* info = nullptr;
    Word mode;
    uint16_t flags = 0;
    std::optional<Word> nodes;
    std::optional<Word> setting;  // what follows ';'
};

const ModeInfo* find_mode(std::string_view name) {
    for (const ModeInfo& info : kModes) {
        for (const char* spelling : info.spellings) {
            if (spelling != nullptr && equals_ignoring_case(name, spelling)) return &info;
        }
    }
    return nullptr;
}

const FlagInfo* find_flag(std::string_view name) {
    for (const FlagInfo& flag : kFlags) {
        if (equals_ignoring_case(name, flag.kernel_name)) return &flag;
        if (equals_ignoring_case(name, flag.uapi_name)) return &flag;
    }
    return nullptr;
}

MaybeError set_mode(const ModeInfo* info, const Word& word, const KernelModes& kernel,
                    Parts& parts) {
    if (info == nullptr) {
        const std::string problem =
            word.text.empty() ? "the mode is missing" : word.quoted() + " is no mode";
        return error_at(word, problem, mode_names(kernel.mode_count));
    }
    if (static_cast<unsigned>(info->mode) >= kernel.mode_count) {
        return error_at(word,
                        std::string("this kernel has no ") + info->kernel_name +
                            ", it came with Linux " + info->since,
                        mode_names(kernel.mode_count));
    }
    parts.info = info;
    parts.mode = word;
    return std::nullopt;
}

MaybeError add_flag(const Word& word, const KernelModes& kernel, Parts& parts) {
    const FlagInfo* flag = find_flag(word.text);
    if (flag == nullptr) {
        const std::string problem =
            word.text.empty() ? "a flag is missing" : word.quoted() + " is no flag";
        return error_at(word, problem, kFlagNames);
    }
    const Mode mode = parts.info->mode;
    if (mode == Mode::kDefault || mode == Mode::kLocal) {
        return error_at(word, std::string(parts.info->kernel_name) + " takes no flags", "no '='");
    }
    if ((parts.flags & flag->bit) != 0) {
        return error_at(word, word.quoted() + " is given twice", "each flag once");
    }
    const auto flags = static_cast<uint16_t>(parts.flags | flag->bit);
    if (sanitize_mode_word(static_cast<int>(mode) | flags, kernel) == 0) {
        parts.flags = flags;
        return std::nullopt;
    }
    if (flag->bit != kNumaBalancing) {
        return error_at(word, "static and relative exclude each other", "one of them");
    }
    return error_at(
        word, std::string("balancing does not go with ") + parts.info->kernel_name,
        kernel.prefer_many_balancing ? "bind or prefer (many)" : "bind (on this kernel)");
}

MaybeError add_flags(const Word& words, const KernelModes& kernel, Parts& parts) {
    for (size_t from = 0;;) {
        const size_t to = words.text.find_first_of("|,", from);
        if (auto error = add_flag(words.slice(from, to).trimmed(), kernel, parts)) return error;
        if (to == std::string_view::npos) return std::nullopt;
        from = to + 1;
    }
}

// mode[=flags][:nodes][;setting]
MaybeError scan_policy(const Word& text, const KernelModes& kernel, Parts& parts) {
    const size_t semicolon = text.text.find(';');
    if (semicolon != std::string_view::npos) parts.setting = text.slice(semicolon + 1).trimmed();
    const Word body = text.slice(0, semicolon);
    const size_t colon = body.text.find(':');
    if (colon != std::string_view::npos) parts.nodes = body.slice(colon + 1).trimmed();
    const Word head = body.slice(0, colon);
    const size_t equals = head.text.find('=');
    const Word mode = head.slice(0, equals).trimmed();
    if (auto error = set_mode(find_mode(mode.text), mode, kernel, parts)) return error;
    if (equals == std::string_view::npos) return std::nullopt;
    return add_flags(head.slice(equals + 1), kernel, parts);
}

// numactl's own words: "--balancing --membind=0-1".
class OptionScanner {
  public:
    OptionScanner(const Word& text, const KernelModes& kernel) : text_(text), kernel_(kernel) {}

    MaybeError scan(Parts& parts) {
        std::optional<Word> balancing;
        while (!rest().text.empty()) {
            const Word word = next_word();
            if (word.text == "--balancing" || word.text == "-b") {
                if (balancing) return error_at(word, word.quoted() + " is given twice", "it once");
                balancing = word;
            } else if (auto error = scan_mode(word, parts)) {
                return error;
            }
        }
        if (parts.info == nullptr) {
            return error_at(text_, "no option says which policy", kOptionNames);
        }
        if (!balancing) return std::nullopt;
        const auto mode_word = static_cast<int>(parts.info->mode) | kNumaBalancing;
        if (sanitize_mode_word(mode_word, kernel_) != 0) {
            return error_at(*balancing,
                            balancing->quoted() + " does not go with " + parts.info->kernel_name,
                            "--membind");
        }
        parts.flags = kNumaBalancing;
        return std::nullopt;
    }

  private:
    [[nodiscard]] Word rest() const { return text_.slice(at_).trimmed(); }

    // Empty at the end of the text.
    Word next_word() {
        const Word word = rest();
        const Word taken = word.slice(0, word.text.find_first_of(" \t"));
        at_ = taken.offset - text_.offset + taken.text.size();
        return taken;
    }

    MaybeError scan_mode(const Word& word, Parts& parts) {
        const size_t equals = word.text.find('=');
        const Word name = word.slice(0, equals);
        const ModeInfo* info = find_option(name.text);
        if (info == nullptr || (equals != std::string_view::npos && name.text[1] != '-')) {
            return error_at(word, word.quoted() + " is no memory policy option", kOptionNames);
        }
        if (parts.info != nullptr) {
            return error_at(word, "a second policy contradicts " + parts.mode.quoted(),
                            "one policy");
        }
        if (auto error = set_mode(info, name, kernel_, parts)) return error;
        if (equals != std::string_view::npos) {
            parts.nodes = word.slice(equals + 1);
        } else if (info->mode != Mode::kLocal) {
            parts.nodes = next_word();
        }
        return std::nullopt;
    }

    static const ModeInfo* find_option(std::string_view name) {
        for (const ModeInfo& info : kModes) {
            if (info.numactl_option == nullptr) continue;
            if (name.substr(0, 2) == "--" && name.substr(2) == info.numactl_option) return &info;
            if (name.size() == 2 && name[0] == '-' && name[1] == info.numactl_letter) return &info;
        }
        return nullptr;
    }

    Word text_;
    const KernelModes& kernel_;
    size_t at_ = 0;
};

// A policy that names no nodes. Where it needs some, make_policy refuses it.
NodesResult default_nodes(const Parts& parts, const ParseContext& context) {
    const Mode mode = parts.info->mode;
    if (mode != Mode::kInterleave && mode != Mode::kWeightedInterleave) return NodeMask{};
    if (!context.has_memory.empty()) return context.has_memory;
    return fail(parts.mode, "no node has memory", "default, local");
}

NodesResult resolve_nodes(const Parts& parts, const ParseContext& context) {
    if (!parts.nodes) return default_nodes(parts, context);
    const Mode mode = parts.info->mode;
    const std::string name = parts.info->kernel_name;
    if (mode == Mode::kDefault || mode == Mode::kLocal) {
        return fail(*parts.nodes, name + " takes no nodes", name + " alone");
    }
    const bool ordinals = (parts.flags & kRelativeNodes) != 0;
    NodesResult nodes = parse_node_expression(*parts.nodes, context, ordinals);
    if (nodes && mode == Mode::kPreferred && nodes->weight() > 1) {
        return fail(*parts.nodes,
                    "prefer takes one node, these are " + std::to_string(nodes->weight()),
                    "one node, or prefer (many) for several");
    }
    return nodes;
}

tl::expected<int32_t, ParseError> read_home(const Word& setting, const Word& digits,
                                            const Parts& parts, const ParseContext& context) {
    if (!takes_home_node(parts.info->mode)) {
        return fail(setting, std::string(parts.info->kernel_name) + " has no home node",
                    "home= with bind or prefer (many)");
    }
    const bool numeric =
        !digits.text.empty() && std::all_of(digits.text.begin(), digits.text.end(), is_digit);
    if (!numeric) return fail(digits, "the home node is no number", "home=node");

    unsigned node = 0;
    for (const char c : digits.text) {
        node = std::min(node * 10 + static_cast<unsigned>(c - '0'), kMaxNodes);
    }
    const NodeMask& online = context.online.empty() ? context.has_memory : context.online;
    if (node < kMaxNodes && (context.allow_absent_nodes || online.test(node))) {
        return static_cast<int32_t>(node);
    }
    return fail(digits, "node " + std::string(digits.text) + " does not exist",
                context.allow_absent_nodes ? "below " + std::to_string(kMaxNodes)
                                           : "nodes " + nodes_text(online));
}

MaybeError read_setting(const Word& setting, const Parts& parts, const ParseContext& context,
                        Policy& policy) {
    constexpr std::string_view kHome = "home=";
    constexpr std::string_view kWeights = "weights=";
    if (setting.text.starts_with(kWeights)) {
        return read_weights(setting, setting.slice(kWeights.size()).trimmed(), context, policy);
    }
    if (!setting.text.starts_with(kHome)) {
        return error_at(setting, setting.quoted() + " is no setting",
                        "home=node, or weights= with weighted interleave");
    }
    const auto home = read_home(setting, setting.slice(kHome.size()), parts, context);
    if (!home) return home.error();
    policy.home_node = *home;
    return std::nullopt;
}

ParseResult build(const Parts& parts, const ParseContext& context) {
    const NodesResult nodes = resolve_nodes(parts, context);
    if (!nodes) return tl::unexpected<ParseError>(nodes.error());

    Policy policy;
    const int mode_word = static_cast<int>(parts.info->mode) | parts.flags;
    if (make_policy(mode_word, *nodes, context.kernel, policy) != 0) {
        // All else that it refuses has been named by now.
        if (parts.info->mode == Mode::kPreferred) {
            return fail(parts.mode, "prefer with a flag needs a node", "prefer=flag:node");
        }
        const std::string name = parts.info->kernel_name;
        return fail(parts.mode, name + " needs nodes", name + ":nodes");
    }
    if (!parts.setting) return policy;
    if (auto error = read_setting(*parts.setting, parts, context, policy)) {
        return tl::unexpected<ParseError>(*error);
    }
    return policy;
}

}  // namespace

ParseResult parse_lenient(std::string_view text, const ParseContext& context) {
    if (text.size() > kLenientTextBytesMax) {
        return fail(Word{text}.slice(kLenientTextBytesMax), "the text is too long",
                    "at most " + std::to_string(kLenientTextBytesMax) + " bytes");
    }
    const Word trimmed = Word{text}.trimmed(" \t\r\n");
    Parts parts;
    const bool options = !trimmed.text.empty() && trimmed.text.front() == '-';
    const MaybeError error = options ? OptionScanner(trimmed, context.kernel).scan(parts)
                                     : scan_policy(trimmed, context.kernel, parts);
    if (error) return tl::unexpected<ParseError>(*error);
    return build(parts, context);
}

}  // namespace mpol
