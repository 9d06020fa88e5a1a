// The playlists of a channel's backups are compared with those of its source.
#include <doctest/doctest.h>

#include "balancer/sources_fixture.h"
#include "contracts/epoch.h"

using namespace tribune;
using namespace tribune::test;
using namespace std::chrono_literals;

namespace {

const std::string kSourceUrl = "http://o/live/v/a.m3u8", kBackupUrl = "http://b/live/v/a.m3u8";

struct BackupComparison : SourcesFixture {
  std::int64_t end = 8;

  BackupComparison() {
    publish(origin);
    origin.set("http://b/live/main.m3u8", kMain);
    use({"http://b"});
    text("demo", "index.m3u8");
  }
  void use(const std::vector<std::string>& backups) {
    channels = {};
    add("demo", "http://o/live/main.m3u8");
    channels.back().backup_origins = backups;
    configure();
    CHECK_FALSE(get("demo", "unknown.m3u8"));  // reaches the owner, so the configuration is in force now
  }
  /// Both origins list segments up to the same new one, the backup in this text. The playlist for a viewer, and then
  /// the comparison is done.
  std::string next_with(const std::string& text_at_backup, std::chrono::seconds later = 10s) {
    origin.set(kSourceUrl, live_text(end - 2, end + 1));
    origin.set(kBackupUrl, text_at_backup);
    ++end;
    clock.advance(later);
    const auto shown = text("demo", "v/a.m3u8");
    CHECK_FALSE(get("demo", "unknown.m3u8"));  // the response of the backup is delivered before it
    return shown;
  }
  std::string next(const std::string& name_at_backup, std::chrono::seconds later = 10s) {
    return next_with(live_text(end - 2, end + 1, name_at_backup), later);
  }
  /// The playlist for a viewer when the source's origin has failed and the backup has that text.
  std::string at_backup(const std::string& text_at_backup) {
    origin.set(kBackupUrl, text_at_backup);
    {
      const std::lock_guard lock(origin.mutex);
      origin.pages.erase("http://o/live/main.m3u8");
      origin.pages.erase(kSourceUrl);
    }
    for (int i = 0; i < 2; ++i) {
      clock.advance(10s);
      get("demo", "v/a.m3u8");
    }
    clock.advance(10s);
    return text("demo", "v/a.m3u8");
  }
  bool is_distrusted() { return !sources->distrusted_backups().empty(); }
  std::string status() {
    base::json::Writer w;
    w.begin_object();
    sources->describe_origins(w);
    return w.end_object().take();
  }
  void restart() {
    SourcesFixture::end();
    begin();
    configure();
    CHECK_FALSE(get("demo", "unknown.m3u8"));
  }
};

}  // namespace

TEST_CASE_FIXTURE(BackupComparison, "a backup that lists the same files stays trusted") {
  CHECK(status().find(R"("files":"not_compared")") != std::string::npos);
  for (int i = 0; i < 3; ++i) next("seg");
  CHECK(origin.count(kBackupUrl) >= 2);
  CHECK_FALSE(is_distrusted());
  CHECK(status() ==
        R"({"origins":[{"channel":"demo","origin":"http://o","kind":"source","in_use":true,"healthy":true},)"
        R"({"channel":"demo","origin":"http://b","kind":"backup","in_use":false,"healthy":true,"files":"same"}]})");
}

TEST_CASE_FIXTURE(BackupComparison, "a backup that lists other files is distrusted at the second comparison") {
  next("chunk");
  CHECK_FALSE(is_distrusted());
  next("chunk");
  CHECK(sources->distrusted_backups() == contracts::DistrustedBackups{{"demo", {"http://b"}}});
  CHECK(status().find(R"("files":"other","difference":"names")") != std::string::npos);
  CHECK(metrics.scrape().find("tribune_balancer_backups_distrusted_total{channel=\"demo\"} 1") != std::string::npos);

  SUBCASE("and trusted again after six that agree") {
    for (int i = 0; i < 5; ++i) next("seg");
    CHECK(is_distrusted());
    next("seg");
    CHECK_FALSE(is_distrusted());
  }
  SUBCASE("also after a restart and a reload") {
    restart();
    CHECK(is_distrusted());
    configure("k2");
    CHECK_FALSE(get("demo", "unknown.m3u8"));
    CHECK(is_distrusted());
    use({"http://c", "http://b"});
    CHECK(sources->distrusted_backups() == contracts::DistrustedBackups{{"demo", {"http://b"}}});
  }
  SUBCASE("and trusted again when it was removed from the configuration") {
    use({});
    use({"http://b"});
    CHECK_FALSE(is_distrusted());
  }
  SUBCASE("and trusted again as the backup of another source") {
    channels.back().source = "http://o/other/main.m3u8";
    configure();
    CHECK_FALSE(get("demo", "unknown.m3u8"));
    CHECK_FALSE(is_distrusted());
  }
}

TEST_CASE_FIXTURE(BackupComparison, "a single other response, an error and no playlist are no contradiction") {
  next("chunk");
  next("seg");
  next("chunk");
  CHECK_FALSE(is_distrusted());
  for (const std::string body : {"no playlist", kMain.c_str(), ""}) {
    CAPTURE(body);
    for (int i = 0; i < 3; ++i) next_with(body);
  }
  CHECK_FALSE(is_distrusted());
}

TEST_CASE_FIXTURE(BackupComparison, "links of a playlist name the origin that listed it") {
  for (int i = 0; i < 2; ++i) next("seg", 2s);
  SUBCASE("while the backup is trusted, they name the source") {
    CHECK(at_backup(live_text(end - 2, end + 1)).find("~1/") == std::string::npos);
  }
  SUBCASE("the same names at a distrusted backup name the backup, in an epoch of their own") {
    const auto of_three_seconds = [](std::int64_t last) {
      std::string shown = live_text(last - 3, last);
      for (auto at = shown.find("2.0,"); at != std::string::npos; at = shown.find("2.0,", at + 1))
        shown.replace(at, 4, "3.0,");
      return shown;
    };
    for (int i = 0; i < 2; ++i) next_with(of_three_seconds(end + 1));
    REQUIRE(is_distrusted());
    const auto shown = at_backup(of_three_seconds(end + 1));
    CHECK(shown.find("EXT-X-DISCONTINUITY\n") != std::string::npos);
    const auto at = shown.find("/~1/live/v/seg");
    REQUIRE(at != std::string::npos);
    const contracts::OriginSet origins{"http://o/live/", {}, {"http://b"}};
    const auto sign = shown.find("?tl=", at) + 4;
    const auto epoch = shown.substr(sign, shown.find('.', sign) - sign);
    CHECK(contracts::is_epoch_of(origins, epoch));
    CHECK_FALSE(contracts::is_epoch_of({origins.base, {}, {}}, epoch));
  }
}

TEST_CASE_FIXTURE(BackupComparison, "a backup is not compared while the source's own playlist is in doubt") {
  next("seg");
  next("seg", 4s);
  next("seg", 3s);
  const auto before = origin.count(kBackupUrl);
  end = 3;
  next("seg", 3s);  // looks like a restart, and as well like a stale copy
  CHECK(origin.count(kBackupUrl) == before);
  next("seg", 3s);  // confirms the restart
  CHECK(origin.count(kBackupUrl) == before + 1);
  CHECK(status().find(R"("files":"same")") != std::string::npos);
}
