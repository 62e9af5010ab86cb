// SPDX-License-Identifier: Apache-2.0
#include "tables/guards.h"

#include <errno.h>
#include <rte_malloc.h>

#define BURSTS_A_SECOND 10      // a tenth of a second's worth may come at once
#define LEAST_BITS (8 * 9216.0) // or one frame, of whatever size

static bool has_limits(const struct ps_config_rates *rates)
{
	return rates->new_connections_per_s || rates->connections || rates->packets_per_s ||
	       rates->bits_per_s;
}

static void set_rate(struct ps_limits *limits, enum ps_rate which, uint64_t rate, double least,
	const struct ps_build_places *places)
{
	double share = (double)rate / places->workers;

	limits->rate[which] = share / (double)places->tsc_hz;
	limits->burst[which] = share / BURSTS_A_SECOND > least ? share / BURSTS_A_SECOND : least;
}

static struct ps_limits limits_of(
	const struct ps_config_rates *rates, const struct ps_build_places *places)
{
	struct ps_limits limits = {.connections = UINT64_MAX};

	set_rate(&limits, PS_RATE_NEW_CONNECTIONS, rates->new_connections_per_s, 1, places);
	set_rate(&limits, PS_RATE_PACKETS, rates->packets_per_s, 1, places);
	set_rate(&limits, PS_RATE_BITS, rates->bits_per_s, LEAST_BITS, places);
	if (rates->connections != 0)
		limits.connections = ps_share((uint32_t)rates->connections, places->workers);
	return limits;
}

static int build_lists(struct ps_runtime *runtime, const struct ps_config *config)
{
	runtime->lists =
		rte_zmalloc("lists", (config->list_count + 1) * sizeof *runtime->lists, 64);
	if (runtime->lists == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < config->list_count; i++) {
		const struct ps_config_list *list = &config->lists[i];
		runtime->list_count++;
		int ret = ps_ranges_build(
			&runtime->lists[i], list->rule_count, list->rules, list->deny);
		if (ret != 0)
			return ret;
	}
	if (config->global_list != PS_NO_LIST)
		runtime->global_list = &runtime->lists[config->global_list];
	return 0;
}

static int build_limits(struct ps_runtime *runtime, const struct ps_config *config,
	const struct ps_build_places *places)
{
	size_t count = config->listener_count + config->backend_count + 1;
	struct ps_limits *next;
	bool any = false;

	for (uint32_t i = 0; i < config->backend_count; i++)
		any = any || has_limits(&config->backends[i].limits);
	runtime->limits = rte_zmalloc("limits", count * sizeof *runtime->limits, 64);
	if (any)
		runtime->backend_limits = rte_zmalloc(
			"backend limits", PS_BACKEND_ROWS * sizeof *runtime->backend_limits, 64);
	if (runtime->limits == NULL || (any && runtime->backend_limits == NULL))
		return -ENOMEM;
	next = runtime->limits;
	for (uint32_t i = 0; i < config->listener_count; i++) {
		if (!has_limits(&config->listeners[i].limits))
			continue;
		*next = limits_of(&config->listeners[i].limits, places);
		runtime->listeners[i].limits = next++;
	}
	for (uint32_t i = 0; i < config->backend_count; i++) {
		if (!has_limits(&config->backends[i].limits))
			continue;
		*next = limits_of(&config->backends[i].limits, places);
		runtime->backend_limits[places->backend_rows[i]] = next++;
	}
	return 0;
}

int ps_guards_build(struct ps_runtime *runtime, const struct ps_config *config,
	const struct ps_build_places *places)
{
	int ret = build_lists(runtime, config);

	if (ret == 0)
		ret = build_limits(runtime, config, places);
	for (uint32_t i = 0; ret == 0 && i < config->listener_count; i++) {
		struct ps_listener *listener = &runtime->listeners[i];
		uint32_t list = config->listeners[i].list;

		if (list != PS_NO_LIST)
			listener->list = &runtime->lists[list];
		if (runtime->global_list != NULL || listener->list != NULL ||
			listener->limits != NULL || runtime->backend_limits != NULL)
			listener->features |= PS_FEATURE_GUARD;
	}
	return ret;
}

void ps_guards_release(struct ps_runtime *runtime)
{
	for (uint32_t i = 0; i < runtime->list_count; i++)
		ps_ranges_free(&runtime->lists[i]);
	rte_free(runtime->lists);
	rte_free(runtime->limits);
	rte_free(runtime->backend_limits);
}
