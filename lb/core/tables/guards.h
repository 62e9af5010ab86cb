// SPDX-License-Identifier: Apache-2.0
// Lists and limits of a runtime.
#pragma once

#include "tables/build.h"

// After listeners and backends were filled in. Returns 0 or -ENOMEM; then release it all the same.
int ps_guards_build(struct ps_runtime *runtime, const struct ps_config *config,
	const struct ps_build_places *places);
void ps_guards_release(struct ps_runtime *runtime);
