// SPDX-License-Identifier: Apache-2.0
// Lists of prefixes against the plain meaning of "the longest one decides".
#include "base/ranges.h"
#include "base_test.h"

#include <stdlib.h>
#include <string.h>

#define MANY 100000

static struct ps_address random_address(bool v6, bool close)
{
	struct ps_address a = ps_address_v4(random_below(1u << 31) << 1 | random_below(2));

	if (!v6) {
		if (close) // in a small network, so that prefixes hold each other
			a.words[3] = htonl(0x0a000000u | random_below(4096));
		return a;
	}
	for (int i = 0; i < 16; i++)
		a.bytes[i] = (uint8_t)random_below(256);
	a.bytes[0] = 0x20;
	if (close)
		memset(a.bytes + 1, 0, 13);
	return a;
}

static bool naive(const struct ps_rule *rules, uint32_t count, bool deny, struct ps_address address)
{
	int best = -1;

	for (uint32_t i = 0; i < count; i++)
		if (ps_address_is_v4(&rules[i].prefix.network) == ps_address_is_v4(&address) &&
			ps_prefix_holds(&rules[i].prefix, &address) &&
			rules[i].prefix.length > best) {
			best = rules[i].prefix.length;
			deny = rules[i].deny;
		}
	return deny;
}

static bool looked_up(const struct ps_ranges *ranges, struct ps_address address)
{
	return ps_address_is_v4(&address) ? ps_ranges_deny_v4(ranges, address.words[3])
					  : ps_ranges_deny_v6(ranges, address.bytes);
}

static bool is_new(const struct ps_rule *rules, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		if (rules[i].prefix.length == rules[count].prefix.length &&
			ps_address_equal(&rules[i].prefix.network, &rules[count].prefix.network))
			return false;
	return true;
}

static uint32_t random_rules(struct ps_rule *rules, uint32_t wanted)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < wanted; i++) {
		bool v6 = random_below(2);
		struct ps_address a = random_address(v6, random_below(2));
		uint8_t length =
			(uint8_t)(v6 ? random_below(129) : PS_V4_PREFIX + random_below(33));

		if (length < PS_V4_PREFIX && ps_address_is_v4(&a))
			continue;
		rules[count].prefix = (struct ps_prefix){ps_address_masked(&a, length), length};
		rules[count].deny = random_below(2);
		count += is_new(rules, count);
	}
	return count;
}

static void the_longest_prefix_decides(void **state)
{
	struct ps_rule rules[400];

	(void)state;
	for (uint32_t round = 0; round < 300; round++) {
		uint32_t count = random_rules(rules, random_below(round < 150 ? 12 : 400));
		bool deny = random_below(2);
		struct ps_ranges ranges;

		assert_int_equal(ps_ranges_build(&ranges, count, rules, deny), 0);
		for (uint32_t i = 0; i < 300; i++) {
			struct ps_address a = random_address(random_below(2), random_below(2));
			if (count > 0 && random_below(2)) { // at an edge, or beside it
				a = rules[random_below(count)].prefix.network;
				a.words[3] = htonl(ntohl(a.words[3]) + random_below(3) - 1);
			}
			assert_int_equal(looked_up(&ranges, a), naive(rules, count, deny, a));
		}
		ps_ranges_free(&ranges);
	}
}

static void the_ends_of_the_address_space(void **state)
{
	struct ps_rule rules[2] = {{.deny = true}, {.deny = true}};
	struct ps_ranges ranges;

	(void)state;
	rules[0].prefix = (struct ps_prefix){ps_address_v4(0), PS_V4_PREFIX}; // 0.0.0.0/0
	rules[1].prefix = (struct ps_prefix){.length = 0};                    // ::/0
	assert_int_equal(ps_ranges_build(&ranges, 2, rules, false), 0);
	assert_true(ps_ranges_deny_v4(&ranges, 0));
	assert_true(ps_ranges_deny_v4(&ranges, 0xffffffff));
	assert_true(looked_up(&ranges, random_address(true, false)));
	ps_ranges_free(&ranges);
	rules[0].prefix = (struct ps_prefix){ps_address_v4(0xffffffff), 128};
	assert_int_equal(ps_ranges_build(&ranges, 1, rules, false), 0);
	assert_true(ps_ranges_deny_v4(&ranges, 0xffffffff));
	assert_false(ps_ranges_deny_v4(&ranges, htonl(0xfffffffe)));
	assert_false(ps_ranges_deny_v4(&ranges, 0));
	ps_ranges_free(&ranges);
	assert_int_equal(ps_ranges_build(&ranges, 0, NULL, true), 0);
	assert_true(ps_ranges_deny_v4(&ranges, 1));
	ps_ranges_free(&ranges);
}

static void a_hundred_thousand_prefixes(void **state)
{
	struct ps_rule *rules = calloc(MANY, sizeof(*rules));
	struct ps_ranges ranges;

	(void)state;
	assert_non_null(rules);
	for (uint32_t i = 0; i < MANY; i++) { // every second /28 from 16.0.0.0 on
		struct ps_address a = ps_address_v4(htonl(0x10000000u + i * 32));
		rules[i] = (struct ps_rule){{a, PS_V4_PREFIX + 28}, true};
	}
	assert_int_equal(ps_ranges_build(&ranges, MANY, rules, false), 0);
	assert_int_equal(ranges.v4_count, 2 * MANY);
	for (uint32_t i = 0; i < 2 * MANY; i++)
		assert_int_equal(ps_ranges_deny_v4(&ranges, htonl(0x10000000u + i * 16 + i % 16)),
			i % 2 == 0);
	ps_ranges_free(&ranges);
	free(rules);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_longest_prefix_decides),
		cmocka_unit_test(the_ends_of_the_address_space),
		cmocka_unit_test(a_hundred_thousand_prefixes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
