// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "impl/reduction.hpp"

#include <caesura/error.hpp>

#include <algorithm>

namespace caesura::comm::impl {

void TermTable::add(std::int64_t row, std::int64_t rows, const std::vector<Term>& terms) {
  constexpr std::int64_t piece_rows = 64;
  const auto first = static_cast<std::int64_t>(terms_.size());
  terms_.insert(terms_.end(), terms.begin(), terms.end());
  for (std::int64_t skip = 0; skip < rows; skip += piece_rows) {
    pieces_.push_back(
        {row + skip, std::min(piece_rows, rows - skip), skip, first, static_cast<std::int32_t>(terms.size())});
  }
}

TermLists TermTable::lists(const Instance& instance) {
  Lists& lists = instance.on_host() ? on_host_ : on_device_;
  if (!lists.made) lists = {Table<ReducedPiece>(instance, pieces_), Table<Term>(instance, terms_), true};
  return {lists.pieces.data(), lists.pieces.size(), lists.terms.data()};
}

std::int64_t TermTable::memory_bytes() const {
  std::int64_t bytes = static_cast<std::int64_t>(pieces_.size() * sizeof(ReducedPiece) + terms_.size() * sizeof(Term));
  for (const Lists* lists : {&on_host_, &on_device_}) bytes += lists->pieces.bytes() + lists->terms.bytes();
  return bytes;
}

Request ReducePlan::start(const std::shared_ptr<ReducePlan>& plan, Endpoint& endpoint, const Instance& instance,
                          const Rows& send, const Rows& result, Reduction reduction, bool accumulate) {
  ReducePlan& self = *plan;
  const bool waits = self.exchange_.start(endpoint, instance, send, result);
  self.instance_ = instance;
  self.send_ = send;
  self.result_ = result;
  self.reduction_ = reduction;
  self.accumulate_ = accumulate;
  self.under_way_ = true;
  if (waits) return Request(plan);
  self.finish();
  return {};
}

bool ReducePlan::test() {
  if (!under_way_) return true;
  try {
    if (!exchange_.test()) return false;
  } catch (...) {
    release();
    throw;
  }
  finish();
  return true;
}

void ReducePlan::wait() {
  if (!under_way_) return;
  try {
    exchange_.wait();
  } catch (...) {
    release();
    throw;
  }
  finish();
}

void ReducePlan::finish() {
  reduce_rows(*instance_, {.lists = table_.lists(*instance_),
                           .partial = {RowLayout::of(send_), exchange_.arrived()},
                           .result = RowLayout::of(result_),
                           .partial_type = send_.type(),
                           .result_type = result_.type(),
                           .reduction = reduction_,
                           .accumulate = accumulate_});
  release();
}

void ReducePlan::release() {
  under_way_ = false;
  send_ = Rows();
  result_ = Rows();
}

void check_reducible(std::string_view operation, const char* partial_name, const Rows& partial, const char* result_name,
                     const Rows& result, const Instance& instance) {
  require(can_reduce(partial.type(), result.type()), [&] {
    return text(operation, ": ", result_name, ": type = ", name_of_element(result.type()), ": ", partial_name,
                " has elements of ", name_of_element(partial.type()), ", they must be the same or the result's wider");
  });
  require(partial.row_elements() == result.row_elements(), [&] {
    return text(operation, ": ", result_name, ": elements of a row = ", result.row_elements(), ": ", partial_name,
                " has ", partial.row_elements());
  });
  require(result.rows() == 0 || (instance.on_host() ? result.on_host() : result.on_device()), [&] {
    return text(operation, ": ", result_name, ": memory = ", result.on_host() ? "host" : "device", ": kernels of ",
                instance.name(), " cannot reach it");
  });
}

void check_mean(std::string_view operation, const Rows& partial, Reduction reduction) {
  const bool integers = partial.type() == ElementType::int32 || partial.type() == ElementType::int64;
  require(reduction != Reduction::mean || !integers, [&] {
    return text(operation, ": reduction = mean: of ", name_of_element(partial.type()),
                ": there is no mean of integers");
  });
}

}  // namespace caesura::comm::impl
