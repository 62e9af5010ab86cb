// SPDX-License-Identifier: Apache-2.0
// ICMP to a VIP: errors about its backends' packets, and echo.
#include "icmp_frames.h"

// --- errors from the path ---

static struct frame connect4(uint16_t port)
{
	return frame_tcp(CLIENT4, port, VIP4, 80, RTE_TCP_SYN_FLAG);
}

#define TWO "10.77.1.21\"},{\"name\":\"b2\",\"address\":\"10.77.1.22"

static void errors_follow_their_connection(void **state)
{
	uint64_t chosen[64], drained = 0;

	(void)state;
	configure("\"mode\":\"dsr\"", TWO);
	for (uint16_t i = 0; i < 64; i++) {
		rig_receive(connect4((uint16_t)(100 + i)));
		chosen[i] = last_mac();
	}
	// With the first backend drained, only the connections know.
	configure("\"mode\":\"dsr\"",
		"10.77.1.21\",\"weight\":0},{\"name\":\"b2\",\"address\":\"10.77.1.22");
	uint32_t sent = rig.sent_count;
	for (uint16_t i = 0; i < 64; i++) {
		struct frame f = error4(3, 4, (uint16_t)(100 + i));

		rig_receive(f);
		assert_int_equal(rig.sent_count, ++sent);
		assert_int_equal(last_mac(), chosen[i]);
		assert_int_equal(last_sent()->length, f.length);
		assert_memory_equal(last_sent()->bytes + 12, f.bytes + 12, f.length - 12);
		drained += last_mac() == BACKEND_MAC;
	}
	assert_true(drained > 0 && drained < 64); // both were met
	assert_int_equal(rig_lcore(PS_LCORE_RELAYED_ERROR_PACKETS), 64);
	assert_int_equal(rig_lcore(PS_LCORE_CREATED_CONNECTIONS), 64);
	assert_int_equal(rig_lcore(PS_LCORE_ACTIVE_CONNECTIONS), 64);
	assert_int_equal(rig_vip(0, PS_VIP_RX_PACKETS), 128);
	assert_int_equal(rig_vip(0, PS_VIP_TX_PACKETS), 128);
}

static void errors_without_a_connection_go_by_maglev(void **state)
{
	(void)state;
	configure("\"mode\":\"dsr\"", TWO);
	for (uint16_t i = 0; i < 32; i++) {
		rig_receive(error4(11, 0, (uint16_t)(100 + i)));
		uint64_t to = last_mac();
		rig_receive(connect4((uint16_t)(100 + i)));
		assert_int_equal(last_mac(), to);
	}
	assert_int_equal(rig_lcore(PS_LCORE_CREATED_CONNECTIONS), 32);
	assert_int_equal(rig_lcore(PS_LCORE_PICKED_UP_CONNECTIONS), 0);
}

static void errors_of_ipv6_follow_their_connection(void **state)
{
	uint32_t sent;

	(void)state;
	configure("\"mode\":\"dsr\"", TWO);
	for (uint16_t i = 0; i < 32; i++) {
		struct frame f = error6((uint8_t)(1 + i % 4), (uint16_t)(100 + i));

		rig_receive(frame_tcp6(CLIENT6, (uint16_t)(100 + i), VIP6, 80, RTE_TCP_SYN_FLAG));
		uint64_t chosen = last_mac();
		sent = rig.sent_count;
		rig_receive(f);
		assert_int_equal(rig.sent_count, sent + 1);
		assert_int_equal(last_mac(), chosen);
		assert_memory_equal(last_sent()->bytes + 12, f.bytes + 12, f.length - 12);
	}
	assert_int_equal(rig_lcore(PS_LCORE_RELAYED_ERROR_PACKETS), 32);
}

static void errors_go_through_the_tunnel(void **state)
{
	struct frame f = error4(3, 4, 100);
	const struct frame *sent;

	(void)state;
	configure("\"mode\":\"ipip\"", "10.99.0.5");
	rig_receive(f);
	sent = last_sent();
	assert_int_equal(last_mac(), ROUTER_MAC);
	assert_int_equal(sent->length, f.length + 20);
	assert_int_equal(sent->bytes[ETHER_SIZE + 9], 4);
	assert_memory_equal(
		sent->bytes + ETHER_SIZE + 20, f.bytes + ETHER_SIZE, f.length - ETHER_SIZE);
	configure("\"mode\":\"gue\"", "2001:db8:99::5");
	f = error6(2, 100);
	rig_receive(f);
	sent = last_sent();
	assert_int_equal(sent->length, f.length + 52);
	assert_memory_equal(
		sent->bytes + ETHER_SIZE + 52, f.bytes + ETHER_SIZE, f.length - ETHER_SIZE);
}

