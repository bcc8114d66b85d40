/* SPDX-License-Identifier: Apache-2.0
 * A C program without a C++ runtime of its own; loads and unloads a C++ library, many times. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char** argv) {
    const int rounds = argc > 2 ? atoi(argv[2]) : 1;
    for (int round = 0; round < rounds; ++round) {
        void* const plugin = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
        if (plugin == NULL) {
            puts(dlerror());
            return 100;
        }
        int (*run)(void) = NULL;
        *(void**)&run = dlsym(plugin, "plugin_run"); /* POSIX's way around ISO C */
        const int result = run != NULL ? run() : 101;
        if (result != 0) return result;
        dlclose(plugin);
    }
    puts("done");
    return 0;
}
