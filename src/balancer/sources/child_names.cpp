#include "balancer/sources/child_names.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "base/json.h"

namespace tribune::balancer {
namespace {

using base::json::Kind;

std::vector<std::string_view> pairs_of(std::string_view query) {
  std::vector<std::string_view> pairs;
  while (!query.empty()) {
    pairs.push_back(query.substr(0, query.find('&')));
    query.remove_prefix(std::min(pairs.back().size() + 1, query.size()));
  }
  std::sort(pairs.begin(), pairs.end());
  return pairs;
}

/// The number of pairs that two queries share; nullopt when their keys differ.
std::optional<std::size_t> shared_pairs(const std::vector<std::string_view>& left,
                                        const std::vector<std::string_view>& right) {
  if (left.size() != right.size()) return std::nullopt;
  std::size_t shared = 0;
  for (std::size_t i = 0; i < left.size(); ++i) {
    if (left[i].substr(0, left[i].find('=')) != right[i].substr(0, right[i].find('='))) return std::nullopt;
    if (left[i] == right[i]) ++shared;
  }
  return shared;
}

/// Matches playlists of one path whose queries are all new with as many known ones.
class PathMatch {
 public:
  struct One {
    std::uint64_t attributes = 0;
    std::string_view query;
    std::optional<std::size_t> other = {};
  };

  void add_fresh(std::uint64_t attributes, std::string_view query) { fresh_.push_back({attributes, query}); }
  void add_known(std::uint64_t attributes, std::string_view query) { known_.push_back({attributes, query}); }

  /// Applies the most significant criterion first. The result's `other` is the index among the known ones.
  const std::vector<One>& match() {
    by_attributes();
    if (fresh_.size() <= kMaxCompared) by_query();
    by_order();
    return fresh_;
  }

 private:
  static constexpr std::size_t kMaxCompared = 64;  // pairs are compared, so the cost is quadratic

  void pair(std::size_t fresh, std::size_t known) {
    fresh_[fresh].other = known;
    known_[known].other = fresh;
  }

  /// Matches a playlist that is the only one with its attributes on both sides.
  void by_attributes() {
    std::map<std::uint64_t, std::pair<std::vector<std::size_t>, std::vector<std::size_t>>> alike;
    for (std::size_t i = 0; i < fresh_.size(); ++i) alike[fresh_[i].attributes].first.push_back(i);
    for (std::size_t i = 0; i < known_.size(); ++i) alike[known_[i].attributes].second.push_back(i);
    for (const auto& [attributes, both] : alike)
      if (both.first.size() == 1 && both.second.size() == 1) pair(both.first.front(), both.second.front());
  }

  /// Matches two playlists when each shares more of the other's query than any third one does.
  void by_query() {
    struct Best {
      std::size_t shared = 0, place = 0;
      bool is_only = false;
      void see(std::size_t found, std::size_t at) {
        if (found > shared)
          *this = {found, at, true};
        else if (found == shared)
          is_only = false;
      }
    };
    std::vector<std::vector<std::string_view>> queries;
    for (const auto& known : known_) queries.push_back(pairs_of(known.query));
    std::vector<Best> of_fresh(fresh_.size()), of_known(known_.size());
    for (std::size_t i = 0; i < fresh_.size(); ++i) {
      if (fresh_[i].other) continue;
      const auto query = pairs_of(fresh_[i].query);
      for (std::size_t k = 0; k < known_.size(); ++k) {
        const auto shared = known_[k].other ? std::nullopt : shared_pairs(query, queries[k]);
        if (!shared) continue;
        of_fresh[i].see(*shared, k);
        of_known[k].see(*shared, i);
      }
    }
    for (std::size_t i = 0; i < fresh_.size(); ++i) {
      const auto& best = of_fresh[i];
      if (best.is_only && of_known[best.place].is_only && of_known[best.place].place == i) pair(i, best.place);
    }
  }

  /// Matches the rest in order where the attributes are equal. A single remaining playlist is matched in any case.
  void by_order() {
    const auto is_open = [](const One& one) { return !one.other; };
    const bool is_last = std::count_if(fresh_.begin(), fresh_.end(), is_open) == 1;
    std::size_t k = 0;
    for (std::size_t i = 0; i < fresh_.size(); ++i) {
      if (fresh_[i].other) continue;
      while (k < known_.size() && known_[k].other) ++k;
      if (k == known_.size()) return;
      if (is_last || fresh_[i].attributes == known_[k].attributes) pair(i, k);
      ++k;
    }
  }

