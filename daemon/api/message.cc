// SPDX-License-Identifier: Apache-2.0
#include "daemon/api/message.h"

namespace mpol::daemon {
namespace {

// Empty: no JSON object, or one that nests too deep.
std::optional<Json> parse_object(std::string_view text) {
    bool deep = false;
    const auto shallow = [&](int depth, Json::parse_event_t, Json&) {
        deep = deep || depth > kNestingMax;
        return !deep;
    };
    Json object = Json::parse(text, shallow, false);
    if (deep || !object.is_object()) return std::nullopt;
    return object;
}

// False: it is there, and is of another type.
template <class T>
bool take(const Json& object, const char* name, T& ret_value) {
    const auto at = object.find(name);
    return at == object.end() || from_wire(*at, ret_value);
}

bool take_parameters(const Json& object, Json& ret_parameters) {
    const auto at = object.find("parameters");
    if (at == object.end() || at->is_null()) return true;
    ret_parameters = *at;
    return ret_parameters.is_object();
}

std::string framed(const Json& object) {
    std::string text = object.dump(-1, ' ', false, Json::error_handler_t::replace);
    text.push_back('\0');
    return text;
}

Reply error(std::string_view name, Json parameters = Json::object()) {
    return {std::move(parameters), false, "org.varlink.service." + std::string(name)};
}

}  // namespace

std::optional<Call> parse_call(std::string_view text) {
    const auto object = parse_object(text);
    Call call;
    bool upgrade = false;
    if (!object || !take(*object, "method", call.method) || !take(*object, "more", call.more) ||
        !take(*object, "oneway", call.oneway) || !take(*object, "upgrade", upgrade) ||
        !take_parameters(*object, call.parameters)) {
        return std::nullopt;
    }
    if (call.method.empty() || upgrade) return std::nullopt;
    return call;
}

std::optional<Reply> parse_reply(std::string_view text) {
    const auto object = parse_object(text);
    Reply reply;
    if (!object || !take(*object, "error", reply.error) ||
        !take(*object, "continues", reply.continues) ||
        !take_parameters(*object, reply.parameters)) {
        return std::nullopt;
    }
    return reply;
}

std::string frame(const Call& call) {
    Json object = {{"method", call.method}, {"parameters", call.parameters}};
    if (call.more) object["more"] = true;
    if (call.oneway) object["oneway"] = true;
    return framed(object);
}

std::string frame(const Reply& reply) {
    Json object = Json::object();
    if (!reply.error.empty()) object["error"] = reply.error;
    object["parameters"] = reply.parameters;
    if (reply.continues) object["continues"] = true;
    return framed(object);
}

Reply interface_not_found(std::string_view interface) {
    return error("InterfaceNotFound", {{"interface", interface}});
}

Reply method_not_found(std::string_view method) {
    return error("MethodNotFound", {{"method", method}});
}

Reply invalid_parameter(std::string_view parameter) {
    return error("InvalidParameter", {{"parameter", parameter}});
}

Reply permission_denied() {
    return error("PermissionDenied");
}

Reply expected_more() {
    return error("ExpectedMore");
}

}  // namespace mpol::daemon
