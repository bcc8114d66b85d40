// SPDX-License-Identifier: Apache-2.0
#include "cli/plain.h"
#include "cli/words.h"

namespace mpol::cli {

namespace {

void add_findings(std::string& out, const std::vector<Finding>& findings) {
    for (const Finding& finding : findings) {
        add(out, "  {:<8} {}: {}\n", health_name(finding.health), finding.area, finding.what);
        if (!finding.remedy.empty()) add(out, "           remedy: {}\n", finding.remedy);
    }
}

}  // namespace

std::string render(const Checkup& checkup) {
    std::string out = "this machine\n";
    add_findings(out, checkup.machine);
    if (!checkup.pid) return out;
    add(out, "process {} ({})\n", *checkup.pid, printable(checkup.comm));
    add_findings(out, checkup.process);
    return out;
}

}  // namespace mpol::cli
