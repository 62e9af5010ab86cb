// SPDX-License-Identifier: Apache-2.0
// Sorted lists of keys: duplicates and look-ups in O(n log n) for thousands of elements.
#include "base/config_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool ps_keys_push(struct ps_parser *parser, struct ps_keys *keys, const struct ps_key *key)
{
	// Full whenever the count is a power of two.
	if ((keys->count & (keys->count - 1)) == 0) {
		size_t room = keys->count ? keys->count * 2 : 1;
		struct ps_key *list = reallocarray(keys->list, room, sizeof(*list));
		if (!list) {
			parser->out_of_memory = true;
			return false;
		}
		keys->list = list;
	}
	keys->list[keys->count++] = *key;
	return true;
}

void ps_keys_add(struct ps_parser *parser, struct ps_keys *keys, struct ps_key key,
	const struct ps_place *place, const char *name)
{
	const struct ps_place at = {.parent = place, .key = name};
	char path[PS_PATH_SIZE];

	ps_place_path(&at, path);
	// Long enough for every place that a key is made for.
	snprintf(key.path, sizeof(key.path), "%.*s", (int)sizeof(key.path) - 1, path);
	ps_keys_push(parser, keys, &key);
}

static int compare_value(const struct ps_key *a, const struct ps_key *b)
{
	if (a->number != b->number)
		return a->number < b->number ? -1 : 1;
	int order = ps_address_compare(&a->address, &b->address);
	if (order)
		return order;
	return a->text && b->text ? strcmp(a->text, b->text) : 0;
}

static int compare(const void *a, const void *b)
{
	const struct ps_key *x = a, *y = b;
	int order = compare_value(x, y);

	return order ? order : (x->index > y->index) - (x->index < y->index);
}

void ps_keys_sort(struct ps_keys *keys)
{
	if (keys->count)
		qsort(keys->list, keys->count, sizeof(*keys->list), compare);
}

const struct ps_key *ps_keys_find(const struct ps_keys *keys, const struct ps_key *wanted)
{
	size_t low = 0, high = keys->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare_value(&keys->list[middle], wanted) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < keys->count && compare_value(&keys->list[low], wanted) == 0)
		return &keys->list[low];
	return NULL;
}
