// SPDX-License-Identifier: Apache-2.0
#include "daemon/privilege.h"

#include <cap-ng.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include <algorithm>
#include <cerrno>

namespace mpol::daemon {

uint64_t raise_descriptor_limit() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
    const rlimit most{std::max<rlim_t>(limit.rlim_max, kDescriptorsWanted),
                      std::max<rlim_t>(limit.rlim_max, kDescriptorsWanted)};
    if (::setrlimit(RLIMIT_NOFILE, &most) == 0) return most.rlim_cur;
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
    return limit.rlim_cur;
}

void raise_priority() {
    constexpr int kNice = -10;
    ::setpriority(PRIO_PROCESS, 0, kNice);
}

control::Result<void> drop_privileges() {
    ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    capng_get_caps_process();
    const bool bounded = capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP) != 0;
    const auto had = [](unsigned capability) {
        return capng_have_capability(CAPNG_PERMITTED, capability) != 0;
    };
    const bool ptrace = had(CAP_SYS_PTRACE);
    const bool search = had(CAP_DAC_READ_SEARCH);
    if (capng_have_capabilities(CAPNG_SELECT_CAPS) == CAPNG_NONE) return {};
    capng_clear(CAPNG_SELECT_BOTH);
    constexpr auto kBoth = static_cast<capng_type_t>(CAPNG_EFFECTIVE | CAPNG_PERMITTED);
    if (ptrace) capng_update(CAPNG_ADD, kBoth, CAP_SYS_PTRACE);
    if (search) capng_update(CAPNG_ADD, kBoth, CAP_DAC_READ_SEARCH);
    const int failed = capng_apply(bounded ? CAPNG_SELECT_BOTH : CAPNG_SELECT_CAPS);
    if (failed == 0) return {};
    return tl::unexpected(control::fail(EPERM, "capabilities can't be dropped"));
}

}  // namespace mpol::daemon
