// SPDX-License-Identifier: Apache-2.0
// The ground that the table's calls work on: mappings of every kind, at the same addresses in every
// process that prepares them. Nothing here allocates.
#pragma once

#include <cstddef>
#include <cstdint>

namespace mpol::test {

inline constexpr uint64_t kPage = 4096;

struct Range {
    const char* name;
    uint64_t start;
    uint64_t size;  // what the rows mean by the whole of it; not all of it is mapped everywhere

    [[nodiscard]] constexpr uint64_t page(uint64_t number) const { return start + number * kPage; }
};

inline constexpr uint64_t kGround = uint64_t{1} << 44;
inline constexpr uint64_t kStride = uint64_t{1} << 20;

// Private anonymous memory unless it says otherwise; "there" pages were faulted in on node 0.
inline constexpr Range kPlain{"plain", kGround, 16 * kPage};
inline constexpr Range kHole{"hole", kGround + kStride, 12 * kPage};     // pages 4 to 7 unmapped
inline constexpr Range kTail{"tail", kGround + 2 * kStride, 8 * kPage};  // pages 4 to 7 unmapped
inline constexpr Range kNothing{"nothing", kGround + 3 * kStride, 8 * kPage};  // unmapped
inline constexpr Range kThere{"there", kGround + 4 * kStride, 8 * kPage};      // pages are there
inline constexpr Range kMemfd{"memfd", kGround + 5 * kStride, 8 * kPage};      // shared, there
inline constexpr Range kAlias{"alias", kGround + 6 * kStride, 8 * kPage};  // the same object again
inline constexpr Range kFile{"file", kGround + 7 * kStride, 4 * kPage};    // shared, of a file
inline constexpr Range kNoAccess{"noaccess", kGround + 8 * kStride, 4 * kPage};  // PROT_NONE
inline constexpr Range kThree{"three", kGround + 9 * kStride, 6 * kPage};   // pages 2, 3 read-only
inline constexpr Range kStack{"stack", kGround + 10 * kStride, 4 * kPage};  // grows down

inline constexpr Range kRanges[] = {kPlain, kHole, kTail,     kNothing, kThere, kMemfd,
                                    kAlias, kFile, kNoAccess, kThree,   kStack};

// (Re)makes all of it. False: the address space has no room there.
[[nodiscard]] bool prepare_ground();

// What the kernel tells the calling thread: its task policy, each range's policy, and the node of
// each page that is there. Returns the length, below size.
size_t view_ground(char* text, size_t size);

// The nodes that fresh pages of kPlain, mapped anew, fall on: "/NODES", a digit a page.
size_t place_pages(char* text, size_t size);

// The same for memory that exists: the set of its pages' nodes, "0,2-3".
size_t list_nodes_of(void* start, size_t bytes, char* text, size_t size);

}  // namespace mpol::test
