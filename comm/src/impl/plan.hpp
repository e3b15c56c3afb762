// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

#include <caesura/comm/request.hpp>

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace caesura::comm::impl {

/// An operation that can be started again and again.
class Plan : public Operation {
 public:
  virtual bool under_way() const = 0;
  virtual std::int64_t memory_bytes() const = 0;
};

/// What operations without a plan of their own are told apart by.
struct PlanKey {
  std::string_view operation;
  std::int64_t parameter = 0;
  std::span<const std::int64_t> rows = {};
  std::span<const std::int64_t> more_rows = {};
};

/// The plans of the operations that were called last, so that a call with the same rows allocates nothing.
class PlanCache {
 public:
  std::shared_ptr<Plan> find(const PlanKey& key);
  std::shared_ptr<Plan> add(const PlanKey& key, std::shared_ptr<Plan> plan);
  std::int64_t memory_bytes() const;

 private:
  static constexpr std::size_t capacity = 16;

  struct Entry {
    std::string_view operation;
    std::int64_t parameter;
    std::vector<std::int64_t> rows, more_rows;
    std::shared_ptr<Plan> plan;
  };
  std::vector<Entry> entries_;  // last used first
};

}  // namespace caesura::comm::impl
