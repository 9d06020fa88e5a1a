#include "http_cache/origin_transfer.h"

#include <algorithm>

namespace tribune::http_cache {
namespace {

constexpr std::size_t kMaxOwned = 512 << 10;  // bytes that wait for the reader to which the body belongs

}  // namespace

std::shared_ptr<const TransferHead> OriginTransfer::head() const {
  const std::lock_guard lock(mutex_);
  return head_;
}

std::unique_ptr<TransferReader> OriginTransfer::read(net::EventLoop& loop, std::function<void()> call, bool leads) {
  auto reader = std::make_shared<Reader>(loop, std::move(call));
  {
    const std::lock_guard lock(mutex_);
    readers_.push_back(reader);
    if (leads) leader_ = reader;
  }
  wake(reader);
  return std::make_unique<TransferReader>(shared_from_this(), std::move(reader), leads);
}

void OriginTransfer::receive_on(net::EventLoop& loop, std::function<void()> resume, std::function<void()> abandon) {
  const std::lock_guard lock(mutex_);
  receiver_ = std::make_shared<Receiver>(Receiver{loop, std::move(resume), std::move(abandon)});
}

void OriginTransfer::stop_receiving() {
  std::shared_ptr<Receiver> receiver;
  {
    const std::lock_guard lock(mutex_);
    receiver = std::exchange(receiver_, nullptr);
  }
  if (!receiver) return;
  receiver->resume = {};
  receiver->abandon = {};
}

void OriginTransfer::interim(int status, const http::Headers& fields) {
  std::shared_ptr<Reader> leader;
  {
    const std::lock_guard lock(mutex_);
    if (!leader_) return;
    interims_.emplace_back(status, fields);
    leader = leader_;
  }
  wake(leader);
}

bool OriginTransfer::begin(TransferHead head) {
  bool needed = false;
  {
    const std::lock_guard lock(mutex_);
    phase_ = Phase::streaming;
    body_ = GrowingBody(head.length);
    has_owner_ = !head.shared;
    if (has_owner_) owner_ = leader_;
    head_ = std::make_shared<const TransferHead>(std::move(head));
    needed = is_needed_locked();
  }
  wake_all();
  return needed;
}

net::Flow OriginTransfer::append(std::string_view bytes) {
  std::shared_ptr<Reader> owner;
  {
    const std::lock_guard lock(mutex_);
    if (has_owner_) {
      is_paused_ = !owned_.empty() && owned_.size() + bytes.size() > kMaxOwned;
      if (is_paused_) return net::Flow::pause;
      owned_.append(bytes);
      owner = owner_;
    } else {
      body_.append(bytes);
    }
  }
  if (owner)
    wake(owner);
  else
    wake_all();
  return net::Flow::go_on;
}

bool OriginTransfer::outgrow() {
  {
    const std::lock_guard lock(mutex_);
    has_owner_ = has_outgrown_ = true;
    owner_ = leader_ || readers_.empty() ? leader_ : readers_.front();
    if (!owner_) return false;
  }
  wake_all();
  return true;
}

void OriginTransfer::confirm(StoredResponsePtr response, http::Headers own_fields, bool leader_alone) {
  {
    const std::lock_guard lock(mutex_);
    has_owner_ = leader_alone;
    if (has_owner_) owner_ = leader_;
    phase_ = Phase::confirmed;
    confirmed_ = std::move(response);
    own_fields_ = std::move(own_fields);
  }
  wake_all();
}

SlicedBody OriginTransfer::received() {
  const std::lock_guard lock(mutex_);
  return body_.finished();
}

void OriginTransfer::finish() {
  {
    const std::lock_guard lock(mutex_);
    phase_ = Phase::whole;
  }
  wake_all();
}

void OriginTransfer::fail(base::Error error, std::optional<int> status) {
  {
    const std::lock_guard lock(mutex_);
    phase_ = Phase::failed;
    error_ = std::move(error);
    failed_status_ = status;
  }
  wake_all();
}

void OriginTransfer::wake(const std::shared_ptr<Reader>& reader) {
  if (reader->is_woken.exchange(true)) return;
  reader->loop.post([reader] {
    reader->is_woken = false;
    if (const auto call = reader->wake) call();
  });
}

void OriginTransfer::wake_all() {
  std::vector<std::shared_ptr<Reader>> readers;
  {
    const std::lock_guard lock(mutex_);
    readers = readers_;
  }
  for (const auto& reader : readers) wake(reader);
}

void OriginTransfer::leave(const std::shared_ptr<Reader>& reader) {
  std::shared_ptr<Receiver> receiver;
  {
    const std::lock_guard lock(mutex_);
    std::erase(readers_, reader);
    if (leader_ == reader) leader_.reset();
    if (owner_ == reader) owner_.reset();
    if (!is_needed_locked()) receiver = receiver_;
  }
  if (receiver)
    receiver->loop.post([receiver] {
      if (const auto call = receiver->abandon) call();
    });
}

bool OriginTransfer::is_needed() const {
  const std::lock_guard lock(mutex_);
  return is_needed_locked();
}

bool OriginTransfer::is_needed_locked() const {
  if (phase_ == Phase::asking) return !readers_.empty();
  if (phase_ != Phase::streaming) return true;
  return has_owner_ ? owner_ != nullptr : shared_ || !readers_.empty();
}

bool OriginTransfer::belongs_to_another(const std::shared_ptr<Reader>& reader) const {
  if (has_owner_) return owner_ != reader;
  return head_ && head_->is_leaders_alone && leader_ != reader;
}

TransferReader::TransferReader(std::shared_ptr<OriginTransfer> transfer, std::shared_ptr<OriginTransfer::Reader> reader,
                               bool leads)
    : transfer_(std::move(transfer)), reader_(std::move(reader)), leads_(leads) {}

TransferReader::~TransferReader() {
  reader_->wake = {};
  transfer_->leave(reader_);
}

TransferReader::View TransferReader::view() const {
  const auto& t = *transfer_;
  const std::lock_guard lock(t.mutex_);
  View view{t.phase_,        OriginTransfer::Access::open, t.head_, t.confirmed_, !t.has_owner_, {}, t.error_,
            t.failed_status_};
  if (leads_) view.own_fields = t.own_fields_;
  if (t.belongs_to_another(reader_))
    view.access = t.has_outgrown_ ? OriginTransfer::Access::outgrown : OriginTransfer::Access::refused;
  return view;
}

std::vector<std::pair<int, http::Headers>> TransferReader::take_interims() {
  if (!leads_) return {};
  const std::lock_guard lock(transfer_->mutex_);
  return std::exchange(transfer_->interims_, {});
}

std::vector<http::Body> TransferReader::take(std::uint64_t max_bytes) {
  auto& t = *transfer_;
  std::vector<http::Body> bodies;
  std::shared_ptr<OriginTransfer::Receiver> receiver;
  {
    const std::lock_guard lock(t.mutex_);
    for (auto& slice : t.body_.from(reader_->position)) {
      if (max_bytes == 0) break;
      slice.length = static_cast<std::size_t>(std::min<std::uint64_t>(slice.length, max_bytes));
      max_bytes -= slice.length;
      reader_->position += slice.length;
      bodies.emplace_back(std::move(slice));
    }
    const bool is_next = t.owner_ == reader_ && reader_->position == t.body_.size();
    if (is_next && !t.owned_.empty()) bodies.emplace_back(std::exchange(t.owned_, {}));
    if (is_next && std::exchange(t.is_paused_, false)) receiver = t.receiver_;
  }
  if (receiver)
    receiver->loop.post([receiver] {
      if (const auto call = receiver->resume) call();
    });
  return bodies;
}

}  // namespace tribune::http_cache
