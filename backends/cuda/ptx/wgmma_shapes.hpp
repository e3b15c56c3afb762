// SPDX-FileCopyrightText: 2026 The Caesura authors
// SPDX-License-Identifier: Apache-2.0

#pragma once

// The text of wgmma names each accumulator register: lists of them, by eights, and for each number of columns N its N / 2
// registers and the numbers of the operands behind them.

#define CAESURA_TEXT_0 "%0, %1, %2, %3, %4, %5, %6, %7"
#define CAESURA_TEXT_1 "%8, %9, %10, %11, %12, %13, %14, %15"
#define CAESURA_TEXT_2 "%16, %17, %18, %19, %20, %21, %22, %23"
#define CAESURA_TEXT_3 "%24, %25, %26, %27, %28, %29, %30, %31"
#define CAESURA_TEXT_4 "%32, %33, %34, %35, %36, %37, %38, %39"
#define CAESURA_TEXT_5 "%40, %41, %42, %43, %44, %45, %46, %47"
#define CAESURA_TEXT_6 "%48, %49, %50, %51, %52, %53, %54, %55"
#define CAESURA_TEXT_7 "%56, %57, %58, %59, %60, %61, %62, %63"
#define CAESURA_TEXT_8 "%64, %65, %66, %67, %68, %69, %70, %71"
#define CAESURA_TEXT_9 "%72, %73, %74, %75, %76, %77, %78, %79"
#define CAESURA_TEXT_10 "%80, %81, %82, %83, %84, %85, %86, %87"
#define CAESURA_TEXT_11 "%88, %89, %90, %91, %92, %93, %94, %95"
#define CAESURA_TEXT_12 "%96, %97, %98, %99, %100, %101, %102, %103"
#define CAESURA_TEXT_13 "%104, %105, %106, %107, %108, %109, %110, %111"
#define CAESURA_TEXT_14 "%112, %113, %114, %115, %116, %117, %118, %119"
#define CAESURA_TEXT_15 "%120, %121, %122, %123, %124, %125, %126, %127"

#define CAESURA_REGISTERS_8(i)                                                                                \
  "+f"(d[i]), "+f"(d[i + 1]), "+f"(d[i + 2]), "+f"(d[i + 3]), "+f"(d[i + 4]), "+f"(d[i + 5]), "+f"(d[i + 6]), \
      "+f"(d[i + 7])

#define CAESURA_TEXT_N64 CAESURA_TEXT_0 ", " CAESURA_TEXT_1 ", " CAESURA_TEXT_2 ", " CAESURA_TEXT_3
#define CAESURA_REGISTERS_N64 \
  CAESURA_REGISTERS_8(0), CAESURA_REGISTERS_8(8), CAESURA_REGISTERS_8(16), CAESURA_REGISTERS_8(24)
#define CAESURA_TEXT_N80 CAESURA_TEXT_N64 ", " CAESURA_TEXT_4
#define CAESURA_REGISTERS_N80 CAESURA_REGISTERS_N64, CAESURA_REGISTERS_8(32)
#define CAESURA_TEXT_N96 CAESURA_TEXT_N80 ", " CAESURA_TEXT_5
#define CAESURA_REGISTERS_N96 CAESURA_REGISTERS_N80, CAESURA_REGISTERS_8(40)
#define CAESURA_TEXT_N112 CAESURA_TEXT_N96 ", " CAESURA_TEXT_6
#define CAESURA_REGISTERS_N112 CAESURA_REGISTERS_N96, CAESURA_REGISTERS_8(48)
#define CAESURA_TEXT_N128 CAESURA_TEXT_N112 ", " CAESURA_TEXT_7
#define CAESURA_REGISTERS_N128 CAESURA_REGISTERS_N112, CAESURA_REGISTERS_8(56)
#define CAESURA_TEXT_N160 CAESURA_TEXT_N128 ", " CAESURA_TEXT_8 ", " CAESURA_TEXT_9
#define CAESURA_REGISTERS_N160 CAESURA_REGISTERS_N128, CAESURA_REGISTERS_8(64), CAESURA_REGISTERS_8(72)
#define CAESURA_TEXT_N176 CAESURA_TEXT_N160 ", " CAESURA_TEXT_10
#define CAESURA_REGISTERS_N176 CAESURA_REGISTERS_N160, CAESURA_REGISTERS_8(80)
#define CAESURA_TEXT_N192 CAESURA_TEXT_N176 ", " CAESURA_TEXT_11
#define CAESURA_REGISTERS_N192 CAESURA_REGISTERS_N176, CAESURA_REGISTERS_8(88)
#define CAESURA_TEXT_N256 \
  CAESURA_TEXT_N192 ", " CAESURA_TEXT_12 ", " CAESURA_TEXT_13 ", " CAESURA_TEXT_14 ", " CAESURA_TEXT_15
#define CAESURA_REGISTERS_N256                                                                         \
  CAESURA_REGISTERS_N192, CAESURA_REGISTERS_8(96), CAESURA_REGISTERS_8(104), CAESURA_REGISTERS_8(112), \
      CAESURA_REGISTERS_8(120)

/// X(type, N, text of the registers, the registers, the operands behind them) for each N that there is.
#define CAESURA_WGMMA_SHAPES(X, type)                                                                         \
  X(type, 64, CAESURA_TEXT_N64, CAESURA_REGISTERS_N64, "%32", "%33", "%34", "%35", "%36", "%37", "%38")       \
  X(type, 80, CAESURA_TEXT_N80, CAESURA_REGISTERS_N80, "%40", "%41", "%42", "%43", "%44", "%45", "%46")       \
  X(type, 96, CAESURA_TEXT_N96, CAESURA_REGISTERS_N96, "%48", "%49", "%50", "%51", "%52", "%53", "%54")       \
  X(type, 112, CAESURA_TEXT_N112, CAESURA_REGISTERS_N112, "%56", "%57", "%58", "%59", "%60", "%61", "%62")    \
  X(type, 128, CAESURA_TEXT_N128, CAESURA_REGISTERS_N128, "%64", "%65", "%66", "%67", "%68", "%69", "%70")    \
  X(type, 160, CAESURA_TEXT_N160, CAESURA_REGISTERS_N160, "%80", "%81", "%82", "%83", "%84", "%85", "%86")    \
  X(type, 176, CAESURA_TEXT_N176, CAESURA_REGISTERS_N176, "%88", "%89", "%90", "%91", "%92", "%93", "%94")    \
  X(type, 192, CAESURA_TEXT_N192, CAESURA_REGISTERS_N192, "%96", "%97", "%98", "%99", "%100", "%101", "%102") \
  X(type, 256, CAESURA_TEXT_N256, CAESURA_REGISTERS_N256, "%128", "%129", "%130", "%131", "%132", "%133", "%134")
