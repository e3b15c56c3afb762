// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <caesura/error.hpp>

#include <mpi/check.hpp>
#include <mpi/messages.hpp>
#include <mpi/patience.hpp>

#include <algorithm>
#include <utility>

namespace caesura::comm::impl {

namespace {

// One tag: MPI keeps the order of messages between two ranks, which is the order in which operations start.
constexpr int tag = 0;

// How long a receive that was cancelled may take to end; the sender may be in the middle of it.
constexpr auto cancel_time = std::chrono::milliseconds(100);

constexpr std::size_t most_named = 8;  // of the messages that are missing

}  // namespace

MpiMessages::MpiMessages(std::shared_ptr<MpiGroup> group, std::string_view operation, const std::vector<Message>& sends,
                         const std::vector<Message>& receives)
    : group_(std::move(group)),
      operation_(operation),
      messages_(receives),
      receives_(receives.size()),
      next_(sends.size() + receives.size()) {
  group_->require_usable(operation_);
  messages_.insert(messages_.end(), sends.begin(), sends.end());
  types_.reserve(messages_.size());
  requests_.reserve(messages_.size());
  for (std::size_t i = 0; i < messages_.size(); ++i) {
    const Message& message = messages_[i];
    const LargeType& type = types_.emplace_back(message.bytes, group_->rank());
    MPI_Request& request = requests_.emplace_back(MPI_REQUEST_NULL);
    if (i < receives_) {
      group_->check(
          MPI_Recv_init(message.data, type.count(), type.type(), message.peer, tag, group_->handle(), &request),
          operation_, "MPI_Recv_init");
    } else {
      group_->check(
          MPI_Send_init(message.data, type.count(), type.type(), message.peer, tag, group_->handle(), &request),
          operation_, "MPI_Send_init");
    }
  }
}

bool MpiMessages::release() {
  if (!mpi_is_up()) return true;  // the requests went with it
  if (under_way() && !group_->broken()) {
    try {
      wait();
    } catch (...) {  // NOLINT(bugprone-empty-catch): the group remembers, and says it at the next call
    }
  }
  return !under_way() || abandon();
}

MpiMessages::~MpiMessages() {
  if (!release() || !mpi_is_up()) return;
  for (MPI_Request& request : requests_) {
    if (request != MPI_REQUEST_NULL) MPI_Request_free(&request);
  }
}

void MpiMessages::start(const Instance&) {
  group_->require_usable(operation_);
  if (messages_.empty()) return;
  waited_ = {};
  begin_ = last_test_ = std::chrono::steady_clock::now();
  next_ = 0;
  // Not MPI_Startall, which cannot say whom it failed to reach. The other messages leave all the same: ranks that can
  // complete are not to fail for want of ours.
  std::string failure;
  for (std::size_t i = 0; i < requests_.size(); ++i) {
    const int code = MPI_Start(&requests_[i]);
    if (code == MPI_SUCCESS || !failure.empty()) continue;
    failure = text(operation_, ": rank ", group_->rank(), " of ", group_->size(), ": ", name(i),
                   ": MPI_Start: ", mpi_words(code));
  }
  if (!failure.empty()) group_->fail(failure);
}

bool MpiMessages::test() {
  if (!under_way()) return true;
  group_->require_usable(operation_);
  if (poll()) return true;
  const auto now = std::chrono::steady_clock::now();
  const std::chrono::steady_clock::duration timeout = group_->timeout();
  waited_ += std::min(now - last_test_, timeout / 8);
  last_test_ = now;
  if (waited_ > timeout) time_out(waited_);
  return false;
}

void MpiMessages::wait() {
  if (!under_way()) return;
  group_->require_usable(operation_);
  Patience patience(group_->timeout());
  while (!poll()) {
    if (!patience.pause()) time_out(patience.elapsed());
  }
}

// One message after the other, where MPI_Testall would do at first sight: it looks at all requests at each call, and
// MPICH gives its errors to the handler of MPI_COMM_WORLD, which ends the program.
bool MpiMessages::poll() {
  for (; next_ < requests_.size(); ++next_) {
    int complete = 0;
    MPI_Status status;
    const int code = MPI_Test(&requests_[next_], &complete, &status);
    if (code != MPI_SUCCESS) {
      group_->fail(text(operation_, ": rank ", group_->rank(), " of ", group_->size(), ": ", name(next_), " after ",
                        seconds_text(std::chrono::steady_clock::now() - begin_), ": ", mpi_words(code)));
    }
    if (!complete) return false;
    if (next_ < receives_) require_all_bytes(status);
  }
  return true;
}

// MPI is content with a message that is shorter than its buffer: the rest would silently stay what it was.
void MpiMessages::require_all_bytes(const MPI_Status& status) {
  MPI_Count bytes = 0;
  group_->check(MPI_Get_elements_x(&status, types_[next_].type(), &bytes), operation_, "MPI_Get_elements_x");
  if (bytes == messages_[next_].bytes) return;
  group_->fail(text(operation_, ": rank ", group_->rank(), " of ", group_->size(), ": rank ", messages_[next_].peer,
                    " sent ", bytes, " bytes where ", messages_[next_].bytes, " were expected"));
}

std::string MpiMessages::name(std::size_t message) const {
  return text(messages_[message].bytes, " bytes ", message < receives_ ? "from" : "to", " rank ",
              messages_[message].peer);
}

void MpiMessages::time_out(std::chrono::duration<double> elapsed) {
  std::string missing;
  std::size_t count = 0;
  for (std::size_t i = next_; i < messages_.size(); ++i) {
    int complete = 0;
    MPI_Status status;
    group_->check(MPI_Request_get_status(requests_[i], &complete, &status), operation_, "MPI_Request_get_status");
    if (complete || ++count > most_named) continue;
    missing += (missing.empty() ? "" : ", ") + name(i);
  }
  if (count > most_named) missing += text(" and ", count - most_named, " more");
  group_->fail(text(operation_, ": rank ", group_->rank(), " of ", group_->size(), ": not complete after ",
                    seconds_text(elapsed), " (time-out ", seconds_text(group_->timeout()), "): missing ", missing));
}

// After an error. Receives can be called back unless their data is arriving already. A send cannot (MPI 4 deprecates
// trying): a small one has left, a large one waits for a peer that will not take it.
//
// False: MPI may yet write to the buffers, or a peer that was only late read from them, when somebody calls MPI again.
// Requests and buffers are then left to MPI for good, since freeing them would not stop it.
bool MpiMessages::abandon() {
  for (std::size_t i = next_; i < receives_; ++i) {
    int complete = 0;
    MPI_Status status;
    if (MPI_Request_get_status(requests_[i], &complete, &status) == MPI_SUCCESS && !complete) MPI_Cancel(&requests_[i]);
  }
  Patience patience(cancel_time);
  for (; next_ < requests_.size(); ++next_) {
    int complete = 0;
    // A message that MPI gave up is complete, with an error that was reported before.
    while (MPI_Test(&requests_[next_], &complete, MPI_STATUS_IGNORE) == MPI_SUCCESS && !complete) {
      if (!patience.pause()) return false;
    }
  }
  return true;
}

}  // namespace caesura::comm::impl
