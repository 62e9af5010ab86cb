// SPDX-License-Identifier: Apache-2.0
// A valid configuration, mutated at random: never a crash, never an error without a place, and what
// is accepted keeps the promises that the core builds on. The sanitizers see the rest.
#include "base/config.h"
#include "base_test.h"

#include <errno.h>
#include <string.h>

#define ROUNDS 20000
#define ROOM 4096

static const struct ps_config_limits limits = {
	.generation = 6, .ports = 2, .max_listeners = 4, .max_backends = 6};

static const char seed[] =
	"{\"generation\":7,\"addresses\":[{\"port\":0,\"address\":\"10.77.1.11/24\"},"
	"{\"port\":1,\"address\":\"10.77.2.11/24\"}],\"routes\":[{\"prefix\":\"10.0.0.0/8\","
	"\"via\":\"10.77.1.1\"},{\"prefix\":\"0.0.0.0/"
	"0\",\"via\":\"10.77.2.1\"}],\"maglev\":{\"size\":251},"
	"\"timeouts\":{\"tcp_syn\":3,\"udp\":60},\"pools\":[{\"name\":\"web\",\"mode\":\"dsr\","
	"\"backends\":[{\"name\":\"b1\",\"address\":\"10.77.1.21\",\"weight\":100},"
	"{\"name\":\"b2\",\"address\":\"10.77.2.22\",\"weight\":0}]},{\"name\":\"far\","
	"\"mode\":\"gue\",\"gue_port\":6081,\"gue_checksum\":false,\"tunnel_source\":"
	"\"10.9.9.9\",\"backends\":[{\"name\":\"b1\",\"address\":\"10.78.1.1\"}]},"
	"{\"name\":\"dns\","
	"\"backends\":[{\"name\":\"b1\",\"address\":\"10.77.1.21\"}]}],\"listeners\":["
	"{\"name\":\"web-80\",\"address\":\"198.51.100.1\",\"port\":80,\"protocol\":\"tcp\","
	"\"pool\":\"web\",\"tcp_sloppy\":true},{\"name\":\"dns-53\",\"address\":\"198.51.100.2\","
	"\"port\":53,\"protocol\":\"udp\",\"pool\":\"dns\"}]}";

static const char *const pieces[] = {"0", "-1", "7", "1e9", "null", "true", "[]", "{}", "\"\"", ",",
	":", "\"", "{", "}", "[", "]", "18446744073709551616", "\"10.77.1.11\"", "\"web\"",
	"\"\\u0000\"", "\"\xc3\xa4\"", "\xff", "\"pool\":1,", "251", "252"};

static size_t replace(char *text, size_t length, size_t at, size_t cut, const char *with)
{
	size_t added = strlen(with);

	if (at + cut > length || length - cut + added >= ROOM)
		return length;
	memmove(text + at + added, text + at + cut, length - at - cut);
	memcpy(text + at, with, added);
	return length - cut + added;
}

static size_t mutate(char *text, size_t length)
{
	static const char bytes[] = "0123456789abc.-_/{}[]\",: ";
	size_t at = random_below((uint32_t)length);
	const char *piece = pieces[random_below(sizeof(pieces) / sizeof(pieces[0]))];

	switch (random_below(4)) {
	case 0:
		text[at] = bytes[random_below(sizeof(bytes) - 1)];
		return length;
	case 1:
		return replace(text, length, at, 1 + random_below(12), "");
	case 2:
		return replace(text, length, at, random_below(6), piece);
	default: // a whole value: this keeps the JSON valid more often
		while (at < length && text[at] != ':')
			at++;
		size_t end = at + strcspn(text + at, ",}]");
		return at < end ? replace(text, length, at + 1, end - at - 1, piece) : length;
	}
}

static void check_promises(const struct ps_config *c)
{
	uint32_t backends = 0;

	assert_true(c->generation > limits.generation);
	assert_true(c->maglev_size > 2);
	for (uint32_t i = 0; i < c->address_count; i++)
		assert_true(c->addresses[i].port < limits.ports);
	for (uint32_t r = 0; r < c->route_count; r++)
		assert_true(c->routes[r].own < c->address_count);
	for (uint32_t p = 0; p < c->pool_count; p++) {
		assert_true(c->pools[p].mode != PS_POOL_GUE || c->pools[p].gue_port != 0);
		assert_int_equal(c->pools[p].first_backend, backends);
		assert_true(c->pools[p].backend_count < c->maglev_size);
		backends += c->pools[p].backend_count;
	}
	assert_int_equal(backends, c->backend_count);
	for (uint32_t b = 0; b < c->backend_count; b++) {
		const struct ps_config_address *own = &c->addresses[c->backends[b].own];

		assert_true(c->backends[b].own < c->address_count);
		assert_true(ps_prefix_holds(&own->on_link, &c->backends[b].next_hop));
		assert_false(ps_address_equal(&c->backends[b].address, &own->address));
		assert_true(c->backends[b].weight <= PS_MAX_WEIGHT);
		assert_true(c->backends[b].name[0]);
	}
	for (uint32_t l = 0; l < c->listener_count; l++) {
		assert_true(c->listeners[l].pool < c->pool_count);
		assert_true(c->listeners[l].port != 0);
	}
}

static void test_mutations(void **state)
{
	uint32_t accepted = 0, json_but_refused = 0;

	(void)state;
	for (int round = 0; round < ROUNDS; round++) {
		struct ps_config *config = NULL;
		struct ps_errors errors = {0};
		char text[ROOM];
		size_t length = sizeof(seed) - 1;

		memcpy(text, seed, sizeof(seed));
		for (uint32_t i = 1 + random_below(3); i > 0 && length; i--) {
			length = mutate(text, length);
			text[length] = '\0';
		}
		// An exact copy, so that a sanitizer sees a read past the end.
		char *exact = malloc(length ? length : 1);
		memcpy(exact, text, length);
		int rc = ps_config_parse(exact, length, &limits, &config, &errors);
		free(exact);
		if (rc == 0) {
			assert_int_equal(errors.count, 0);
			check_promises(config);
			accepted++;
		} else {
			assert_int_equal(rc, -EINVAL);
			assert_true(errors.count > 0);
			json_but_refused += errors.list[0].path[0] != '\0';
		}
		ps_config_free(config);
		ps_errors_clear(&errors);
	}
	print_message("%u accepted, %u refused with a place\n", accepted, json_but_refused);
	// Both ways through the validator are really taken.
	assert_true(accepted > ROUNDS / 200 && json_but_refused > ROUNDS / 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_mutations)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
