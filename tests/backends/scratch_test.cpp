// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "backends/portable/launch.hpp"
#include "support/errors.hpp"

#include <gtest/gtest.h>

#include <array>

// What a kernel does with the scratch memory that a device has. Shapes stand for their bytes here: 10 a row.

namespace caesura::testing {
namespace {

using portable::choose_shape;
using portable::TileShape;

constexpr std::array<TileShape, 3> shapes = {{{64, 64}, {32, 32}, {8, 8}}};

std::int64_t bytes_of(TileShape shape) { return 10 * (shape.resident + shape.stream); }

TEST(Scratch, TheFirstShapeThatFitsIsTaken) {
  EXPECT_EQ(choose_shape(shapes, 1280, "kernel", bytes_of).shape.resident, 64);
  EXPECT_EQ(choose_shape(shapes, 1279, "kernel", bytes_of).shape.resident, 32);
  EXPECT_EQ(choose_shape(shapes, 160, "kernel", bytes_of).bytes, 160);
}

TEST(Scratch, LessThanTheSmallestShapeNeedsIsAnErrorInBytes) {
  expect_error(ErrorKind::resources, {"attention_forward: scratch = 160 bytes a team: the device has only 159 bytes"},
               [] { choose_shape(shapes, 159, "attention_forward", bytes_of); });
}

}  // namespace
}  // namespace caesura::testing
