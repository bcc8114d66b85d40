// SPDX-License-Identifier: Apache-2.0
#include "preload/remap.h"

#include <sys/mman.h>

#include <cerrno>

#include "sys/sys.h"

namespace mpol::preload {
namespace {

// The call with the largest size, by halves, that the kernel finds in one mapping.
template <class Call>
long call_with_largest(size_t& size, Call call) {
    long got = call(size);
    while (got == -EFAULT && size > whole_pages(1)) {
        size = whole_pages(size / 2);
        got = call(size);
    }
    return got;
}

long move(char* from, size_t from_size, size_t size, int flags, char* to) {
    return sys::remap(from, from_size, size, MREMAP_MAYMOVE | MREMAP_FIXED | flags, to);
}

// Over what is still mapped there.
void move_back(char* from, char* to, size_t moved) {
    for (size_t done = 0; done < moved;) {
        size_t piece = moved - done;
        const long got = call_with_largest(
            piece, [&](size_t size) { return move(to + done, size, size, 0, from + done); });
        if (sys::is_error(got)) return;
        done += piece;
    }
}

// The last piece has room behind it, or none has.
long grow_in_place(char* from, size_t from_size, size_t size) {
    size_t last = from_size;
    const long got = call_with_largest(last, [&](size_t piece) {
        return sys::remap(from + from_size - piece, piece, piece + size - from_size, 0, nullptr);
    });
    return sys::is_error(got) ? got : reinterpret_cast<long>(from);
}

}  // namespace

long remap_pieces(char* from, size_t from_size, size_t size, int flags, void* to) {
    from_size = whole_pages(from_size);
    size = whole_pages(size);
    if (from_size == 0 || size < from_size || !sys::all_mapped(from, from_size)) return -EFAULT;
    if ((flags & MREMAP_MAYMOVE) == 0) return grow_in_place(from, from_size, size);

    const int fixed = (flags & MREMAP_FIXED) != 0 ? MAP_FIXED : 0;
    const long room =
        sys::map(to, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | fixed, -1, 0);
    if (sys::is_error(room)) return room;
    char* const target = reinterpret_cast<char*>(room);
    const bool stays = (flags & MREMAP_DONTUNMAP) != 0;
    size_t done = 0;
    size_t left_behind = 0;
    while (done < from_size) {
        const size_t rest = from_size - done;
        size_t piece = rest;
        // The last one grows, and may go for good.
        const long got = call_with_largest(piece, [&](size_t part) {
            const bool last = part == rest && !stays;
            return move(from + done, part, last ? size - done : part, last ? 0 : MREMAP_DONTUNMAP,
                        target + done);
        });
        if (sys::is_error(got)) {
            move_back(from, target, done);
            (void)sys::unmap(target, size);
            return got;
        }
        done += piece;
        if (done < from_size) left_behind = done;
    }
    if (!stays && left_behind > 0) (void)sys::unmap(from, left_behind);
    return room;
}

}  // namespace mpol::preload
