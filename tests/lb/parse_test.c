// SPDX-License-Identifier: Apache-2.0
// The parser, each check with the one defect that it is for. Frames lie in heap buffers of their
// exact size, so that the address sanitizer sees a read past the end.
#include "base_test.h"
#include "datapath/parse.h"
#include "frames.h"

#include <stdlib.h>

static enum ps_drop parse(const struct frame *f, struct ps_packet *packet)
{
	uint8_t *exact = malloc(f->length != 0 ? f->length : 1);

	assert_non_null(exact);
	memcpy(exact, f->bytes, f->length);
	enum ps_drop drop = ps_parse(exact, f->length, TEST_MAC, packet);
	free(exact);
	return drop;
}

static enum ps_drop verdict(const struct frame *f)
{
	struct ps_packet packet;

	return parse(f, &packet);
}

static struct frame good_tcp(void)
{
	return frame_tcp("192.0.2.1", 4000, "198.51.100.1", 80, RTE_TCP_ACK_FLAG);
}

static void good_packets_are_read(void **state)
{
	struct frame tcp = good_tcp(), udp = frame_udp("192.0.2.1", 4000, "198.51.100.1", 53);
	struct ps_packet packet;

	(void)state;
	assert_int_equal(parse(&tcp, &packet), PS_NO_DROP);
	assert_int_equal(packet.kind, PS_PACKET_TCP);
	assert_int_equal(packet.source, inet_addr("192.0.2.1"));
	assert_int_equal(packet.destination, inet_addr("198.51.100.1"));
	assert_int_equal(packet.source_port, htons(4000));
	assert_int_equal(packet.destination_port, htons(80));
	assert_int_equal(packet.tcp_flags, RTE_TCP_ACK_FLAG);
	assert_int_equal(packet.l3_length, 40);
	assert_int_equal(packet.frame_length, 54);
	assert_int_equal(parse(&udp, &packet), PS_NO_DROP);
	assert_int_equal(packet.kind, PS_PACKET_UDP);
	assert_int_equal(packet.tcp_flags, 0);
	tcp.length = 60; // padding of a short frame
	assert_int_equal(parse(&tcp, &packet), PS_NO_DROP);
	assert_int_equal(packet.l3_length, 40);
}

static void broadcast_is_for_arp_and_other_kinds_are_told(void **state)
{
	struct frame arp = frame_arp(RTE_ARP_OP_REQUEST, "10.77.1.1", TEST_PEER, "10.77.1.11");
	struct frame echo = frame_echo("192.0.2.1", "10.77.1.11");
	struct ps_packet packet;

	(void)state;
	memset(arp.bytes, 0xff, 6);
	assert_int_equal(parse(&arp, &packet), PS_NO_DROP);
	assert_int_equal(packet.kind, PS_PACKET_ARP);
	assert_int_equal(parse(&echo, &packet), PS_NO_DROP);
	assert_int_equal(packet.kind, PS_PACKET_OTHER);
	memset(echo.bytes, 0xff, 6);
	assert_int_equal(parse(&echo, &packet), PS_DROP_FOREIGN_MAC);
}

// One byte of a good TCP packet set to a value, or its length changed.
struct defect {
	enum ps_drop reason;
	int offset; // -1: length only
	uint8_t value;
	uint32_t length; // 0: unchanged
	bool fix_checksum;
};

static const struct defect defects[] = {
	{PS_DROP_FRAME_TOO_SHORT, -1, 0, 13, false},
	{PS_DROP_FOREIGN_MAC, 5, 9, 0, false},
	{PS_DROP_OWN_SOURCE_MAC, 11, 0, 0, false},
	{PS_DROP_UNSUPPORTED_ETHERTYPE, 12, 0x86, 0, false},
	{PS_DROP_UNSUPPORTED_ETHERTYPE, 12, 0x81, 0,
		false}, // a tag, and "IPv4" as the EtherType behind
	{PS_DROP_IPV4_HEADER_TRUNCATED, -1, 0, IP_AT, false},
	{PS_DROP_IPV4_HEADER_TRUNCATED, -1, 0, IP_AT + 19, false},
	{PS_DROP_IPV4_HEADER_TRUNCATED, IP_AT, 0x4f, 0, true},
	{PS_DROP_IPV4_BAD_VERSION, IP_AT, 0x65, 0, true},
	{PS_DROP_IPV4_BAD_HEADER_LENGTH, IP_AT, 0x44, 0, true},
	{PS_DROP_IPV4_BAD_TOTAL_LENGTH, IP_AT + 3, 19, 0, true},
	{PS_DROP_IPV4_TRUNCATED, IP_AT + 3, 41, 0, true},
	{PS_DROP_IPV4_TRUNCATED, -1, 0, L4_AT + 19, false},
	{PS_DROP_IPV4_BAD_CHECKSUM, IP_AT + 10, 0x12, 0, false},
	{PS_DROP_IPV4_BAD_SOURCE, IP_AT + 12, 224, 0, true},
	{PS_DROP_IPV4_BAD_SOURCE, IP_AT + 12, 127, 0, true},
	{PS_DROP_IPV4_BAD_SOURCE, IP_AT + 12, 0, 0, true},
	{PS_DROP_IPV4_FRAGMENT, IP_AT + 6, 0x20, 0, true},
	{PS_DROP_IPV4_FRAGMENT, IP_AT + 7, 1, 0, true},
	{PS_DROP_IPV4_TTL_ZERO, IP_AT + 8, 0, 0, true},
	{PS_DROP_TCP_HEADER_TRUNCATED, IP_AT + 3, 39, 0, true},
	{PS_DROP_TCP_BAD_DATA_OFFSET, L4_AT + 12, 4 << 4, 0, false},
	{PS_DROP_TCP_BAD_DATA_OFFSET, L4_AT + 12, 6 << 4, 0, false},
	{PS_DROP_TCP_BAD_FLAGS, L4_AT + 13, 0, 0, false},
	{PS_DROP_TCP_BAD_FLAGS, L4_AT + 13, RTE_TCP_SYN_FLAG | RTE_TCP_FIN_FLAG, 0, false},
	{PS_DROP_TCP_BAD_FLAGS, L4_AT + 13, RTE_TCP_SYN_FLAG | RTE_TCP_RST_FLAG, 0, false},
};