static void the_quoted_packet_may_have_headers_of_its_own(void **state)
{
	struct frame sent = frame_tcp6(VIP6, 80, CLIENT6, 100, RTE_TCP_ACK_FLAG), f;

	(void)state;
	configure("\"mode\":\"dsr\"", "10.77.1.21");
	frame_extend6(&sent, IPPROTO_DSTOPTS, 8);
	frame_ipv6(&f, ROUTER6, VIP6, IPPROTO_ICMPV6, 8 + 68);
	f.bytes[L4_AT6] = 2;
	memcpy(f.bytes + L4_AT6 + 8, sent.bytes + IP_AT, 68);
	frame_checksum6(&f);
	rig_receive(f);
	frame_extend6(&f, IPPROTO_HOPOPTS, 8); // and so may the error
	rig_receive(f);
	assert_int_equal(rig_lcore(PS_LCORE_RELAYED_ERROR_PACKETS), 2);
}

static struct frame cut4(uint32_t l4_size)
{
	struct frame f = error4(3, 4, 100);
	struct rte_ipv4_hdr *ip = (void *)(f.bytes + IP_AT);

	f.length = (uint32_t)L4_AT + l4_size;
	ip->total_length = htons((uint16_t)(20 + l4_size));
	frame_checksum(&f);
	if (l4_size >= 4)
		sum_icmp(&f);
	return f;
}

static struct frame cut6(uint32_t l4_size)
{
	struct frame f = error6(2, 100);

	f.length = (uint32_t)L4_AT6 + l4_size;
	put_16(f.bytes + IP_AT + 4, (uint16_t)l4_size);
	frame_checksum6(&f);
	return f;
}

// In the quoted header, which begins 8 bytes behind the ICMP header.
static void malformed_quotes_have_a_reason(void **state)
{
	(void)state;
	configure("\"mode\":\"dsr\"", "10.77.1.21");
	change(error4(3, 4, 100), 8, 0x55, true);          // version
	change(error4(3, 4, 100), 8, 0x44, true);          // header length
	change(error4(3, 4, 100), 8, 0x46, true);          // ports beyond the quote
	change(error4(3, 4, 100), 8 + 7, 1, true);         // not the first fragment
	change(error4(3, 4, 100), 8 + 9, 47, true);        // protocol
	change(error4(3, 4, 100), 8 + 15, 9, true);        // source: not this VIP
	for (uint32_t size = 8; size < 8 + QUOTED; size++) // every cut
		rig_receive(cut4(size));
	assert_int_equal(rig_lcore(PS_LCORE_DROP_ICMP_BAD_INNER), 6 + QUOTED);
	change(error6(2, 100), 8, 0x50, true);   // version
	change(error6(2, 100), 8 + 6, 59, true); // no next header
	change(error6(2, 100), 8 + 6, 44, true); // a fragment header that is none
	change(error6(2, 100), 8 + 23, 9, true); // source
	for (uint32_t size = 8; size < 8 + 48; size++)
		rig_receive(cut6(size));
	assert_int_equal(rig_lcore(PS_LCORE_DROP_ICMPV6_BAD_INNER), 4 + 48);
	assert_int_equal(rig.sent_count, 0);
	rig_receive(cut6(8 + 48));
	assert_int_equal(rig.sent_count, 1);
}

static void malformed_errors_have_a_reason(void **state)
{
	(void)state;
	configure("\"mode\":\"dsr\"", "10.77.1.21");
	change(error4(3, 4, 100), 3, 0xbb, false);
	for (uint32_t size = 1; size < 8; size++)
		rig_receive(cut4(size));
	assert_int_equal(rig_lcore(PS_LCORE_DROP_ICMP_MALFORMED), 1 + 7);
	change(error6(2, 100), 3, 0xbb, false);
	for (uint32_t size = 4; size < 8; size++)
		rig_receive(cut6(size));
	assert_int_equal(rig_lcore(PS_LCORE_DROP_ICMPV6_MALFORMED), 1 + 4);
	assert_int_equal(rig.sent_count, 0);
}

