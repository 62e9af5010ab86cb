// SPDX-License-Identifier: Apache-2.0
// Routes, and the way to each backend: by the own network that it is in, or else by the route with
// the longest prefix.
#include "base/config_private.h"

#include <stdio.h>

void ps_parse_route(struct ps_parser *parser, struct ps_object *object, uint32_t index)
{
	static const char *const keys[] = {"prefix", "via", NULL};
	struct ps_config_route *route = &parser->config->routes[index];

	if (!ps_object_open(object, keys))
		return;
	bool prefix = ps_read_network(object, "prefix", &route->prefix);
	bool via = ps_read_address(object, "via", &route->via);
	if (!prefix || !via)
		return;
	if ((route->prefix.length >= PS_V4_PREFIX && ps_address_is_v4(&route->prefix.network)) !=
		ps_address_is_v4(&route->via)) {
		ps_object_error(object, "via", "is not of the family of its prefix");
		return;
	}
	ps_keys_add(parser, &parser->routes,
		(struct ps_key){.address = route->prefix.network,
			.number = route->prefix.length,
			.index = index},
		object->place, "prefix");
}

// Index of the own address with the longest prefix around the address, or UINT32_MAX.
static uint32_t on_link(const struct ps_parser *parser, const struct ps_address *address)
{
	const struct ps_config_address *own = parser->config->addresses;
	uint32_t best = UINT32_MAX;

	for (size_t i = 0; i < parser->own.count; i++) {
		uint32_t a = parser->own.list[i].index;

		if (!ps_prefix_holds(&own[a].on_link, address))
			continue;
		if (best == UINT32_MAX || own[a].on_link.length > own[best].on_link.length)
			best = a;
	}
	return best;
}

static const struct ps_key *own_address(
	const struct ps_parser *parser, const struct ps_address *address)
{
	return ps_keys_find(&parser->own, &(struct ps_key){.address = *address});
}

// A route that leads nowhere is followed all the same: one mistake, one error.
static void check_route(struct ps_parser *parser, uint32_t index)
{
	const struct ps_place list = {.key = "routes"};
	const struct ps_place at = {.parent = &list, .index = index};
	const struct ps_object object = {.place = &at, .errors = parser->errors};
	struct ps_config_route *route = &parser->config->routes[index];
	const struct ps_key *own = own_address(parser, &route->via);
	const char *end;

	route->own = on_link(parser, &route->via);
	if (own)
		ps_object_error(&object, "via", "is an own address, %s", own->path);
	else if (route->own == UINT32_MAX)
		ps_object_error(&object, "via", "is not on-link: no prefix of /addresses holds it");
	else if ((end = ps_prefix_end(&parser->config->addresses[route->own].on_link, &route->via)))
		ps_object_error(&object, "via", "is the %s address of its prefix", end);
}

// The route with the longest prefix around the address, or NULL.
static const struct ps_config_route *find_route(
	const struct ps_parser *parser, const struct ps_address *address)
{
	const struct ps_config_route *best = NULL;

	for (size_t i = 0; i < parser->routes.count; i++) {
		const struct ps_config_route *route =
			&parser->config->routes[parser->routes.list[i].index];

		if (ps_prefix_holds(&route->prefix, address) &&
			(!best || route->prefix.length > best->prefix.length))
			best = route;
	}
	return best;
}

static void check_backend(struct ps_parser *parser, const struct ps_key *key)
{
	struct ps_config *config = parser->config;
	struct ps_config_backend *backend = &config->backends[key->index];
	const struct ps_address_text text = ps_address_text(&backend->address);
	const struct ps_key *own = own_address(parser, &backend->address);
	const struct ps_config_route *route;
	const char *end;

	backend->next_hop = backend->address;
	backend->own = on_link(parser, &backend->address);
	if (own) {
		ps_errors_add(parser->errors, key->path, "%s is an own address, %s", text.text,
			own->path);
	} else if (backend->own != UINT32_MAX) {
		end = ps_prefix_end(&config->addresses[backend->own].on_link, &backend->address);
		if (end)
			ps_errors_add(parser->errors, key->path,
				"%s is the %s address of its prefix", text.text, end);
	} else if (config->pools[backend->pool].mode == PS_POOL_DSR) {
		ps_errors_add(parser->errors, key->path,
			"%s is not on-link: no prefix of /addresses holds it, and mode \"dsr\" "
			"rewrites its MAC address",
			text.text);
	} else if (!(route = find_route(parser, &backend->address))) {
		ps_errors_add(parser->errors, key->path,
			"%s is not on-link, and no prefix of /routes holds it", text.text);
	} else {
		backend->next_hop = route->via;
		backend->own = route->own;
	}
}

void ps_check_next_hops(struct ps_parser *parser)
{
	for (size_t i = 0; i < parser->routes.count; i++)
		check_route(parser, parser->routes.list[i].index);
	for (size_t i = 0; i < parser->backend_addresses.count; i++)
		check_backend(parser, &parser->backend_addresses.list[i]);
}
