// SPDX-License-Identifier: Apache-2.0
#include "tables/build.h"

#include "tables/guards.h"
#include "tables/locals.h"
#include "tables/pools.h"
#include "tables/tunnels.h"

#include <errno.h>
#include <rte_common.h>
#include <rte_malloc.h>

// What a key means; `port` and `protocol` as in ps_target_key().
static void put(struct ps_runtime *runtime, const struct ps_address *address, uint16_t port,
	uint8_t protocol, uint32_t index, enum ps_target target)
{
	// The place of a key that is not there is found, too.
	struct ps_runtime_entry *entry = (struct ps_runtime_entry *)ps_runtime_find_address(
		runtime, address, port, protocol);

	entry->key = ps_address_is_v4(address) ? ps_target_key(address->words[3], port, protocol)
					       : ps_target_key6(address, port, protocol);
	entry->index = index;
	entry->target = target;
	runtime->addresses[entry - runtime->entries] = *address;
}

static void put_interfaces(struct ps_runtime *runtime, const struct ps_config *config)
{
	for (uint32_t i = 0; i < config->interface_count; i++) {
		const struct ps_config_interface *from = &config->interfaces[i];
		// No IPv4 address of a packet is compared with these.
		struct ps_address place = ps_address_v4(from->port + 1u);

		put(runtime, &place, htons(from->vlan), PS_KEY_INTERFACE, PS_MAX_PORTS + i,
			PS_TARGET_INTERFACE);
	}
}

// Index of the interface of an own address.
static uint16_t interface_of(const struct ps_config *config, uint32_t own)
{
	const struct ps_config_address *address = &config->addresses[own];

	return (uint16_t)(address->vlan == 0 ? address->port : PS_MAX_PORTS + address->interface);
}

static void put_targets(struct ps_runtime *runtime, const struct ps_config *config,
	const struct ps_build_places *places)
{
	for (uint32_t i = 0; i < config->vip_count; i++)
		put(runtime, &config->vips[i], 0, PS_KEY_ADDRESS, 0, PS_TARGET_VIP);
	for (uint32_t i = 0; i < config->address_count; i++) {
		const struct ps_config_address *own = &config->addresses[i];
		runtime->own[i].address = own->address;
		runtime->own[i].interface = interface_of(config, i);
		put(runtime, &own->address, 0, PS_KEY_ADDRESS, i, PS_TARGET_OWN);
	}
	for (uint32_t i = 0; i < config->listener_count; i++) {
		const struct ps_config_listener *l = &config->listeners[i];
		put(runtime, &l->address, l->port, l->protocol, i, PS_TARGET_LISTENER);
		if (l->icmp_echo)
			put(runtime, &l->address, 0, PS_KEY_ADDRESS, PS_VIP_ANSWERS_ECHO,
				PS_TARGET_VIP);
	}
	for (uint32_t i = 0; i < config->backend_count; i++) {
		const struct ps_config_backend *b = &config->backends[i];
		put(runtime, &b->next_hop, interface_of(config, b->own), PS_KEY_NEIGHBOUR,
			places->neighbours[i], PS_TARGET_NEIGHBOUR);
	}
}

static uint8_t way_of(enum ps_pool_mode mode)
{
	if (mode == PS_POOL_DSR)
		return PS_WAY_MAC;
	return mode == PS_POOL_NAT ? PS_WAY_NAT : PS_WAY_TUNNEL;
}

static void fill_backends(struct ps_runtime *runtime, const struct ps_config *config,
	const struct ps_build_places *places)
{
	for (uint32_t i = 0; i < config->backend_count; i++) {
		const struct ps_config_address *own = &config->addresses[config->backends[i].own];
		uint16_t row = places->backend_rows[i];
		runtime->backends[row] = (struct ps_backend){
			.epoch = places->backend_epochs[row],
			.port = (uint8_t)own->port,
			.way = way_of(config->pools[config->backends[i].pool].mode),
			.vlan = htons(own->vlan),
			.neighbour = places->neighbours[i],
		};
	}
}

