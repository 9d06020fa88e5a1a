// One transfer from the origin for several clients, on any worker.
#include <doctest/doctest.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "support/plain_cache.h"
#include "support/sample_body.h"

using namespace tribune;
using namespace tribune::http_cache;
using namespace tribune::test;

namespace {

using Seen = std::shared_ptr<RecordedResponse>;

const http::Headers kStrong{{"Cache-Control", "max-age=60"}, {"ETag", "\"one\""}};

/// `count` clients in turn on both workers; the first of them leads.
std::vector<Seen> ask_many(PlainCache& cache, int count, const http::Headers& fields = {}) {
  std::vector<Seen> all;
  for (int i = 0; i < count; ++i)
    all.push_back(cache.ask("/a", fields, {.worker = static_cast<std::size_t>(i) % cache.workers.size()}));
  return all;
}

void check_bodies(const std::vector<Seen>& all, const std::string& body) {
  for (const auto& seen : all) {
    CHECK(seen->wait_end());
    CHECK(seen->status() == 200);
    CHECK(seen->body() == body);
  }
}

/// The request to the origin that either worker sends after `known`, and its worker.
std::pair<std::shared_ptr<Asked>, std::size_t> next_asked(PlainCache& cache, const Asked* known) {
  for (int turn = 0; turn < 1'000; ++turn) {
    for (std::size_t worker = 0; worker < cache.workers.size(); ++worker)
      for (std::size_t i = 0; const auto asked = cache.workers.client(worker).at(i); ++i)
        if (asked.get() != known) return {asked, worker};
    cache.under_way();
  }
  FAIL("no further request to the origin");
  return {};
}

void fail(PlainCache& cache, const std::shared_ptr<Asked>& asked, std::size_t worker) {
  cache.workers.on(worker, [&] {
    ScriptedClient::done(*asked, base::failure(base::ErrorKind::refused, base::Fault::origin, "refused"));
  });
}

}  // namespace

TEST_CASE("clients on all workers receive the body while it arrives, and later ones join") {
  PlainCache cache(one_origin(), 2);
  auto all = ask_many(cache, 20);
  const auto asked = cache.origin();
  cache.head(*asked, 10, kStrong);
  cache.bytes(*asked, "hello");
  for (const auto& seen : all) {
    CHECK(seen->wait_bytes(5));
    CHECK_FALSE(seen->ended());
  }
  const auto late = ask_many(cache, 4);
  for (const auto& seen : late) CHECK(seen->wait_bytes(5));
  all.insert(all.end(), late.begin(), late.end());
  cache.bytes(*asked, "world");
  cache.done(*asked);
  check_bodies(all, "helloworld");
  CHECK(cache.workers.asked() == 1);
  CHECK(all[0]->header("Cache-Status") == "plain; fwd=uri-miss; fwd-status=200");
  CHECK(all[1]->header("Cache-Status") == "plain; fwd=uri-miss; fwd-status=200; collapsed");
  CHECK(all[1]->note.cache == "waited");
  CHECK(cache.under_way() == 0);
  CHECK(cache.hit("/a")->body() == "helloworld");
}

TEST_CASE("a stored part does not keep requests for the whole from sharing a transfer") {
  PlainCache cache(one_origin(), 2);
  const auto part = cache.ask("/a", {{"Range", "bytes=0-0"}});
  cache.deliver(*cache.origin(),
                {{"Cache-Control", "max-age=60"}, {"ETag", "\"one\""}, {"Content-Range", "bytes 0-0/5"}}, "h", 206);
  CHECK(part->wait_end());
  const auto all = ask_many(cache, 30);
  cache.deliver(*cache.origin(1), kStrong, "hello");
  check_bodies(all, "hello");
  CHECK(cache.workers.asked() == 2);
}

