// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <impl/transport.hpp>

#include <mpi.h>
#include <mpi/group.hpp>
#include <mpi/large_type.hpp>

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace caesura::comm::impl {

/// Messages between pairs of ranks, as persistent requests.
class MpiMessages : public Transfer {
 public:
  MpiMessages(std::shared_ptr<MpiGroup> group, std::string_view operation, const std::vector<Message>& sends,
              const std::vector<Message>& receives);
  ~MpiMessages() override;

  void start(const Instance& instance) override;
  bool test() override;
  void wait() override;
  bool release() override;

 private:
  bool poll();
  bool under_way() const { return next_ < requests_.size(); }
  void require_all_bytes(const MPI_Status& status);
  [[noreturn]] void time_out(std::chrono::duration<double> elapsed);
  bool abandon();
  std::string name(std::size_t message) const;

  std::shared_ptr<MpiGroup> group_;
  std::string_view operation_;
  std::vector<Message> messages_;  // receives, then sends: MPI starts them in this order
  std::size_t receives_;
  std::vector<LargeType> types_;
  std::vector<MPI_Request> requests_;
  std::size_t next_;  // the first request that is not known to be complete
  std::chrono::steady_clock::time_point begin_;
  // What `test` counts as waiting: the time between calls, but little of a long one, in which the caller did something
  // else.
  std::chrono::steady_clock::time_point last_test_;
  std::chrono::steady_clock::duration waited_{0};
};

}  // namespace caesura::comm::impl
