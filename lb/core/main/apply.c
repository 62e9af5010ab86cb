// SPDX-License-Identifier: Apache-2.0
// A new configuration: everything that can fail is done beside the old one, then one pointer
// changes, and what the old one alone used is given back once no worker looks at it.
#include "base/clock.h"
#include "main/app.h"
#include "tables/build.h"

#include <arpa/inet.h>
#include <errno.h>
#include <rte_rcu_qsbr.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GRACE_POLL_US 50

typedef char values_text[PS_VALUES_SIZE];

// The rows and neighbours that a new configuration takes; beside its arrays.
struct plan {
	values_text *listener_values;
	values_text *backend_values;
	uint16_t *listener_rows;
	uint16_t *backend_rows;
	uint16_t *neighbours;
	struct ps_runtime *runtime;
};

static void free_plan(struct plan *plan)
{
	free(plan->listener_values);
	free(plan->backend_values);
	free(plan->listener_rows);
	free(plan->backend_rows);
	free(plan->neighbours);
}

static int allocate_plan(struct plan *plan, const struct ps_config *config)
{
	size_t listeners = config->listener_count + 1, backends = config->backend_count + 1;

	*plan = (struct plan){
		.listener_values = calloc(listeners, sizeof *plan->listener_values),
		.backend_values = calloc(backends, sizeof *plan->backend_values),
		.listener_rows = calloc(listeners, sizeof *plan->listener_rows),
		.backend_rows = calloc(backends, sizeof *plan->backend_rows),
		.neighbours = calloc(backends, sizeof *plan->neighbours),
	};
	return plan->listener_values && plan->backend_values && plan->listener_rows &&
			       plan->backend_rows && plan->neighbours
		       ? 0
		       : -ENOMEM;
}

static int name_listeners(struct plan *plan, const struct ps_config *config)
{
	char port[8];
	int ret = 0;

	for (uint32_t i = 0; ret == 0 && i < config->listener_count; i++) {
		const struct ps_config_listener *l = &config->listeners[i];
		struct ps_address_text address = ps_address_text(&l->address);
		snprintf(port, sizeof port, "%u", ntohs(l->port));
		const char *values[] = {
			l->name, address.text, port, l->protocol == IPPROTO_TCP ? "tcp" : "udp"};
		ret = ps_segment_values(plan->listener_values[i], RTE_DIM(values), values);
	}
	return ret;
}

static int name_backends(struct plan *plan, const struct ps_config *config)
{
	int ret = 0;

	for (uint32_t i = 0; ret == 0 && i < config->backend_count; i++) {
		const struct ps_config_backend *b = &config->backends[i];
		struct ps_address_text address = ps_address_text(&b->address);
		const char *values[] = {config->pools[b->pool].name, b->name, address.text};
		ret = ps_segment_values(plan->backend_values[i], RTE_DIM(values), values);
	}
	return ret;
}

static bool names_fit(const struct ps_app *app, enum ps_scope scope, uint32_t count,
	const values_text *texts, uint64_t now_ns)
{
	const char **values = calloc(count + 1, sizeof *values);
	bool fit = false;

	if (values == NULL)
		return false;
	for (uint32_t i = 0; i < count; i++)
		values[i] = texts[i];
	fit = ps_segment_names_fit(app->segment, scope, count, values, now_ns);
	free(values);
	return fit;
}

// Rows for the names; a row that starts anew gets a new epoch.
static int take_rows(struct ps_app *app, enum ps_scope scope, uint32_t count,
	const values_text *texts, uint16_t *rows, uint16_t *epochs)
{
	enum ps_evidence_kind kind =
		scope == PS_SCOPE_VIP ? PS_EVIDENCE_VIPS : PS_EVIDENCE_BACKENDS;

	for (uint32_t i = 0; i < count; i++) {
		uint32_t row;
		bool fresh;
		int ret = ps_segment_name_find_or_add(
			app->segment, scope, texts[i], ps_monotonic_ns(), &row, &fresh);
		if (ret != 0)
			return ret;
		if (fresh && ++epochs[row] == 0)
			epochs[row] = 1;
		if (fresh)
			ps_evidence_name(app->evidence, kind, row, epochs[row], texts[i]);
		rows[i] = (uint16_t)row;
	}
	return 0;
}

static int take_neighbours(struct ps_app *app, const struct ps_config *config, uint16_t *neighbours)
{
	for (uint32_t i = 0; i < config->backend_count; i++) {
		const struct ps_config_backend *b = &config->backends[i];
		const struct ps_config_address *own = &config->addresses[b->own];
		int index = ps_neighbour_add(app->neighbours, (uint16_t)own->port, htons(own->vlan),
			&b->next_hop, &own->address);
		if (index < 0)
			return index;
		neighbours[i] = (uint16_t)index;
	}
	return 0;
}

static int prepare(struct ps_app *app, struct plan *plan, const struct ps_config *config,
	struct ps_errors *errors)
{
	uint64_t now_ns = ps_monotonic_ns();
	int ret = name_listeners(plan, config);

