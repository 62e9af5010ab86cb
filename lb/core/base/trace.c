// SPDX-License-Identifier: Apache-2.0
#include "base/trace.h"

#include "api/evidence.h"
#include "base/config_private.h"

#include <string.h>

static bool read_side(const struct ps_object *object, enum ps_trace_side *out)
{
	static const char *const names[] = {
		[PS_TRACE_SOURCE] = "source", [PS_TRACE_DESTINATION] = "destination"};
	const char *text = NULL;

	*out = PS_TRACE_EITHER;
	if (!ps_object_string(object, "side", false, &text))
		return ps_object_get(object, "side", false) == NULL;
	for (int side = PS_TRACE_SOURCE; side <= PS_TRACE_DESTINATION; side++)
		if (strcmp(text, names[side]) == 0)
			*out = (enum ps_trace_side)side;
	if (*out == PS_TRACE_EITHER)
		ps_object_error(object, "side", "must be \"source\" or \"destination\"");
	return *out != PS_TRACE_EITHER;
}

static bool read_number(const struct ps_object *object, const char *key, uint64_t max,
	enum ps_trace_kind kind, struct ps_trace_term *term)
{
	uint64_t number = 0;

	if (!ps_object_uint(object, key, true, 0, max, &number))
		return false;
	term->kind = kind;
	term->number = (uint16_t)number;
	return true;
}

static bool read_term(struct ps_object *object, struct ps_trace_term *term)
{
	static const char *const keys[] = {
		"ethertype", "protocol", "network", "port", "side", NULL};
	uint32_t kinds = 0;

	if (!ps_object_open(object, keys))
		return false;
	for (uint32_t i = 0; i < 4; i++)
		kinds += ps_object_get(object, keys[i], false) != NULL;
	if (kinds != 1) {
		ps_object_error(object, NULL,
			"must have one of \"ethertype\", \"protocol\", \"network\", \"port\"");
		return false;
	}
	if (!read_side(object, &term->side))
		return false;
	if (ps_object_get(object, "ethertype", false) != NULL)
		return read_number(object, "ethertype", UINT16_MAX, PS_TRACE_ETHERTYPE, term);
	if (ps_object_get(object, "protocol", false) != NULL)
		return read_number(object, "protocol", UINT8_MAX, PS_TRACE_PROTOCOL, term);
	if (ps_object_get(object, "port", false) != NULL)
		return read_number(object, "port", UINT16_MAX, PS_TRACE_PORT, term);
	term->kind = PS_TRACE_NETWORK;
	return ps_read_network(object, "network", &term->network);
}

bool ps_trace_read(json_t *request, struct ps_trace *out, struct ps_errors *errors)
{
	static const char *const keys[] = {"op", "match", "count", "seconds", NULL};
	const struct ps_place root = {};
	const struct ps_place list = {.parent = &root, .key = "match"};
	struct ps_object object = {request, &root, errors};
	uint64_t count = 0, seconds = 60;
	json_t *terms = NULL;

	*out = (struct ps_trace){};
	if (!ps_object_open(&object, keys))
		return false;
	bool good = ps_object_uint(&object, "count", true, 0, PS_EVIDENCE_TRACED, &count);
	if (ps_object_get(&object, "seconds", false) != NULL)
		good &= ps_object_uint(
			&object, "seconds", false, 1, PS_TRACE_SECONDS_MAX, &seconds);
	if (ps_object_get(&object, "match", false) != NULL)
		good &= ps_object_array(&object, "match", PS_TRACE_TERMS, &terms);
	for (size_t i = 0; good && i < json_array_size(terms); i++) {
		const struct ps_place place = {.parent = &list, .index = i};
		struct ps_object term = {json_array_get(terms, i), &place, errors};
		good &= read_term(&term, &out->terms[out->term_count++]);
	}
	out->count = (uint32_t)count;
	out->seconds = (uint32_t)seconds;
	return good && errors->count == 0;
}
