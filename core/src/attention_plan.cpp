// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "impl/layers.hpp"
#include "impl/lowering.hpp"
#include "impl/offset_check.hpp"
#include <caesura/attention_plan.hpp>
#include <caesura/error.hpp>

namespace caesura {

namespace {

constexpr const char* function = "AttentionPlan";

void require_plan_total(std::int64_t total, const char* name) {
  require(total >= 0 && total <= max_plan_tokens, [&] {
    return text(function, ": ", name, " = ", total, ": must lie in [0, ", max_plan_tokens,
                "]: kernels use 32-bit positions");
  });
}

/// Checks what the host can know of \p list and turns it into what kernels read.
template <class Space>
impl::OffsetList offset_list(const ViewRef& list, const ViewRef& like, const char* name) {
  require(list.rank() == 1 || list.rank() == 2, [&] {
    return text(function, ": ", name, " has rank ", list.rank(), ": must be (documents + 1) or (batch, max_docs + 1)");
  });
  require(list.type() == ElementType::int32 || list.type() == ElementType::int64,
          [&] { return text(function, ": ", name, ": must be of int32 or int64"); });
  const int last = list.rank() - 1;
  require(list.extent(last) >= 1,
          [&] { return text(function, ": ", name, " has no entries: must have (documents + 1)"); });
  require(list.extent(last) == 1 || list.stride(last) == 1, [&] {
    return text(function, ": ", name, " has stride ", list.stride(last), " in its last extent: must be 1");
  });
  require(list.accessible_from<Space>(),
          [&] { return text(function, ": ", name, " lies in memory that ", Space::name(), " cannot read"); });
  const auto extents = [](const ViewRef& view) {
    return view.rank() == 2 ? text("(", view.extent(0), ", ", view.extent(1), ")") : text("(", view.extent(0), ")");
  };
  require(list.rank() == like.rank() && list.extent(0) == like.extent(0) && list.extent(last) == like.extent(last),
          [&] {
            return text(function, ": ", name, " has extents ", extents(list), ": must have those of cu_seqlens_q, ",
                        extents(like));
          });
  return {list.data(), list.type() == ElementType::int64, list.rank() == 2 ? list.stride(0) : 0};
}

template <class Space>
impl::OffsetSource offset_source(const PackedOffsets& offsets, const DocumentMask& rule) {
  rule.validate(function);
  const ViewRef& q = offsets.cu_seqlens_q;
  require(static_cast<bool>(q), [] { return text(function, ": cu_seqlens_q is not given"); });
  const std::int64_t total_k = offsets.total_k == -1 ? offsets.total_q : offsets.total_k;
  require_plan_total(offsets.total_q, "total_q");
  require_plan_total(total_k, "total_k");

  impl::OffsetSource source;
  source.rule = rule;
  source.total_q = offsets.total_q;
  source.total_k = total_k;
  source.cu_q = source.cu_k = offset_list<Space>(q, q, "cu_seqlens_q");
  source.batch = q.rank() == 2 ? q.extent(0) : 1;
  source.entries = q.extent(q.rank() - 1);
  require(source.batch >= 1, [] { return text(function, ": cu_seqlens_q has extent batch = 0: must be at least 1"); });
  require_plan_total(source.batch * source.total_q, "batch * total_q");
  require_plan_total(source.batch * source.total_k, "batch * total_k");

