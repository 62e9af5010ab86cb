// SPDX-License-Identifier: Apache-2.0
// What ICMP errors quote, cut anywhere and damaged at random. Quotes lie in heap buffers of their
// exact size, so that the address sanitizer sees a read past the end.
#include "base_test.h"
#include "datapath/quote.h"
#include "frames.h"

#include <stdlib.h>

#define ROUNDS 200000

static bool read_exact(const uint8_t *bytes, uint32_t length, bool ipv6, struct ps_packet *flow)
{
	static struct ps_addresses6 addresses;
	uint8_t *exact = malloc(length != 0 ? length : 1);

	assert_non_null(exact);
	memcpy(exact, bytes, length);
	bool good = ps_read_quote(exact, length, ipv6, flow, &addresses);
	free(exact);
	return good;
}

static uint32_t unwrap_exact(const uint8_t *bytes, uint32_t length, bool ipv6, bool *inner_ipv6)
{
	uint8_t *exact = malloc(length != 0 ? length : 1);

	assert_non_null(exact);
	memcpy(exact, bytes, length);
	uint32_t inner = ps_unwrap_quote(exact, length, ipv6, inner_ipv6);
	free(exact);
	return inner;
}

// From a VIP to a client, with options or extension headers of `more` bytes.
static struct frame quoted(bool ipv6, uint32_t more)
{
	struct frame f = ipv6 ? frame_tcp6("2001:db8:5::1", 80, "2001:db8:c::1", 4000, 16)
			      : frame_tcp("198.51.100.1", 80, "192.0.2.1", 4000, 16);

	if (ipv6 && more > 0)
		frame_extend6(&f, IPPROTO_DSTOPTS, more);
	if (!ipv6 && more > 0) {
		memmove(f.bytes + L4_AT + more, f.bytes + L4_AT, f.length - L4_AT);
		f.bytes[IP_AT] = (uint8_t)(0x45 + more / 4);
		f.length += more;
	}
	return f;
}

static void a_quote_needs_its_ports(void **state)
{
	(void)state;
	for (uint32_t ipv6 = 0; ipv6 < 2; ipv6++)
		for (uint32_t more = 0; more <= 24; more += 8) {
			struct frame f = quoted(ipv6, more);
			uint32_t least = (ipv6 ? 40u : 20u) + more + 8;

			for (uint32_t length = 0; length <= f.length - IP_AT; length++) {
				struct ps_packet flow = {};
				bool good = read_exact(f.bytes + IP_AT, length, ipv6, &flow);

				assert_int_equal(good, length >= least);
				if (!good)
					continue;
				assert_int_equal(flow.source_port, htons(4000));
				assert_int_equal(flow.destination_port, htons(80));
				assert_int_equal(flow.kind, PS_PACKET_TCP);
				assert_int_equal(flow.ipv6, ipv6);
			}
		}
}

static void a_tunnel_is_unwrapped(void **state)
{
	(void)state;
	for (uint32_t outer6 = 0; outer6 < 2; outer6++)
		for (uint32_t kind = 0; kind < 4; kind++) {
			uint8_t inner = kind & 1 ? 41 : 4;
			bool gue = kind & 2, v6;
			struct frame f;

			if (outer6)
				frame_ipv6(&f, "2001:db8::1", "2001:db8::2", gue ? 17 : inner, 60);
			else
				frame_ipv4(&f, "10.0.0.1", "10.0.0.2", gue ? 17 : inner, 60);
			uint32_t header = outer6 ? 40 : 20, least = header + (gue ? 12 : 0);
			f.bytes[IP_AT + header + 9] = gue ? inner : 0;
			for (uint32_t length = 0; length <= header + 60; length++) {
				uint32_t at = unwrap_exact(f.bytes + IP_AT, length, outer6, &v6);
				assert_int_equal(at, length >= least ? least : 0);
				if (at != 0)
					assert_int_equal(v6, inner == 41);
			}
		}
}

static void damage_is_survived(void **state)
{
	uint32_t good = 0, bad = 0;

	(void)state;
	for (uint32_t i = 0; i < ROUNDS; i++) {
		bool ipv6 = random_below(2), v6;
		struct frame f = quoted(ipv6, 8 * random_below(4));
		uint32_t length = random_below(f.length - IP_AT + 1);
		struct ps_packet flow;

		for (uint32_t n = random_below(4); n > 0; n--)
			f.bytes[IP_AT + random_below(60)] = (uint8_t)random_below(256);
		if (read_exact(f.bytes + IP_AT, length, ipv6, &flow))
			good++;
		else
			bad++;
		assert_true(unwrap_exact(f.bytes + IP_AT, length, ipv6, &v6) <= length);
	}
	assert_true(good > ROUNDS / 100 && bad > ROUNDS / 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_quote_needs_its_ports),
		cmocka_unit_test(a_tunnel_is_unwrapped),
		cmocka_unit_test(damage_is_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
