#include "contracts/node_news.h"

#include "base/json.h"
#include "contracts/canonical.h"
#include "contracts/heartbeat.h"

namespace tribune::contracts {
namespace {

namespace json = base::json;

tl::unexpected<base::Error> malformed(const char* text) { return base::failure(base::ErrorKind::invalid_input, base::Fault::node, text); }

}  // namespace

std::string to_json(const NewsQuestion& q) {
  return json::Writer()
      .begin_object()
      .member("node", q.node)
      .member("run", q.run)
      .member("sequence", q.sequence)
      .member("acknowledged", q.acknowledged)
      .end_object()
      .take();
}

std::string to_json(const News& news) {
  json::Writer w;
  w.begin_object().member("number", news.number).key("targets").begin_array();
  for (const auto& target : news.targets) w.value(target);
  return w.end_array().end_object().take();
}

base::Result<NewsQuestion> news_question_from_json(std::string_view text) {
  const auto value = json::parse(text, {.max_depth = 4, .max_bytes = 4096, .max_values = 32});
  if (!value || !value->is(json::Kind::object)) return malformed("not a JSON object");
  NewsQuestion q;
  q.node = value->text("node").value_or("");
  q.run = value->text("run").value_or("");
  q.sequence = value->whole("sequence").value_or(0);
  q.acknowledged = value->whole("acknowledged").value_or(0);
  if (!is_id(q.node) || q.run.empty() || q.run.size() > 64) return malformed("the members node and run are needed");
  if (q.sequence <= 0 || q.acknowledged < 0) return malformed("the members sequence and acknowledged count from 1 and 0");
  return q;
}

base::Result<News> news_from_json(std::string_view text) {
  const auto value = json::parse(text, {.max_depth = 4, .max_bytes = 4 << 20, .max_values = 2 * kMaxNewsTargets});
  if (!value || !value->is(json::Kind::object)) return malformed("not a JSON object");
  News news;
  news.number = value->whole("number").value_or(0);
  const auto* targets = value->find("targets");
  if (news.number < 0 || !targets || !targets->is(json::Kind::array) || targets->array.size() > kMaxNewsTargets)
    return malformed("the members number and targets are needed");
  for (const auto& target : targets->array) {
    if (!target.is(json::Kind::string) || !target.string.starts_with('/') || !is_visible_ascii(target.string)) return malformed("a target is no link");
    news.targets.push_back(target.string);
  }
  return news;
}

std::string news_path(std::string_view node) { return heartbeat_path(node) + "/news"; }

}  // namespace tribune::contracts
