// SPDX-License-Identifier: Apache-2.0
#include "tables/locals.h"

#include "tables/build.h"

#include <errno.h>
#include <rte_common.h>
#include <rte_malloc.h>
#include <rte_random.h>
#include <stdlib.h>

static uint32_t last_serial; // of the main lcore

static bool is_same(const struct ps_local *local, const struct ps_config *config, uint32_t own,
	uint8_t protocol)
{
	return local->protocol == protocol && local->first == config->nat_first_port &&
	       local->last == config->nat_last_port &&
	       ps_address_equal(&local->address, &config->addresses[own].address);
}

static struct ps_local *find(const struct ps_runtime *runtime, const struct ps_config *config,
	uint32_t own, uint8_t protocol)
{
	for (uint32_t i = 0; runtime != NULL && i < PS_LOCALS; i++)
		if (runtime->locals[i] != NULL &&
			is_same(runtime->locals[i], config, own, protocol))
			return runtime->locals[i];
	return NULL;
}

static void free_local(struct ps_local *local)
{
	for (uint32_t i = 0; i < local->workers; i++) {
		rte_free(local->shares[i].queue);
		rte_free(local->shares[i].sessions);
	}
	rte_free(local);
}

// Which port is next is not to be guessed from the last one (RFC 6056).
static void shuffle(uint16_t *queue, uint32_t size)
{
	for (uint32_t i = 0; i < size; i++) {
		uint32_t other = (uint32_t)rte_rand_max(i + 1);

		queue[i] = queue[other];
		queue[other] = (uint16_t)i;
	}
}

static int fill_share(struct ps_local *local, struct ps_local_share *share)
{
	share->queue = rte_malloc("local ports", local->size * sizeof *share->queue, 64);
	share->sessions = rte_zmalloc("sessions", local->size * sizeof *share->sessions, 64);
	if (share->queue == NULL || share->sessions == NULL)
		return -ENOMEM;
	shuffle(share->queue, local->size);
	share->free = local->size;
	return 0;
}

static struct ps_local *make(
	const struct ps_config *config, uint32_t own, uint8_t protocol, uint32_t workers)
{
	size_t size = sizeof(struct ps_local) + workers * sizeof(struct ps_local_share);
	struct ps_local *local = rte_zmalloc("local address", size, 64);
	int ret = 0;

	if (local == NULL)
		return NULL;
	local->address = config->addresses[own].address;
	local->serial = ++last_serial;
	local->first = config->nat_first_port;
	local->last = config->nat_last_port;
	local->protocol = protocol;
	local->workers = workers;
	local->size = (local->last - local->first + 1u) / workers;
	for (uint32_t i = 0; ret == 0 && i < workers; i++)
		ret = fill_share(local, &local->shares[i]);
	if (ret == 0)
		return local;
	free_local(local);
	return NULL;
}

// One that is in force keeps its slot; another must not get it, for entries of connections name it.
static struct ps_local *take(struct ps_runtime *runtime, const struct ps_config *config,
	const struct ps_build_places *places, uint32_t own, uint8_t protocol)
{
	struct ps_local *local = find(places->old, config, own, protocol);
	uint16_t slot = 0;

	if (local == NULL) {
		local = make(config, own, protocol, places->workers);
		if (local == NULL)
			return NULL;
		while (runtime->locals[slot] != NULL ||
			(places->old != NULL && places->old->locals[slot] != NULL))
			slot++;
		local->slot = slot;
	}
	local->users++;
	runtime->locals[local->slot] = local;
	return local;
}

