#include "balancer/settings/paid_channel_settings.h"

namespace tribune::balancer {

using namespace std::chrono_literals;

const config::Section<PaidChannelSettings>& paid_channels_section() {
  static const auto section =
      config::Section<PaidChannelSettings>("paid_channels", "Sessions of channels that accounts buy.")
          .duration("check_period", &PaidChannelSettings::check_period, {1s, 1min},
                    "Interval at which the api is asked whether the account of each session that watches may still do "
                    "so. Sessions of an unknown state are checked at once.")
          .duration("await_renewal", &PaidChannelSettings::await_renewal, {1s, 1min},
                    "Time for which a session goes on after the end of what was bought, while the api does not say "
                    "whether it was renewed.")
          .duration("ending_time", &PaidChannelSettings::ending_time, {1s, 5min},
                    "Time between the end of a session's playlists (EXT-X-ENDLIST) and the refusal of all its "
                    "requests, in which a player fetches the segments that were listed.");
  return section;
}

}  // namespace tribune::balancer