TEST_CASE("a stale response is validated by one request for all clients") {
  PlainCache cache(one_origin(), 2);
  const http::Headers stale{{"Cache-Control", "max-age=0"}, {"ETag", "\"one\""}};
  cache.get("/a", {}, stale, "hello");
  const auto all = ask_many(cache, 20);
  const auto asked = cache.origin(1);
  CHECK(asked->request.headers.first("If-None-Match") == "\"one\"");
  SUBCASE("it is unchanged") {
    cache.deliver(*asked, stale, "", 304);
    check_bodies(all, "hello");
  }
  SUBCASE("it is new") {
    cache.deliver(*asked, kStrong, "new");
    check_bodies(all, "new");
  }
  SUBCASE("the origin fails: all receive the stale response") {
    cache.done(*asked, base::failure(base::ErrorKind::refused, base::Fault::origin, "refused"));
    check_bodies(all, "hello");
  }
  SUBCASE("the origin answers with an error: all receive the stale response") {
    cache.deliver(*asked, {}, "oops", 503);
    check_bodies(all, "hello");
  }
  CHECK(cache.workers.asked() == 2);
  CHECK(cache.under_way() == 0);
}

TEST_CASE("when a transfer fails one of its followers begins the next one, and its failure is final") {
  PlainCache cache(one_origin(), 2);
  const auto all = ask_many(cache, 21);
  const auto first = cache.origin();
  fail(cache, first, 0);
  CHECK(all[0]->wait_end());
  CHECK(all[0]->status() == 502);
  const auto [second, worker] = next_asked(cache, first.get());
  SUBCASE("the second one succeeds") {
    cache.workers.on(worker, [&, asked = second] { ScriptedClient::deliver(*asked, {200, "hello", kStrong, 5}); });
    check_bodies({all.begin() + 1, all.end()}, "hello");
  }
  SUBCASE("the second one fails, too") {
    cache.under_way();  // all followers have joined it
    fail(cache, second, worker);
    for (const auto& seen : all) {
      CHECK(seen->wait_end());
      CHECK(seen->status() == 502);
    }
  }
  CHECK(cache.workers.asked() == 2);
  CHECK(cache.under_way() == 0);
}

TEST_CASE("a verdict on the request that leads does not reach its followers, of which one leads next") {
  PlainCache cache(one_origin(), 2);
  const auto bad = cache.ask("/a", {{"Cookie", "too=long"}});
  const auto others = ask_many(cache, 20);
  const auto first = cache.origin();
  cache.deliver(*first, {{"Cache-Control", "max-age=300"}}, "no", 431);
  CHECK(bad->wait_end());
  CHECK(bad->status() == 431);
  const auto [second, worker] = next_asked(cache, first.get());
  cache.workers.on(worker, [&, asked = second] { ScriptedClient::deliver(*asked, {200, "hello", kStrong, 5}); });
  check_bodies(others, "hello");
  CHECK(cache.workers.asked() == 2);
}

TEST_CASE("a private response reaches its own client only") {
  PlainCache cache(one_origin());
  const auto all = ask_many(cache, 3);
  cache.deliver(*cache.origin(), {{"Cache-Control", "private"}}, "alice");
  CHECK(cache.workers.client().wait_for(3));
  cache.deliver(*cache.origin(1), {{"Cache-Control", "private"}}, "bob");
  cache.deliver(*cache.origin(2), {{"Cache-Control", "private"}}, "carol");
  std::vector<std::string> bodies;
  for (const auto& seen : all) {
    CHECK(seen->wait_end());
    bodies.push_back(seen->body());
  }
  CHECK(bodies[0] == "alice");
  CHECK(bodies[1] != bodies[2]);
  CHECK(cache.state.store.totals().entries == 0);
}

TEST_CASE("fields that are private to the leader are not sent to its followers") {
  PlainCache cache(one_origin());
  const auto all = ask_many(cache, 2);
  cache.deliver(*cache.origin(), {{"Cache-Control", "max-age=60, private=\"X-User\""}, {"X-User", "alice"}}, "hello");
  check_bodies(all, "hello");
  CHECK(all[0]->header("X-User") == "alice");
  CHECK(all[1]->header("X-User").empty());
}