	if (ret == 0)
		ret = name_backends(plan, config);
	if (ret != 0)
		return ret;
	if (!names_fit(app, PS_SCOPE_VIP, config->listener_count, plan->listener_values, now_ns)) {
		ps_errors_add(errors, "/listeners",
			"no free statistics rows: rows of removed listeners are free after 10 s");
		return -ENOSPC;
	}
	if (!names_fit(
		    app, PS_SCOPE_BACKEND, config->backend_count, plan->backend_values, now_ns)) {
		ps_errors_add(errors, "/pools",
			"no free statistics rows: rows of removed backends are free after 10 s");
		return -ENOSPC;
	}
	ps_beat(app);
	ret = take_rows(app, PS_SCOPE_VIP, config->listener_count, plan->listener_values,
		plan->listener_rows, app->vip_epochs);
	if (ret == 0)
		ret = take_rows(app, PS_SCOPE_BACKEND, config->backend_count, plan->backend_values,
			plan->backend_rows, app->backend_epochs);
	if (ret == 0)
		ret = take_neighbours(app, config, plan->neighbours);
	if (ret != 0)
		return ret;
	ps_beat(app);
	const struct ps_build_places places = {
		.listener_rows = plan->listener_rows,
		.backend_rows = plan->backend_rows,
		.neighbours = plan->neighbours,
		.vip_epochs = app->vip_epochs,
		.backend_epochs = app->backend_epochs,
		.workers = app->worker_count,
		.tsc_hz = app->shared.tsc_hz,
		.progress = ps_beat,
		.user = app,
		.old = app->runtime,
		.old_config = app->config,
		.old_backend_rows = app->backend_rows,
	};
	return ps_runtime_build(config, &places, PS_TICKS_PER_SECOND, &plan->runtime);
}

// Rows of the scopes that `runtime` does not use go out of use.
static void retire_rows(struct ps_app *app, const struct ps_runtime *runtime)
{
	bool vips[PS_VIP_ROWS] = {}, backends[PS_BACKEND_ROWS] = {};

	for (uint32_t i = 0; runtime != NULL && i < PS_VIP_ROWS; i++)
		vips[i] = runtime->vip_epochs[i] != 0;
	for (uint32_t i = 0; runtime != NULL && i < PS_BACKEND_ROWS; i++)
		backends[i] = runtime->backends[i].epoch != 0;
	ps_segment_names_retire_others(app->segment, PS_SCOPE_VIP, vips, ps_monotonic_ns());
	ps_segment_names_retire_others(app->segment, PS_SCOPE_BACKEND, backends, ps_monotonic_ns());
}

// Until every worker has passed a quiescent state. Sleeps meanwhile: main may share a worker's CPU.
static void wait_for_quiescence(struct ps_app *app)
{
	uint64_t token = rte_rcu_qsbr_start(app->shared.rcu);

	while (rte_rcu_qsbr_check(app->shared.rcu, token, false) == 0) {
		usleep(GRACE_POLL_US);
		ps_beat(app);
	}
}

// Until no worker uses the old configuration. One that has passed a quiescent state looks at it
// once more, when it takes the new one over; that it has is known after the next.
void ps_wait_for_workers(struct ps_app *app)
{
	wait_for_quiescence(app);
	wait_for_quiescence(app);
}

static void put_in_force(struct ps_app *app, struct ps_config *config, struct plan *plan)
{
	struct ps_runtime *old = app->runtime, *runtime = plan->runtime;

	ps_drain_start(app, config, plan->backend_rows);
	ps_drain_mark(app, runtime, config, plan->backend_rows);
	atomic_store_explicit(&app->shared.runtime, runtime, memory_order_release);
	ps_wait_for_workers(app);
	ps_ports_join(app, config);
	retire_rows(app, runtime);
	ps_beat(app);
	ps_neighbours_sweep(app->neighbours);
	app->neighbours->age_limit = config->timeouts.neighbour * app->shared.tsc_hz;
	ps_runtime_free(old);
	ps_config_free(app->config);
	free(app->backend_rows);
	app->runtime = runtime;
	app->config = config;
	app->backend_rows = plan->backend_rows;
	plan->backend_rows = NULL;
	app->monitor_due = true; // resolve new backends at once
	app->node[PS_NODE_APPLIED_CONFIGS]++;
}

int ps_apply(struct ps_app *app, struct ps_config *config, struct ps_errors *errors)
{
	struct plan plan;
	int ret = allocate_plan(&plan, config);

	if (ret == 0)
		ret = prepare(app, &plan, config, errors);
	if (ret == 0) {
		put_in_force(app, config, &plan);
	} else {
		if (errors->count == 0)
			ps_errors_add(errors, "", "cannot be put in force: %s", strerror(-ret));
		retire_rows(app, app->runtime);
		ps_neighbours_abort(app->neighbours);
		app->node[PS_NODE_REJECTED_CONFIGS]++;
	}
	free_plan(&plan);
	return ret;
}

struct ps_config_limits ps_apply_limits(const struct ps_app *app)
{
	struct ps_config_limits limits = PS_CONFIG_LIMITS_DEFAULT;

	limits.generation = app->config != NULL ? app->config->generation : 0;
	limits.ports = app->port_count;
	limits.max_listeners = PS_VIP_ROWS;
	limits.max_backends = PS_BACKEND_ROWS;
	return limits;
}

int ps_apply_json(void *user, json_t *document, uint64_t *generation, struct ps_errors *errors)
{
	struct ps_app *app = user;
	struct ps_config_limits limits = ps_apply_limits(app);
	struct ps_config *config;
	ps_beat(app);
	int ret = ps_config_from_json(document, &limits, &config, errors);
	ps_beat(app);
	if (ret != 0) {
		app->node[PS_NODE_REJECTED_CONFIGS]++;
		return ret;
	}
	ret = ps_apply(app, config, errors);
	if (ret != 0)
		ps_config_free(config);
	else
		*generation = config->generation;
	return ret;
}
