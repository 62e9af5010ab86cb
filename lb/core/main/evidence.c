// SPDX-License-Identifier: Apache-2.0
// The main lcore's part in the evidence file: it is made, and its rows are named.
#include "base/clock.h"
#include "main/app.h"

#include <rte_cycles.h>
#include <stdio.h>
#include <string.h>

int ps_evidence_start(struct ps_app *app, const char *run_dir, const char *instance)
{
	const struct ps_evidence_config config = {
		.run_dir = run_dir,
		.instance = instance,
		.version = PS_VERSION,
		.boot_id = ps_segment_boot_id(app->segment),
		.tsc_hz = rte_get_tsc_hz(),
		.now_ns = ps_realtime_ns(),
		.worker_count = app->worker_count,
		.vip_rows = PS_VIP_ROWS,
		.backend_rows = PS_BACKEND_ROWS,
	};
	int removed = ps_evidence_prune(run_dir, PS_EVIDENCE_LEFTOVERS);
	int ret = removed < 0 ? removed : ps_evidence_create(&config, &app->evidence);

	if (ret != 0)
		fprintf(stderr, "popscope-core: cannot create the evidence file in %s: %s\n",
			run_dir, strerror(-ret));
	return ret;
}

void ps_evidence_clock(struct ps_app *app)
{
	uint64_t offset = ps_realtime_ns() - ps_tsc_ns(rte_rdtsc(), app->shared.tsc_hz);

	atomic_store_explicit(&app->shared.realtime_offset, offset, memory_order_relaxed);
}
