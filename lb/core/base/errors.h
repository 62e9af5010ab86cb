// SPDX-License-Identifier: Apache-2.0
// A list of problems, each at a place in a JSON document: what a user gets back, all at once.
#pragma once

#include <jansson.h>
#include <stdarg.h>
#include <stddef.h>

struct ps_error {
	char *path; // JSON pointer (RFC 6901); "" is the whole document
	char *message;
};

struct ps_errors {
	struct ps_error *list;
	size_t count;
	size_t dropped; // found, but not kept: over PS_ERRORS_MAX, or out of memory
};

#define PS_ERRORS_MAX 1000

[[gnu::format(printf, 3, 4)]] void ps_errors_add(
	struct ps_errors *errors, const char *path, const char *format, ...);
// Frees what the list holds, not the list itself, which is empty afterwards.
void ps_errors_clear(struct ps_errors *errors);
// {"ok": false, "errors": [{"path": ..., "message": ...}]}; NULL when out of memory.
json_t *ps_errors_json(const struct ps_errors *errors);
