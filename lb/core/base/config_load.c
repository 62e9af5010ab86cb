// SPDX-License-Identifier: Apache-2.0
// From text and files to a configuration.
#include "base/config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_FILE (16u << 20)

int ps_config_parse(const char *text, size_t length, const struct ps_config_limits *limits,
	struct ps_config **out, struct ps_errors *errors)
{
	json_error_t error;
	json_t *document = json_loadb(text, length, JSON_REJECT_DUPLICATES, &error);

	if (!document) {
		ps_errors_add(
			errors, "", "line %d, column %d: %s", error.line, error.column, error.text);
		return -EINVAL;
	}
	int rc = ps_config_from_json(document, limits, out, errors);
	json_decref(document);
	return rc;
}

static int read_all(int fd, char *text, size_t *length)
{
	for (;;) {
		ssize_t got = read(fd, text + *length, MAX_FILE + 1 - *length);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			return 0;
		*length += (size_t)got;
		if (*length > MAX_FILE)
			return -EFBIG;
	}
}

int ps_config_load(const char *path, const struct ps_config_limits *limits, struct ps_config **out,
	struct ps_errors *errors)
{
	char *text = NULL;
	size_t length = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC), rc = fd < 0 ? -errno : 0;

	if (rc == 0) {
		text = malloc(MAX_FILE + 1);
		rc = text ? read_all(fd, text, &length) : -ENOMEM;
		close(fd);
	}
	if (rc == 0)
		rc = ps_config_parse(text, length, limits, out, errors);
	else
		ps_errors_add(errors, "", "cannot be read: %s", strerror(-rc));
	free(text);
	return rc;
}
