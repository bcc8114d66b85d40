// SPDX-License-Identifier: Apache-2.0
#include "preloaded.h"

#include "workbench.h"

namespace mpol::test {

Preloaded::Preloaded() : bench_(std::make_unique<Workbench>()) {}
Preloaded::~Preloaded() = default;

pid_t Preloaded::pid() const {
    return bench_->pid();
}
unsigned Preloaded::start_thread() {
    return bench_->start_thread(kMain);
}
pid_t Preloaded::tid(unsigned thread) {
    return bench_->tid(thread);
}
void Preloaded::call(unsigned thread) {
    bench_->call(thread);
}
std::string Preloaded::policy_of_allocated(unsigned thread, size_t size) {
    return policy_at(pid(), bench_->allocate(thread, size));
}
std::string Preloaded::policy_of_mapped(unsigned thread, size_t size) {
    return policy_at(pid(), bench_->map(thread, size));
}
int Preloaded::finish() {
    return bench_->finish();
}

}  // namespace mpol::test
