// SPDX-License-Identifier: Apache-2.0
// Lists of prefixes, who uses them, and limits.
#include "base/config_private.h"

#include <stdlib.h>
#include <string.h>

#define MAX_PREFIXES 200000 // of a list
#define MAX_CONNECTIONS UINT32_MAX
#define MAX_RATE 1000000000000ULL

static void add_rules(struct ps_parser *parser, const struct ps_object *object, const char *key,
	bool deny, struct ps_config_list *list)
{
	const struct ps_place at = {.parent = object->place, .key = key};
	json_t *prefixes, *element;
	size_t i;

	if (!ps_object_get(object, key, false) ||
		!ps_object_array(object, key, MAX_PREFIXES - list->rule_count, &prefixes))
		return;
	size_t count = list->rule_count + json_array_size(prefixes);
	struct ps_rule *rules = reallocarray(list->rules, count + 1, sizeof(*rules));
	if (!rules) {
		parser->out_of_memory = true;
		return;
	}
	list->rules = rules;
	json_array_foreach(prefixes, i, element)
	{
		const struct ps_place place = {.parent = &at, .index = i};
		const struct ps_object prefix = {element, &place, parser->errors};
		struct ps_rule *rule = &rules[list->rule_count];

		rule->deny = deny;
		if (!json_is_string(element))
			ps_object_error(&prefix, NULL, "must be a string");
		else if (ps_read_network_text(
				 &prefix, NULL, json_string_value(element), &rule->prefix))
			list->rule_count++;
	}
}

static int by_prefix(const void *a, const void *b)
{
	const struct ps_rule *x = a, *y = b;
	int order = ps_address_compare(&x->prefix.network, &y->prefix.network);

	return order ? order : x->prefix.length - y->prefix.length;
}

static void check_distinct(const struct ps_object *object, struct ps_config_list *list)
{
	if (list->rule_count)
		qsort(list->rules, list->rule_count, sizeof(*list->rules), by_prefix);
	for (uint32_t i = 1; i < list->rule_count; i++) {
		const struct ps_rule *rule = &list->rules[i];
		const struct ps_address_text text = ps_address_text(&rule->prefix.network);
		bool v4 = ps_address_is_v4(&rule->prefix.network);

		if (by_prefix(rule - 1, rule) == 0)
			ps_object_error(object, NULL, "has %s/%u twice", text.text,
				rule->prefix.length - (v4 ? PS_V4_PREFIX : 0));
	}
}

void ps_parse_list(struct ps_parser *parser, struct ps_object *object, uint32_t index)
{
	static const char *const keys[] = {"name", "default", "allow", "deny", NULL};
	struct ps_config_list *list = &parser->config->lists[index];
	const char *otherwise = "allow";

	if (!ps_object_open(object, keys))
		return;
	if (ps_read_name(object, list->name))
		ps_keys_add(parser, &parser->list_names,
			(struct ps_key){.text = list->name, .index = index}, object->place, "name");
	if (ps_object_string(object, "default", false, &otherwise) &&
		strcmp(otherwise, "allow") != 0 && strcmp(otherwise, "deny") != 0)
		ps_object_error(object, "default", "must be \"allow\" or \"deny\", is \"%.40s\"",
			otherwise);
	list->deny = strcmp(otherwise, "deny") == 0;
	add_rules(parser, object, "allow", false, list);
	add_rules(parser, object, "deny", true, list);
	check_distinct(object, list);
}

void ps_parse_list_name(struct ps_parser *parser, const struct ps_object *object, uint32_t index)
{
	const char *name;

	if (index != UINT32_MAX)
		parser->config->listeners[index].list = PS_NO_LIST;
	if (ps_object_string(object, "list", false, &name))
		ps_keys_add(parser, &parser->listener_lists,
			(struct ps_key){.text = name, .index = index}, object->place, "list");
}

void ps_check_lists(struct ps_parser *parser)
{
	struct ps_config *config = parser->config;

	for (size_t i = 0; i < parser->listener_lists.count; i++) {
		const struct ps_key *key = &parser->listener_lists.list[i];
		const struct ps_key *list =
			ps_keys_find(&parser->list_names, &(struct ps_key){.text = key->text});

		if (!list)
			ps_errors_add(parser->errors, key->path, "there is no list \"%.100s\"",
				key->text);
		else if (key->index == UINT32_MAX)
			config->global_list = list->index;
		else
			config->listeners[key->index].list = list->index;
	}
}

void ps_parse_limits(const struct ps_object *object, struct ps_config_rates *limits)
{
	static const char *const keys[] = {
		"new_connections_per_s", "connections", "packets_per_s", "bits_per_s", NULL};
	const struct ps_place place = {.parent = object->place, .key = "limits"};
	struct ps_object own = {ps_object_get(object, "limits", false), &place, object->errors};

	if (!own.json || !ps_object_open(&own, keys))
		return;
	ps_object_uint(&own, keys[0], false, 1, MAX_RATE, &limits->new_connections_per_s);
	ps_object_uint(&own, keys[1], false, 1, MAX_CONNECTIONS, &limits->connections);
	ps_object_uint(&own, keys[2], false, 1, MAX_RATE, &limits->packets_per_s);
	ps_object_uint(&own, keys[3], false, 1, MAX_RATE, &limits->bits_per_s);
}
