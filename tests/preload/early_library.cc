// SPDX-License-Identifier: Apache-2.0
// A library whose constructor allocates, starts threads and forks, and whose destructor allocates:
// it may run before and after the allocator's own.
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

namespace {

void* kept = nullptr;

void* churn(void*) {
    for (size_t size = 1; size < 1 << 20; size *= 2) {
        void* const memory = std::realloc(std::malloc(size), size * 2);
        std::memset(memory, 1, size * 2);
        std::free(memory);
    }
    return nullptr;
}

void* churn_and_stay(void*) {
    churn(nullptr);
    for (;;) ::pause();
}

[[gnu::constructor]] void begin() {
    pthread_t threads[4];
    for (pthread_t& thread : threads) pthread_create(&thread, nullptr, churn, nullptr);
    for (const pthread_t thread : threads) pthread_join(thread, nullptr);
    pthread_t staying;
    pthread_create(&staying, nullptr, churn_and_stay, nullptr);
    pthread_detach(staying);
    const pid_t child = ::fork();
    if (child == 0) {
        churn(nullptr);
        ::_exit(0);
    }
    int status = -1;
    ::waitpid(child, &status, 0);
    if (status == 0) kept = std::malloc(100);
}

[[gnu::destructor]] void end() {
    std::free(kept);
    churn(nullptr);
}

}  // namespace

extern "C" void* early_library_kept() {
    return kept;
}
