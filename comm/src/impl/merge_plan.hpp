// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "impl/reduction.hpp"

namespace caesura::comm::impl {

/// As `ReducePlan`, for partial attention results: two exchanges, one kernel.
class MergePlan final : public Plan {
 public:
  MergePlan(const std::shared_ptr<Transport>& transport, std::string_view operation, const std::vector<RowBlock>& sends,
            const std::vector<RowBlock>& receives)
      : out_exchange_(transport, operation, sends, receives, Arrival::gathered),
        lse_exchange_(transport, operation, sends, receives, Arrival::gathered) {}

  TermTable& table() { return table_; }
  const Exchange& exchange() const { return out_exchange_; }

  static Request start(const std::shared_ptr<MergePlan>& plan, Endpoint& endpoint, const Instance& instance,
                       const Rows& partial_out, const Rows& partial_lse, const Rows& out, const Rows& lse,
                       bool accumulate);

  bool test() override;
  void wait() override;
  bool under_way() const override { return under_way_; }
  std::int64_t memory_bytes() const override {
    return out_exchange_.memory_bytes() + lse_exchange_.memory_bytes() + table_.memory_bytes();
  }

 private:
  void finish();
  void release();

  Exchange out_exchange_, lse_exchange_;
  TermTable table_;
  std::optional<Instance> instance_;
  Rows partial_out_, partial_lse_, out_, lse_;
  bool accumulate_ = false;
  bool under_way_ = false;
};

/// Checks that statistics belong to results: their shape without the last extent, float, or double for double.
void check_lse(std::string_view operation, const char* out_name, const Rows& out, const char* lse_name,
               const Rows& lse);

}  // namespace caesura::comm::impl
