// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#include "impl/copy_rows.hpp"

#include <caesura/error.hpp>

#include <Kokkos_Core.hpp>

#include <algorithm>
#include <cstring>
#include <numeric>

namespace caesura::comm::impl {
namespace {

struct alignas(16) Word16 {
  std::uint64_t parts[2];
};

constexpr std::int64_t at_once_bytes = 64 << 10;

/// One work item is a piece: of a host space one thread, of a device one team.
template <class Word>
struct CopyRows {
  RowLayout source, target;
  const RowPiece* pieces;
  std::int64_t run;  // bytes that lie together on both sides

  KOKKOS_FUNCTION const std::byte* from(const RowPiece& piece, std::int64_t row) const {
    return source.data + (piece.source + row) * source.row_stride;
  }
  KOKKOS_FUNCTION std::byte* to(const RowPiece& piece, std::int64_t row) const {
    return target.data + (piece.target + row) * target.row_stride;
  }

  // Host. memcpy of a constant size is one move, and no type of the user's is read as another.
  void operator()(std::int64_t item) const {
    const RowPiece& piece = pieces[item];
    const std::int64_t row_bytes = source.row_bytes;
    if (run == row_bytes && source.row_stride == row_bytes && target.row_stride == row_bytes) {
      std::memcpy(to(piece, 0), from(piece, 0), static_cast<std::size_t>(piece.rows * row_bytes));
      return;
    }
    for (std::int64_t row = 0; row < piece.rows; ++row) {
      for (std::int64_t at = 0; at < row_bytes; at += run) {
        const std::byte* read = from(piece, row) + source.offset(at);
        std::byte* write = to(piece, row) + target.offset(at);
        if (run > 64) {
          std::memcpy(write, read, static_cast<std::size_t>(run));
        } else {
          for (std::int64_t i = 0; i < run; i += static_cast<std::int64_t>(sizeof(Word)))
            std::memcpy(write + i, read + i, sizeof(Word));
        }
      }
    }
  }

  template <class Member>
  KOKKOS_FUNCTION void copy_as_team(const Member& team) const {
    const RowPiece piece = pieces[team.league_rank()];
    const std::int64_t words = source.row_bytes / static_cast<std::int64_t>(sizeof(Word));
    Kokkos::parallel_for(Kokkos::TeamThreadRange(team, piece.rows * words), [&](std::int64_t i) {
      const std::int64_t row = i / words;
      const std::int64_t at = (i - row * words) * static_cast<std::int64_t>(sizeof(Word));
      *reinterpret_cast<Word*>(to(piece, row) + target.offset(at)) =
          *reinterpret_cast<const Word*>(from(piece, row) + source.offset(at));
    });
  }
};

template <class Word>
struct CopyRowsTeam {
  CopyRows<Word> copy;

  template <class Member>
  KOKKOS_FUNCTION void operator()(const Member& team) const {
    copy.copy_as_team(team);
  }
};

template <class Word>
void launch(const Instance& instance, const std::string& label, const RowLayout& source, const RowLayout& target,
            const CopyTable& table) {
  const CopyRows<Word> copy{source, target, table.pieces().data(), common_run(source, target)};
  instance.visit([&](const auto& space) {
    using Space = std::remove_cvref_t<decltype(space)>;
    if constexpr (Kokkos::SpaceAccessibility<Kokkos::HostSpace, typename Space::memory_space>::accessible) {
      // About as long as a launch takes on many threads; on one it is all the time there is.
      if (table.copied_bytes() <= at_once_bytes) {
        for (std::int64_t item = 0; item < table.pieces().size(); ++item) copy(item);
        return;
      }
      Kokkos::parallel_for(
          label, Kokkos::RangePolicy<Space, Kokkos::IndexType<std::int64_t>>(space, 0, table.pieces().size()), copy);
    } else {
      Kokkos::parallel_for(label, Kokkos::TeamPolicy<Space>(space, static_cast<int>(table.pieces().size()), 256),
                           CopyRowsTeam<Word>{copy});
    }
  });
}

}  // namespace

CopyTable::CopyTable(const Instance& instance, const std::vector<RowPiece>& pieces, std::int64_t row_bytes) {
  // Pieces that a thread, or a team of 256, copies in a few microseconds. A league has at most 2^31 - 1 teams.
  std::int64_t piece_bytes = instance.on_host() ? 256 << 10 : 32 << 10;
  std::int64_t total = 0;
  for (const RowPiece& piece : pieces) total += piece.rows * row_bytes;
  if (!instance.on_host()) piece_bytes = std::max(piece_bytes, total >> 28);
  const std::int64_t most = std::max<std::int64_t>(1, piece_bytes / std::max<std::int64_t>(1, row_bytes));

  std::vector<RowPiece> cut;
  for (const RowPiece& piece : pieces) {
    for (std::int64_t row = 0; row < piece.rows && row_bytes > 0; row += most)
      cut.push_back({piece.source + row, piece.target + row, std::min(most, piece.rows - row)});
  }
  copied_bytes_ = total;
  pieces_ = Table<RowPiece>(instance, cut);
}

void copy_rows(const Instance& instance, const std::string& label, const RowLayout& source, const RowLayout& target,
               const CopyTable& table) {
  if (table.empty()) return;
  switch (std::gcd(alignment(source), alignment(target))) {
    case 16: return launch<Word16>(instance, label, source, target, table);
    case 8: return launch<std::uint64_t>(instance, label, source, target, table);
    case 4: return launch<std::uint32_t>(instance, label, source, target, table);
    case 2: return launch<std::uint16_t>(instance, label, source, target, table);
    default: return launch<std::uint8_t>(instance, label, source, target, table);
  }
}

}  // namespace caesura::comm::impl
