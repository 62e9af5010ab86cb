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
	struct ps_error error = {.path = strdup(path)};
	va_list args;

	va_start(args, format);
	if (vasprintf(&error.message, format, args) < 0)
		error.message = NULL;
	va_end(args);
	if (!error.path || !error.message || errors->count >= PS_ERRORS_MAX || !grow(errors)) {
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
