// SPDX-License-Identifier: Apache-2.0
// What takes more than one element of a configuration to see.
#include "base/config_private.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

struct ps_address_text ps_address_text(uint32_t address)
{
	struct ps_address_text out;

	inet_ntop(AF_INET, &address, out.text, sizeof(out.text));
	return out;
}

static void check_unique(struct ps_parser *parser, struct ps_keys *keys, const char *what)
{
	ps_keys_sort(keys);
	for (size_t i = 0; i < keys->count; i++) {
		const struct ps_key *key = &keys->list[i];
		const struct ps_key *first = ps_keys_find(keys, key->text, key->number);

		if (first != key)
			ps_errors_add(
				parser->errors, key->path, "%s is taken by %s", what, first->path);
	}
}

// Two ports on one network: the core would not know where a backend is.
static void check_prefixes(struct ps_parser *parser)
{
	for (size_t i = 0; i < parser->own.count; i++) {
		const struct ps_key *key = &parser->own.list[i];
		const struct ps_config_address *a = &parser->config->addresses[key->index];

		for (size_t j = 0; j < parser->own.count; j++) {
			const struct ps_key *other = &parser->own.list[j];
			const struct ps_config_address *b =
				&parser->config->addresses[other->index];

			if (other->index < key->index && a->mask == b->mask && a->port != b->port &&
				(a->address & a->mask) == (b->address & b->mask)) {
				ps_errors_add(parser->errors, key->path,
					"its prefix is that of %s, on another port", other->path);
				break;
			}
		}
	}
}

// Index of the own address with the longest prefix around the address, or UINT32_MAX.
static uint32_t on_link(const struct ps_parser *parser, uint32_t address)
{
	const struct ps_config_address *own = parser->config->addresses;
	uint32_t best = UINT32_MAX;

	for (size_t i = 0; i < parser->own.count; i++) {
		uint32_t a = parser->own.list[i].index;

		if ((address & own[a].mask) != (own[a].address & own[a].mask))
			continue;
		if (best == UINT32_MAX || own[a].prefix_length > own[best].prefix_length)
			best = a;
	}
	return best;
}

static bool is_prefix_end(const struct ps_config_address *own, uint32_t address)
{
	uint32_t host = address & ~own->mask;

	return own->prefix_length < 31 && (host == 0 || host == ~own->mask);
}

static void check_backends(struct ps_parser *parser)
{
	struct ps_config *config = parser->config;

	for (size_t i = 0; i < parser->backend_addresses.count; i++) {
		const struct ps_key *key = &parser->backend_addresses.list[i];
		struct ps_config_backend *backend = &config->backends[key->index];
		const struct ps_address_text text = ps_address_text(backend->address);
		const struct ps_key *own = ps_keys_find(&parser->own, NULL, backend->address);

		backend->own = on_link(parser, backend->address);
		if (own)
			ps_errors_add(parser->errors, key->path, "%s is an own address, %s",
				text.text, own->path);
		else if (backend->own == UINT32_MAX)
			ps_errors_add(parser->errors, key->path,
				"%s is not on-link: no prefix of /addresses holds it", text.text);
		else if (is_prefix_end(&config->addresses[backend->own], backend->address))
			ps_errors_add(parser->errors, key->path,
				"%s is the network or broadcast address of its prefix", text.text);
	}
}

// backend_addresses are by pool; a VIP is compared with the backends of every pool.
static bool index_backends(struct ps_parser *parser, struct ps_keys *out)
{
	for (size_t i = 0; i < parser->backend_addresses.count; i++) {
		struct ps_key key = parser->backend_addresses.list[i];

		key.number = (uint32_t)key.number;
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
		uint32_t address = parser->config->listeners[key->index].address;
		const struct ps_address_text text = ps_address_text(address);
		const struct ps_key *own = ps_keys_find(&parser->own, NULL, address);
		const struct ps_key *backend = ps_keys_find(backends, NULL, address);

		if (own)
			ps_errors_add(parser->errors, key->path, "%s is an own address, %s",
				text.text, own->path);
		if (backend)
			ps_errors_add(parser->errors, key->path, "%s is a backend, %s", text.text,
				backend->path);
	}
}

// Distinct listener addresses: listener_sockets are sorted by address.
static void number_vips(struct ps_parser *parser)
{
	struct ps_config *config = parser->config;

	for (size_t i = 0; i < parser->listener_sockets.count; i++) {
		uint32_t index = parser->listener_sockets.list[i].index;
		struct ps_config_listener *listener = &config->listeners[index];
		uint32_t last = config->vip_count ? config->vips[config->vip_count - 1] : 0;

		if (config->vip_count == 0 || last != listener->address)
			config->vips[config->vip_count++] = listener->address;
		listener->vip = config->vip_count - 1;
	}
}

static void find_pools(struct ps_parser *parser)
{
	for (size_t i = 0; i < parser->listener_pools.count; i++) {
		const struct ps_key *key = &parser->listener_pools.list[i];
		const struct ps_key *pool = ps_keys_find(&parser->pool_names, key->text, 0);

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
	check_unique(parser, &parser->pool_names, "the name");
	check_unique(parser, &parser->backend_names, "the name");
	check_unique(parser, &parser->backend_addresses, "the address");
	check_unique(parser, &parser->listener_names, "the name");
	check_unique(parser, &parser->listener_sockets, "address, port and protocol");
	check_prefixes(parser);
	check_backends(parser);
	if (index_backends(parser, &backends))
		check_vips(parser, &backends);
	free(backends.list);
	number_vips(parser);
	find_pools(parser);
	check_maglev(parser);
}
