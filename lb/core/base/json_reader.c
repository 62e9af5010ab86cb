// SPDX-License-Identifier: Apache-2.0
#include "base/json_reader.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static size_t append(char out[PS_PATH_SIZE], size_t end, const char *text)
{
	size_t length = strlen(text);

	// A path that is too long is cut: an unknown key can be megabytes.
	if (end + length >= PS_PATH_SIZE)
		return end;
	memcpy(out + end, text, length + 1);
	return end + length;
}

static size_t append_part(char out[PS_PATH_SIZE], size_t end, const char *part)
{
	end = append(out, end, "/");
	for (; *part && end < PS_PATH_SIZE - 2; part++) {
		const char plain[] = {*part, '\0'};

		end = append(out, end, *part == '~' ? "~0" : *part == '/' ? "~1" : plain);
	}
	return end;
}

static size_t append_place(const struct ps_place *place, char out[PS_PATH_SIZE])
{
	char index[24];

	if (!place || (!place->parent && !place->key)) {
		out[0] = '\0';
		return 0;
	}
	size_t end = append_place(place->parent, out);

	snprintf(index, sizeof(index), "%zu", place->index);
	return append_part(out, end, place->key ? place->key : index);
}

void ps_place_path(const struct ps_place *place, char out[PS_PATH_SIZE])
{
	append_place(place, out);
}

void ps_object_error(const struct ps_object *object, const char *key, const char *format, ...)
{
	const struct ps_place at = {.parent = object->place, .key = key};
	char path[PS_PATH_SIZE], message[512];
	va_list args;

	if (object->errors->count >= PS_ERRORS_MAX) {
		object->errors->dropped++; // there may be a million: not worth a text
		return;
	}
	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	ps_place_path(key ? &at : object->place, path);
	ps_errors_add(object->errors, path, "%s", message);
}

static const char *type_name(const json_t *json)
{
	switch (json_typeof(json)) {
	case JSON_OBJECT:
		return "an object";
	case JSON_ARRAY:
		return "an array";
	case JSON_STRING:
		return "a string";
	case JSON_INTEGER:
		return "an integer";
	case JSON_REAL:
		return "a number with a fraction";
	case JSON_NULL:
		return "null";
	default:
		return "a boolean";
	}
}

bool ps_object_open(struct ps_object *object, const char *const keys[])
{
	const char *key;
	json_t *value;

	if (!json_is_object(object->json)) {
		ps_object_error(object, NULL, "must be an object, is %s", type_name(object->json));
		return false;
	}
	json_object_foreach(object->json, key, value)
	{
		const char *const *known = keys;

		while (*known && strcmp(*known, key) != 0)
			known++;
		if (!*known)
			ps_object_error(object, key, "unknown key");
	}
	return true;
}

json_t *ps_object_get(const struct ps_object *object, const char *key, bool required)
{
	json_t *value = json_object_get(object->json, key);

	if (!value && required)
		ps_object_error(object, key, "is missing");
	return value;
}

static void wrong_type(
	const struct ps_object *object, const char *key, const char *want, const json_t *value)
{
	ps_object_error(object, key, "must be %s, is %s", want, type_name(value));
}

bool ps_object_uint(const struct ps_object *object, const char *key, bool required, uint64_t min,
	uint64_t max, uint64_t *out)
{
	const json_t *value = ps_object_get(object, key, required);

	if (!value)
		return false;
	if (!json_is_integer(value)) {
		wrong_type(object, key, "an integer", value);
		return false;
	}
	json_int_t number = json_integer_value(value);
	if (number < 0 || (uint64_t)number < min || (uint64_t)number > max) {
		ps_object_error(object, key,
			"must be %" PRIu64 " to %" PRIu64 ", is %" JSON_INTEGER_FORMAT, min, max,
			number);
		return false;
	}
	*out = (uint64_t)number;
	return true;
}

bool ps_object_bool(const struct ps_object *object, const char *key, bool *out)
{
	const json_t *value = ps_object_get(object, key, false);

	if (!value)
		return false;
	if (!json_is_boolean(value)) {
		wrong_type(object, key, "true or false", value);
		return false;
	}
	*out = json_is_true(value);
	return true;
}

bool ps_object_string(
	const struct ps_object *object, const char *key, bool required, const char **out)
{
	const json_t *value = ps_object_get(object, key, required);

	if (!value)
		return false;
	if (!json_is_string(value)) {
		wrong_type(object, key, "a string", value);
		return false;
	}
	*out = json_string_value(value);
	return true;
}

bool ps_object_array(const struct ps_object *object, const char *key, size_t max, json_t **out)
{
	json_t *value = ps_object_get(object, key, true);

	if (!value)
		return false;
	if (!json_is_array(value)) {
		wrong_type(object, key, "an array", value);
		return false;
	}
	if (json_array_size(value) > max) {
		ps_object_error(
			object, key, "has %zu elements, at most %zu", json_array_size(value), max);
		return false;
	}
	*out = value;
	return true;
}