TEST_CASE("each variant has one transfer as soon as the first head shows by what the response varies") {
  PlainCache cache(one_origin());
  const http::Headers varied{{"Cache-Control", "max-age=60"}, {"Vary", "Accept-Language"}};
  std::vector<std::vector<Seen>> all;
  for (const auto* language : {"de", "fr", "it"}) all.push_back(ask_many(cache, 5, {{"Accept-Language", language}}));
  CHECK(cache.workers.client().count() == 1);
  cache.deliver(*cache.origin(), varied, "de");
  CHECK(cache.workers.client().wait_for(3));
  for (std::size_t n : {1, 2}) {
    const auto asked = cache.origin(n);
    cache.deliver(*asked, varied, std::string(*asked->request.headers.first("Accept-Language")));
  }
  check_bodies(all[0], "de");
  check_bodies(all[1], "fr");
  check_bodies(all[2], "it");
  CHECK(cache.workers.client().count() == 3);
  CHECK(cache.under_way() == 0);
}

TEST_CASE("a body that breaks off is cut for every client that has received its beginning") {
  PlainCache cache(one_origin(), 2);
  const auto all = ask_many(cache, 6);
  const auto asked = cache.origin();
  cache.head(*asked, 10, kStrong);
  cache.bytes(*asked, "hello");
  for (const auto& seen : all) CHECK(seen->wait_bytes(5));
  cache.done(*asked, base::failure(base::ErrorKind::protocol, base::Fault::origin, "cut"));
  for (const auto& seen : all) {
    CHECK(seen->wait_end());
    CHECK(seen->cut());
  }
  CHECK(cache.state.store.totals().entries == 0);
  CHECK(cache.workers.asked() == 1);
  CHECK(cache.under_way() == 0);
}

TEST_CASE(
    "a body that outgrows the store goes on for one client, and the others continue it by transfers of their own") {
  auto settings = one_origin();
  settings.max_object_bytes = 1 << 20;
  PlainCache cache(settings);
  const auto body = body_of(3 << 20);
  const auto begin = [&](const std::shared_ptr<Asked>& asked, const http::Headers& fields) {
    cache.workers.on(0, [&] { ScriptedClient::head(*asked, 200, fields, std::nullopt); });
  };
  const auto finish = [&](const std::shared_ptr<Asked>& asked, std::string_view bytes) {
    cache.bytes(*asked, bytes);
    cache.done(*asked);
  };
  const auto all = ask_many(cache, 3);
  const auto asked = cache.origin();
  SUBCASE("with a strong validator") {
    begin(asked, kStrong);
    cache.bytes(*asked, std::string_view(body).substr(0, 1'000'000));
    for (const auto& seen : all) CHECK(seen->wait_bytes(1'000'000));
    finish(asked, std::string_view(body).substr(1'000'000));
    CHECK(cache.workers.client().wait_for(3));
    begin(cache.origin(1), kStrong);
    finish(cache.origin(1), body);
    SUBCASE("which is still the same") {
      begin(cache.origin(2), kStrong);
      finish(cache.origin(2), body);
      check_bodies(all, body);
    }
    SUBCASE("which has changed for one of them") {
      begin(cache.origin(2), {{"Cache-Control", "max-age=60"}, {"ETag", "\"two\""}});
      check_bodies({all[0]}, body);
      CHECK(all[1]->wait_end());
      CHECK(all[2]->wait_end());
      CHECK(all[1]->cut() != all[2]->cut());
      finish(cache.origin(2), body);
    }
  }
  SUBCASE("without a validator they are cut") {
    begin(asked, {{"Cache-Control", "max-age=60"}});
    cache.bytes(*asked, std::string_view(body).substr(0, 1'000'000));
    for (const auto& seen : all) CHECK(seen->wait_bytes(1'000'000));
    finish(asked, std::string_view(body).substr(1'000'000));
    check_bodies({all[0]}, body);
    for (std::size_t i : {1, 2}) {
      CHECK(all[i]->wait_end());
      CHECK(all[i]->cut());
    }
  }
  CHECK(cache.state.store.totals().entries == 0);
  CHECK(cache.under_way() == 0);
  CHECK(cache.state.store.filling_bytes() == 0);
}

