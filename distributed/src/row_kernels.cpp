// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "impl/row_kernels.hpp"

#include <cmath>

namespace caesura::impl {

namespace {

/// Row i where there is no list.
template <class List>
KOKKOS_FUNCTION std::int64_t row_at(const List& list, std::int64_t i) {
  return list.data() ? list(i) : i;
}

template <class Space, class Real>
struct StoreRows {
  RowPairs<Space> pairs;
  RowTensor from, to;
  std::int64_t heads, dim;
  bool add;

  KOKKOS_FUNCTION void operator()(std::int64_t i) const {
    const std::int64_t source = row_at(pairs.from, i / heads), target = row_at(pairs.to, i / heads), head = i % heads;
    for (std::int64_t d = 0; d < dim; ++d) {
      const Real value = from.template get<Real>(source, head, d);
      // Adding zero would turn -0 into 0: what nobody saw keeps its bits.
      if (!add) {
        to.template set<Real>(target, head, d, value);
      } else if (value != Real(0)) {
        to.template set<Real>(target, head, d, to.template get<Real>(target, head, d) + value);
      }
    }
  }
};

struct ClearRows {
  RowTensor to;
  std::int64_t heads, dim;

  KOKKOS_FUNCTION void operator()(std::int64_t i) const {
    for (std::int64_t d = 0; d < dim; ++d) to.set<double>(i / heads, i % heads, d, 0);
  }
};

template <class Space, class Real>
struct MergeRows {
  RowPairs<Space> pairs;
  RowTensor part, part_lse, part_max, out, lse, row_max;
  std::int64_t heads, dim;
  bool has_max;

  KOKKOS_FUNCTION void operator()(std::int64_t i) const {
    const std::int64_t source = row_at(pairs.from, i / heads), target = row_at(pairs.to, i / heads), head = i % heads;
    if (has_max) {
      const Real a = row_max.template get<Real>(target, head, 0), b = part_max.template get<Real>(source, head, 0);
      row_max.template set<Real>(target, head, 0, b > a ? b : a);
    }
    const Real a = lse.template get<Real>(target, head, 0), b = part_lse.template get<Real>(source, head, 0);
    const Real top = b > a ? b : a;
    if (top == -Kokkos::Experimental::infinity_v<Real> && b == top) return;  // nothing was seen, here or there
    const Real weight_a = Kokkos::exp(a - top), weight_b = Kokkos::exp(b - top);
    const Real sum = weight_a + weight_b;
    lse.template set<Real>(target, head, 0, top + Kokkos::log(sum));
    for (std::int64_t d = 0; d < dim; ++d) {
      const Real value =
          weight_a * out.template get<Real>(target, head, d) + weight_b * part.template get<Real>(source, head, d);
      out.template set<Real>(target, head, d, value / sum);
    }
  }
};

template <class Space, class Functor>
void launch(const Space& space, const char* label, std::int64_t items, const Functor& functor) {
  if (items > 0) {
    Kokkos::parallel_for(label, Kokkos::RangePolicy<Space, Kokkos::IndexType<std::int64_t>>(space, 0, items), functor);
  }
}

}  // namespace

template <class Space>
void store_rows(const Space& space, const RowPairs<Space>& pairs, const ViewRef& from, const ViewRef& to,
                Storing storing) {
  const RowTensor source(from), target(to);
  const std::int64_t rows = pairs.from.data() ? static_cast<std::int64_t>(pairs.from.extent(0))
                            : pairs.to.data() ? static_cast<std::int64_t>(pairs.to.extent(0))
                                              : source.rows();
  const bool add = storing == Storing::add;
  const std::int64_t items = rows * source.heads();
  if (to.type() == ElementType::float64 || from.type() == ElementType::float64) {
    launch(space, "caesura::distributed::store_rows", items,
           StoreRows<Space, double>{pairs, source, target, source.heads(), source.dim(), add});
  } else {
    launch(space, "caesura::distributed::store_rows", items,
           StoreRows<Space, float>{pairs, source, target, source.heads(), source.dim(), add});
  }
}

template <class Space>
void store_all(const Space& space, const ViewRef& from, const ViewRef& to, Storing storing) {
  store_rows(space, RowPairs<Space>(), from, to, storing);
}

template <class Space>
void clear_rows(const Space& space, const ViewRef& to) {
  const RowTensor target(to);
  launch(space, "caesura::distributed::clear_rows", target.rows() * target.heads(),
         ClearRows{target, target.heads(), target.dim()});
}

template <class Space>
void merge_rows(const Space& space, const RowPairs<Space>& pairs, const ViewRef& part, const ViewRef& part_lse,
                const ViewRef& part_max, const ViewRef& out, const ViewRef& lse, const ViewRef& row_max) {
  const RowTensor source(part);
  const auto run = [&](auto real) {
    using Real = decltype(real);
    launch(space, "caesura::distributed::merge_rows", static_cast<std::int64_t>(pairs.to.extent(0)) * source.heads(),
           MergeRows<Space, Real>{pairs, source, RowTensor(part_lse), RowTensor(part_max), RowTensor(out),
                                  RowTensor(lse), row_max ? RowTensor(row_max) : RowTensor(), source.heads(),
                                  source.dim(), static_cast<bool>(row_max)});
  };
  if (lse.type() == ElementType::float64) {
    run(double{});
  } else {
    run(float{});
  }
}

#define CAESURA_INSTANTIATE(Space)                                                                                \
  template void store_rows<Space>(const Space&, const RowPairs<Space>&, const ViewRef&, const ViewRef&, Storing); \
  template void store_all<Space>(const Space&, const ViewRef&, const ViewRef&, Storing);                          \
  template void clear_rows<Space>(const Space&, const ViewRef&);                                                  \
  template void merge_rows<Space>(const Space&, const RowPairs<Space>&, const ViewRef&, const ViewRef&,           \
                                  const ViewRef&, const ViewRef&, const ViewRef&, const ViewRef&);
CAESURA_FOR_EACH_SPACE(CAESURA_INSTANTIATE)
#undef CAESURA_INSTANTIATE

}  // namespace caesura::impl
