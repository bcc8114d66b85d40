// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "daemon/rules/facts.h"

namespace mpol::rules {
namespace {

// UNIT_NAME_MAX of systemd.
constexpr size_t kUnitNameBytesMax = 255;

constexpr std::string_view kTypes[] = {".service", ".scope",     ".socket", ".mount",  ".swap",
                                       ".timer",   ".automount", ".path",   ".target", ".device"};

bool is_valid_name(std::string_view name) {
    constexpr std::string_view kOther = ":-_.\\@";
    return name.size() <= kUnitNameBytesMax && std::all_of(name.begin(), name.end(), [&](char c) {
               return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      kOther.find(c) != std::string_view::npos;
           });
}

bool has_suffix(std::string_view name, std::string_view suffix) {
    return name.size() > suffix.size() && name.ends_with(suffix);
}

bool is_unit(std::string_view name) {
    return is_valid_name(name) &&
           std::any_of(std::begin(kTypes), std::end(kTypes),
                       [&](std::string_view type) { return has_suffix(name, type); });
}

// The kernel's control file names are escaped with a leading '_'.
std::string_view unescaped(std::string_view name) {
    return name.starts_with('_') ? name.substr(1) : name;
}

std::string_view next_component(std::string_view& path) {
    path.remove_prefix(std::min(path.find_first_not_of('/'), path.size()));
    const std::string_view component = path.substr(0, path.find('/'));
    path.remove_prefix(component.size());
    return component;
}

// The first component that is no slice; path becomes what follows it.
std::string_view first_unit(std::string_view& path) {
    while (true) {
        const std::string_view name = unescaped(next_component(path));
        if (!has_suffix(name, ".slice") || !is_valid_name(name)) return is_unit(name) ? name : "";
    }
}

// What a user's manager, or a session, puts below itself.
bool holds_user_units(std::string_view unit) {
    return (unit.starts_with("user@") && unit.ends_with(".service")) ||
           (unit.starts_with("session-") && unit.ends_with(".scope"));
}

}  // namespace

std::optional<std::string> unified_cgroup(std::string_view proc_cgroup) {
    constexpr std::string_view kUnified = "0::";
    while (!proc_cgroup.empty()) {
        const std::string_view line = proc_cgroup.substr(0, proc_cgroup.find('\n'));
        if (line.starts_with(kUnified)) return std::string(line.substr(kUnified.size()));
        proc_cgroup.remove_prefix(std::min(line.size() + 1, proc_cgroup.size()));
    }
    return std::nullopt;
}

std::vector<std::string> units_of(std::string_view cgroup) {
    std::vector<std::string> units;
    std::string_view path = cgroup;
    const std::string_view unit = first_unit(path);
    if (unit.empty()) return units;
    units.emplace_back(unit);
    if (!holds_user_units(unit)) return units;
    const std::string_view inner = first_unit(path);
    if (!inner.empty()) units.emplace_back(inner);
    return units;
}

}  // namespace mpol::rules
