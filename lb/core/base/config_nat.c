// SPDX-License-Identifier: Apache-2.0
// What pools of mode "nat" say: which addresses they send from, and how the client is told of.
#include "base/config_private.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_PORT 1024
#define LAST_PORT UINT16_MAX
#define FEWEST_PORTS 64 // every worker has one at least
#define MAX_LOCALS 256

void ps_parse_nat_ports(struct ps_parser *parser, const struct ps_object *root)
{
	static const char *const keys[] = {"first_port", "last_port", NULL};
	const struct ps_place place = {.parent = root->place, .key = "nat"};
	struct ps_object nat = {ps_object_get(root, "nat", false), &place, parser->errors};
	uint64_t first = FIRST_PORT, last = LAST_PORT;

	if (nat.json && ps_object_open(&nat, keys) &&
		(!ps_object_get(&nat, "first_port", false) ||
			ps_object_uint(&nat, "first_port", true, 1, UINT16_MAX, &first)) &&
		(!ps_object_get(&nat, "last_port", false) ||
			ps_object_uint(&nat, "last_port", true, 1, UINT16_MAX, &last)) &&
		last + 1 < first + FEWEST_PORTS)
		ps_object_error(&nat, NULL, "first_port to last_port must be %u ports at least",
			FEWEST_PORTS);
	parser->config->nat_first_port = (uint16_t)first;
	parser->config->nat_last_port = (uint16_t)last;
}

static void parse_client_address(const struct ps_object *object, enum ps_client_address *out)
{
	static const char *const names[] = {[PS_CLIENT_NONE] = "none",
		[PS_CLIENT_TOA] = "toa",
		[PS_CLIENT_PROXY_V2] = "proxy_v2"};
	const char *text;

	if (!ps_object_string(object, "client_address", false, &text))
		return;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(text, names[i]) == 0) {
			*out = (enum ps_client_address)i;
			return;
		}
	ps_object_error(object, "client_address",
		"must be \"none\", \"toa\" or \"proxy_v2\", is \"%.40s\"", text);
}

static void parse_local(struct ps_parser *parser, const struct ps_place *list, size_t i,
	json_t *json, uint32_t pool)
{
	const struct ps_place at = {.parent = list, .index = i};
	const struct ps_object object = {json, &at, parser->errors};
	struct ps_key key = {.index = pool};
	char path[PS_PATH_SIZE];

	if (!json_is_string(json))
		ps_object_error(&object, NULL, "must be a string");
	else if (ps_read_address_text(&object, NULL, json_string_value(json), &key.address)) {
		ps_place_path(&at, path);
		memcpy(key.path, path, strnlen(path, sizeof(key.path) - 1));
		ps_keys_push(parser, &parser->pool_locals, &key);
	}
}

void ps_parse_nat(struct ps_parser *parser, const struct ps_object *object, uint32_t pool)
{
	const struct ps_place list = {.parent = object->place, .key = "local_addresses"};
	struct ps_config_pool *out = &parser->config->pools[pool];
	json_t *addresses, *element;
	size_t i;

	if (out->mode != PS_POOL_NAT) {
		ps_only_for(object, "local_addresses", "\"nat\"");
		ps_only_for(object, "client_address", "\"nat\"");
		return;
	}
	parse_client_address(object, &out->client_address);
	if (!ps_object_array(object, "local_addresses", MAX_LOCALS, &addresses))
		return;
	if (json_array_size(addresses) == 0)
		ps_object_error(object, "local_addresses", "must not be empty");
	json_array_foreach(addresses, i, element)
	{
		parse_local(parser, &list, i, element, pool);
	}
}

void ps_parse_backend_port(const struct ps_parser *parser, const struct ps_object *object,
	struct ps_config_backend *backend)
{
	uint64_t port = 0;

	if (parser->config->pools[backend->pool].mode != PS_POOL_NAT)
		ps_only_for(object, "port", "\"nat\"");
	else
		ps_object_uint(object, "port", false, 1, UINT16_MAX, &port);
	backend->port = htons((uint16_t)port);
}

