// SPDX-License-Identifier: Apache-2.0
// How backends are chosen: schedulers, and server ids for QUIC.
#include "base/config_private.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define MAX_ROTATION 6 // 7 says that an id has no server id in it

void ps_parse_scheduler(const struct ps_object *object, enum ps_scheduler *scheduler)
{
	static const char *const names[] = {
		[PS_SCHEDULER_MAGLEV] = "maglev",
		[PS_SCHEDULER_MAGLEV_SOURCE] = "maglev_source",
		[PS_SCHEDULER_MAGLEV_SOURCE_PORT] = "maglev_source_port",
		[PS_SCHEDULER_ROUND_ROBIN] = "weighted_round_robin",
		[PS_SCHEDULER_LEAST_CONNECTIONS] = "weighted_least_connections",
	};
	const char *text;

	if (!ps_object_string(object, "scheduler", false, &text))
		return;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(text, names[i]) == 0) {
			*scheduler = (enum ps_scheduler)i;
			return;
		}
	ps_object_error(object, "scheduler",
		"must be \"maglev\", \"maglev_source\", \"maglev_source_port\", "
		"\"weighted_round_robin\" or \"weighted_least_connections\", is \"%.40s\"",
		text);
}

static uint8_t digit(char c)
{
	return (uint8_t)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
}

void ps_parse_server_id(const struct ps_object *object, struct ps_config_backend *backend)
{
	const char *text;

	if (!ps_object_string(object, "server_id", false, &text))
		return;
	size_t length = strlen(text);
	bool good = length > 0 && length % 2 == 0 && length <= 2 * PS_SERVER_ID_MAX;

	for (const char *c = text; good && *c; c++)
		good = isxdigit((unsigned char)*c);
	if (!good) {
		ps_object_error(object, "server_id",
			"must be 1 to %u bytes in hexadecimal, such as \"0a1b2c\"",
			PS_SERVER_ID_MAX);
		return;
	}
	for (size_t i = 0; i < length / 2; i++)
		backend->server_id[i] = (uint8_t)(digit(text[2 * i]) << 4 | digit(text[2 * i + 1]));
	backend->server_id_length = (uint8_t)(length / 2);
}

bool ps_parse_quic(const struct ps_object *object, struct ps_config_listener *listener)
{
	static const char *const keys[] = {"rotation", "server_id_length", NULL};
	const struct ps_place place = {.parent = object->place, .key = "quic"};
	struct ps_object quic = {ps_object_get(object, "quic", false), &place, object->errors};
	uint64_t rotation = 0, length = 0;

	if (!quic.json)
		return false;
	if (ps_object_open(&quic, keys)) {
		ps_object_uint(&quic, "rotation", false, 0, MAX_ROTATION, &rotation);
		listener->quic = ps_object_uint(
			&quic, "server_id_length", true, 1, PS_SERVER_ID_MAX, &length);
	}
	listener->quic_rotation = (uint8_t)rotation;
	listener->server_id_length = (uint8_t)length;
	return true;
}

static void id_error(struct ps_parser *parser, uint32_t index, const char *format, unsigned number)
{
	const struct ps_config_backend *backend = &parser->config->backends[index];
	const uint32_t first = parser->config->pools[backend->pool].first_backend;
	const struct ps_place pools = {.key = "pools"};
	const struct ps_place pool = {.parent = &pools, .index = backend->pool};
	const struct ps_place list = {.parent = &pool, .key = "backends"};
	const struct ps_place place = {.parent = &list, .index = index - first};
	const struct ps_object object = {.place = &place, .errors = parser->errors};
	char message[128];

	snprintf(message, sizeof(message), format, number);
	ps_object_error(&object, "server_id", "%s", message);
}

static int by_id(const void *a, const void *b)
{
	const struct ps_config_backend *const *x = a, *const *y = b;
	int order = memcmp((*x)->server_id, (*y)->server_id, PS_SERVER_ID_MAX);

	return order ? order : (*x > *y) - (*x < *y);
}

static void check_distinct(struct ps_parser *parser, const struct ps_config_pool *pool)
{
	const struct ps_config_backend *first = &parser->config->backends[pool->first_backend];
	const struct ps_config_backend **sorted = calloc(pool->backend_count + 1, sizeof(*sorted));

	if (!sorted) {
		parser->out_of_memory = true;
		return;
	}
	for (uint32_t i = 0; i < pool->backend_count; i++)
		sorted[i] = &first[i];
	qsort(sorted, pool->backend_count, sizeof(*sorted), by_id);
	for (uint32_t i = 1; i < pool->backend_count; i++)
		if (memcmp(sorted[i - 1]->server_id, sorted[i]->server_id, PS_SERVER_ID_MAX) == 0)
			id_error(parser, (uint32_t)(sorted[i] - parser->config->backends),
				"is that of backend %u of its pool",
				(unsigned)(sorted[i - 1] - first));
	free(sorted);
}

// The pool's ids have the length that its QUIC listeners, which agree on it, read.
static void check_pool(struct ps_parser *parser, const struct ps_config_pool *pool, uint8_t length)
{
	bool good = true;

	for (uint32_t i = 0; i < pool->backend_count; i++) {
		uint32_t index = pool->first_backend + i;

		if (parser->config->backends[index].server_id_length == length)
			continue;
		good = false;
		id_error(parser, index, "must have %u bytes for the QUIC listener of its pool",
			length);
	}
	if (good)
		check_distinct(parser, pool);
}

void ps_check_server_ids(struct ps_parser *parser)
{
	const struct ps_config *config = parser->config;
	uint8_t *lengths = calloc(config->pool_count + 1, sizeof(*lengths));
	const struct ps_place list = {.key = "listeners"};

	if (!lengths) {
		parser->out_of_memory = true;
		return;
	}
	for (uint32_t i = 0; i < config->listener_count; i++) {
		const struct ps_config_listener *l = &config->listeners[i];
		const struct ps_place at = {.parent = &list, .index = i};
		const struct ps_place quic = {.parent = &at, .key = "quic"};
		const struct ps_object object = {.place = &quic, .errors = parser->errors};

		if (!l->quic || l->pool >= config->pool_count)
			continue;
		if (lengths[l->pool] == 0)
			lengths[l->pool] = l->server_id_length;
		else if (lengths[l->pool] != l->server_id_length)
			ps_object_error(&object, "server_id_length",
				"must be %u, as in another listener of the pool", lengths[l->pool]);
	}
	for (uint32_t p = 0; p < config->pool_count; p++)
		if (lengths[p] != 0)
			check_pool(parser, &config->pools[p], lengths[p]);
	free(lengths);
}
