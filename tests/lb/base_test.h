// SPDX-License-Identifier: Apache-2.0
// cmocka, which needs others' headers before its own, and what the tests of the base share.
#pragma once

// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

// The same sequence in every run.
static inline uint32_t random_below(uint32_t bound)
{
	static uint64_t state = 42;

	state = state * 6364136223846793005 + 1442695040888963407;
	return (uint32_t)((state >> 33) % bound);
}
