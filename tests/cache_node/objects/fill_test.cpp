#include "cache_node/objects/fill.h"

#include <doctest/doctest.h>
#include <fcntl.h>

#include "support/eventually.h"
#include "support/folder.h"
#include "support/sample_body.h"
#include "support/workers.h"

using namespace tribune;
using namespace tribune::cache_node;
using test::body_of;

namespace {

std::string text_of(const http::Body& body) {
  if (const auto* bytes = std::get_if<base::BytesSlice>(&body)) return std::string(bytes->view());
  if (const auto* file = std::get_if<base::FileSlice>(&body)) {
    std::string text(file->length, '\0');
    CHECK(::pread(file->file->fd(), text.data(), text.size(), static_cast<off_t>(file->offset)) ==
          static_cast<ssize_t>(text.size()));
    return text;
  }
  return "";
}

std::shared_ptr<const base::File> temporary_file(const test::Folder& folder, std::string_view content) {
  const int fd = ::open((folder / "file").c_str(), O_RDWR | O_CREAT | O_TRUNC, 0600);
  REQUIRE(::write(fd, content.data(), content.size()) == static_cast<ssize_t>(content.size()));
  return std::make_shared<const base::File>(fd);
}

struct FillFixture {
  std::shared_ptr<FillMemory> memory = std::make_shared<FillMemory>(1 << 20);
  std::shared_ptr<Fill> fill = std::make_shared<Fill>(object_key("a"), 1, memory);
  test::Workers workers{3};
  base::SystemClock clock;
};

/// Follows a fill to its end.
struct Follower {
  Follower(test::Workers& workers, std::size_t at, std::shared_ptr<Fill> followed)
      : fill(std::move(followed)), loop(workers.worker(at).loop) {}
  void join() {
    reader = fill->join(loop, [this] { read(); });
    read();
  }
  void read() {
    while (true) {
      auto piece = reader->take(50'000);
      if (piece.length > 0) {
        body += text_of(piece.body);
        continue;
      }
      {
        const std::lock_guard lock(changed.mutex());
        phase = piece.phase;
        ended = phase == Fill::Phase::complete || phase == Fill::Phase::failed;
      }
      changed.changed();
      return;
    }
  }
  std::shared_ptr<Fill> fill;
  net::EventLoop& loop;
  std::unique_ptr<FillReader> reader;
  std::string body;
  Fill::Phase phase = Fill::Phase::asking;
  bool ended = false;
  test::Eventually changed;
};

}  // namespace

TEST_CASE_FIXTURE(FillFixture, "readers on several loops receive all bytes in order, whenever they join") {
  const auto body = body_of(300'000);
  fill->begin({"video/mp2t", "", -1}, body.size());
  std::vector<std::unique_ptr<Follower>> followers;
  const auto join = [&](std::size_t at) {
    followers.push_back(std::make_unique<Follower>(workers, at, fill));
    workers.on(at, [&] { followers.back()->join(); });
  };
  for (std::size_t i = 0; i < 6; ++i) join(i % 3);
  for (std::size_t at = 0; at < body.size(); at += 10'000) {
    fill->append(std::string_view(body).substr(at, 10'000), clock.steady_now());
    if (at % 50'000 == 0) join(at / 50'000 % 3);
  }
  fill->finish("\"made\"", 5, 7);
  join(0);
  for (auto& f : followers) CHECK(f->changed.wait([&] { return f->ended; }));
  for (auto& f : followers) CHECK(f->body == body);
  CHECK(fill->view().head.etag == "\"made\"");
  CHECK(fill->view().checksum == 7);
  CHECK(fill->view().length == body.size());
  for (std::size_t i = 0; i < 3; ++i)
    workers.on(i, [&] {
      for (auto& f : followers)
        if (&f->loop == &workers.worker(i).loop) f->reader.reset();
    });
  CHECK(fill->readers() == 0);
  fill.reset();
  followers.clear();
  CHECK(memory->used() == 0);
}

TEST_CASE_FIXTURE(FillFixture, "a failed fill notifies its readers, and its bytes are dropped") {
  Follower follower(workers, 1, fill);
  workers.on(1, [&] { follower.join(); });
  fill->begin({}, 100);
  fill->append("some", clock.steady_now());
  fill->fail({&http::problems::origin_broken, "cut", "origin_broken"});
  CHECK(follower.changed.wait([&] { return follower.ended; }));
  CHECK(follower.phase == Fill::Phase::failed);
  CHECK(std::string("some").starts_with(follower.body));
  CHECK(fill->view().failure.detail == "cut");
  CHECK(memory->used() == 0);
  workers.on(1, [&] { follower.reader.reset(); });
}

TEST_CASE_FIXTURE(FillFixture, "written bytes leave RAM, and a reader that is behind reads the file") {
  const test::Folder folder;
  const auto body = body_of(100'000);
  workers.on(0, [&] {
    auto reader = fill->join(workers.worker().loop, [] {});
    fill->begin({}, body.size());
    for (std::size_t at = 0; at < body.size(); at += 20'000)
      fill->append(std::string_view(body).substr(at, 20'000), clock.steady_now());
    CHECK(fill->claim_disk_work());
    CHECK_FALSE(fill->claim_disk_work());
    const auto unwritten = fill->take_unwritten(60'000);
    CHECK(unwritten.chunks.size() == 3);
    CHECK(unwritten.offset == 0);
    fill->opened(temporary_file(folder, body.substr(0, 60'000)));
    fill->written(60'000);
    CHECK(memory->used() == 100'000);  // the batch that is being written still holds them
  });
  CHECK(memory->used() == 40'000);
  workers.on(0, [&] {
    auto reader = fill->join(workers.worker().loop, [] {});
    auto from_file = reader->take(1 << 20);
    CHECK(std::holds_alternative<base::FileSlice>(from_file.body));
    CHECK(from_file.length == 60'000);
    CHECK(text_of(from_file.body) == body.substr(0, 60'000));
    auto from_ram = reader->take(1 << 20);
    CHECK(text_of(from_ram.body) == body.substr(60'000, 20'000));
    reader->skip_to(99'000);
    CHECK(text_of(reader->take(500).body) == body.substr(99'000, 500));
    // The last announced byte is held back until the fill ends.
    CHECK(reader->take(5'000).length == 499);
    CHECK(reader->take(5'000).length == 0);
    fill->finish("", 0, 0);
    CHECK(text_of(reader->take(5'000).body) == body.substr(99'999));
    CHECK(reader->take(5'000).length == 0);
  });
}

TEST_CASE_FIXTURE(FillFixture, "the disk thread is scheduled once for new bytes, and once for the end") {
  CHECK_FALSE(fill->claim_disk_work());
  fill->append("abc", clock.steady_now());
  CHECK(fill->claim_disk_work());
  fill->append("def", clock.steady_now());
  CHECK_FALSE(fill->claim_disk_work());
  CHECK(fill->take_unwritten(100).chunks.size() == 2);
  fill->written(6);
  CHECK(fill->take_unwritten(100).chunks.empty());
  CHECK_FALSE(fill->claim_disk_work());
  fill->finish("", 0, 0);
  CHECK(fill->claim_disk_work());
  CHECK(fill->take_unwritten(100).phase == Fill::Phase::complete);
  CHECK_FALSE(fill->claim_disk_work());
}

TEST_CASE_FIXTURE(FillFixture,
                  "in pass-through, bytes are freed when every reader has taken them, and no further reader can join") {
  workers.on(0, [&] {
    auto fast = fill->join(workers.worker().loop, [] {});
    auto slow = fill->join(workers.worker().loop, [] {});
    fill->append(std::string(1000, 'a'), clock.steady_now());
    fill->append(std::string(1000, 'b'), clock.steady_now());
    fill->reduce_keeping(Fill::Keeping::nothing);
    CHECK(fill->join(workers.worker().loop, [] {}) == nullptr);
    CHECK(fast->take(1000).length == 1000);
    CHECK(fast->take(1000).length == 1000);
    CHECK(memory->used() == 2000);
    CHECK(slow->take(1000).length == 1000);
    CHECK(memory->used() == 1000);
    slow.reset();
    CHECK(memory->used() == 0);
    CHECK(fill->take_unwritten(100).chunks.empty());
  });
}

TEST_CASE("full buffers call back waiting readers when memory is available again") {
  auto memory = std::make_shared<FillMemory>(1000);
  test::Workers workers(1);
  auto chunk = memory->chunk(std::string(600, 'x'));
  CHECK_FALSE(memory->is_full());
  auto more = memory->chunk(std::string(600, 'x'));
  CHECK(memory->is_full());
  std::promise<void> called;
  memory->when_available(workers.worker().loop, [&] { called.set_value(); });
  auto waiting = called.get_future();
  workers.on(0, [] {});
  CHECK(waiting.wait_for(std::chrono::seconds(0)) == std::future_status::timeout);
  chunk.reset();
  CHECK(waiting.wait_for(std::chrono::seconds(20)) == std::future_status::ready);
}
