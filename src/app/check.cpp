#include <cstdio>

#include "app/commands.h"
#include "app/samples.h"
#include "app/schema.h"
#include "app/trust_report.h"

namespace tribune::app {

int check(const std::string& config_file) {
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
  std::puts("OK");
  std::fputs(trust_report(*settings).c_str(), stdout);
  return 0;
}

int reference(const std::string& sample) {
  std::fputs(sample.empty() ? schema().reference().c_str() : sample_text(sample).c_str(), stdout);
  return std::fflush(stdout) == 0 ? 0 : 1;
}

}  // namespace tribune::app
