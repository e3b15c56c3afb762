// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include <caesura/distributed/mesh_share.hpp>
#include <caesura/error.hpp>

#include <cstddef>

namespace caesura {
namespace {

using solver::Sharding;

/// A rank's place along all axes of one sharding.
struct Place {
  std::int64_t index = 0;
  std::int64_t count = 1;
};

Range part_of(std::int64_t total, const Place& place, const char* name) {
  require(total > 0 && total % place.count == 0, [&] {
    return text("mesh_share: ", name, " = ", total, ": must divide by ", place.count, ", the ranks of its axes");
  });
  const std::int64_t own = total / place.count;
  return {place.index * own, (place.index + 1) * own};
}

}  // namespace

MeshShare mesh_share(const comm::Communicator& world, const solver::Mesh& mesh, std::span<const Sharding> shardings,
                     const MeshShape& shape) {
  mesh.validate("mesh_share");
  require(mesh.ranks() == world.size(), [&] {
    return text("mesh_share: mesh = ", mesh.ranks(), " ranks: must be as many as the world has, ", world.size());
  });
  require(shardings.size() == mesh.axes.size(), [&] {
    return text("mesh_share: shardings = ", shardings.size(), " of them: must be one for each of ", mesh.axes.size(),
                " axes");
  });
  Place batch, heads, context, repeated;
  std::int64_t stride = world.size();
  for (std::size_t i = 0; i < shardings.size(); ++i) {
    const std::int64_t size = mesh.axes[i].size;
    stride /= size;
    const std::int64_t coordinate = world.rank() / stride % size;
    Place& place = shardings[i] == Sharding::batch     ? batch
                   : shardings[i] == Sharding::heads   ? heads
                   : shardings[i] == Sharding::context ? context
                                                       : repeated;
    place.index = place.index * size + coordinate;
    place.count *= size;
  }
  // All checks come before the ranks speak to each other.
  const Range rows = part_of(shape.batch, batch, "batch");
  const Range heads_q = part_of(shape.heads_q, heads, "heads_q");
  const Range heads_kv = part_of(shape.heads_kv, heads, "heads_kv");
  const std::int64_t group = (repeated.index * batch.count + batch.index) * heads.count + heads.index;
  return {rows, heads_q, heads_kv, world.split(static_cast<int>(group), static_cast<int>(context.index))};
}

}  // namespace caesura