// Those of a pool, for one protocol. Pools may share them.
static struct ps_local **take_all(struct ps_runtime *runtime, const struct ps_config *config,
	const struct ps_build_places *places, uint32_t pool, uint8_t protocol)
{
	const struct ps_config_pool *from = &config->pools[pool];
	struct ps_local **list = rte_zmalloc("locals", (from->local_count + 1) * sizeof *list, 64);

	for (uint32_t i = 0; list != NULL && i < from->local_count; i++) {
		uint32_t own = config->locals[from->first_local + i];
		struct ps_own *address = &runtime->own[own];
		struct ps_local **known = protocol == IPPROTO_TCP ? &address->tcp : &address->udp;

		if (*known == NULL)
			*known = take(runtime, config, places, own, protocol);
		list[i] = *known;
		if (list[i] == NULL) {
			rte_free(list);
			return NULL;
		}
	}
	return list;
}

#define HAS_TCP 1u
#define HAS_UDP 2u

static int build_pool(struct ps_runtime *runtime, const struct ps_config *config,
	const struct ps_build_places *places, uint32_t index, uint8_t protocols)
{
	const struct ps_config_pool *from = &config->pools[index];
	struct ps_nat *nat = rte_zmalloc("nat", sizeof *nat, 64);

	if (nat == NULL)
		return -ENOMEM;
	runtime->pools[index].nat = nat;
	nat->client_address = (uint8_t)from->client_address;
	nat->count = from->local_count;
	if (protocols & HAS_TCP)
		nat->tcp = take_all(runtime, config, places, index, IPPROTO_TCP);
	if (protocols & HAS_UDP)
		nat->udp = take_all(runtime, config, places, index, IPPROTO_UDP);
	if (((protocols & HAS_TCP) && nat->tcp == NULL) ||
		((protocols & HAS_UDP) && nat->udp == NULL))
		return -ENOMEM;
	for (uint32_t i = 0; i < from->backend_count; i++) {
		const struct ps_config_backend *b = &config->backends[from->first_backend + i];
		runtime->nat_backends[places->backend_rows[from->first_backend + i]] =
			(struct ps_nat_backend){.address = b->address, .port = b->port};
	}
	return 0;
}

static int allocate_backends(struct ps_runtime *runtime, const struct ps_config *config,
	const struct ps_build_places *places)
{
	uint32_t rows = 0; // the highest, plus 1

	for (uint32_t i = 0; i < config->backend_count; i++)
		if (config->pools[config->backends[i].pool].mode == PS_POOL_NAT &&
			places->backend_rows[i] >= rows)
			rows = places->backend_rows[i] + 1u;
	if (rows == 0)
		return 0;
	runtime->nat_backends =
		rte_zmalloc("nat backends", rows * sizeof *runtime->nat_backends, 64);
	return runtime->nat_backends != NULL ? 0 : -ENOMEM;
}

int ps_locals_build(struct ps_runtime *runtime, const struct ps_config *config,
	const struct ps_build_places *places)
{
	int ret = allocate_backends(runtime, config, places);
	uint8_t *protocols;

	if (ret != 0 || runtime->nat_backends == NULL)
		return ret;
	protocols = calloc(config->pool_count + 1, sizeof *protocols);
	if (protocols == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < config->listener_count; i++)
		protocols[config->listeners[i].pool] |=
			config->listeners[i].protocol == IPPROTO_TCP ? HAS_TCP : HAS_UDP;
	for (uint32_t i = 0; ret == 0 && i < config->pool_count; i++)
		if (config->pools[i].mode == PS_POOL_NAT)
			ret = build_pool(runtime, config, places, i, protocols[i]);
	free(protocols);
	return ret;
}

void ps_locals_release(struct ps_runtime *runtime)
{
	for (uint32_t i = 0; runtime->pools != NULL && i < runtime->pool_count; i++) {
		struct ps_nat *nat = runtime->pools[i].nat;

		if (nat == NULL)
			continue;
		rte_free(nat->tcp);
		rte_free(nat->udp);
		rte_free(nat);
	}
	for (uint32_t i = 0; i < PS_LOCALS; i++)
		if (runtime->locals[i] != NULL && --runtime->locals[i]->users == 0)
			free_local(runtime->locals[i]);
	rte_free(runtime->nat_backends);
}
