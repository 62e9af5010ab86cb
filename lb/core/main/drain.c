// SPDX-License-Identifier: Apache-2.0
// Draining backends and their deadlines, which run from when the weight became 0.
#include "main/app.h"

#include <rte_cycles.h>

void ps_drain_start(
	struct ps_app *app, const struct ps_config *config, const uint16_t *backend_rows)
{
	for (uint32_t i = 0; i < config->backend_count; i++) {
		uint16_t row = backend_rows[i], epoch = app->backend_epochs[row];

		if (config->backends[i].weight != 0)
			app->drain_since[row] = 0;
		else if (app->drain_since[row] == 0 || app->drain_epochs[row] != epoch)
			app->drain_since[row] = rte_rdtsc();
		app->drain_epochs[row] = epoch;
	}
}

// No other backend can go on with what address translation tied to one.
void ps_drain_mark(const struct ps_app *app, struct ps_runtime *runtime,
	const struct ps_config *config, const uint16_t *backend_rows)
{
	uint64_t now = rte_rdtsc();

	for (uint32_t i = 0; i < config->backend_count; i++) {
		const struct ps_config_backend *b = &config->backends[i];
		struct ps_backend *backend = &runtime->backends[backend_rows[i]];

		if (b->weight == 0 && b->drain_deadline_s != 0 && !backend->drained &&
			now - app->drain_since[backend_rows[i]] >=
				b->drain_deadline_s * app->shared.tsc_hz)
			backend->drained = b->drain_reset || backend->way == PS_WAY_NAT
						   ? PS_DRAINED_RESET
						   : PS_DRAINED_LEAVE;
	}
}
