// SPDX-License-Identifier: Apache-2.0
// What the tests of the configuration share: documents that are parsed, and the errors that they
// get.
#pragma once

#include "base/config.h"
#include "base_test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

// Single quotes stand for double ones.
#define ADDRESSES "'addresses':[{'port':0,'address':'10.77.1.11/24'}]"
#define BACKENDS                                                                                   \
	"[{'name':'b1','address':'10.77.1.21','weight':7},{'name':'b2','address':'10.77.1.22'}]"
#define POOLS "'pools':[{'name':'web','mode':'dsr','backends':" BACKENDS "}]"
#define LISTENER                                                                                   \
	"{'name':'web-80','address':'198.51.100.1','port':80,'protocol':'tcp','pool':'web'}"
#define GOOD "{'generation':7," ADDRESSES "," POOLS ",'listeners':[" LISTENER "]}"

static struct ps_config_limits limits = {
	.generation = 6, .ports = 1, .max_listeners = 8, .max_backends = 8};

static inline int parse(const char *quoted, struct ps_config **config, struct ps_errors *errors)
{
	char *text = strdup(quoted);

	for (char *c = text; *c; c++)
		*c = *c == '\'' ? '"' : *c;
	int rc = ps_config_parse(text, strlen(text), &limits, config, errors);
	free(text);
	return rc;
}

static inline struct ps_config *parse_good(const char *quoted)
{
	struct ps_config *config = NULL;
	struct ps_errors errors = {0};

	if (parse(quoted, &config, &errors))
		fail_msg("%s: %s", errors.list[0].path, errors.list[0].message);
	assert_int_equal(errors.count, 0);
	return config;
}

// Exactly these places are wrong; each message holds its text. Ends with NULL.
struct expected {
	const char *path;
	const char *message;
};

static inline void check_errors(const char *quoted, const struct expected *expected)
{
	struct ps_config *config = NULL;
	struct ps_errors errors = {0};
	size_t count = 0;

	assert_int_equal(parse(quoted, &config, &errors), -EINVAL);
	assert_null(config);
	for (; expected[count].path; count++) {
		bool found = false;

		for (size_t i = 0; i < errors.count; i++)
			found |= strcmp(errors.list[i].path, expected[count].path) == 0 &&
				 strstr(errors.list[i].message, expected[count].message);
		if (!found)
			print_error(
				"missing: %s: %s\n", expected[count].path, expected[count].message);
		if (!found || errors.count < count)
			for (size_t i = 0; i < errors.count; i++)
				print_error("got: %s: %s\n", errors.list[i].path,
					errors.list[i].message);
		assert_true(found);
	}
	for (size_t i = 0; errors.count != count && i < errors.count; i++)
		print_error("got: %s: %s\n", errors.list[i].path, errors.list[i].message);
	assert_int_equal(errors.count, count);
	ps_errors_clear(&errors);
}

#define CHECK(quoted, ...) check_errors(quoted, (const struct expected[]){__VA_ARGS__, {0}})
