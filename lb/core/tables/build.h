// SPDX-License-Identifier: Apache-2.0
// A validated configuration to a runtime. The main lcore calls it; the packet path does not.
#pragma once

#include "base/config.h"
#include "tables/runtime.h"

// Where the parts of a configuration have their rows; arrays run beside those of struct ps_config.
struct ps_build_places {
	const uint16_t *listener_rows;
	const uint16_t *backend_rows;
	const uint16_t *neighbours;     // of each backend
	const uint16_t *vip_epochs;     // by row
	const uint16_t *backend_epochs; // by row
	uint32_t workers;
	uint64_t tsc_hz;
	void (*progress)(void *user); // called after each pool: many take seconds
	void *user;
	// What is in force, to share tables with; `old` may be NULL.
	const struct ps_runtime *old;
	const struct ps_config *old_config;
	const uint16_t *old_backend_rows;
};

// What one of the workers gets of a limit of all: rounded up, so that each has some.
static inline uint32_t ps_share(uint32_t limit, uint32_t workers)
{
	return (limit + workers - 1) / workers;
}

// Returns 0, -ENOMEM (DPDK's memory), or -EINVAL when a Maglev table cannot be built.
int ps_runtime_build(const struct ps_config *config, const struct ps_build_places *places,
	uint32_t ticks_per_second, struct ps_runtime **out);
// No worker may use it any more. NULL is allowed.
void ps_runtime_free(struct ps_runtime *runtime);
