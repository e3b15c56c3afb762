// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "impl/merge_plan.hpp"

#include <caesura/error.hpp>

namespace caesura::comm::impl {

Request MergePlan::start(const std::shared_ptr<MergePlan>& plan, Endpoint& endpoint, const Instance& instance,
                         const Rows& partial_out, const Rows& partial_lse, const Rows& out, const Rows& lse,
                         bool accumulate) {
  MergePlan& self = *plan;
  const bool waits_out = self.out_exchange_.start(endpoint, instance, partial_out, out);
  bool waits_lse = false;
  try {
    waits_lse = self.lse_exchange_.start(endpoint, instance, partial_lse, lse);
  } catch (...) {
    self.out_exchange_.abandon();
    throw;
  }
  self.instance_ = instance;
  self.partial_out_ = partial_out;
  self.partial_lse_ = partial_lse;
  self.out_ = out;
  self.lse_ = lse;
  self.accumulate_ = accumulate;
  self.under_way_ = true;
  if (waits_out || waits_lse) return Request(plan);
  self.finish();
  return {};
}

bool MergePlan::test() {
  if (!under_way_) return true;
  try {
    const bool out_complete = out_exchange_.test();
    if (!lse_exchange_.test() || !out_complete) return false;
  } catch (...) {
    release();
    throw;
  }
  finish();
  return true;
}

void MergePlan::wait() {
  if (!under_way_) return;
  try {
    out_exchange_.wait();
    lse_exchange_.wait();
  } catch (...) {
    release();
    throw;
  }
  finish();
}

void MergePlan::finish() {
  merge_rows(*instance_, {.lists = table_.lists(*instance_),
                          .partial_out = {RowLayout::of(partial_out_), out_exchange_.arrived()},
                          .partial_lse = {RowLayout::of(partial_lse_), lse_exchange_.arrived()},
                          .out = RowLayout::of(out_),
                          .lse = RowLayout::of(lse_),
                          .partial_type = partial_out_.type(),
                          .out_type = out_.type(),
                          .accumulate = accumulate_});
  release();
}

void MergePlan::release() {
  // Of two exchanges one may have failed: no message of the other may reach a View that nobody keeps any more.
  out_exchange_.abandon();
  lse_exchange_.abandon();
  under_way_ = false;
  partial_out_ = partial_lse_ = out_ = lse_ = Rows();
}

void check_lse(std::string_view operation, const char* out_name, const Rows& out, const char* lse_name,
               const Rows& lse) {
  const ElementType expected = out.type() == ElementType::float64 ? ElementType::float64 : ElementType::float32;
  require(out.type() != ElementType::int32 && out.type() != ElementType::int64, [&] {
    return text(operation, ": ", out_name, ": type = ", name_of_element(out.type()), ": must be floating-point");
  });
  require(lse.type() == expected, [&] {
    return text(operation, ": ", lse_name, ": type = ", name_of_element(lse.type()), ": must be ",
                name_of_element(expected), " for ", out_name, " of ", name_of_element(out.type()));
  });
  bool same = out.rank() >= 2 && lse.rank() == out.rank() - 1;
  for (int i = 0; same && i < lse.rank(); ++i) same = lse.extent(i) == out.extent(i);
  require(same, [&] {
    return text(operation, ": ", lse_name, ": rank = ", lse.rank(), ": must have the extents of ", out_name,
                " without the last");
  });
}

}  // namespace caesura::comm::impl
