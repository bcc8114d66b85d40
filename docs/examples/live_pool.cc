// SPDX-License-Identifier: Apache-2.0
// live-pool POLICY POLICY: numbers in a std::pmr::vector whose memory is under the first policy,
// and then, while they live, moved to where the second wants them.
//
//     c++ -std=c++20 live_pool.cc $(pkg-config --cflags --libs mpol)
#include <cstdlib>
#include <iostream>
#include <memory_resource>
#include <mpol/pmr.hpp>
#include <numeric>
#include <string>
#include <vector>

namespace {

mpol::Policy policy_of(const char* text) {
    std::string why;
    const auto policy = mpol::Policy::parse(text, &why);
    if (policy) return *policy;
    std::cerr << "live-pool: " << text << ": " << why << "\n";
    std::exit(2);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 3) {
        std::cerr << "usage: live-pool POLICY POLICY\n";
        return 2;
    }
    const mpol::Policy first = policy_of(argv[1]);
    const mpol::Policy second = policy_of(argv[2]);

    mpol::pmr::PolicyResource memory(first);
    if (memory.error())
        std::cerr << "without " << argv[1] << ": " << memory.error().message() << "\n";
    std::pmr::synchronized_pool_resource pool(&memory);
    std::pmr::vector<long> numbers(1'000'000, &pool);
    std::iota(numbers.begin(), numbers.end(), 1L);

    if (const auto moved = memory.set_policy(second, mpol::pmr::Pages::kMove); !moved) {
        std::cerr << "still under " << argv[1] << ": " << moved.error().message() << "\n";
        return 1;
    }
    std::cout << "the sum of " << numbers.size() << " numbers under " << argv[2] << " is "
              << std::accumulate(numbers.begin(), numbers.end(), 0L) << "\n";
    return 0;
}
