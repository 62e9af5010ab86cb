// SPDX-License-Identifier: Apache-2.0
// Traces are armed and ended here; the workers find the one in force by a pointer.
#include "base/clock.h"
#include "main/app.h"

#include <stdlib.h>

#define NS 1000000000ULL

static void end_trace(struct ps_app *app)
{
	atomic_store_explicit(&app->shared.trace, NULL, memory_order_release);
	ps_wait_for_workers(app);
	free(app->trace);
	app->trace = NULL;
}

void ps_trace_expire(struct ps_app *app)
{
	if (app->trace != NULL && ps_monotonic_ns() >= app->trace_end_ns)
		end_trace(app);
}

json_t *ps_trace_json(void *user, json_t *request, struct ps_errors *errors)
{
	struct ps_app *app = user;
	struct ps_trace wanted;

	if (!ps_trace_read(request, &wanted, errors))
		return NULL;
	ps_trace_expire(app);
	if (wanted.count > 0 && app->trace != NULL) {
		ps_errors_add(errors, "",
			"another trace is armed, for %u s more at most; a count of 0 ends it",
			(unsigned)((app->trace_end_ns - ps_monotonic_ns()) / NS + 1));
		return NULL;
	}
	if (app->trace != NULL)
		end_trace(app);
	if (wanted.count > 0) {
		app->trace = malloc(sizeof *app->trace);
		if (app->trace == NULL)
			return NULL;
		*app->trace = wanted;
		app->trace->id = ++app->last_trace;
		app->trace_end_ns = ps_monotonic_ns() + wanted.seconds * NS;
		atomic_store_explicit(&app->shared.trace, app->trace, memory_order_release);
	}
	return json_pack("{s:I}", "trace", (json_int_t)(wanted.count > 0 ? app->last_trace : 0));
}
