// SPDX-License-Identifier: Apache-2.0
// One test against the facts of a process.
#include <fmt/format.h>

#include <algorithm>

#include "daemon/rules/engine.h"

namespace mpol::rules {
namespace {

// Of a process's own text in a reason.
constexpr size_t kFoundBytesMax = 80;

Truth truth(bool holds) {
    return holds ? Truth::kTrue : Truth::kFalse;
}

std::string in_quotes(std::string_view text) {
    const bool whole = text.size() <= kFoundBytesMax;
    return fmt::format("'{}'{}", text.substr(0, kFoundBytesMax), whole ? "" : "...");
}

bool any_matches(const std::vector<Pattern>& patterns, std::string_view text) {
    return std::any_of(patterns.begin(), patterns.end(),
                       [&](const Pattern& pattern) { return pattern.matches(text); });
}

// A group matches with all that is below it: the path itself and all above it are tried.
bool any_matches_cgroup(const std::vector<Pattern>& patterns, std::string_view path) {
    while (!any_matches(patterns, path.empty() ? "/" : path)) {
        if (path.empty() || path == "/") return false;
        path = path.substr(0, path.rfind('/'));
    }
    return true;
}

// One that matches is named, otherwise how many were tried.
template <class Items, class Name>
Truth test_any(const Items& items, const std::vector<Pattern>& patterns, std::string_view noun,
               Name name, std::string& ret_found) {
    for (const auto& item : items) {
        if (!any_matches(patterns, name(item))) continue;
        ret_found = fmt::format("{} {}", noun, in_quotes(name(item)));
        return Truth::kTrue;
    }
    ret_found = fmt::format("none of {} {}{}", items.size(), noun, items.size() == 1 ? "" : "s");
    return Truth::kFalse;
}

Truth unread(Field field, std::string& ret_found) {
    ret_found = fmt::format("its {} can't be read", field_name(field));
    return Truth::kUnknown;
}

Truth test_text(const std::optional<std::string>& fact, const PatternTest& it,
                std::string& ret_found) {
    if (!fact) return unread(it.field, ret_found);
    ret_found = fmt::format("{} is {}", field_name(it.field), in_quotes(*fact));
    return truth(it.field == Field::kCgroup ? any_matches_cgroup(it.any_of, *fact)
                                            : any_matches(it.any_of, *fact));
}

Truth check(const PatternTest& it, const Facts& facts, std::string& ret_found) {
    const auto itself = [](const std::string& text) -> const std::string& { return text; };
    const auto thread_name = [](const ThreadFact& one) -> const std::string& { return one.name; };
    switch (it.field) {
        case Field::kComm:
            return test_text(facts.comm, it, ret_found);
        case Field::kExe:
            return test_text(facts.exe, it, ret_found);
        case Field::kCgroup:
            return test_text(facts.cgroup, it, ret_found);
        case Field::kArgv:
            if (!facts.argv) return unread(it.field, ret_found);
            return test_any(*facts.argv, it.any_of, "argument", itself, ret_found);
        case Field::kUnit:
            if (!facts.units) return unread(it.field, ret_found);
            return test_any(*facts.units, it.any_of, "unit", itself, ret_found);
        case Field::kThread:
            if (!facts.threads) return unread(it.field, ret_found);
            return test_any(*facts.threads, it.any_of, "thread", thread_name, ret_found);
        default:
            return unread(it.field, ret_found);
    }
}

std::string id_words(const NamedId& id) {
    return id.name.empty() ? std::to_string(id.id) : fmt::format("{} ({})", id.name, id.id);
}

bool is_among(const NamedId& id, const IdTest& it) {
    return std::any_of(it.any_of.begin(), it.any_of.end(), [&](const auto& wanted) {
        const auto* const number = std::get_if<uint32_t>(&wanted);
        if (number != nullptr) return *number == id.id;
        const std::string& name = std::get<std::string>(wanted);
        return name == id.name || name == std::to_string(id.id);
    });
}

Truth check(const IdTest& it, const Facts& facts, std::string& ret_found) {
    if (it.field == Field::kUser) {
        if (!facts.user) return unread(it.field, ret_found);
        ret_found = "user is " + id_words(*facts.user);
        return truth(is_among(*facts.user, it));
    }
    if (!facts.groups) return unread(it.field, ret_found);
    for (const NamedId& group : *facts.groups) {
        if (!is_among(group, it)) continue;
        ret_found = "a group is " + id_words(group);
        return Truth::kTrue;
    }
    ret_found = fmt::format("none of {} groups", facts.groups->size());
    return Truth::kFalse;
}

Truth check(const EnvTest& it, const Facts& facts, std::string& ret_found) {
    if (!facts.env) return unread(Field::kEnv, ret_found);
    const std::string prefix = it.name + "=";
    const auto found =
        std::find_if(facts.env->begin(), facts.env->end(),
                     [&](const std::string& variable) { return variable.starts_with(prefix); });
    if (found == facts.env->end()) {
        ret_found = it.name + (facts.env_whole ? " is not set" : " lies beyond what is read");
        if (!facts.env_whole) return Truth::kUnknown;
        return truth(it.any_of.empty() && !it.set);
    }
    const std::string_view value = std::string_view(*found).substr(prefix.size());
    ret_found = fmt::format("{} is {}", it.name, in_quotes(value));
    return truth(it.any_of.empty() ? it.set : any_matches(it.any_of, value));
}

Truth check(const NumberTest& it, const Facts& facts, std::string& ret_found) {
    const bool bytes = it.field == Field::kResident;
    const std::optional<uint64_t>& fact = bytes ? facts.resident_bytes : facts.age_s;
    if (!fact) return unread(it.field, ret_found);
    ret_found =
        bytes ? fmt::format("resident is {} KiB", *fact >> 10) : fmt::format("age is {} s", *fact);
    switch (it.comparison) {
        case Comparison::kLess:
            return truth(*fact < it.number);
        case Comparison::kLessOrEqual:
            return truth(*fact <= it.number);
        case Comparison::kGreater:
            return truth(*fact > it.number);
        case Comparison::kGreaterOrEqual:
            break;
    }
    return truth(*fact >= it.number);
}

Truth check(const auto&, const Facts&, std::string&) {
    return Truth::kUnknown;  // a combination: holds() has taken it apart
}

}  // namespace

Truth test_holds(const Predicate& predicate, const Facts& facts, std::string& ret_found) {
    return std::visit([&](const auto& it) { return check(it, facts, ret_found); }, predicate.is);
}

}  // namespace mpol::rules