static void errors_about_nobody_have_a_reason(void **state)
{
	(void)state;
	configure("\"mode\":\"dsr\"", "10.77.1.21");
	change(error4(3, 4, 100), 8 + 20 + 1, 81, true); // port
	change(error6(2, 100), 8 + 40 + 1, 81, true);
	change(error4(3, 4, 100), 0, 5, true); // a redirect is no error
	change(error6(2, 100), 0, 5, true);
	rig_receive(cut4(0)); // no type at all
	assert_int_equal(rig_lcore(PS_LCORE_DROP_NO_LISTENER), 5);
	configure("\"mode\":\"dsr\"", "10.77.1.21\",\"weight\":0},{\"name\":\"b2\",\"weight\":0,"
				      "\"address\":\"10.77.1.22");
	rig_receive(error4(3, 4, 100));
	assert_int_equal(rig_lcore(PS_LCORE_DROP_NO_BACKEND), 1);
	assert_int_equal(rig_vip(0, PS_VIP_DROPPED_PACKETS), 1);
}

// --- echo ---

static void a_vip_answers_echo_by_choice(void **state)
{
	(void)state;
	configure("\"mode\":\"dsr\"", "10.77.1.21");
	rig_receive(frame_echo(CLIENT4, VIP4));
	rig_receive(frame_echo6(CLIENT6, VIP6));
	assert_int_equal(rig_lcore(PS_LCORE_DROP_NO_LISTENER), 2);
	listener_members = ",\"icmp_echo\":true"; // of the IPv4 VIP's first listener
	configure("\"mode\":\"dsr\"", "10.77.1.21");
	rig_receive(frame_echo(CLIENT4, VIP4));
	assert_int_equal(rig.sent_count, 1);
	assert_int_equal(last_mac(), TEST_PEER);
	assert_int_equal(last_sent()->bytes[L4_AT], 0);
	assert_int_equal(*(const uint32_t *)(last_sent()->bytes + IP_AT + 12), inet_addr(VIP4));
	assert_int_equal(*(const uint32_t *)(last_sent()->bytes + IP_AT + 16), inet_addr(CLIENT4));
	assert_int_equal(ones_sum(last_sent()->bytes + IP_AT, 20, 0), 0xffff);
	assert_int_equal(
		ones_sum(last_sent()->bytes + L4_AT, last_sent()->length - L4_AT, 0), 0xffff);
	assert_int_equal(rig_lcore(PS_LCORE_ORIGINATED_ICMP_ECHO_REPLY), 1);
	change(frame_echo(CLIENT4, VIP4), 0, 13, true); // a timestamp request
	assert_int_equal(rig_lcore(PS_LCORE_DROP_ICMP_UNSUPPORTED), 1);
	rig_receive(frame_echo6(CLIENT6, VIP6));
	assert_int_equal(rig_lcore(PS_LCORE_DROP_NO_LISTENER), 3); // that VIP does not
}

static void a_vip_of_ipv6_answers_echo_by_choice(void **state)
{
	(void)state;
	listener_members6 = ",\"icmp_echo\":true";
	configure("\"mode\":\"dsr\"", "10.77.1.21");
	rig_receive(frame_echo6(CLIENT6, VIP6));
	assert_int_equal(rig.sent_count, 1);
	assert_int_equal(last_sent()->bytes[L4_AT6], 129);
	assert_int_equal(rig_lcore(PS_LCORE_ORIGINATED_ICMPV6_ECHO_REPLY), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TUNNEL_TEST(errors_follow_their_connection),
		TUNNEL_TEST(errors_without_a_connection_go_by_maglev),
		TUNNEL_TEST(errors_of_ipv6_follow_their_connection),
		TUNNEL_TEST(errors_go_through_the_tunnel),
		TUNNEL_TEST(the_quoted_packet_may_have_headers_of_its_own),
		TUNNEL_TEST(malformed_quotes_have_a_reason),
		TUNNEL_TEST(malformed_errors_have_a_reason),
		TUNNEL_TEST(errors_about_nobody_have_a_reason),
		TUNNEL_TEST(a_vip_answers_echo_by_choice),
		TUNNEL_TEST(a_vip_of_ipv6_answers_echo_by_choice),
	};

	ps_harness_eal(RIG_MEMORY_MB, false);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
