// SPDX-License-Identifier: Apache-2.0
// Tunnels: each byte of the outer headers, with checksums of the test's own.
#include "tunnel_rig.h"

// --- IPIP ---

static void ipv4_in_ipv4(void **state)
{
	struct expected e;

	(void)state;
	configure("\"mode\":\"ipip\"", "10.99.0.5");
	receive4(0xb9, true); // DSCP 46 and ECN 1
	expect_begin(&e, ROUTER_MAC, 0x0800);
	expect_ipv4(&e, 0xb9, INNER, true, 4);
	expect_end(&e, &sent_by_client);
	receive4(0x03, false); // CE, may be fragmented
	expect_begin(&e, ROUTER_MAC, 0x0800);
	expect_ipv4(&e, 0x03, INNER, false, 4);
	expect_end(&e, &sent_by_client);
}

static void fragments_of_two_packets_do_not_mix(void **state)
{
	uint32_t ids[2];

	(void)state;
	configure("\"mode\":\"ipip\"", "10.99.0.5");
	for (int i = 0; i < 2; i++) {
		receive4(0, false);
		ids[i] = read_16(last_sent()->bytes + ETHER_SIZE + 4);
	}
	assert_int_equal((uint16_t)(ids[0] + 1), ids[1]);
}

static void ipv6_in_ipv4(void **state)
{
	struct expected e;

	(void)state;
	configure("\"mode\":\"ipip\"", "10.99.0.5");
	receive6(0xb9);
	expect_begin(&e, ROUTER_MAC, 0x0800);
	expect_ipv4(&e, 0xb9, INNER6, true, 41); // nobody on the way fragments IPv6
	expect_end(&e, &sent_by_client);
}

static void ipv4_in_ipv6(void **state)
{
	struct expected e;

	(void)state;
	configure("\"mode\":\"ipip\"", "2001:db8:99::5");
	receive4(0xb9, true);
	expect_begin(&e, ROUTER6_MAC, 0x86dd);
	expect_ipv6(&e, 0xb9, INNER, 4);
	expect_end(&e, &sent_by_client);
}

static void ipv6_in_ipv6(void **state)
{
	struct expected e;

	(void)state;
	configure("\"mode\":\"ipip\"", "2001:db8:99::5");
	receive6(0x4e);
	expect_begin(&e, ROUTER6_MAC, 0x86dd);
	expect_ipv6(&e, 0x4e, INNER6, 41);
	expect_end(&e, &sent_by_client);
}

// --- GUE ---

static void expect_gue(struct expected *e, uint16_t port, uint32_t payload, uint8_t inner)
{
	const uint8_t *sent = last_sent()->bytes + e->length;

	assert_true(read_16(sent) >= 49152);
	expect_bytes(e, sent, 2);
	expect_16(e, port);
	expect_16(e, 8 + 4 + payload);
	expect_16(e, 0); // the checksum
	expect_byte(e, 0);
	expect_byte(e, inner);
	expect_16(e, 0);
}

static void gue_over_ipv4(void **state)
{
	struct expected e;

	(void)state;
	configure("\"mode\":\"gue\"", "10.99.0.5");
	receive4(0x12, true);
	expect_begin(&e, ROUTER_MAC, 0x0800);
	expect_ipv4(&e, 0x12, INNER + 12, true, 17);
	expect_gue(&e, 6080, INNER, 4);
	expect_end(&e, &sent_by_client);
	configure("\"mode\":\"gue\",\"gue_port\":65535", "10.99.0.5");
	receive6(0);
	expect_begin(&e, ROUTER_MAC, 0x0800);
	expect_ipv4(&e, 0, INNER6 + 12, true, 17);
	expect_gue(&e, 65535, INNER6, 41);
	expect_end(&e, &sent_by_client);
}

static void gue_over_ipv6_with_checksum(void **state)
{
	struct expected e;

	(void)state;
	configure("\"mode\":\"gue\"", "2001:db8:99::5");
	for (uint16_t i = 0; i < 200; i++) { // odd and even sums, carries
		client_port = (uint16_t)(1000 + i * 257);
		receive4(0x55, i & 1);
		expect_begin(&e, ROUTER6_MAC, 0x86dd);
		expect_ipv6(&e, 0x55, INNER + 12, 17);
		expect_gue(&e, 6080, INNER, 4);
		expect_udp6_checksum(&e, &sent_by_client);
		expect_end(&e, &sent_by_client);
	}
	receive6(0);
	expect_begin(&e, ROUTER6_MAC, 0x86dd);
	expect_ipv6(&e, 0, INNER6 + 12, 17);
	expect_gue(&e, 6080, INNER6, 41);
	expect_udp6_checksum(&e, &sent_by_client);
	expect_end(&e, &sent_by_client);
}

static void gue_over_ipv6_without_checksum(void **state)
{
	struct expected e;

	(void)state;
	configure("\"mode\":\"gue\",\"gue_checksum\":false", "2001:db8:99::5");
	receive4(0, true);
	expect_begin(&e, ROUTER6_MAC, 0x86dd);
	expect_ipv6(&e, 0, INNER + 12, 17);
	expect_gue(&e, 6080, INNER, 4);
	expect_end(&e, &sent_by_client);
}

// A sum of zero is sent as all ones: zero says that there is none (RFC 8200 section 8.1).
static void a_checksum_of_zero_is_sent_as_ones(void **state)
{
	struct frame f;
	uint16_t sum;

	(void)state;
	configure("\"mode\":\"gue\"", "2001:db8:99::5");
	receive4(0, true);
	sum = (uint16_t)read_16(last_sent()->bytes + ETHER_SIZE + 40 + 6);
	f = sent_by_client; // the window, which nothing here looks at, brings the sum to zero
	put_16(f.bytes + L4_AT + 14, (uint16_t)ones_add(read_16(f.bytes + L4_AT + 14), sum));
	rig_receive(f);
	assert_int_equal(read_16(last_sent()->bytes + ETHER_SIZE + 40 + 6), 0xffff);
}

