// SPDX-License-Identifier: Apache-2.0
#include "tables/tunnels.h"

#include <errno.h>
#include <netinet/in.h>
#include <rte_byteorder.h>
#include <rte_ip.h>
#include <rte_malloc.h>
#include <rte_udp.h>

#define OUTER_TTL 64
#define GUE_SIZE 4 // version 0, no flags; its second byte, the inner protocol, is the packet's

static uint32_t put_ip(struct ps_tunnel *tunnel, const struct ps_address *source,
	const struct ps_address *destination, uint8_t protocol)
{
	struct rte_ipv4_hdr *v4 = (void *)tunnel->headers;
	struct rte_ipv6_hdr *v6 = (void *)tunnel->headers;

	tunnel->ipv6 = !ps_address_is_v4(destination);
	if (!tunnel->ipv6) {
		v4->version_ihl = RTE_IPV4_VHL_DEF;
		v4->time_to_live = OUTER_TTL;
		v4->next_proto_id = protocol;
		v4->src_addr = source->words[3];
		v4->dst_addr = destination->words[3];
		return sizeof *v4;
	}
	v6->proto = protocol;
	v6->hop_limits = OUTER_TTL;
	memcpy(v6->src_addr, source->bytes, sizeof v6->src_addr);
	memcpy(v6->dst_addr, destination->bytes, sizeof v6->dst_addr);
	return sizeof *v6;
}

// The bits of the last 8 bytes of an address that are behind the prefix, as they lie in memory.
static uint64_t host_bits(const struct ps_prefix *prefix)
{
	uint32_t bits = 128u - prefix->length;

	return bits >= 64 ? UINT64_MAX : rte_cpu_to_be_64((1ULL << bits) - 1);
}

static void fill(struct ps_tunnel *tunnel, const struct ps_config *config,
	const struct ps_config_backend *backend)
{
	const struct ps_config_pool *pool = &config->pools[backend->pool];
	const struct ps_address *source = &config->addresses[backend->own].address;

	if (pool->has_tunnel_source && ps_address_is_v4(&pool->tunnel_source.network) ==
					       ps_address_is_v4(&backend->address)) {
		source = &pool->tunnel_source.network;
		tunnel->flow_bits = host_bits(&pool->tunnel_source);
	}
	tunnel->gue = pool->mode == PS_POOL_GUE;
	// Of IPIP, the protocol is the packet's.
	tunnel->length =
		(uint8_t)put_ip(tunnel, source, &backend->address, tunnel->gue ? IPPROTO_UDP : 0);
	if (!tunnel->gue)
		return;
	struct rte_udp_hdr *udp = (void *)(tunnel->headers + tunnel->length);
	udp->dst_port = pool->gue_port;
	tunnel->length += sizeof *udp + GUE_SIZE;
	tunnel->checksum = tunnel->ipv6 && pool->gue_checksum;
}

static bool has_tunnel(const struct ps_config *config, uint32_t backend)
{
	enum ps_pool_mode mode = config->pools[config->backends[backend].pool].mode;

	return mode == PS_POOL_IPIP || mode == PS_POOL_GUE;
}

int ps_tunnels_build(struct ps_runtime *runtime, const struct ps_config *config,
	const struct ps_build_places *places)
{
	uint32_t rows = 0; // the highest of a tunnel, plus 1

	for (uint32_t i = 0; i < config->backend_count; i++)
		if (has_tunnel(config, i) && places->backend_rows[i] >= rows)
			rows = places->backend_rows[i] + 1u;
	if (rows == 0)
		return 0;
	runtime->tunnels = rte_zmalloc("tunnels", rows * sizeof *runtime->tunnels, 64);
	if (runtime->tunnels == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < config->backend_count; i++)
		if (has_tunnel(config, i))
			fill(&runtime->tunnels[places->backend_rows[i]], config,
				&config->backends[i]);
	return 0;
}