static bool has(const struct ps_config *config, const struct ps_config_pool *pool, uint32_t own)
{
	for (uint32_t i = 0; i < pool->local_count; i++)
		if (config->locals[pool->first_local + i] == own)
			return true;
	return false;
}

// The keys are in the order of the pools.
static void find_locals(struct ps_parser *parser)
{
	struct ps_config *config = parser->config;

	for (size_t i = 0; i < parser->pool_locals.count; i++) {
		const struct ps_key *key = &parser->pool_locals.list[i];
		struct ps_config_pool *pool = &config->pools[key->index];
		const struct ps_key *own =
			ps_keys_find(&parser->own, &(struct ps_key){.address = key->address});

		if (pool->local_count == 0)
			pool->first_local = config->local_count;
		if (own == NULL) {
			ps_errors_add(parser->errors, key->path,
				"%s is not an own address: none of /addresses has it",
				ps_address_text(&key->address).text);
		} else if (has(config, pool, own->index)) {
			ps_errors_add(parser->errors, key->path, "is there twice");
		} else {
			config->locals[config->local_count++] = own->index;
			pool->local_count++;
		}
	}
}

static bool has_family(const struct ps_config *config, const struct ps_config_pool *pool, bool v4)
{
	for (uint32_t i = 0; i < pool->local_count; i++) {
		uint32_t own = config->locals[pool->first_local + i];

		if (ps_address_is_v4(&config->addresses[own].address) == v4)
			return true;
	}
	return false;
}

// What a backend answers goes to a local address: of its own family.
static void check_backends(struct ps_parser *parser)
{
	const struct ps_config *config = parser->config;

	for (size_t i = 0; i < parser->backend_addresses.count; i++) {
		const struct ps_key *key = &parser->backend_addresses.list[i];
		const struct ps_config_pool *pool = &config->pools[key->number];

		if (pool->mode == PS_POOL_NAT && pool->local_count != 0 &&
			!has_family(config, pool, ps_address_is_v4(&key->address)))
			ps_errors_add(parser->errors, key->path,
				"none of its pool's local_addresses is of its family");
	}
}

// It was wrong in itself.
static bool is_unset(const struct ps_address *address)
{
	return address->halves[0] == 0 && address->halves[1] == 0;
}

// An address is not translated into the other family.
static void check_listener(struct ps_parser *parser, const struct ps_object *object, uint32_t index)
{
	const struct ps_config *config = parser->config;
	const struct ps_config_listener *listener = &config->listeners[index];
	const struct ps_config_pool *pool = &config->pools[listener->pool];
	bool v4 = ps_address_is_v4(&listener->address);

	if (pool->mode != PS_POOL_NAT)
		return;
	for (uint32_t i = 0; i < pool->backend_count; i++) {
		const struct ps_config_backend *b = &config->backends[pool->first_backend + i];

		if (is_unset(&b->address) || ps_address_is_v4(&b->address) == v4)
			continue;
		ps_object_error(object, "pool",
			"mode \"nat\" keeps the family, but backend \"%s\" has another than the "
			"listener",
			b->name);
		return;
	}
	if (listener->half_open_untracked)
		ps_object_error(object, "half_open_excess",
			"must be \"drop\": mode \"nat\" forwards nothing without an entry");
}

void ps_check_nat(struct ps_parser *parser)
{
	struct ps_config *config = parser->config;
	const struct ps_place listeners = {.key = "listeners"};

	config->locals = calloc(parser->pool_locals.count + 1, sizeof(*config->locals));
	if (!config->locals) {
		parser->out_of_memory = true;
		return;
	}
	find_locals(parser);
	check_backends(parser);
	for (size_t i = 0; i < parser->listener_pools.count; i++) {
		const struct ps_key *key = &parser->listener_pools.list[i];
		const struct ps_place at = {.parent = &listeners, .index = key->index};
		const struct ps_object object = {.place = &at, .errors = parser->errors};

		if (!is_unset(&config->listeners[key->index].address) &&
			ps_keys_find(&parser->pool_names, &(struct ps_key){.text = key->text}))
			check_listener(parser, &object, key->index);
	}
}