// --- entropy ---

static uint32_t distinct(uint32_t count, const uint64_t values[])
{
	uint32_t found = 0;

	for (uint32_t i = 0; i < count; i++) {
		uint32_t n = 0;
		while (n < i && values[n] != values[i])
			n++;
		found += n == i;
	}
	return found;
}

#define FLOWS 64

// Of FLOWS flows, each twice: the value of `size` bytes at `at` behind the Ethernet header.
static uint32_t distinct_fields(uint32_t at, uint32_t size, uint64_t values[FLOWS])
{
	for (uint16_t i = 0; i < FLOWS; i++) {
		uint64_t again = 0;

		client_port = (uint16_t)(2000 + i);
		values[i] = 0;
		receive4(0, true);
		memcpy(&values[i], last_sent()->bytes + ETHER_SIZE + at, size);
		receive4(0, true);
		memcpy(&again, last_sent()->bytes + ETHER_SIZE + at, size);
		assert_true(again == values[i]); // a flow keeps its path
	}
	return distinct(FLOWS, values);
}

static void flows_spread(void **state)
{
	uint64_t values[FLOWS];

	(void)state;
	configure("\"mode\":\"ipip\"", "10.99.0.5");
	assert_int_equal(distinct_fields(12, 4, values), 1); // one source unless asked for more
	configure("\"mode\":\"ipip\",\"tunnel_source\":\"172.20.0.0/16\"", "10.99.0.5");
	assert_true(distinct_fields(12, 4, values) > FLOWS * 9 / 10);
	for (uint32_t i = 0; i < FLOWS; i++)
		assert_int_equal((uint16_t)values[i], 20 << 8 | 172);
	assert_int_equal(ones_sum(last_sent()->bytes + ETHER_SIZE, 20, 0), 0xffff);
	configure("\"mode\":\"gue\"", "10.99.0.5");
	assert_true(distinct_fields(20, 2, values) > FLOWS * 9 / 10);
	configure("\"mode\":\"gue\"", "2001:db8:99::5");
	assert_true(distinct_fields(0, 4, values) > FLOWS * 9 / 10); // flow label
	assert_true(distinct_fields(40, 2, values) > FLOWS * 9 / 10);
}

static void the_source_keeps_its_prefix(void **state)
{
	uint64_t values[FLOWS];
	uint8_t want[16];

	(void)state;
	configure("\"mode\":\"ipip\",\"tunnel_source\":\"2001:db8:7:8::/64\"", "2001:db8:99::5");
	assert_true(distinct_fields(16, 8, values) > FLOWS * 9 / 10);
	inet_pton(AF_INET6, "2001:db8:7:8::", want);
	assert_memory_equal(last_sent()->bytes + ETHER_SIZE + 8, want, 8);
	configure("\"mode\":\"ipip\",\"tunnel_source\":\"2001:db8:7::/112\"", "2001:db8:99::5");
	assert_true(distinct_fields(22, 2, values) > FLOWS * 9 / 10);
	inet_pton(AF_INET6, "2001:db8:7::", want);
	assert_memory_equal(last_sent()->bytes + ETHER_SIZE + 8, want, 14);
	configure("\"mode\":\"ipip\",\"tunnel_source\":\"2001:db8::/32\"", "2001:db8:99::5");
	assert_true(distinct_fields(16, 8, values) > FLOWS * 9 / 10);
	assert_memory_equal(last_sent()->bytes + ETHER_SIZE + 8, want, 4);
}

static void a_source_is_for_its_family(void **state)
{
	static const uint8_t source[] = {192, 0, 2, 200}, own[] = {10, 77, 1, 11};
	uint8_t own6[16];

	(void)state;
	configure("\"mode\":\"gue\",\"tunnel_source\":\"192.0.2.200\"", "10.99.0.5");
	receive4(0, true);
	assert_memory_equal(last_sent()->bytes + ETHER_SIZE + 12, source, 4);
	configure("\"mode\":\"gue\",\"tunnel_source\":\"192.0.2.200\"", "2001:db8:99::5");
	receive4(0, true);
	inet_pton(AF_INET6, "2001:db8:77::11", own6);
	assert_memory_equal(last_sent()->bytes + ETHER_SIZE + 8, own6, 16);
	configure("\"mode\":\"gue\",\"tunnel_source\":\"2001:db8:1::1\"", "10.99.0.5");
	receive4(0, true);
	assert_memory_equal(last_sent()->bytes + ETHER_SIZE + 12, own, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TUNNEL_TEST(ipv4_in_ipv4),
		TUNNEL_TEST(fragments_of_two_packets_do_not_mix),
		TUNNEL_TEST(ipv6_in_ipv4),
		TUNNEL_TEST(ipv4_in_ipv6),
		TUNNEL_TEST(ipv6_in_ipv6),
		TUNNEL_TEST(gue_over_ipv4),
		TUNNEL_TEST(gue_over_ipv6_with_checksum),
		TUNNEL_TEST(gue_over_ipv6_without_checksum),
		TUNNEL_TEST(a_checksum_of_zero_is_sent_as_ones),
		TUNNEL_TEST(flows_spread),
		TUNNEL_TEST(the_source_keeps_its_prefix),
		TUNNEL_TEST(a_source_is_for_its_family),
	};

	ps_harness_eal(RIG_MEMORY_MB, false);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
