// SPDX-License-Identifier: Apache-2.0
// The parser of frames: IPv6, its extension headers, VLAN tags.
#include "base_test.h"
#include "datapath/parse.h"
#include "frames.h"

#define CLIENT "2001:db8::c1"
#define VIP "2001:db8:5::1"

static enum ps_drop parse(const struct frame *f, struct ps_packet *packet)
{
	uint8_t *exact = malloc(f->length + 1); // a sanitizer sees reads past the end

	memcpy(exact, f->bytes, f->length);
	enum ps_drop drop = ps_parse(exact, f->length, TEST_MAC, packet);
	free(exact);
	return drop;
}

static enum ps_drop verdict(struct frame f)
{
	struct ps_packet packet;

	return parse(&f, &packet);
}

static struct frame good(void)
{
	return frame_tcp6(CLIENT, 4000, VIP, 80, RTE_TCP_SYN_FLAG);
}

static void good_packets_are_read(void **state)
{
	struct frame tcp = good(), udp = frame_udp6(CLIENT, 4000, VIP, 53);
	struct frame nd = frame_nd(135, CLIENT, "ff02::1:ff00:1", VIP, TEST_PEER);
	struct ps_packet packet;

	(void)state;
	assert_int_equal(parse(&tcp, &packet), PS_NO_DROP);
	assert_true(packet.ipv6);
	assert_int_equal(packet.kind, PS_PACKET_TCP);
	assert_int_equal(packet.destination_port, htons(80));
	assert_int_equal(packet.header_length, 40);
	assert_int_equal(packet.l3_length, 60);
	assert_int_equal(parse(&udp, &packet), PS_NO_DROP);
	assert_int_equal(packet.kind, PS_PACKET_UDP);
	assert_int_equal(parse(&nd, &packet), PS_NO_DROP);
	assert_int_equal(packet.kind, PS_PACKET_ND);
}

static void extension_headers_are_walked(void **state)
{
	struct frame f = good();
	struct ps_packet packet;

	(void)state;
	frame_extend6(&f, IPPROTO_DSTOPTS, 16);
	frame_extend6(&f, IPPROTO_ROUTING, 8);  // no segments left
	frame_extend6(&f, IPPROTO_FRAGMENT, 8); // atomic
	frame_extend6(&f, IPPROTO_HOPOPTS, 8);
	f.bytes[L4_AT6 + 8 + 1] = 0; // reserved, of the fragment header
	assert_int_equal(parse(&f, &packet), PS_NO_DROP);
	assert_int_equal(packet.kind, PS_PACKET_TCP);
	assert_int_equal(packet.header_length, 40 + 40);
	assert_int_equal(packet.destination_port, htons(80));
}

static void extension_headers_have_bounds(void **state)
{
	struct frame f = good();

	(void)state;
	frame_extend6(&f, IPPROTO_HOPOPTS, 8);
	frame_extend6(&f, IPPROTO_HOPOPTS, 8); // a second one
	assert_int_equal(verdict(f), PS_DROP_IPV6_BAD_EXTENSION);
	f = good();
	for (int i = 0; i < 9; i++)
		frame_extend6(&f, IPPROTO_DSTOPTS, 8);
	assert_int_equal(verdict(f), PS_DROP_IPV6_BAD_EXTENSION);
	f = good();
	frame_extend6(&f, IPPROTO_DSTOPTS, 8);
	f.bytes[L4_AT6 + 1] = 200; // longer than the packet
	assert_int_equal(verdict(f), PS_DROP_IPV6_BAD_EXTENSION);
	f = good();
	frame_extend6(&f, IPPROTO_ROUTING, 8);
	f.bytes[L4_AT6 + 3] = 1; // segments left
	assert_int_equal(verdict(f), PS_DROP_IPV6_ROUTING_HEADER);
	f = good();
	frame_extend6(&f, IPPROTO_FRAGMENT, 8);
	f.bytes[L4_AT6 + 3] = 1; // more fragments
	assert_int_equal(verdict(f), PS_DROP_IPV6_FRAGMENT);
}

struct defect {
	enum ps_drop reason;
	int offset; // -1: length only
	uint8_t value;
	uint32_t length; // 0: unchanged
};

static const struct defect defects[] = {
	{PS_DROP_IPV6_HEADER_TRUNCATED, -1, 0, IP_AT},
	{PS_DROP_IPV6_HEADER_TRUNCATED, -1, 0, IP_AT + 39},
	{PS_DROP_IPV6_BAD_VERSION, IP_AT, 0x45, 0},
	{PS_DROP_IPV6_TRUNCATED, IP_AT + 5, 21, 0},
	{PS_DROP_IPV6_TRUNCATED, -1, 0, L4_AT6 + 19},
	{PS_DROP_IPV6_HOP_LIMIT_ZERO, IP_AT + 7, 0, 0},
	{PS_DROP_IPV6_BAD_SOURCE, IP_AT + 8, 0xff, 0},
	{PS_DROP_TCP_HEADER_TRUNCATED, IP_AT + 5, 19, 0},
	{PS_DROP_TCP_BAD_FLAGS, L4_AT6 + 13, 0, 0},
	{PS_DROP_FOREIGN_MAC, 5, 9, 0},
};

