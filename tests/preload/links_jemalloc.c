/* SPDX-License-Identifier: Apache-2.0
 * A program that was linked with libjemalloc, like Debian's redis-server. */
#include <jemalloc/jemalloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(void) {
    const char* version = NULL;
    size_t size = sizeof(version);
    if (mallctl("version", &version, &size, NULL, 0) != 0) return 1;
    void* const from_mallocx = mallocx(100, MALLOCX_ALIGN(64) | MALLOCX_ZERO);
    void* const from_malloc = malloc(100);
    if (from_mallocx == NULL || sallocx(from_malloc, 0) < 100) return 2;
    free(rallocx(from_mallocx, 1000, 0));
    sdallocx(from_malloc, 100, 0);
    dallocx(malloc(1 << 20), 0);
    unsigned arena = 0;
    size = sizeof(arena);
    if (mallctl("arenas.create", &arena, &size, NULL, 0) != 0) return 3;
    void* const from_arena = mallocx(1 << 20, MALLOCX_ARENA(arena) | MALLOCX_TCACHE_NONE);
    size_t mib[4];
    size_t length = sizeof(mib) / sizeof(mib[0]);
    uint64_t epoch = 1;
    if (mallctlnametomib("epoch", mib, &length) != 0 ||
        mallctlbymib(mib, length, NULL, NULL, &epoch, sizeof(epoch)) != 0) {
        return 4;
    }
    size_t allocated = 0;
    size = sizeof(allocated);
    if (mallctl("stats.allocated", &allocated, &size, NULL, 0) != 0) return 5;
    if (allocated < 1 << 20) return 6;
    printf("version %s\narena %p\n", version, from_arena);
    fflush(stdout);
    getchar();
    dallocx(from_arena, 0);
    return 0;
}
