/* SPDX-License-Identifier: Apache-2.0
 * Programs to be kept by mpold, for the tests of this folder. Run under the preloaded library.
 *
 *   subject wait                 allocates once, prints "ready", and pauses
 *   subject family N             forks N children that allocate once and pause; prints "ready" when
 *                                all have; ends, and they with it, when its standard input does
 *   subject forks                once it has a policy and a line comes, forks a child that allocates
 *                                once and pauses; "forked"
 *   subject executes             once it has a policy and a line comes, executes itself as "work"
 *   subject starts               once it has a policy and a line comes, starts itself as "work", which
 *                                ends with it
 *   subject until SINCE_NS       allocates until its kernel task policy is not the default any more;
 *                                prints the microseconds since SINCE_NS (CLOCK_MONOTONIC), or "never"
 *   subject work                 allocates and frees all the time
 *   subject threads N NAME       N threads of that name, which allocate once and pause; "ready"
 *   subject renames              takes its own name again and again
 *   subject pages                for a line on its standard input writes to 8 MiB of new memory;
 *                                prints on which nodes it lies: "0 1 3"
 *   subject grow MIB             for a line on its standard input takes up MIB more, and keeps it
 *   subject rename NAME          after a line on its standard input takes that name; "renamed"
 *   subject unmaps               for a line on its standard input unmaps its segment; "unmapped"
 */
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NEVER_NS UINT64_C(10000000000)

static uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void *volatile held;

static void allocate(void) {
    held = malloc(64);
    free(held);
}

static void say(const char *text) {
    if (write(STDOUT_FILENO, text, strlen(text)) < 0) _exit(1);
}

static int policy_is_set(void) {
    int mode = 0;
    syscall(SYS_get_mempolicy, &mode, NULL, 0UL, NULL, 0UL);
    return mode != 0;
}

static int until(uint64_t since_ns) {
    char text[32];
    while (!policy_is_set()) {
        if (now_ns() - since_ns > NEVER_NS) {
            say("never\n");
            return 1;
        }
        allocate();
    }
    snprintf(text, sizeof(text), "%lu\n", (unsigned long)((now_ns() - since_ns) / 1000));
    say(text);
    return 0;
}

static void fork_children(int count) {
    int ready[2];
    char byte;
    if (pipe(ready) != 0) _exit(1);
    for (int i = 0; i < count; ++i) {
        const pid_t child = fork();
        if (child < 0) _exit(1);
        if (child != 0) continue;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        allocate();
        if (write(ready[1], "", 1) != 1) _exit(1);
        for (;;) pause();
    }
    for (int i = 0; i < count; ++i) {
        if (read(ready[0], &byte, 1) != 1) _exit(1);
    }
    close(ready[0]);
    close(ready[1]);
}

static void execute(const char *self) {
    execl(self, self, "work", (char *)NULL);
    _exit(1);
}

static void start(const char *self) {
    if (fork() != 0) return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    execute(self);
}

static int family(int size) {
    char byte;
    fork_children(size);
    say("ready\n");
    while (read(STDIN_FILENO, &byte, 1) > 0) allocate();
    return 0;
}

static pthread_barrier_t all_there;

static void *wait_as(void *name) {
    if (name != NULL) prctl(PR_SET_NAME, (unsigned long)name, 0, 0, 0);
    allocate();
    pthread_barrier_wait(&all_there);
    for (;;) pause();
    return NULL;
}

static int threads(int count, char *name) {
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 64 << 10);
    pthread_barrier_init(&all_there, NULL, (unsigned)count + 1);
    for (int i = 0; i < count; ++i) {
        pthread_t thread;
        if (pthread_create(&thread, &small, wait_as, name) != 0) return 1;
    }
    pthread_barrier_wait(&all_there);
    say("ready\n");
    char byte;
    while (read(STDIN_FILENO, &byte, 1) > 0) allocate();
    return 0;
}

#define PAGES 2048
#define NODES 64

/* Kept, so that the next ones are new. */
static int tell_new_pages(void) {
    static void *pages[PAGES];
    static int nodes[PAGES];
    char *memory = malloc((size_t)PAGES * 4096);
    char text[NODES * 4] = "";
    unsigned long long seen = 0;
    if (memory == NULL) return 1;
    for (int i = 0; i < PAGES; ++i) {
        memory[i * 4096] = 1;
        pages[i] = memory + i * 4096;
    }
    if (syscall(SYS_move_pages, 0, (unsigned long)PAGES, pages, NULL, nodes, 0) != 0) return 1;
    for (int i = 0; i < PAGES; ++i) {
        if (nodes[i] >= 0 && nodes[i] < NODES) seen |= 1ULL << nodes[i];
    }
    for (int node = 0; node < NODES; ++node) {
        const size_t at = strlen(text);
        if (seen >> node & 1) snprintf(text + at, sizeof(text) - at, at ? " %d" : "%d", node);
    }
    say(text);
    say("\n");
    return 0;
}

static int grow(size_t bytes) {
    char *const memory = malloc(bytes);
    if (memory == NULL) return 1;
    memset(memory, 1, bytes);
    held = memory;
    return 0;
}

/* Past the library: the segment lies over its own data. */
static int unmap_segment(void) {
    char line[512];
    unsigned long start = 0;
    unsigned long end = 0;
    FILE *const maps = fopen("/proc/self/maps", "r");
    if (maps == NULL) return 1;
    while (fgets(line, sizeof(line), maps) != NULL) {
        if (strstr(line, "memfd:mpol-control") != NULL) sscanf(line, "%lx-%lx", &start, &end);
    }
    fclose(maps);
    return start == 0 || syscall(SYS_munmap, start, end - start) != 0;
}

int main(int argc, char **argv) {
    const char *verb = argc > 1 ? argv[1] : "";
    char byte;
    allocate();
    if (strcmp(verb, "until") == 0) return until(strtoull(argv[2], NULL, 10));
    if (strcmp(verb, "family") == 0) return family(atoi(argv[2]));
    if (strcmp(verb, "threads") == 0) return threads(atoi(argv[2]), argv[3]);
    say("ready\n");
    if (strcmp(verb, "work") == 0) {
        for (;;) allocate();
    }
    while (strcmp(verb, "renames") == 0) {
        allocate();
        prctl(PR_SET_NAME, (unsigned long)"daemon-subject", 0, 0, 0);
    }
    while (read(STDIN_FILENO, &byte, 1) > 0) {
        if (strcmp(verb, "rename") == 0) {
            prctl(PR_SET_NAME, (unsigned long)argv[2], 0, 0, 0);
            say("renamed\n");
        }
        if (strcmp(verb, "unmaps") == 0) {
            if (unmap_segment() != 0) return 1;
            say("unmapped\n");
            for (;;) pause();
        }
        allocate();
        if (strcmp(verb, "grow") == 0 && grow((size_t)atoi(argv[2]) << 20) != 0) return 1;
        if (strcmp(verb, "pages") == 0 && tell_new_pages() != 0) return 1;
        if (strcmp(verb, "forks") == 0 && policy_is_set()) {
            fork_children(1);
            say("forked\n");
            verb = "wait";
        }
        if (strcmp(verb, "executes") == 0 && policy_is_set()) execute(argv[0]);
        if (strcmp(verb, "starts") == 0 && policy_is_set()) {
            start(argv[0]);
            verb = "wait";
        }
    }
    return 0;
}