static void each_defect_has_its_reason(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof defects / sizeof *defects; i++) {
		const struct defect *d = &defects[i];
		struct frame f = good();
		if (d->offset >= 0)
			f.bytes[d->offset] = d->value;
		if (d->length != 0)
			f.length = d->length;
		if (verdict(f) != d->reason)
			fail_msg("defect %zu: reason %d, not %d", i, verdict(f), d->reason);
	}
}

static void sources_that_cannot_be(void **state)
{
	(void)state;
	assert_int_equal(
		verdict(frame_tcp6("::1", 1, VIP, 80, RTE_TCP_SYN_FLAG)), PS_DROP_IPV6_BAD_SOURCE);
	assert_int_equal(
		verdict(frame_tcp6("::", 1, VIP, 80, RTE_TCP_SYN_FLAG)), PS_DROP_IPV6_BAD_SOURCE);
	assert_int_equal(verdict(frame_tcp6("::ffff:192.0.2.1", 1, VIP, 80, RTE_TCP_SYN_FLAG)),
		PS_DROP_IPV6_BAD_SOURCE);
	assert_int_equal(
		verdict(frame_nd(135, "::", "ff02::1:ff00:1", VIP, 0)), PS_NO_DROP); // a probe
}

static void groups_are_for_neighbour_discovery(void **state)
{
	struct frame nd = frame_nd(135, CLIENT, "ff02::1:ff00:1", VIP, TEST_PEER), tcp = good();
	struct frame *both[] = {&nd, &tcp};

	(void)state;
	for (int i = 0; i < 2; i++)
		memcpy(both[i]->bytes, "\x33\x33\xff\x00\x00\x01", 6);
	assert_int_equal(verdict(nd), PS_NO_DROP);
	assert_int_equal(verdict(tcp), PS_DROP_FOREIGN_MAC);
	memset(nd.bytes, 0xff, 6); // broadcast is not IPv6's
	assert_int_equal(verdict(nd), PS_DROP_FOREIGN_MAC);
}

static void tags_are_skipped(void **state)
{
	struct frame f = frame_tagged(good(), 100);
	struct ps_packet packet;

	(void)state;
	assert_int_equal(parse(&f, &packet), PS_NO_DROP);
	assert_int_equal(packet.ether_length, 18);
	assert_int_equal(packet.destination_port, htons(80));
	f.length = 17;
	assert_int_equal(verdict(f), PS_DROP_FRAME_TOO_SHORT);
	f = frame_tagged(frame_tagged(good(), 100), 200);
	assert_int_equal(verdict(f), PS_DROP_VLAN_STACKED);
	f.bytes[12] = 0x88;
	f.bytes[13] = 0xa8;
	assert_int_equal(verdict(f), PS_DROP_VLAN_STACKED);
}

static void nothing_is_read_past_the_end(void **state)
{
	struct ps_packet packet;
	uint32_t passed = 0;

	(void)state;
	for (uint32_t i = 0; i < 40000; i++) {
		struct frame f = i % 3 ? good() : frame_nd(136, CLIENT, VIP, VIP, TEST_PEER);
		for (uint32_t n = random_below(4); n > 0 && i % 3; n--)
			frame_extend6(&f, (const uint8_t[]){0, 43, 44, 51, 60}[random_below(5)],
				8 + 8 * random_below(2));
		if (random_below(4) == 0)
			f = frame_tagged(f, 7);
		for (uint32_t n = random_below(3); n > 0; n--)
			f.bytes[random_below(f.length)] = (uint8_t)random_below(256);
		if (random_below(2))
			f.length = random_below(f.length + 1);
		if (parse(&f, &packet) != PS_NO_DROP || packet.kind == PS_PACKET_ARP)
			continue;
		passed++;
		assert_true(packet.ether_length + packet.l3_length <= f.length);
		assert_true(packet.header_length <= packet.l3_length);
	}
	assert_true(passed > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_packets_are_read),
		cmocka_unit_test(extension_headers_are_walked),
		cmocka_unit_test(extension_headers_have_bounds),
		cmocka_unit_test(each_defect_has_its_reason),
		cmocka_unit_test(sources_that_cannot_be),
		cmocka_unit_test(groups_are_for_neighbour_discovery),
		cmocka_unit_test(tags_are_skipped),
		cmocka_unit_test(nothing_is_read_past_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
