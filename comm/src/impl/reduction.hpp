// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include "impl/endpoint.hpp"
#include "impl/exchange.hpp"
#include "impl/memory.hpp"
#include "impl/plan.hpp"
#include "impl/reduce_rows.hpp"
#include <caesura/comm/reduce.hpp>
#include <caesura/comm/rows.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

namespace caesura::comm::impl {

/// Which partial rows make which rows of a result: the recipe, and its copies in the memory of the kernels that follow
/// it.
class TermTable {
 public:
  /// Rows [row, row + rows) of the result are made of these, in this order: a rank's rows from this one on.
  void add(std::int64_t row, std::int64_t rows, const std::vector<Term>& terms);

  TermLists lists(const Instance& instance);
  std::int64_t memory_bytes() const;

 private:
  struct Lists {
    Table<ReducedPiece> pieces;
    Table<Term> terms;
    bool made = false;
  };

  std::vector<ReducedPiece> pieces_;
  std::vector<Term> terms_;
  Lists on_host_, on_device_;
};

/// Partial rows gather in memory of the plan; one kernel then reduces them.
class ReducePlan final : public Plan {
 public:
  ReducePlan(std::shared_ptr<Transport> transport, std::string_view operation, const std::vector<RowBlock>& sends,
             const std::vector<RowBlock>& receives, Pattern pattern)
      : exchange_(std::move(transport), operation, sends, receives, Arrival::gathered, pattern) {}

  TermTable& table() { return table_; }
  const Exchange& exchange() const { return exchange_; }

  static Request start(const std::shared_ptr<ReducePlan>& plan, Endpoint& endpoint, const Instance& instance,
                       const Rows& send, const Rows& result, Reduction reduction, bool accumulate);

  bool test() override;
  void wait() override;
  bool under_way() const override { return under_way_; }
  std::int64_t memory_bytes() const override { return exchange_.memory_bytes() + table_.memory_bytes(); }

 private:
  void finish();
  void release();

  Exchange exchange_;
  TermTable table_;
  std::optional<Instance> instance_;
  Rows send_, result_;
  Reduction reduction_ = Reduction::sum;
  bool accumulate_ = false;
  bool under_way_ = false;
};

/// Checks the types and shapes of partial rows and their result.
void check_reducible(std::string_view operation, const char* partial_name, const Rows& partial, const char* result_name,
                     const Rows& result, const Instance& instance);
void check_mean(std::string_view operation, const Rows& partial, Reduction reduction);

}  // namespace caesura::comm::impl
