// SPDX-License-Identifier: Apache-2.0
// What pools say of their tunnels.
#include "base/config_private.h"

#include <stdlib.h>
#include <string.h>

#define DEFAULT_GUE_PORT 6080
// No source that the flow varies leaves the class of its network.
#define SHORTEST_V4 (PS_V4_PREFIX + 8)
#define SHORTEST_V6 16

// An address, or a network whose hosts the flows decide.
static bool read_source(const struct ps_object *object, struct ps_prefix *out)
{
	const char *text;

	if (!ps_object_string(object, "tunnel_source", false, &text))
		return false;
	if (!strchr(text, '/')) {
		out->length = 128;
		return ps_read_address(object, "tunnel_source", &out->network);
	}
	if (!ps_read_network(object, "tunnel_source", out) ||
		!ps_check_unicast(object, "tunnel_source", text, &out->network))
		return false;
	bool v4 = ps_address_is_v4(&out->network);
	if (out->length >= (v4 ? SHORTEST_V4 : SHORTEST_V6))
		return true;
	ps_object_error(object, "tunnel_source", "must have a length of at least %u",
		v4 ? SHORTEST_V4 - PS_V4_PREFIX : SHORTEST_V6);
	return false;
}

void ps_parse_tunnel(const struct ps_object *object, struct ps_config_pool *pool)
{
	uint64_t port = DEFAULT_GUE_PORT;

	pool->gue_checksum = true;
	if (pool->mode != PS_POOL_IPIP && pool->mode != PS_POOL_GUE)
		ps_only_for(object, "tunnel_source", "\"ipip\" or \"gue\"");
	else
		pool->has_tunnel_source = read_source(object, &pool->tunnel_source);
	if (pool->has_tunnel_source && pool->tunnel_source.length < 128 &&
		pool->mode == PS_POOL_GUE)
		ps_object_error(object, "tunnel_source",
			"must be an address: the flow decides the UDP source port");
	if (pool->mode != PS_POOL_GUE) {
		ps_only_for(object, "gue_port", "\"gue\"");
		ps_only_for(object, "gue_checksum", "\"gue\"");
		return;
	}
	ps_object_uint(object, "gue_port", false, 1, UINT16_MAX, &port);
	pool->gue_port = htons((uint16_t)port);
	ps_object_bool(object, "gue_checksum", &pool->gue_checksum);
}

static int by_address(const void *a, const void *b)
{
	return ps_address_compare(a, b);
}

// A backend refuses packets from an address that it has itself.
static void check_source(struct ps_parser *parser, uint32_t index, const struct ps_keys *backends)
{
	const struct ps_config *config = parser->config;
	const struct ps_address *source = &config->pools[index].tunnel_source.network;
	const struct ps_place pools = {.key = "pools"};
	const struct ps_place pool = {.parent = &pools, .index = index};
	const struct ps_object object = {.place = &pool, .errors = parser->errors};
	const struct ps_key *backend = ps_keys_find(backends, &(struct ps_key){.address = *source});

	if (backend)
		ps_object_error(&object, "tunnel_source", "is a backend, %s", backend->path);
	if (config->vip_count &&
		bsearch(source, config->vips, config->vip_count, sizeof(*config->vips), by_address))
		ps_object_error(&object, "tunnel_source", "is the address of a listener");
}

void ps_check_tunnels(struct ps_parser *parser, const struct ps_keys *backends)
{
	for (uint32_t i = 0; i < parser->config->pool_count; i++)
		if (parser->config->pools[i].has_tunnel_source)
			check_source(parser, i, backends);
}
