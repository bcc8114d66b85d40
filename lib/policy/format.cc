// SPDX-License-Identifier: Apache-2.0
#include "policy/format.h"

#include "policy/modes.h"

namespace mpol {
namespace {

// Counts everything, stores what fits and always keeps room for the NUL.
class Writer {
  public:
    Writer(char* buf, size_t size) : buf_(buf), size_(size) {}

    void put(char c) {
        if (length_ + 1 < size_) buf_[length_] = c;
        ++length_;
    }

    void put(const char* text) {
        for (; *text != '\0'; ++text) put(*text);
    }

    // Precondition: node < kMaxNodes, which has four digits.
    void put_node(unsigned node) {
        char digits[4];
        unsigned count = 0;
        do {
            digits[count++] = static_cast<char>('0' + node % 10);
            node /= 10;
        } while (node > 0);
        while (count > 0) put(digits[--count]);
    }

    [[nodiscard]] size_t finish() {
        if (size_ > 0) buf_[length_ < size_ ? length_ : size_ - 1] = '\0';
        return length_;
    }

  private:
    char* buf_;
    size_t size_;
    size_t length_ = 0;
};
static_assert(kMaxNodes <= 10000, "put_node has room for four digits");

void put_nodes(Writer& writer, const NodeMask& nodes) {
    unsigned first = nodes.first();
    while (first < kMaxNodes) {
        unsigned last = first;
        while (nodes.test(last + 1)) ++last;
        writer.put_node(first);
        if (last > first) {
            writer.put('-');
            writer.put_node(last);
        }
        first = nodes.next(last + 1);
        if (first < kMaxNodes) writer.put(',');
    }
}

void put_flags(Writer& writer, uint16_t flags) {
    char separator = '=';
    for (const FlagInfo& flag : kFlags) {
        if ((flags & flag.bit) == 0) continue;
        writer.put(separator);
        writer.put(flag.kernel_name);
        separator = '|';
    }
}

}  // namespace

size_t format_nodes(const NodeMask& nodes, char* buf, size_t size) {
    Writer writer(buf, size);
    put_nodes(writer, nodes);
    return writer.finish();
}

size_t format_policy(const Policy& policy, const NodeMask& nodes_to_print, char* buf, size_t size) {
    Writer writer(buf, size);
    const ModeInfo* info = mode_info(policy.mode);
    if (info == nullptr) {
        writer.put("unknown");
        return writer.finish();
    }
    writer.put(info->kernel_name);
    if (policy.mode != Mode::kDefault) put_flags(writer, policy.flags);
    const bool has_nodes = policy.mode != Mode::kDefault && policy.mode != Mode::kLocal;
    if (has_nodes && !nodes_to_print.empty()) {
        writer.put(':');
        put_nodes(writer, nodes_to_print);
    }
    return writer.finish();
}

}  // namespace mpol
