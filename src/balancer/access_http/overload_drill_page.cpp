#include "balancer/access_http/overload_drill_page.h"

#include <fmt/format.h>

namespace tribune::balancer {
namespace {

constexpr std::string_view kStyle = R"(
:root { color-scheme: light dark; --text: #1b1f24; --quiet: #57606a; --back: #f6f8fa; --card: #fff; --line: #d0d7de; --act: #0b57d0; --on: #fff; }
@media (prefers-color-scheme: dark) { :root { --text: #e6edf3; --quiet: #9aa5b1; --back: #0d1117; --card: #161b22; --line: #30363d; --act: #7cacf8; --on: #06204a; } }
* { box-sizing: border-box; }
body { margin: 0; padding: 1rem; min-height: 100vh; display: grid; place-items: center; background: var(--back); color: var(--text); font: 1rem/1.5 system-ui, sans-serif; }
main { width: 100%; max-width: 34rem; padding: 1.5rem; background: var(--card); border: 1px solid var(--line); border-radius: .75rem; }
h1 { margin: 0 0 1rem; font-size: 1.375rem; line-height: 1.3; }
dl { margin: 0 0 1.5rem; display: grid; grid-template-columns: auto 1fr; gap: .5rem 1rem; }
dt { color: var(--quiet); }
dd { margin: 0; overflow-wrap: anywhere; }
p { margin: 0 0 1rem; }
button { width: 100%; min-height: 3rem; padding: .5rem 1rem; border: 0; border-radius: .5rem; background: var(--act); color: var(--on); font: inherit; font-weight: 600; cursor: pointer; }
button:focus-visible { outline: 3px solid var(--text); outline-offset: 2px; }
.note { margin: 1rem 0 0; color: var(--quiet); font-size: .875rem; }
)";

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      case '\'': out += "&#39;"; break;
      default: out += c;
    }
  }
  return out;
}

std::string page(std::string_view title, std::string_view content) {
  return fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<meta name=\"robots\" content=\"noindex\">\n<title>{}</title>\n<style>{}</style>\n</head>\n"
      "<body>\n<main>\n<h1>{}</h1>\n{}</main>\n</body>\n</html>\n",
      escaped(title), kStyle, escaped(title), content);
}

std::string scope_of(std::string_view channel) {
  return channel.empty() ? "all channels" : fmt::format("the channel {}", channel);
}

std::string effect_of(const access::Drill& drill) {
  if (drill == access::Drill{}) return "No drill: viewers are admitted as the limits allow.";
  if (drill.is_closed) return "No new viewer is admitted. Viewers who watch continue.";
  std::string load;
  if (drill.extra_sessions > 0) load = fmt::format("{} sessions", drill.extra_sessions);
  if (drill.extra_mbps > 0) load += fmt::format("{}{} Mbit/s", load.empty() ? "" : " and ", drill.extra_mbps);
  return fmt::format("A load of {} is added to the real one.", load);
}

std::string row(std::string_view name, std::string_view value) {
  return fmt::format("<dt>{}</dt>\n<dd>{}</dd>\n", escaped(name), escaped(value));
}

}  // namespace

std::string drill_confirmation_page(const DrillConfirmation& page_of) {
  const bool ends = page_of.next == access::Drill{};
  const auto facts = row("Applies to", scope_of(page_of.channel)) + row("Now", effect_of(page_of.now)) +
                     row("After", effect_of(page_of.next));
  return page(ends ? "End the overload drill?" : "Start the overload drill?",
              fmt::format("<dl>\n{}</dl>\n<form method=\"post\" action=\"?{}\">\n"
                          "<input type=\"hidden\" name=\"confirmation\" value=\"{}\">\n"
                          "<button type=\"submit\">{} for {}</button>\n</form>\n"
                          "<p class=\"note\">Nothing has changed yet. The button works for five minutes.</p>\n",
                          facts, escaped(page_of.query), escaped(page_of.confirmation),
                          ends ? "End the drill" : "Start the drill", escaped(scope_of(page_of.channel))));
}

std::string drill_result_page(std::string_view channel, const access::Drill& drill) {
  return page(drill == access::Drill{} ? "The overload drill has ended" : "The overload drill is on",
              fmt::format("<dl>\n{}{}</dl>\n<p class=\"note\">To change it, open the link again.</p>\n",
                          row("Applies to", scope_of(channel)), row("Now", effect_of(drill))));
}

}  // namespace tribune::balancer
