// SPDX-License-Identifier: Apache-2.0
// What takes more than one element of a configuration to see.
#include "base/config_private.h"

#include <stdlib.h>
#include <string.h>

static void check_unique(struct ps_parser *parser, struct ps_keys *keys, const char *what)
{
	ps_keys_sort(keys);
	for (size_t i = 0; i < keys->count; i++) {
		const struct ps_key *key = &keys->list[i];
		const struct ps_key *first = ps_keys_find(keys, key);

		if (first != key)
			ps_errors_add(
				parser->errors, key->path, "%s is taken by %s", what, first->path);
	}
}

// Two interfaces on one network: the core would not know where a backend is.
static bool same_prefix(const struct ps_prefix *a, const struct ps_prefix *b)
{
	return a->length == b->length && ps_address_equal(&a->network, &b->network);
}

static void check_prefixes(struct ps_parser *parser)
{
	for (size_t i = 0; i < parser->own.count; i++) {
		const struct ps_key *key = &parser->own.list[i];
		const struct ps_config_address *a = &parser->config->addresses[key->index];

		for (size_t j = 0; j < parser->own.count; j++) {
			const struct ps_key *other = &parser->own.list[j];
			const struct ps_config_address *b =
				&parser->config->addresses[other->index];

			if (other->index < key->index && same_prefix(&a->on_link, &b->on_link) &&
				(a->port != b->port || a->vlan != b->vlan)) {
				ps_errors_add(parser->errors, key->path,
					"its prefix is that of %s, on another port or VLAN",
					other->path);
				break;
			}
		}
	}
}

static const struct ps_key *find_address(
	const struct ps_keys *keys, const struct ps_address *address)
{
	return ps_keys_find(keys, &(struct ps_key){.address = *address});
}

// The distinct (port, VLAN) pairs of the own addresses.
static void number_interfaces(struct ps_config *config)
{
	for (uint32_t i = 0; i < config->address_count; i++) {
		struct ps_config_address *own = &config->addresses[i];
		uint32_t n = 0;

		if (own->vlan == 0)
			continue;
		while (n < config->interface_count &&
			(config->interfaces[n].port != own->port ||
				config->interfaces[n].vlan != own->vlan))
			n++;
		config->interfaces[n] = (struct ps_config_interface){own->port, own->vlan};
		own->interface = n;
		if (n == config->interface_count)
			config->interface_count++;
	}
}

// backend_addresses are by pool; a VIP is compared with the backends of every pool.
static bool index_backends(struct ps_parser *parser, struct ps_keys *out)
{
	for (size_t i = 0; i < parser->backend_addresses.count; i++) {
		struct ps_key key = parser->backend_addresses.list[i];

		key.number = 0;
		if (!ps_keys_push(parser, out, &key))
			return false;
	}
	ps_keys_sort(out);
	return true;
}

static void check_vips(struct ps_parser *parser, const struct ps_keys *backends)
{
	for (size_t i = 0; i < parser->listener_sockets.count; i++) {
		const struct ps_key *key = &parser->listener_sockets.list[i];
		const struct ps_address_text text = ps_address_text(&key->address);
		const struct ps_key *own = find_address(&parser->own, &key->address);
		const struct ps_key *backend = find_address(backends, &key->address);

		if (own)
			ps_errors_add(parser->errors, key->path, "%s is an own address, %s",
				text.text, own->path);
		if (backend)
			ps_errors_add(parser->errors, key->path, "%s is a backend, %s", text.text,
				backend->path);
	}
}

static int by_address(const void *a, const void *b)
{
	return ps_address_compare(a, b);
}

// Distinct listener addresses, in order.
static void number_vips(struct ps_parser *parser)
{
	struct ps_config *config = parser->config;
	uint32_t distinct = 0;

	for (size_t i = 0; i < parser->listener_sockets.count; i++)
		config->vips[i] = parser->listener_sockets.list[i].address;
	qsort(config->vips, parser->listener_sockets.count, sizeof(*config->vips), by_address);
	for (size_t i = 0; i < parser->listener_sockets.count; i++)
		if (distinct == 0 || by_address(&config->vips[distinct - 1], &config->vips[i]) != 0)
			config->vips[distinct++] = config->vips[i];
	config->vip_count = distinct;
}

static void find_pools(struct ps_parser *parser)
{
	for (size_t i = 0; i < parser->listener_pools.count; i++) {
		const struct ps_key *key = &parser->listener_pools.list[i];
		const struct ps_key *pool =
			ps_keys_find(&parser->pool_names, &(struct ps_key){.text = key->text});

		if (pool)
			parser->config->listeners[key->index].pool = pool->index;
		else
			ps_errors_add(parser->errors, key->path, "there is no pool \"%.100s\"",
				key->text);
	}
}

static void check_maglev(struct ps_parser *parser)
{
	const struct ps_config *config = parser->config;

	for (uint32_t p = 0; p < config->pool_count && config->maglev_size; p++) {
		const struct ps_place pools = {.key = "pools"};
		const struct ps_place pool = {.parent = &pools, .index = p};
		const struct ps_object object = {.place = &pool, .errors = parser->errors};

		if (config->pools[p].backend_count >= config->maglev_size)
			ps_object_error(&object, "backends",
				"%u backends need a larger /maglev/size than %u",
				config->pools[p].backend_count, config->maglev_size);
	}
}

void ps_config_check(struct ps_parser *parser)
{
	struct ps_keys backends = {0};

	check_unique(parser, &parser->own, "the address");
	check_unique(parser, &parser->routes, "the prefix");
	check_unique(parser, &parser->pool_names, "the name");
	check_unique(parser, &parser->backend_names, "the name");
	check_unique(parser, &parser->backend_addresses, "the address");
	check_unique(parser, &parser->listener_names, "the name");
	check_unique(parser, &parser->listener_sockets, "address, port and protocol");
	check_prefixes(parser);
	ps_check_next_hops(parser);
	number_interfaces(parser->config);
	number_vips(parser);
	if (index_backends(parser, &backends)) {
		check_vips(parser, &backends);
		ps_check_tunnels(parser, &backends);
	}
	free(backends.list);
	find_pools(parser);
	ps_check_nat(parser);
	check_maglev(parser);
	ps_check_server_ids(parser);
	check_unique(parser, &parser->list_names, "the name");
	ps_check_lists(parser);
}
