#pragma once
// A small configuration for the tests of this folder.

#include <cstdint>
#include <string>
#include <vector>

#include "config/settings.h"

namespace tribune::test {

using namespace std::chrono_literals;

enum class Colour { red, blue };

struct Limits {
  std::chrono::milliseconds idle{75'000};
  std::uint64_t head = 16 * 1024;
  std::int64_t count = 100;
};

struct Node {
  std::string id;
  double weight = 1.5;
};

struct Server {
  std::vector<std::string> listen;
  std::string token;
  bool open = true;
  Colour colour = Colour::blue;
  Limits limits;
  std::vector<Node> nodes;
};

struct Other {
  std::string text = "as it was";
};

inline const config::Section<Limits>& limits_section() {
  static const auto section = config::Section<Limits>("limits", "Bounds.")
                                  .duration("idle", &Limits::idle, {10ms, 1h}, "How long | it may idle.")
                                  .bytes("head", &Limits::head, {1024, 1 << 20}, "How long a head may be.")
                                  .whole("count", &Limits::count, {1, 1000}, "How many.");
  return section;
}

inline const config::Section<Node>& node_section() {
  static const auto section = config::Section<Node>("nodes", "A node.")
                                  .text("id", &Node::id, "Its name.", config::check_id, "an id")
                                  .required()
                                  .sample("\"stadium\"")
                                  .real("weight", &Node::weight, {0, 10}, "Its weight.");
  return section;
}

inline const config::Section<Server>& server_section() {
  static const auto section =
      config::Section<Server>("front", "A front.")
          .texts("listen", &Server::listen, "Where it listens.", config::check_listen_address, "addresses")
          .required()
          .sample("[\"127.0.0.1:80\"]")
          .text(
              "token", &Server::token, "A secret.",
              [](const std::string& t) { return t.size() > 3 ? std::string() : std::string("more than 3 characters"); })
          .flag("open", &Server::open, "Whether it is open.")
          .choice<Colour>("colour", &Server::colour, {{"red", Colour::red}, {"blue", Colour::blue}}, "Its colour.")
          .section("limits", &Server::limits, limits_section(), "Bounds.")
          .sections("nodes", &Server::nodes, node_section(), "The nodes.")
          .moved("spares", "the section spare")
          .check([](const Server& server) {
            return server.open || server.nodes.empty() ? std::string() : std::string("a closed front has no nodes");
          });
  return section;
}

inline const config::Section<Other>& other_section() {
  static const auto section =
      config::Section<Other>("other", "Another thing.").text("text", &Other::text, "Some text.");
  return section;
}

inline config::Schema schema() {
  config::Schema made;
  made.add(server_section(), config::Presence::required);
  made.add(other_section(), config::Presence::defaulted);
  made.add("spare", other_section(), config::Presence::optional);
  return made;
}

}  // namespace tribune::test
