// SPDX-License-Identifier: Apache-2.0
// The Maglev tables of a runtime.
#pragma once

#include "tables/build.h"

// Builds the table of each pool, or shares that of the runtime in force. Returns as
// ps_runtime_build(); then ps_pools_release() all the same.
int ps_pools_build(struct ps_runtime *runtime, const struct ps_config *config,
	const struct ps_build_places *places);
void ps_pools_release(struct ps_runtime *runtime);