TEST_CASE("clients that leave do not end a transfer that others read or that is stored") {
  PlainCache cache(one_origin(), 2);
  const auto all = ask_many(cache, 4);
  const auto asked = cache.origin();
  cache.head(*asked, 10, kStrong);
  cache.bytes(*asked, "hello");
  for (const auto& seen : all) CHECK(seen->wait_bytes(5));
  const auto leave = [&](std::size_t i) { cache.workers.on(i % 2, [&] { all[i]->leave(); }); };
  leave(0);
  leave(1);
  SUBCASE("two others go on") {
    cache.bytes(*asked, "world");
    cache.done(*asked);
    check_bodies({all[2], all[3]}, "helloworld");
  }
  SUBCASE("nobody is left") {
    leave(2);
    leave(3);
    cache.bytes(*asked, "world");
    cache.done(*asked);
    CHECK(cache.under_way() == 0);
  }
  CHECK(cache.hit("/a")->body() == "helloworld");
  CHECK(cache.workers.asked() == 1);
}

TEST_CASE("a follower whose copy is current gets a 304 with the head, and one that wants no copy is not a follower") {
  PlainCache cache(one_origin());
  const auto leader = cache.ask("/a"), conditional = cache.ask("/a", {{"If-None-Match", "\"one\""}});
  const auto asked = cache.origin();
  CHECK(cache.workers.client().count() == 1);
  cache.head(*asked, 10, kStrong);
  CHECK(conditional->wait_end());
  CHECK(conditional->status() == 304);
  for (const auto& alone :
       {http::Headers{{"Authorization", "Basic YTpi"}}, http::Headers{{"Cache-Control", "no-store"}},
        http::Headers{{"Cache-Control", "no-cache"}}}) {
    const auto n = cache.workers.client().count();
    const auto seen = cache.ask("/a", alone);
    cache.deliver(*cache.origin(n), {{"Cache-Control", "no-store"}}, "own");
    CHECK(seen->wait_end());
    CHECK(seen->body() == "own");
  }
  cache.bytes(*asked, "helloworld");
  cache.done(*asked);
  CHECK(leader->wait_end());
  CHECK(cache.under_way() == 0);
}

TEST_CASE("many clients on two workers are served while transfers begin, fail and end") {
  PlainCache cache(one_origin(), 2);
  for (std::size_t worker = 0; worker < 2; ++worker)
    cache.workers.client(worker).on_asked = [n = 0](const std::shared_ptr<Asked>& asked) mutable {
      if (++n % 3 == 0)
        return ScriptedClient::done(*asked, base::failure(base::ErrorKind::refused, base::Fault::origin, "no"));
      ScriptedClient::deliver(*asked, {200, "hello", {{"Cache-Control", "max-age=0"}, {"ETag", "\"one\""}}, 5});
    };
  std::vector<Seen> all;
  for (int i = 0; i < 400; ++i) {
    all.push_back(cache.ask("/" + std::to_string(i % 3), {}, {.worker = static_cast<std::size_t>(i) % 2}));
  }
  for (const auto& seen : all) {
    CHECK(seen->wait_end());
    CHECK((seen->status() == 502 || seen->body() == "hello"));
  }
  CHECK(cache.under_way() == 0);
}

