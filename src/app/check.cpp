#include <cstdio>

#include "app/check_files.h"
#include "app/commands.h"
#include "app/samples.h"
#include "app/schema.h"
#include "app/trust_report.h"

namespace tribune::app {

namespace {

int print(const CheckOptions& options, const config::Settings& settings) {
  auto found = check_keys(settings, base::SystemClock().wall_now());
  if (!options.offline) {
    auto files = check_named_files(settings);
    found.errors.insert(found.errors.end(), files.errors.begin(), files.errors.end());
    found.warnings.insert(found.warnings.end(), files.warnings.begin(), files.warnings.end());
  }
  for (const auto& error : found.errors) std::fprintf(stderr, "%s: %s\n", options.config_file.c_str(), error.c_str());
  for (const auto& warning : found.warnings)
    std::fprintf(stderr, "%s: warning: %s\n", options.config_file.c_str(), warning.c_str());
  if (!found.errors.empty()) return 1;
  std::puts("OK");
  std::fputs(trust_report(settings).c_str(), stdout);
  return 0;
}

}  // namespace

int check(const CheckOptions& options) {
  const auto& config_file = options.config_file;
  const auto config = read_config(config_file);
  if (!config) {
    std::fprintf(stderr, "%s\n", config.error().text.c_str());
    return 1;
  }
  const auto settings = settings_of(*config);
  if (!settings) {
    std::fputs(settings.error().c_str(), stderr);
    return 1;
  }
  return print(options, *settings);
}

int reference(const std::string& sample) {
  std::fputs(sample.empty() ? schema().reference().c_str() : sample_text(sample).c_str(), stdout);
  return std::fflush(stdout) == 0 ? 0 : 1;
}

}  // namespace tribune::app
