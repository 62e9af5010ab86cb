// SPDX-License-Identifier: Apache-2.0
// The two clocks of the main lcore.
#pragma once

#include <stdint.h>
#include <time.h>

static inline uint64_t ps_clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

// For others to read: it may be set, and jump.
static inline uint64_t ps_realtime_ns(void)
{
	return ps_clock_ns(CLOCK_REALTIME);
}

// For waiting.
static inline uint64_t ps_monotonic_ns(void)
{
	return ps_clock_ns(CLOCK_MONOTONIC);
}
