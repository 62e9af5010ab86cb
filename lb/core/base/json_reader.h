// SPDX-License-Identifier: Apache-2.0
// Typed reading of a JSON document: every deviation becomes an error at its JSON pointer.
#pragma once

#include "base/errors.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#define PS_PATH_SIZE 256

// Where a value stands; the root has no parent. The parts live on the stack of the reading
// functions.
struct ps_place {
	const struct ps_place *parent;
	const char *key; // NULL: an index
	size_t index;
};

struct ps_object {
	json_t *json;
	const struct ps_place *place;
	struct ps_errors *errors;
};

void ps_place_path(const struct ps_place *place, char out[PS_PATH_SIZE]);
// An error at a member of the object, or at the object itself when key is NULL.
[[gnu::format(printf, 3, 4)]] void ps_object_error(
	const struct ps_object *object, const char *key, const char *format, ...);

// False, with an error, when it is no object. `keys` (NULL at the end) are all that it may have.
bool ps_object_open(struct ps_object *object, const char *const keys[]);
// The member, or NULL. A missing one is an error when required.
json_t *ps_object_get(const struct ps_object *object, const char *key, bool required);
// These return false when the member is missing or wrong; then *out is as before. An optional
// member that is missing is no error.
bool ps_object_uint(const struct ps_object *object, const char *key, bool required, uint64_t min,
	uint64_t max, uint64_t *out);
bool ps_object_bool(const struct ps_object *object, const char *key, bool *out);
// The string lives as long as the document.
bool ps_object_string(
	const struct ps_object *object, const char *key, bool required, const char **out);
// At most `max` elements.
bool ps_object_array(const struct ps_object *object, const char *key, size_t max, json_t **out);