static void each_defect_has_its_reason(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof defects / sizeof *defects; i++) {
		const struct defect *d = &defects[i];
		struct frame f = good_tcp();
		if (d->offset >= 0)
			f.bytes[d->offset] = d->value;
		if (d->fix_checksum)
			frame_checksum(&f);
		if (d->length != 0)
			f.length = d->length;
		if (verdict(&f) != d->reason)
			fail_msg("defect %zu: reason %d, not %d", i, verdict(&f), d->reason);
	}
}

static void limited_broadcast_is_no_source(void **state)
{
	struct frame f = frame_tcp("255.255.255.255", 1, "198.51.100.1", 80, RTE_TCP_SYN_FLAG);

	(void)state;
	assert_int_equal(verdict(&f), PS_DROP_IPV4_BAD_SOURCE);
}

static void options_are_skipped_and_checked(void **state)
{
	struct frame f;
	struct ps_packet packet;
	struct rte_ipv4_hdr *ip = (void *)(f.bytes + IP_AT);

	(void)state;
	frame_ipv4(&f, "192.0.2.1", "198.51.100.1", IPPROTO_UDP, 4 + 12);
	ip->version_ihl = 0x46; // one word of options
	memset(f.bytes + L4_AT, 1, 4);
	f.bytes[L4_AT + 4] = 0x0f; // source port 0x0fa0
	f.bytes[L4_AT + 5] = 0xa0;
	f.bytes[L4_AT + 9] = 12; // length
	frame_checksum(&f);
	assert_int_equal(parse(&f, &packet), PS_NO_DROP);
	assert_int_equal(packet.source_port, htons(4000));
	assert_int_equal(packet.header_length, 24);
	f.bytes[L4_AT] ^= 1; // the checksum covers the options
	assert_int_equal(verdict(&f), PS_DROP_IPV4_BAD_CHECKSUM);
}

static void udp_lengths_are_checked(void **state)
{
	struct frame f = frame_udp("192.0.2.1", 4000, "198.51.100.1", 53);

	(void)state;
	f.bytes[L4_AT + 5] = 7;
	assert_int_equal(verdict(&f), PS_DROP_UDP_BAD_LENGTH);
	f.bytes[L4_AT + 5] = 13;
	assert_int_equal(verdict(&f), PS_DROP_UDP_BAD_LENGTH);
	f.bytes[IP_AT + 3] = 27;
	frame_checksum(&f);
	assert_int_equal(verdict(&f), PS_DROP_UDP_HEADER_TRUNCATED);
}

// Every prefix of every kind of packet, and random bytes: no read past the end, and a packet that
// passes tells lengths that lie inside the frame.
static void nothing_is_read_past_the_end(void **state)
{
	struct frame kinds[] = {good_tcp(), frame_udp("192.0.2.1", 4000, "198.51.100.1", 53),
		frame_echo("192.0.2.1", "10.77.1.11"),
		frame_arp(RTE_ARP_OP_REPLY, "10.77.1.21", TEST_PEER, "10.77.1.11")};
	struct ps_packet packet;

	(void)state;
	srand(1);
	for (uint32_t i = 0; i < 20000; i++) {
		struct frame f = kinds[i % 4];
		f.length = (uint32_t)rand() % (f.length + 1);
		for (int n = rand() % 3; n > 0 && f.length > 0; n--)
			f.bytes[(uint32_t)rand() % f.length] = (uint8_t)rand();
		if (i % 2 && f.length >= L4_AT)
			frame_checksum(&f);
		if (parse(&f, &packet) == PS_NO_DROP && packet.kind != PS_PACKET_ARP)
			assert_true(ETHER_SIZE + packet.l3_length <= f.length);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_packets_are_read),
		cmocka_unit_test(broadcast_is_for_arp_and_other_kinds_are_told),
		cmocka_unit_test(each_defect_has_its_reason),
		cmocka_unit_test(limited_broadcast_is_no_source),
		cmocka_unit_test(options_are_skipped_and_checked),
		cmocka_unit_test(udp_lengths_are_checked),
		cmocka_unit_test(nothing_is_read_past_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