TEST_CASE("a part that is revalidated in the background does not serve a request for the whole") {
  PlainCache cache(one_origin());
  const http::Headers stale{{"Cache-Control", "max-age=0, stale-while-revalidate=60"}, {"ETag", "\"one\""}};
  auto of_part = stale;
  of_part.add("Content-Range", "bytes 0-4/10");
  const auto part = cache.ask("/a", {{"Range", "bytes=0-4"}});
  cache.deliver(*cache.origin(), of_part, "hello", 206);
  CHECK(part->wait_end());
  CHECK(cache.hit("/a", {{"Range", "bytes=0-4"}})->body() == "hello");
  const auto whole = cache.ask("/a");
  const auto asked = cache.origin(1);
  CHECK_FALSE(asked->request.headers.first("If-None-Match"));
  cache.deliver(*asked, stale, "helloworld");
  CHECK(whole->wait_end());
  CHECK(whole->body() == "helloworld");
}

TEST_CASE("a response that each client must have validated for itself serves nobody who waits") {
  PlainCache cache(one_origin());
  const auto answer_in_turn = [&](const http::Headers& fields, const http::Headers& first_client) {
    const auto n = cache.workers.client().count();
    const auto path = "/" + std::to_string(n);
    const auto first = cache.ask(path, first_client), second = cache.ask(path, {{"Cookie", "user=b"}});
    cache.deliver(*cache.origin(n), fields, "alice");
    CHECK(cache.workers.client().wait_for(n + 2));
    cache.deliver(*cache.origin(n + 1), fields, "bob");
    CHECK(first->wait_end());
    CHECK(second->wait_end());
    CHECK(first->body() == "alice");
    CHECK(second->body() == "bob");
  };
  for (const auto* control : {"no-cache", "max-age=60, no-cache", "max-age=0, must-revalidate"})
    answer_in_turn({{"Cache-Control", control}, {"ETag", "\"one\""}}, {});
  for (const auto& first : {http::Headers{{"Cookie", "user=a"}}, http::Headers{}})
    answer_in_turn({{"Cache-Control", "max-age=0"}, {"ETag", "\"one\""}}, first);
}

TEST_CASE("a request whose client has left before the head is cancelled, and the next one asks again") {
  PlainCache cache(one_origin());
  const auto first = cache.ask("/a");
  const auto asked = cache.origin();
  cache.workers.on(0, [&] { first->leave(); });
  CHECK(cache.under_way() == 0);
  CHECK(asked->cancelled);
  CHECK(cache.get("/a", {}, kStrong, "hello")->body() == "hello");
}

TEST_CASE("a response that was requested before a POST is neither stored nor shared after it") {
  PlainCache cache(one_origin());
  const auto before = cache.ask("/a");
  const auto old = cache.origin();
  const auto posted = cache.ask("/a", {}, {.method = http::Method::post});
  cache.deliver(*cache.origin(1), {}, "");
  CHECK(posted->wait_end());
  const auto after = cache.ask("/a");
  const auto fresh = cache.origin(2);
  cache.deliver(*old, kStrong, "old");
  CHECK(before->wait_end());
  CHECK(cache.state.store.totals().entries == 0);
  cache.deliver(*fresh, kStrong, "new");
  CHECK(after->wait_end());
  CHECK(after->body() == "new");
  CHECK(cache.hit("/a")->body() == "new");
}

TEST_CASE("a body for which there is no memory is not shared, so that it is cut for nobody") {
  auto settings = one_origin();
  settings.max_filling_bytes = 1 << 20;
  PlainCache cache(settings);
  const auto body = body_of(3 << 20);
  const auto all = ask_many(cache, 2);
  cache.head(*cache.origin(), body.size(), {{"Cache-Control", "max-age=60"}});
  CHECK(cache.workers.client().wait_for(2));
  cache.head(*cache.origin(1), body.size(), {{"Cache-Control", "max-age=60"}});
  for (std::size_t n : {0, 1}) {
    cache.bytes(*cache.origin(n), body);
    cache.done(*cache.origin(n));
  }
  check_bodies(all, body);
}
