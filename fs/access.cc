// SPDX-License-Identifier: Apache-2.0
#include "fs/access.h"

#include <charconv>

namespace mpol::fs {
namespace {

bool take_id(std::string_view& text, unsigned& ret_id) {
    const size_t begin = text.find_first_not_of(" \t");
    if (begin == std::string_view::npos) return false;
    text.remove_prefix(begin);
    const auto [end, err] = std::from_chars(text.data(), text.data() + text.size(), ret_id);
    if (err != std::errc{}) return false;
    text.remove_prefix(static_cast<size_t>(end - text.data()));
    return true;
}

// "\nUid:\treal\teffective\tsaved\tfilesystem"; the name of the process, which comes first and is
// the process's own to choose, has its newlines escaped by the kernel.
bool parse_ids(std::string_view status, std::string_view label, Ids& ret_ids) {
    const size_t at = status.find(label);
    if (at == std::string_view::npos) return false;
    std::string_view text = status.substr(at + label.size());
    return take_id(text, ret_ids.real) && take_id(text, ret_ids.effective) &&
           take_id(text, ret_ids.saved);
}

bool all_equal(unsigned id, const Ids& ids) {
    return id == ids.real && id == ids.effective && id == ids.saved;
}

}  // namespace

std::optional<TaskCredentials> parse_credentials(std::string_view status) {
    TaskCredentials found;
    if (!parse_ids(status, "\nUid:", found.uid) || !parse_ids(status, "\nGid:", found.gid)) {
        return std::nullopt;
    }
    return found;
}

bool may_see(const Caller& caller, const TaskCredentials& target) {
    if (caller.uid == uid_t(-1) || caller.gid == gid_t(-1)) return false;
    if (caller.uid == 0) return true;
    return caller.uid == target.owner && all_equal(caller.uid, target.uid) &&
           all_equal(caller.gid, target.gid);
}

}  // namespace mpol::fs
