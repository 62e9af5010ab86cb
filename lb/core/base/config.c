// SPDX-License-Identifier: Apache-2.0
// The configuration's elements one by one (pools and listeners: config_pool.c); what relates them
// is in config_check.c.
#include "base/config_private.h"
#include "base/maglev.h"

#include <errno.h>
#include <stdlib.h>

#define MAX_ADDRESSES 256
#define MAX_ROUTES 1024
#define MAX_LISTS 64
#define MAX_GENERATION INT64_MAX
#define DEFAULT_MAGLEV_SIZE 65537

static void parse_address(struct ps_parser *parser, struct ps_object *object, uint32_t index)
{
	static const char *const keys[] = {"port", "vlan", "address", NULL};
	struct ps_config_address *own = &parser->config->addresses[index];
	const uint32_t ports = parser->limits->ports;
	uint64_t port = 0, vlan = 0;

	if (!ps_object_open(object, keys))
		return;
	bool good = ps_object_uint(object, "port", true, 0, UINT16_MAX, &port);

	if (good && ports && port >= ports) {
		ps_object_error(object, "port", "the core has %u port%s", ports,
			ports == 1 ? ", 0" : "s, 0 first");
		good = false;
	}
	ps_object_uint(object, "vlan", false, 1, PS_MAX_VLAN, &vlan);
	own->port = (uint32_t)port;
	own->vlan = (uint16_t)vlan;
	// The prefix counts for the backends even when the port is wrong.
	if (ps_read_on_link(object, own))
		ps_keys_add(parser, &parser->own,
			(struct ps_key){.address = own->address, .index = index}, object->place,
			"address");
}

static void parse_maglev(struct ps_parser *parser, const struct ps_object *root)
{
	static const char *const keys[] = {"size", NULL};
	const struct ps_place place = {.parent = root->place, .key = "maglev"};
	struct ps_object maglev = {ps_object_get(root, "maglev", false), &place, parser->errors};
	uint64_t size = DEFAULT_MAGLEV_SIZE;

	if (maglev.json && ps_object_open(&maglev, keys) &&
		ps_object_uint(&maglev, "size", false, 3, PS_MAGLEV_MAX_SIZE, &size) &&
		!ps_is_prime((uint32_t)size)) {
		uint32_t prime = (uint32_t)size;

		while (!ps_is_prime(prime))
			prime++;
		ps_object_error(&maglev, "size", "must be a prime; the next one is %u", prime);
	}
	parser->config->maglev_size = (uint32_t)size;
}

typedef void parse_element(struct ps_parser *parser, struct ps_object *object, uint32_t index);

// Allocates for the whole array, then parses each of its elements.
static void parse_array(struct ps_parser *parser, const struct ps_object *root, const char *key,
	size_t max, size_t size, void **array, uint32_t *count, parse_element *parse)
{
	const struct ps_place list = {.parent = root->place, .key = key};
	json_t *elements, *element;
	size_t i;

	if (!ps_object_array(root, key, max, &elements))
		return;
	*array = calloc(json_array_size(elements) + 1, size);
	if (!*array) {
		parser->out_of_memory = true;
		return;
	}
	*count = (uint32_t)json_array_size(elements);
	json_array_foreach(elements, i, element)
	{
		const struct ps_place at = {.parent = &list, .index = i};
		struct ps_object object = {element, &at, parser->errors};

		parse(parser, &object, (uint32_t)i);
	}
}

static void parse_generation(struct ps_parser *parser, const struct ps_object *root)
{
	struct ps_config *config = parser->config;

	if (ps_object_uint(root, "generation", true, 1, MAX_GENERATION, &config->generation) &&
		config->generation <= parser->limits->generation)
		ps_object_error(root, "generation",
			"must be above %llu, the generation in force, is %llu",
			(unsigned long long)parser->limits->generation,
			(unsigned long long)config->generation);
}

static void parse_root(struct ps_parser *parser, struct ps_object *root)
{
	static const char *const keys[] = {"generation", "addresses", "routes", "maglev",
		"timeouts", "nat", "lists", "list", "pools", "listeners", NULL};
	const struct ps_config_limits *limits = parser->limits;
	struct ps_config *config = parser->config;

	if (!ps_object_open(root, keys))
		return;
	parse_generation(parser, root);
	parse_maglev(parser, root);
	ps_parse_timeouts(parser, root);
	ps_parse_nat_ports(parser, root);
	config->backends = calloc(limits->max_backends + 1, sizeof(*config->backends));
	config->vips = calloc(limits->max_listeners + 1, sizeof(*config->vips));
	config->interfaces = calloc(MAX_ADDRESSES, sizeof(*config->interfaces));
	if (!config->backends || !config->vips || !config->interfaces) {
		parser->out_of_memory = true;
		return;
	}
	parse_array(parser, root, "addresses", MAX_ADDRESSES, sizeof(*config->addresses),
		(void **)&config->addresses, &config->address_count, parse_address);
	if (ps_object_get(root, "routes", false))
		parse_array(parser, root, "routes", MAX_ROUTES, sizeof(*config->routes),
			(void **)&config->routes, &config->route_count, ps_parse_route);
	config->global_list = PS_NO_LIST;
	if (ps_object_get(root, "lists", false))
		parse_array(parser, root, "lists", MAX_LISTS, sizeof(*config->lists),
			(void **)&config->lists, &config->list_count, ps_parse_list);
	ps_parse_list_name(parser, root, UINT32_MAX);
	parse_array(parser, root, "pools", limits->max_listeners, sizeof(*config->pools),
		(void **)&config->pools, &config->pool_count, ps_parse_pool);
	parse_array(parser, root, "listeners", limits->max_listeners, sizeof(*config->listeners),
		(void **)&config->listeners, &config->listener_count, ps_parse_listener);
	if (!parser->out_of_memory)
		ps_config_check(parser);
}

static void free_keys(struct ps_parser *parser)
{
	struct ps_keys *const all[] = {&parser->own, &parser->routes, &parser->pool_names,
		&parser->backend_names, &parser->backend_addresses, &parser->listener_names,
		&parser->listener_sockets, &parser->listener_pools, &parser->list_names,
		&parser->listener_lists, &parser->pool_locals};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		free(all[i]->list);
}

int ps_config_from_json(json_t *document, const struct ps_config_limits *limits,
	struct ps_config **out, struct ps_errors *errors)
{
	const struct ps_place place = {0};
	struct ps_object root = {document, &place, errors};
	size_t before = errors->count + errors->dropped;
	struct ps_parser parser = {.limits = limits, .errors = errors};

	parser.config = calloc(1, sizeof(*parser.config));
	if (!parser.config)
		return -ENOMEM;
	parser.config->json = json_incref(document);
	parse_root(&parser, &root);
	free_keys(&parser);
	int rc = parser.out_of_memory ? -ENOMEM : 0;
	if (rc == 0 && errors->count + errors->dropped > before)
		rc = -EINVAL;
	if (rc)
		ps_config_free(parser.config);
	else
		*out = parser.config;
	return rc;
}

void ps_config_free(struct ps_config *config)
{
	if (!config)
		return;
	json_decref(config->json);
	free(config->addresses);
	free(config->interfaces);
	free(config->routes);
	free(config->pools);
	free(config->backends);
	free(config->listeners);
	free(config->vips);
	free(config->locals);
	for (uint32_t i = 0; i < config->list_count; i++)
		free(config->lists[i].rules);
	free(config->lists);
	free(config);
}
