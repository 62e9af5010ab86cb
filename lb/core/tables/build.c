// SPDX-License-Identifier: Apache-2.0
#include "tables/build.h"

#include "tables/pools.h"

#include <errno.h>
#include <rte_common.h>
#include <rte_malloc.h>

static void put(struct ps_runtime *runtime, uint64_t key, uint32_t index, enum ps_target target)
{
	// ps_runtime_find() returns the place of a key that is not there, too.
	struct ps_runtime_entry *entry = (struct ps_runtime_entry *)ps_runtime_find(runtime, key);

	*entry = (struct ps_runtime_entry){.key = key, .index = index, .target = target};
}

static void put_targets(struct ps_runtime *runtime, const struct ps_config *config,
	const struct ps_build_places *places)
{
	for (uint32_t i = 0; i < config->vip_count; i++)
		put(runtime, ps_target_key(config->vips[i], 0, PS_KEY_ADDRESS), i, PS_TARGET_VIP);
	for (uint32_t i = 0; i < config->address_count; i++) {
		const struct ps_config_address *own = &config->addresses[i];
		put(runtime, ps_target_key(own->address, 0, PS_KEY_ADDRESS), own->port,
			PS_TARGET_OWN);
	}
	for (uint32_t i = 0; i < config->listener_count; i++) {
		const struct ps_config_listener *l = &config->listeners[i];
		put(runtime, ps_target_key(l->address, l->port, l->protocol), i,
			PS_TARGET_LISTENER);
	}
	for (uint32_t i = 0; i < config->backend_count; i++) {
		const struct ps_config_backend *b = &config->backends[i];
		uint16_t port = (uint16_t)config->addresses[b->own].port;
		put(runtime, ps_target_key(b->address, port, PS_KEY_NEIGHBOUR),
			places->neighbours[i], PS_TARGET_NEIGHBOUR);
	}
}

static void fill_backends(struct ps_runtime *runtime, const struct ps_config *config,
	const struct ps_build_places *places)
{
	for (uint32_t i = 0; i < config->backend_count; i++) {
		uint16_t row = places->backend_rows[i];
		runtime->backends[row] = (struct ps_backend){
			.epoch = places->backend_epochs[row],
			.port = (uint16_t)config->addresses[config->backends[i].own].port,
			.neighbour = places->neighbours[i],
		};
	}
}

static void fill_listeners(struct ps_runtime *runtime, const struct ps_config *config,
	const struct ps_build_places *places)
{
	for (uint32_t i = 0; i < config->listener_count; i++) {
		const struct ps_config_listener *l = &config->listeners[i];
		uint16_t row = places->listener_rows[i];
		runtime->listeners[i] = (struct ps_listener){
			.pool = &runtime->pools[l->pool],
			.row = row,
			.epoch = places->vip_epochs[row],
			.tcp_sloppy = l->tcp_sloppy,
		};
		runtime->vip_epochs[row] = places->vip_epochs[row];
	}
}

static int allocate(struct ps_runtime *runtime, const struct ps_config *config)
{
	uint32_t targets = config->vip_count + config->address_count + config->listener_count +
			   config->backend_count;
	uint32_t entries = rte_align32pow2(2 * targets + 2);

	runtime->mask = entries - 1;
	runtime->listener_count = config->listener_count;
	runtime->pool_count = config->pool_count;
	runtime->entries = rte_zmalloc("targets", entries * sizeof *runtime->entries, 64);
	runtime->listeners = rte_zmalloc(
		"listeners", (config->listener_count + 1) * sizeof *runtime->listeners, 64);
	runtime->pools =
		rte_zmalloc("pools", (config->pool_count + 1) * sizeof *runtime->pools, 64);
	if (runtime->entries == NULL || runtime->listeners == NULL || runtime->pools == NULL)
		return -ENOMEM;
	return 0;
}

int ps_runtime_build(const struct ps_config *config, const struct ps_build_places *places,
	uint32_t ticks_per_second, struct ps_runtime **out)
{
	struct ps_runtime *runtime = rte_zmalloc("runtime", sizeof *runtime, 64);
	int ret = runtime != NULL ? allocate(runtime, config) : -ENOMEM;

	if (ret == 0)
		ret = ps_pools_build(runtime, config, places);
	if (ret != 0) {
		ps_runtime_free(runtime);
		return ret;
	}
	runtime->generation = config->generation;
	runtime->timeouts[PS_TIMEOUT_TCP_SYN] = config->timeouts.tcp_syn * ticks_per_second;
	runtime->timeouts[PS_TIMEOUT_TCP_ESTABLISHED] =
		config->timeouts.tcp_established * ticks_per_second;
	runtime->timeouts[PS_TIMEOUT_TCP_FIN] = config->timeouts.tcp_fin * ticks_per_second;
	runtime->timeouts[PS_TIMEOUT_UDP] = config->timeouts.udp * ticks_per_second;
	put_targets(runtime, config, places);
	fill_backends(runtime, config, places);
	fill_listeners(runtime, config, places);
	*out = runtime;
	return 0;
}

void ps_runtime_free(struct ps_runtime *runtime)
{
	if (runtime == NULL)
		return;
	ps_pools_release(runtime);
	rte_free(runtime->pools);
	rte_free(runtime->listeners);
	rte_free(runtime->entries);
	rte_free(runtime);
}
