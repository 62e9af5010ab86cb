// SPDX-License-Identifier: Apache-2.0
// Pools, their backends, and listeners.
#include "base/config_private.h"

#include <netinet/in.h>
#include <string.h>

#define DEFAULT_WEIGHT 100

static void parse_backend(
	struct ps_parser *parser, struct ps_object *object, uint32_t index, uint32_t pool)
{
	static const char *const keys[] = {
		"name", "address", "port", "weight", "drain", "limits", "server_id", NULL};
	struct ps_config_backend *backend = &parser->config->backends[index];
	uint64_t weight = DEFAULT_WEIGHT;

	backend->pool = pool;
	if (!ps_object_open(object, keys))
		return;
	if (ps_read_name(object, backend->name))
		ps_keys_add(parser, &parser->backend_names,
			(struct ps_key){.text = backend->name, .number = pool, .index = index},
			object->place, "name");
	if (ps_read_address(object, "address", &backend->address))
		ps_keys_add(parser, &parser->backend_addresses,
			(struct ps_key){
				.address = backend->address, .number = pool, .index = index},
			object->place, "address");
	ps_parse_backend_port(parser, object, backend);
	ps_object_uint(object, "weight", false, 0, PS_MAX_WEIGHT, &weight);
	backend->weight = (uint32_t)weight;
	ps_parse_drain(object, backend);
	ps_parse_limits(object, &backend->limits);
	ps_parse_server_id(object, backend);
}

// False: there is no such mode.
static bool parse_mode(const struct ps_object *object, enum ps_pool_mode *mode)
{
	static const char *const names[] = {[PS_POOL_DSR] = "dsr",
		[PS_POOL_IPIP] = "ipip",
		[PS_POOL_GUE] = "gue",
		[PS_POOL_NAT] = "nat"};
	const char *text = names[PS_POOL_DSR];

	if (ps_object_get(object, "mode", false) && !ps_object_string(object, "mode", true, &text))
		return false;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(text, names[i]) == 0) {
			*mode = (enum ps_pool_mode)i;
			return true;
		}
	ps_object_error(object, "mode",
		"must be \"dsr\", \"ipip\", \"gue\" or \"nat\", is \"%.40s\"", text);
	return false;
}

void ps_parse_pool(struct ps_parser *parser, struct ps_object *object, uint32_t index)
{
	static const char *const keys[] = {
		"name", "mode", "scheduler", "backends", PS_TUNNEL_KEYS, PS_NAT_KEYS, NULL};
	struct ps_config *config = parser->config;
	struct ps_config_pool *pool = &config->pools[index];
	const struct ps_place list = {.parent = object->place, .key = "backends"};
	json_t *backends, *element;
	size_t i;

	pool->first_backend = config->backend_count;
	if (!ps_object_open(object, keys))
		return;
	if (ps_read_name(object, pool->name))
		ps_keys_add(parser, &parser->pool_names,
			(struct ps_key){.text = pool->name, .index = index}, object->place, "name");
	if (parse_mode(object, &pool->mode)) {
		ps_parse_tunnel(object, pool);
		ps_parse_nat(parser, object, index);
	}
	ps_parse_scheduler(object, &pool->scheduler);
	if (!ps_object_array(object, "backends", parser->limits->max_backends, &backends))
		return;
	json_array_foreach(backends, i, element)
	{
		const struct ps_place at = {.parent = &list, .index = i};
		struct ps_object backend = {element, &at, parser->errors};

		if (config->backend_count == parser->limits->max_backends) {
			ps_object_error(object, "backends", "the pools have more than %u backends",
				parser->limits->max_backends);
			return;
		}
		parse_backend(parser, &backend, config->backend_count++, index);
		pool->backend_count++;
	}
}

void ps_parse_listener(struct ps_parser *parser, struct ps_object *object, uint32_t index)
{
	static const char *const keys[] = {"name", "address", "port", "protocol", "pool",
		"tcp_sloppy", "quic", "icmp_echo", "timeouts", "max_half_open", "half_open_excess",
		"list", "limits", NULL};
	struct ps_config_listener *listener = &parser->config->listeners[index];
	const char *pool;
	uint64_t port = 0;

	if (!ps_object_open(object, keys))
		return;
	if (ps_read_name(object, listener->name))
		ps_keys_add(parser, &parser->listener_names,
			(struct ps_key){.text = listener->name, .index = index}, object->place,
			"name");
	bool address = ps_read_address(object, "address", &listener->address);
	bool number = ps_object_uint(object, "port", true, 1, UINT16_MAX, &port);
	bool protocol = ps_read_protocol(object, &listener->protocol);

	listener->port = htons((uint16_t)port);
	if (address && number && protocol)
		ps_keys_add(parser, &parser->listener_sockets,
			(struct ps_key){.address = listener->address,
				.number = port << 8 | listener->protocol,
				.index = index},
			object->place, "address");
	if (ps_object_string(object, "pool", true, &pool))
		ps_keys_add(parser, &parser->listener_pools,
			(struct ps_key){.text = pool, .index = index}, object->place, "pool");
	ps_object_bool(object, "icmp_echo", &listener->icmp_echo);
	listener->tcp_sloppy = true;
	if (ps_object_bool(object, "tcp_sloppy", &listener->tcp_sloppy) && protocol &&
		listener->protocol != IPPROTO_TCP)
		ps_object_error(object, "tcp_sloppy", "is for the protocol \"tcp\" only");
	if (ps_parse_quic(object, listener) && protocol && listener->protocol != IPPROTO_UDP)
		ps_object_error(object, "quic", "is for the protocol \"udp\" only");
	ps_parse_list_name(parser, object, index);
	ps_parse_limits(object, &listener->limits);
	if (protocol)
		ps_parse_life(parser, object, listener);
}