  std::vector<One> fresh_, known_;
};

}  // namespace

/// Sets `known` of each: the index of its name in names_.
void ChildNames::match(std::vector<Fresh>& fresh) const {
  std::vector<bool> matched(names_.size(), false);
  const auto match_one = [&](Fresh& one, std::size_t known) {
    one.known = known;
    matched[known] = true;
  };
  // By URI.
  std::map<std::pair<std::string_view, std::string_view>, std::size_t> by_last, by_first;
  for (std::size_t i = 0; i < names_.size(); ++i) {
    by_last.emplace(std::pair<std::string_view, std::string_view>(names_[i].last_path, names_[i].last_query), i);
    by_first.emplace(std::pair<std::string_view, std::string_view>(names_[i].path, names_[i].query), i);
  }
  for (const auto* table : {&by_last, &by_first})
    for (auto& one : fresh)
      if (const auto found = table->find({one.path, one.query});
          !one.known && found != table->end() && !matched[found->second])
        match_one(one, found->second);
  // By path.
  std::map<std::pair<hls::UriKind, std::string_view>, std::pair<std::vector<std::size_t>, std::vector<std::size_t>>>
      by_path;  // the playlists that arrived and those that left
  for (std::size_t i = 0; i < fresh.size(); ++i)
    if (!fresh[i].known) by_path[{fresh[i].kind, fresh[i].path}].first.push_back(i);
  for (std::size_t i = 0; i < names_.size(); ++i)
    if (!matched[i]) by_path[{names_[i].kind, names_[i].last_path}].second.push_back(i);
  for (const auto& [place, both] : by_path)
    if (both.first.size() == both.second.size()) {
      PathMatch same_path;
      for (const auto i : both.first) same_path.add_fresh(fresh[i].attributes, fresh[i].query);
      for (const auto i : both.second) same_path.add_known(names_[i].attributes, names_[i].last_query);
      const auto& found = same_path.match();
      for (std::size_t i = 0; i < found.size(); ++i)
        if (found[i].other) match_one(fresh[both.first[i]], both.second[*found[i].other]);
    }
  // By position and attributes.
  for (std::size_t i = 0; fresh.size() == names_.size() && i < fresh.size(); ++i)
    if (!fresh[i].known && !matched[i] && fresh[i].kind == names_[i].kind &&
        fresh[i].attributes == names_[i].attributes)
      match_one(fresh[i], i);
}

bool ChildNames::recognise(std::vector<NamedPlaylist>& named) {
  std::vector<Fresh> fresh;
  std::map<std::pair<std::string, std::string>, std::size_t> places;
  for (const auto& playlist : named) {
    const auto [place, is_new] = places.emplace(std::pair(playlist.path, playlist.query), fresh.size());
    if (is_new) fresh.push_back({playlist.path, playlist.query, playlist.kind, playlist.attributes, std::nullopt});
  }
  match(fresh);
  std::vector<Name> names;
  std::set<std::pair<std::string, std::string>> used;
  bool is_unique = true;
  for (const auto& one : fresh) {
    Name name{one.path, one.query, one.path, one.query, one.kind, one.attributes};
    if (one.known) {
      name.path = names_[*one.known].path;
      name.query = names_[*one.known].query;
    }
    is_unique = used.emplace(name.path, name.query).second && is_unique;
    names.push_back(std::move(name));
  }
  // A new playlist has the URI under which another one is known: from then on each has its own name.
  for (auto& name : names) {
    if (is_unique) break;
    name.path = name.last_path;
    name.query = name.last_query;
  }
  for (auto& playlist : named) {
    const auto& name = names[places.at({playlist.path, playlist.query})];
    playlist.path = name.path;
    playlist.query = name.query;
  }
  const auto is_same = [](const Name& a, const Name& b) {
    return std::tie(a.path, a.query, a.kind, a.attributes) == std::tie(b.path, b.query, b.kind, b.attributes);
  };
  const bool changed = !std::equal(names.begin(), names.end(), names_.begin(), names_.end(), is_same);
  names_ = std::move(names);
  return changed;
}

std::string ChildNames::save(std::string_view source) const {
  base::json::Writer w;
  w.begin_object().member("source", source).key("names").begin_array();
  for (const auto& name : names_) {
    w.begin_object().member("path", name.path).member("query", name.query);
    w.member("kind", static_cast<std::int64_t>(name.kind))
        .member("attributes", static_cast<std::int64_t>(name.attributes))
        .end_object();
  }
  return w.end_array().end_object().take();
}

void ChildNames::load(std::string_view record, std::string_view source) {
  names_.clear();
  const auto value = base::json::parse(record);
  if (!value || !value->is(Kind::object) || value->text("source") != source) return;
  const auto* names = value->find("names");
  if (!names || !names->is(Kind::array)) return;
  for (const auto& item : names->array) {
    const auto kind = item.whole("kind").value_or(-1);
    Name name{std::string(item.text("path").value_or("")),
              std::string(item.text("query").value_or("")),
              "",
              "",
              static_cast<hls::UriKind>(kind),
              static_cast<std::uint64_t>(item.whole("attributes").value_or(0))};
    if (name.path.empty() || kind < 0 || kind > static_cast<std::int64_t>(hls::UriKind::daterange_uri)) continue;
    name.last_path = name.path;
    name.last_query = name.query;
    names_.push_back(std::move(name));
  }
}

const std::string* closest_playlist(std::string_view requested, const std::vector<const std::string*>& known) {
  const auto mark = requested.find('?');
  if (mark == std::string_view::npos) return nullptr;
  const auto wanted = pairs_of(requested.substr(mark + 1));
  const std::string* best = nullptr;
  std::size_t most = 0;
  bool is_only = false;
  for (const auto* key : known) {
    const std::string_view other(*key);
    if (other.size() <= mark || other.substr(0, mark + 1) != requested.substr(0, mark + 1)) continue;
    const auto shared = shared_pairs(wanted, pairs_of(other.substr(mark + 1)));
    if (!shared) continue;
    if (!best || *shared > most) {
      best = key;
      most = *shared;
      is_only = true;
    } else if (*shared == most) {
      is_only = false;
    }
  }
  return is_only ? best : nullptr;
}

}  // namespace tribune::balancer