  if (offsets.cu_seqlens_k) source.cu_k = offset_list<Space>(offsets.cu_seqlens_k, q, "cu_seqlens_k");
  source.start_q = source.cu_q;
  source.start_k = source.cu_k;
  if (offsets.cu_seqlens_q_padded) {
    source.start_q = offset_list<Space>(offsets.cu_seqlens_q_padded, q, "cu_seqlens_q_padded");
    // Self attention: keys lie where their queries lie.
    if (!offsets.cu_seqlens_k) source.start_k = source.start_q;
  }
  if (offsets.cu_seqlens_k_padded) {
    source.start_k = offset_list<Space>(offsets.cu_seqlens_k_padded, q, "cu_seqlens_k_padded");
  }
  return source;
}

template <class Space>
impl::LayeredSlices<typename Space::memory_space> lower_mask(
    const Space& space, const Mask& mask, impl::LoweredStorage<typename Space::memory_space>& storage) {
  const impl::HostLayers host = impl::deal_to_layers(mask.slices());
  impl::LayeredSlices<typename Space::memory_space> slices{
      host.layers(), impl::upload(space, host.slices, "caesura::plan::slices"),
      impl::upload(space, host.layer_begin, "caesura::plan::layer_begin")};
  storage = {space, mask.total_q(), host.layers()};
  impl::lower(space, impl::SliceSource{slices.slices.data(), slices.layer_begin.data(), mask.total_q()}, storage);
  return slices;
}

}  // namespace

template <ExecutionSpace Space>
AttentionPlan<Space>::AttentionPlan(const Space& space, const Mask& mask, const PlanOptions& options)
    : total_k_(mask.total_k()), passes_(options.passes) {
  require_plan_total(mask.total_q(), "total_q");
  require_plan_total(mask.total_k(), "total_k");
  row_slices_ = lower_mask(space, mask, rows_);
  if (passes_ == Passes::forward_and_backward) column_slices_ = lower_mask(space, mask.transposed(), columns_);
}

template <ExecutionSpace Space>
AttentionPlan<Space>::AttentionPlan(const Space& space, const PackedOffsets& offsets, const DocumentMask& rule,
                                    const PlanOptions& options)
    : passes_(options.passes) {
  const impl::OffsetSource source = offset_source<Space>(offsets, rule);
  total_k_ = source.batch * source.total_k;
  const std::int32_t layers = impl::parts_of(rule);
  rows_ = {space, source.batch * source.total_q, layers};
  if (passes_ == Passes::forward_and_backward) columns_ = {space, total_k_, layers};
  status_ = impl::allocate<std::int64_t>(space, 3, "caesura::plan::status");
  update(space, offsets, rule);
}

template <ExecutionSpace Space>
void AttentionPlan<Space>::update(const Space& space, const PackedOffsets& offsets, const DocumentMask& rule) {
  impl::OffsetSource source = offset_source<Space>(offsets, rule);
  require(status_.size() > 0,
          [] { return text(function, "::update: this plan was made from a host mask: make another one"); });
  const auto require_same = [](std::int64_t now, std::int64_t planned, const char* name) {
    require(now == planned,
            [&] { return text(function, "::update: ", name, " = ", now, ": must be as planned, ", planned); });
  };
  require_same(source.batch * source.total_q, rows_.rows(), "total_q");
  require_same(source.batch * source.total_k, total_k_, "total_k");
  require_same(impl::parts_of(rule), rows_.layers(), "the rule's number of layers");

  checked_ = {source.batch, source.entries, source.total_q, source.total_k};
  const impl::CheckOffsets check{source, source.start_q.data != source.cu_q.data,
                                 source.start_k.data != source.cu_k.data, status_.data()};
  using Index = Kokkos::IndexType<std::int64_t>;
  using Check = impl::CheckOffsets;
  Kokkos::parallel_for("caesura::check::reset", Kokkos::RangePolicy<Space, Index, Check::Reset>(space, 0, 1), check);
  Kokkos::parallel_for("caesura::check::look",
                       Kokkos::RangePolicy<Space, Index, Check::Look>(space, 0, source.batch * source.entries), check);
  Kokkos::parallel_for("caesura::check::keep", Kokkos::RangePolicy<Space, Index, Check::Keep>(space, 0, 1), check);

  impl::lower(space, source, rows_);
  if (passes_ == Passes::forward_and_backward) {
    source.side = impl::Side::keys;
    impl::lower(space, source, columns_);
  }
#ifdef CAESURA_CHECKS
  validate(space);
#endif
}

template <ExecutionSpace Space>
void AttentionPlan<Space>::validate(const Space& space) const {
  if (status_.size() == 0) return;
  const auto status = Kokkos::create_mirror_view(status_);
  Kokkos::deep_copy(space, status, status_);
  space.fence("caesura::AttentionPlan::validate");
  if (status(0) == impl::OffsetCode::ok) return;
  throw Error(ErrorKind::invalid_argument, impl::describe_violation(status(0), status(1), status(2), checked_));
}

#define CAESURA_INSTANTIATE(Space) template class AttentionPlan<Space>;
CAESURA_FOR_EACH_SPACE(CAESURA_INSTANTIATE)
#undef CAESURA_INSTANTIATE

}  // namespace caesura
