// SPDX-License-Identifier: Apache-2.0
#include "cli/json.h"
#include "cli/words.h"

namespace mpol::cli {
namespace {

Json findings_json(const std::vector<Finding>& findings) {
    Json list = Json::array();
    for (const Finding& finding : findings) {
        list.push_back({{"health", health_name(finding.health)},
                        {"area", finding.area},
                        {"what", finding.what},
                        {"remedy", finding.remedy}});
    }
    return list;
}

}  // namespace

Json render_json(const Checkup& checkup) {
    Json out = {{"machine", findings_json(checkup.machine)}};
    if (!checkup.pid) return out;
    out["pid"] = *checkup.pid;
    out["comm"] = checkup.comm;
    out["process"] = findings_json(checkup.process);
    return out;
}

}  // namespace mpol::cli