static void fill_timeouts(uint32_t ticks[PS_CONN_STATES], const struct ps_config_timeouts *timeouts,
	uint32_t a_second)
{
	ticks[PS_CONN_SYN] = timeouts->tcp_syn * a_second;
	ticks[PS_CONN_ESTABLISHED] = timeouts->tcp_established * a_second;
	ticks[PS_CONN_FIN] = timeouts->tcp_fin * a_second;
	ticks[PS_CONN_RESET] = timeouts->tcp_fin * a_second;
	ticks[PS_CONN_UDP] = timeouts->udp * a_second;
}

static void fill_listeners(struct ps_runtime *runtime, const struct ps_config *config,
	const struct ps_build_places *places, uint32_t ticks_per_second)
{
	for (uint32_t i = 0; i < config->listener_count; i++) {
		const struct ps_config_listener *l = &config->listeners[i];
		uint16_t row = places->listener_rows[i];
		bool nat = config->pools[l->pool].mode == PS_POOL_NAT;
		runtime->listeners[i] = (struct ps_listener){
			.pool = &runtime->pools[l->pool],
			.row = row,
			.epoch = places->vip_epochs[row],
			.tcp_sloppy = l->tcp_sloppy && !nat,
			.features = (l->quic ? PS_FEATURE_QUIC : 0) | (nat ? PS_FEATURE_NAT : 0),
			.quic_rotation = l->quic_rotation,
			.server_id_length = l->server_id_length,
			.half_open_untracked = l->half_open_untracked,
			.max_half_open = ps_share(l->max_half_open, places->workers),
		};
		fill_timeouts(runtime->listeners[i].timeouts, &l->timeouts, ticks_per_second);
		runtime->vip_epochs[row] = places->vip_epochs[row];
	}
}

static int allocate(struct ps_runtime *runtime, const struct ps_config *config)
{
	uint32_t targets = config->vip_count + config->address_count + config->listener_count +
			   config->backend_count + config->interface_count;
	uint32_t entries = rte_align32pow2(2 * targets + 2);

	runtime->mask = entries - 1;
	runtime->listener_count = config->listener_count;
	runtime->pool_count = config->pool_count;
	runtime->entries = rte_zmalloc("targets", entries * sizeof *runtime->entries, 64);
	runtime->addresses = rte_zmalloc("addresses", entries * sizeof *runtime->addresses, 64);
	runtime->own = rte_zmalloc("own", (config->address_count + 1) * sizeof *runtime->own, 64);
	runtime->listeners = rte_zmalloc(
		"listeners", (config->listener_count + 1) * sizeof *runtime->listeners, 64);
	runtime->pools =
		rte_zmalloc("pools", (config->pool_count + 1) * sizeof *runtime->pools, 64);
	bool complete = runtime->entries != NULL && runtime->addresses != NULL &&
			runtime->own != NULL && runtime->listeners != NULL &&
			runtime->pools != NULL;
	return complete ? 0 : -ENOMEM;
}

int ps_runtime_build(const struct ps_config *config, const struct ps_build_places *places,
	uint32_t ticks_per_second, struct ps_runtime **out)
{
	struct ps_runtime *runtime = rte_zmalloc("runtime", sizeof *runtime, 64);
	int ret = runtime != NULL ? allocate(runtime, config) : -ENOMEM;

	if (ret == 0)
		ret = ps_pools_build(runtime, config, places);
	if (ret == 0)
		ret = ps_tunnels_build(runtime, config, places);
	if (ret == 0)
		ret = ps_locals_build(runtime, config, places);
	if (ret != 0) {
		ps_runtime_free(runtime);
		return ret;
	}
	runtime->generation = config->generation;
	put_interfaces(runtime, config);
	put_targets(runtime, config, places);
	fill_backends(runtime, config, places);
	fill_listeners(runtime, config, places, ticks_per_second);
	ret = ps_guards_build(runtime, config, places);
	if (ret != 0) {
		ps_runtime_free(runtime);
		return ret;
	}
	*out = runtime;
	return 0;
}

void ps_runtime_free(struct ps_runtime *runtime)
{
	if (runtime == NULL)
		return;
	ps_pools_release(runtime);
	ps_guards_release(runtime);
	ps_locals_release(runtime);
	rte_free(runtime->tunnels);
	rte_free(runtime->pools);
	rte_free(runtime->listeners);
	rte_free(runtime->own);
	rte_free(runtime->addresses);
	rte_free(runtime->entries);
	rte_free(runtime);
}
