// SPDX-License-Identifier: Apache-2.0
// The outer headers of a runtime's tunnels.
#pragma once

#include "tables/build.h"

// Returns as ps_runtime_build().
int ps_tunnels_build(struct ps_runtime *runtime, const struct ps_config *config,
	const struct ps_build_places *places);
