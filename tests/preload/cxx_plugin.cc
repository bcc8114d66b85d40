// SPDX-License-Identifier: Apache-2.0
// A C++ library that a C program loads with RTLD_LOCAL.
#include <cstddef>
#include <cstdint>
#include <new>
#include <string>
#include <vector>

extern "C" int plugin_run() {
    std::vector<std::string> words;
    for (int i = 0; i < 1000; ++i) words.emplace_back(100, static_cast<char>('a' + i % 26));
    const volatile size_t too_much = SIZE_MAX / 2;
    if (::operator new(too_much, std::nothrow) != nullptr) return 1;
    try {
        ::operator delete(::operator new(too_much));
    } catch (const std::bad_alloc&) {
        return words.back().size() == 100 ? 0 : 2;
    }
    return 3;
}
