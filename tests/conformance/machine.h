// SPDX-License-Identifier: Apache-2.0
// What a test needs of the machine. In the virtual machine nothing is missing, so that there
// nothing is skipped.
#pragma once

#include <string>

namespace mpol::test {

// Empty: the machine has it; else why a test can't run here. Throws in the virtual machine.
[[nodiscard]] std::string lacks_root();
[[nodiscard]] std::string lacks_mounts();  // mount namespaces, and file systems to mount
[[nodiscard]] std::string lacks_four_nodes();
[[nodiscard]] std::string lacks_cpusets();  // cgroup v2, to be changed by us

// A cgroup of its own, with a cpuset; its processes must have ended before it goes.
class Cpuset {
  public:
    explicit Cpuset(const std::string& mems);
    ~Cpuset();
    Cpuset(const Cpuset&) = delete;
    Cpuset& operator=(const Cpuset&) = delete;

    void set_mems(const std::string& mems);
    // The calling process: between fork and exec.
    void enter() const;

  private:
    std::string path_;
};

}  // namespace mpol::test
