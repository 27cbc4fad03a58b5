#include "trigger/internal/podman_arguments.h"

#include <algorithm>
#include <charconv>
#include <initializer_list>
#include <string_view>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/names.h"

namespace pfs::trigger {

namespace {

using nlohmann::json;

constexpr const char* kNotUtf8 = "\xEF\xBF\xBD";  // U+FFFD: what JSON has for it

Result<void> only(const json& object, std::string_view where, std::initializer_list<std::string_view> known) {
  for (const auto& [name, value] : object.items()) {
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      return Error{Code::kUnsupported, fmt::format("pod: {}.{}: podman's runner does not know it", where, name)};
    }
  }
  return {};
}

/// The host's path of each volume.
Result<std::map<std::string, std::string>> host_paths(const json& spec) {
  std::map<std::string, std::string> paths;
  for (const json& volume : spec.value("volumes", json::array())) {
    PFS_TRY(only(volume, "volumes", {"name", "hostPath"}));
    PFS_TRY(only(volume.at("hostPath"), "volumes.hostPath", {"path", "type"}));
    const auto path = volume.at("hostPath").at("path").get<std::string>();
    // podman splits the value of --mount at commas and knows no escape
    if (path.find_first_of(",\n") != std::string::npos) {
      return Error{Code::kInvalid, fmt::format("'{}': a path with a comma cannot be mounted into a container", path)};
    }
    if (path.find(kNotUtf8) != std::string::npos) {
      return Error{Code::kInvalid, fmt::format("'{}': a path that is not UTF-8 cannot be mounted into a container; {} stands for "
                                               "what is not", printable(path), kNotUtf8)};
    }
    paths[volume.at("name").get<std::string>()] = path;
  }
  return paths;
}

Result<void> add_mounts(const json& container, const std::map<std::string, std::string>& paths,
                        std::vector<std::string>& out) {
  for (const json& mount : container.value("volumeMounts", json::array())) {
    PFS_TRY(only(mount, "volumeMounts", {"name", "mountPath", "readOnly", "mountPropagation"}));
    const auto found = paths.find(mount.at("name").get<std::string>());
    if (found == paths.end()) return Error{Code::kInvalid, "pod: volumeMounts: a volume that is not there"};
    if (mount.value("mountPropagation", "None") != "None") {
      return Error{Code::kUnsupported, "pod: volumeMounts.mountPropagation: only None"};
    }
    out.push_back("--mount");
    out.push_back(fmt::format("type=bind,src={},dst={},bind-propagation=rprivate{}", found->second,
                              mount.at("mountPath").get<std::string>(), mount.value("readOnly", false) ? ",ro" : ""));
  }
  return {};
}

Result<void> add_user(const json& container, std::vector<std::string>& out) {
  const json context = container.value("securityContext", json::object());
  PFS_TRY(only(context, "securityContext", {"runAsUser", "runAsGroup"}));
  if (!context.contains("runAsUser")) return {};
  out.push_back("--user");
  out.push_back(fmt::format("{}:{}", context.at("runAsUser").get<std::uint32_t>(),
                            context.value("runAsGroup", std::uint32_t{0})));
  return {};
}

/// podman reads the value of --annotation as a line of comma-separated values. Source: RFC 4180.
std::string as_csv_field(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string field = "\"";
  for (const char c : text) field.append(c == '"' ? 2 : 1, c);
  return field + "\"";
}

/// `1500m` or `2`, as podman's --cpus wants it.
Result<std::string> cpus(const std::string& text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  if (error == std::errc() && unit.empty()) return text;
  if (error == std::errc() && unit == "m") return fmt::format("{}.{:03}", number / 1000, number % 1000);
  return Error{Code::kInvalid, fmt::format("pod: resources.limits.cpu: '{}': expected 2 or 1500m", printable(text))};
}

Result<void> add_limits(const json& container, ContainerEngine::Kind engine, std::vector<std::string>& out) {
  const json resources = container.value("resources", json::object());
  PFS_TRY(only(resources, "resources", {"limits"}));
  const json limits = resources.value("limits", json::object());
  for (const auto& [name, value] : limits.items()) {
    const auto text = value.get<std::string>();
    if (name == "cpu") {
      PFS_TRY_ASSIGN(std::string most, cpus(text));
      out.push_back("--cpus");
      out.push_back(std::move(most));
    } else if (name == "memory") {
      out.push_back("--memory");
      out.push_back(text + "b");
    } else if (name == "nvidia.com/gpu" && engine == ContainerEngine::Kind::kDocker) {
      out.push_back("--gpus");
      out.push_back(text);
    } else if (name.find(".com/") != std::string::npos) {  // of any maker, by the Container Device Interface
      for (unsigned long device = 0; device < std::stoul(text); ++device) {
        out.push_back("--device");
        out.push_back(fmt::format("{}={}", name, device));
      }
    } else {
      return Error{Code::kUnsupported, fmt::format("pod: resources.limits.{}: podman's runner does not know it", name)};
    }
  }
  return {};
}

void add_network(PodNetwork network, std::vector<std::string>& out) {
  if (network == PodNetwork::kDefault) return;  // podman's own differs between root and everybody else
  out.push_back("--network");
  out.push_back(network == PodNetwork::kHost ? "host" : "none");
}

Result<std::vector<std::string>> translate(const PodRequest& request, ContainerEngine::Kind engine) {
  const json spec = json::parse(request.spec_json);
  PFS_TRY(only(spec, "spec", {"containers", "volumes", "restartPolicy"}));
  if (spec.value("restartPolicy", "Never") != "Never") return Error{Code::kUnsupported, "pod: restartPolicy: only Never"};
  if (spec.at("containers").size() != 1) return Error{Code::kUnsupported, "pod: containers: exactly one"};
  const json& container = spec.at("containers").front();
  PFS_TRY(only(container, "containers",
               {"name", "image", "command", "args", "env", "workingDir", "securityContext", "volumeMounts",
                "resources"}));

  std::vector<std::string> out{"--name", request.name};
  for (const auto& [name, value] : request.labels) {
    out.push_back("--label");
    out.push_back(fmt::format("{}={}", name, value));
  }
  for (const auto& [name, value] : request.annotations) {
    const std::string text = fmt::format("{}={}", name, value);
    out.push_back("--annotation");
    out.push_back(engine == ContainerEngine::Kind::kDocker ? text : as_csv_field(text));
  }
  add_network(request.network, out);
  PFS_TRY_ASSIGN(const auto paths, host_paths(spec));
  PFS_TRY(add_mounts(container, paths, out));
  PFS_TRY(add_user(container, out));
  PFS_TRY(add_limits(container, engine, out));
  for (const json& variable : container.value("env", json::array())) {
    PFS_TRY(only(variable, "env", {"name", "value"}));
    out.push_back("--env");
    out.push_back(variable.at("name").get<std::string>() + "=" + variable.at("value").get<std::string>());
  }
  if (container.contains("workingDir")) {
    out.push_back("--workdir");
    out.push_back(container.at("workingDir").get<std::string>());
  }
  const auto command = container.at("command").get<std::vector<std::string>>();
  if (command.empty()) return Error{Code::kUnsupported, "pod: command: the image's own cannot be asked for"};
  out.push_back("--entrypoint");
  if (engine == ContainerEngine::Kind::kDocker) {
    out.push_back(command.front());
  } else {
    out.push_back(json(command).dump());  // a JSON list, so that nothing in it is split at spaces
  }
  out.push_back(container.at("image").get<std::string>());
  // docker's --entrypoint is the program alone
  if (engine == ContainerEngine::Kind::kDocker) out.insert(out.end(), command.begin() + 1, command.end());
  for (const json& argument : container.value("args", json::array())) out.push_back(argument.get<std::string>());
  return out;
}

}  // namespace

Result<std::vector<std::string>> podman_run_arguments(const PodRequest& request, ContainerEngine::Kind engine) {
  try {
    return translate(request, engine);
  } catch (const json::exception& e) {
    return Error{Code::kInvalid, fmt::format("pod {}: {}", request.name, e.what())};
  }
}

}  // namespace pfs::trigger
