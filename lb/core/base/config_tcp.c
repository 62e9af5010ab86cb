// SPDX-License-Identifier: Apache-2.0
// The life of connections: timeouts, half-open ones, draining.
#include "base/config_private.h"

#include <netinet/in.h>
#include <string.h>

#define MAX_SECONDS 86400
#define MAX_HALF_OPEN (1u << 24)

static const struct ps_config_timeouts default_timeouts = {
	.tcp_syn = 30,
	.tcp_established = 900,
	.tcp_fin = 30,
	.udp = 60,
	.neighbour = 30,
};

static void read_seconds(const struct ps_object *object, const char *key, uint32_t *out)
{
	uint64_t seconds = *out;

	ps_object_uint(object, key, false, 1, MAX_SECONDS, &seconds);
	*out = (uint32_t)seconds;
}

static void read_tcp(const struct ps_object *object, struct ps_config_timeouts *timeouts)
{
	read_seconds(object, "tcp_syn", &timeouts->tcp_syn);
	read_seconds(object, "tcp_established", &timeouts->tcp_established);
	read_seconds(object, "tcp_fin", &timeouts->tcp_fin);
}

void ps_parse_timeouts(struct ps_parser *parser, const struct ps_object *root)
{
	static const char *const keys[] = {
		"tcp_syn", "tcp_established", "tcp_fin", "udp", "neighbour", NULL};
	const struct ps_place place = {.parent = root->place, .key = "timeouts"};
	struct ps_object object = {ps_object_get(root, "timeouts", false), &place, parser->errors};
	struct ps_config_timeouts *timeouts = &parser->config->timeouts;

	*timeouts = default_timeouts;
	if (!object.json || !ps_object_open(&object, keys))
		return;
	read_tcp(&object, timeouts);
	read_seconds(&object, "udp", &timeouts->udp);
	read_seconds(&object, "neighbour", &timeouts->neighbour);
}

void ps_parse_drain(const struct ps_object *object, struct ps_config_backend *backend)
{
	static const char *const keys[] = {"deadline_s", "then", NULL};
	const struct ps_place place = {.parent = object->place, .key = "drain"};
	struct ps_object drain = {ps_object_get(object, "drain", false), &place, object->errors};
	const char *then = "leave";
	uint64_t seconds = 0;

	if (!drain.json || !ps_object_open(&drain, keys))
		return;
	ps_object_uint(&drain, "deadline_s", true, 1, MAX_SECONDS, &seconds);
	backend->drain_deadline_s = (uint32_t)seconds;
	if (!ps_object_string(&drain, "then", true, &then))
		return;
	backend->drain_reset = strcmp(then, "reset") == 0;
	if (!backend->drain_reset && strcmp(then, "leave") != 0)
		ps_object_error(
			&drain, "then", "must be \"reset\" or \"leave\", is \"%.40s\"", then);
}

static void parse_own_timeouts(const struct ps_object *object, struct ps_config_listener *listener)
{
	static const char *const tcp[] = {"tcp_syn", "tcp_established", "tcp_fin", NULL};
	static const char *const udp[] = {"udp", NULL};
	const struct ps_place place = {.parent = object->place, .key = "timeouts"};
	struct ps_object own = {ps_object_get(object, "timeouts", false), &place, object->errors};
	bool is_tcp = listener->protocol == IPPROTO_TCP;

	if (!own.json || !ps_object_open(&own, is_tcp ? tcp : udp))
		return;
	if (is_tcp)
		read_tcp(&own, &listener->timeouts);
	else
		read_seconds(&own, "udp", &listener->timeouts.udp);
}

static void parse_excess(const struct ps_object *object, struct ps_config_listener *listener)
{
	const char *excess;

	if (!ps_object_string(object, "half_open_excess", false, &excess))
		return;
	listener->half_open_untracked = strcmp(excess, "untracked") == 0;
	if (!listener->half_open_untracked && strcmp(excess, "drop") != 0)
		ps_object_error(object, "half_open_excess",
			"must be \"drop\" or \"untracked\", is \"%.40s\"", excess);
	else if (listener->half_open_untracked && !listener->tcp_sloppy)
		ps_object_error(object, "half_open_excess",
			"\"untracked\" needs tcp_sloppy: later packets are picked up");
	else if (listener->max_half_open == 0)
		ps_object_error(object, "half_open_excess", "needs max_half_open");
}

void ps_parse_life(const struct ps_parser *parser, const struct ps_object *object,
	struct ps_config_listener *listener)
{
	uint64_t half_open = 0;

	listener->timeouts = parser->config->timeouts;
	parse_own_timeouts(object, listener);
	if (ps_object_uint(object, "max_half_open", false, 1, MAX_HALF_OPEN, &half_open) &&
		listener->protocol != IPPROTO_TCP)
		ps_object_error(object, "max_half_open", "is for the protocol \"tcp\" only");
	listener->max_half_open = (uint32_t)half_open;
	parse_excess(object, listener);
}
