// The only file that includes CLI11.
#include "app/command_line.h"

#include <CLI/CLI.hpp>
#include <iostream>
#include <map>
#include <string>
#include <vector>

#include "app/commands.h"
#include "app/samples.h"
#include "app/version.h"
#include "config/nearest_key.h"

namespace tribune::app {
namespace {

constexpr int kWrongUse = 2;

void add_log_options(CLI::App& command, ServeOptions& options) {
  using base::LogFormat;
  using base::LogLevel;
  command
      .add_option("--log-format", options.log_format,
                  "Log format, text or json; overrides log.format of the configuration file")
      ->transform(CLI::CheckedTransformer(
          std::map<std::string, LogFormat>{{"text", LogFormat::text}, {"json", LogFormat::json}}));
  command
      .add_option(
          "--log-level", options.log_level,
          "Lowest level to log: debug, info, warning, error or off; overrides log.level of the configuration file")
      ->transform(CLI::CheckedTransformer(std::map<std::string, LogLevel>{{"debug", LogLevel::debug},
                                                                          {"info", LogLevel::info},
                                                                          {"warning", LogLevel::warning},
                                                                          {"error", LogLevel::error},
                                                                          {"off", LogLevel::off}}));
}

void add_serve(CLI::App& app, int& code, ServeOptions& options) {
  auto* command = app.add_subcommand("serve", "Run the roles that the configuration file enables");
  command->add_option("CONFIG", options.config_file, "Path of the configuration file")->required();
  add_log_options(*command, options);
  command->callback([&] { code = serve(options); });
}

void add_check(CLI::App& app, int& code, CheckOptions& options) {
  auto* command = app.add_subcommand("check", "Validate a configuration file: print OK, or list all its errors");
  command->add_option("CONFIG", options.config_file, "Path of the configuration file")->required();
  command->add_flag("--offline", options.offline,
                    "Do not check the files and directories that the configuration refers to; use it for the file of "
                    "another machine");
  command->callback([&] { code = check(options); });
}

void add_reference(CLI::App& app, int& code, std::string& sample) {
  auto* command = app.add_subcommand("reference", "Print the reference of all settings, or a sample configuration");
  std::string known;
  for (const auto& name : sample_names()) known += (known.empty() ? "" : ", ") + name;
  command->add_option("--sample", sample, "Print a sample configuration instead: " + known + ".")
      ->check(CLI::IsMember(sample_names()));
  command->callback([&] { code = reference(sample); });
}

std::string key_of(std::string name) {
  name.erase(0, name.find_first_not_of('-'));
  for (auto& c : name)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return name;
}

/// "create" of "accounts create".
std::string own_name(const CtlCommand& command) { return command.name.substr(command.name.find(' ') + 1); }

/// The subcommand of the command's group, which is made for its first command; `ctl_app` for a command without one.
CLI::App* parent_of(CLI::App& ctl_app, const CtlCommand& command) {
  const auto space = command.name.find(' ');
  if (space == std::string::npos) return &ctl_app;
  const auto group = command.name.substr(0, space);
  for (auto* made : ctl_app.get_subcommands([](const CLI::App*) { return true; }))
    if (made->get_name() == group) return made;
  auto* made = ctl_app.add_subcommand(group, "Commands for " + group);
  made->require_subcommand(1)->fallthrough();
  return made;
}

void add_ctl(CLI::App& app, int& code, CtlOptions& options, CtlValues& values) {
  auto* ctl_app = app.add_subcommand("ctl", "Query or control a running process through its admin listener");
  ctl_app->add_option("--admin", options.admin,
                      "URL of the admin listener; default: the environment variable TRIBUNE_ADMIN, or "
                      "http://127.0.0.1:9080 when it is not set");
  ctl_app->add_option(
      "--token-file", options.token_file,
      "File that contains the token of the admin listener; default: the environment variable TRIBUNE_ADMIN_TOKEN");
  ctl_app->add_flag("--json", options.json, "Print the response as JSON");
  ctl_app->require_subcommand(1);
  ctl_app->fallthrough();
  for (const auto& command : ctl_commands()) {
    auto* sub = parent_of(*ctl_app, command)->add_subcommand(own_name(command), command.help);
    sub->fallthrough();
    for (const auto& parameter : command.parameters) {
      const auto keep = [&values, key = key_of(parameter.name)](const std::string& value) { values[key] = value; };
      if (parameter.is_flag)
        sub->add_flag_callback(
            parameter.name, [keep] { keep("yes"); }, parameter.help);
      else
        sub->add_option_function<std::string>(parameter.name, keep, parameter.help)->required(parameter.required);
    }
    sub->callback([&code, &options, &values, &command] { code = ctl(options, command, values); });
  }
}

std::vector<const CLI::App*> commands_of(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App*) { return true; });
}

const CLI::App* find_command(const CLI::App& app, const std::string& name) {
  for (const auto* command : commands_of(app))
    if (command->get_name() == name) return command;
  return nullptr;
}

std::string unknown_command(const std::string& name, const CLI::App& parent) {
  std::vector<std::string> known;
  for (const auto* command : commands_of(parent)) known.push_back(command->get_name());
  std::string text = "unknown command \"" + name + "\"";
  if (const auto meant = config::nearest_key(name, known)) return text + "; did you mean \"" + *meant + "\"?";
  text += "; known commands:";
  for (const auto& one : known) text += " " + one;
  return text;
}

/// The error in the command's name; empty when it is known or missing.
std::string wrong_command(const CLI::App& app, int argc, const char* const* argv) {
  if (argc < 2 || argv[1][0] == '-') return "";
  const std::string first = argv[1];
  const auto* command = find_command(app, first);
  if (!command) return unknown_command(first, app);
  if (first != "ctl" || argc < 3 || argv[2][0] == '-' || find_command(*command, argv[2])) return "";
  return unknown_command(argv[2], *command);
}

}  // namespace

int run(int argc, const char* const* argv) {
  int code = 0;
  ServeOptions serve_options;
  CheckOptions check_options;
  std::string sample;
  CtlOptions ctl_options;
  CtlValues ctl_values;

  CLI::App app("Tribune: HLS load balancer and edge cache", "tribune");
  app.set_version_flag("--version", "tribune " + std::string(version()), "Print the version");
  app.require_subcommand(1);
  add_serve(app, code, serve_options);
  add_check(app, code, check_options);
  add_reference(app, code, sample);
  add_ctl(app, code, ctl_options, ctl_values);
  if (const auto wrong = wrong_command(app, argc, argv); !wrong.empty()) {
    std::cerr << "tribune: " << wrong << "\n";
    return kWrongUse;
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kWrongUse;
  }
  return code;
}

}  // namespace tribune::app
