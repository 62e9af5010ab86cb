// SPDX-License-Identifier: Apache-2.0
#include "base/errors.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool grow(struct ps_errors *errors)
{
	// Powers of two: the list is full whenever its count is one.
	if (errors->count & (errors->count - 1))
		return true;
	size_t room = errors->count ? errors->count * 2 : 1;
	struct ps_error *list = realloc(errors->list, room * sizeof(*list));
	if (!list)
		return false;
	errors->list = list;
	return true;
}

void ps_errors_add(struct ps_errors *errors, const char *path, const char *format, ...)
{
	struct ps_error error = {0};
	va_list args;

	if (errors->count >= PS_ERRORS_MAX) {
		errors->dropped++;
		return;
	}
	error.path = strdup(path);
	va_start(args, format);
	if (vasprintf(&error.message, format, args) < 0)
		error.message = NULL;
	va_end(args);
	if (!error.path || !error.message || !grow(errors)) {
		free(error.path);
		free(error.message);
		errors->dropped++;
		return;
	}
	errors->list[errors->count++] = error;
}

void ps_errors_clear(struct ps_errors *errors)
{
	for (size_t i = 0; i < errors->count; i++) {
		free(errors->list[i].path);
		free(errors->list[i].message);
	}
	free(errors->list);
	*errors = (struct ps_errors){0};
}

// A message may quote a user's text cut short inside a character: it must still reach the user.
static json_t *text_json(const char *text)
{
	json_t *json = json_string(text);
	char *ascii = json ? NULL : strdup(text);

	if (json || !ascii)
		return json;
	for (char *c = ascii; *c; c++)
		if (*c & 0x80)
			*c = '?';
	json = json_string(ascii);
	free(ascii);
	return json;
}

json_t *ps_errors_json(const struct ps_errors *errors)
{
	json_t *list = json_array();

	for (size_t i = 0; i < errors->count; i++)
		json_array_append_new(
			list, json_pack("{s:o, s:o}", "path", text_json(errors->list[i].path),
				      "message", text_json(errors->list[i].message)));
	if (errors->dropped)
		json_array_append_new(list, json_pack("{s:s, s:s}", "path", "", "message",
						    "there are more errors than can be listed"));
	return json_pack("{s:b, s:o}", "ok", 0, "errors", list);
}
