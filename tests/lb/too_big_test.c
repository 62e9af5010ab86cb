// SPDX-License-Identifier: Apache-2.0
// Path MTU discovery: errors in a VIP's name, about packets that do not fit where they should leave
// or, so a router says, on the way to a tunnel's backend.
#include "icmp_frames.h"

static void expect_error4(uint16_t mtu)
{
	static const uint8_t vip[] = {198, 51, 100, 1}, client[] = {192, 0, 2, 1};
	const struct frame *in = &sent_by_client;
	uint32_t quote = in->length - ETHER_SIZE;
	struct expected e;

	expect_begin(&e, TEST_PEER, 0x0800);
	expect_16(&e, 0x45c0);
	expect_16(&e, 20 + 8 + quote);
	expect_16(&e, 0);
	expect_16(&e, 0x4000);
	expect_16(&e, 64 << 8 | 1);
	expect_16(&e, 0);
	expect_bytes(&e, vip, 4);
	expect_bytes(&e, client, 4);
	put_16(e.bytes + IP_AT + 10, (uint16_t)~ones_sum(e.bytes + IP_AT, 20, 0));
	expect_16(&e, 3 << 8 | 4);
	expect_16(&e, 0);
	expect_16(&e, 0);
	expect_16(&e, mtu);
	uint32_t sum = ones_sum(e.bytes + L4_AT, 8, 0);
	sum = ones_sum(in->bytes + ETHER_SIZE, quote, sum);
	put_16(e.bytes + L4_AT + 2, (uint16_t)~sum);
	expect_end(&e, in);
}

static void clients_are_told_what_fits(void **state)
{
	(void)state;
	configure("\"mode\":\"ipip\"", "10.99.0.5");
	rig.worker->ports[0].mtu = 100;
	receive4(0, true);
	assert_int_equal(last_mac(), ROUTER_MAC); // 60 bytes fit
	rig.worker->ports[0].mtu = 20 + 68;
	receive_long4(true, 69);
	assert_int_equal(rig.sent_count, 2);
	expect_error4(68);
	configure("\"mode\":\"gue\"", "10.99.0.5");
	rig.worker->ports[0].mtu = 32 + 70;
	receive_long4(true, 70);
	assert_int_equal(last_mac(), ROUTER_MAC);
	receive_long4(true, 71);
	expect_error4(70);
	configure("\"mode\":\"dsr\"", "10.77.1.21");
	rig.worker->ports[0].mtu = 90;
	receive_long4(true, 91);
	expect_error4(90);
	assert_int_equal(rig_lcore(PS_LCORE_ORIGINATED_ICMP_TOO_BIG), 3);
	assert_int_equal(rig_lcore(PS_LCORE_DROP_TOO_BIG_TOLD), 3);
	assert_int_equal(rig_vip(0, PS_VIP_DROPPED_PACKETS), 3);
	receive_long4(false, 91); // is fragmented: nobody is told
	assert_int_equal(rig_lcore(PS_LCORE_ORIGINATED_FRAGMENT), 1);
	assert_int_equal(rig_lcore(PS_LCORE_DROP_EXCEEDS_MTU), 0);
	assert_int_equal(rig_lcore(PS_LCORE_ORIGINATED_ICMP_TOO_BIG), 3);
}

static void the_answer_has_the_tag_of_the_question(void **state)
{
	struct frame f;

	(void)state;
	configure("\"mode\":\"ipip\"", "10.99.0.5");
	rig.worker->ports[0].mtu = 88;
	receive_long4(true, 69);
	f = *last_sent();
	rig_receive(frame_tagged(sent_by_client, 7));
	assert_int_equal(last_sent()->length, f.length + 4);
	assert_int_equal(read_16(last_sent()->bytes + 12), 0x8100);
	assert_int_equal(read_16(last_sent()->bytes + 14), 7);
	assert_memory_equal(last_sent()->bytes + 16, f.bytes + 12, f.length - 12);
}

// A large packet, of which the rig keeps the beginning of the answer.
static void receive_large(bool v6, uint32_t length)
{
	struct frame f = v6 ? frame_tcp6(CLIENT6, 9, VIP6, 80, RTE_TCP_ACK_FLAG)
			    : frame_tcp(CLIENT4, 9, VIP4, 80, RTE_TCP_ACK_FLAG);
	struct rte_mbuf *m;

	if (v6) {
		put_16(f.bytes + IP_AT + 4, (uint16_t)(length - 40));
	} else {
		put_16(f.bytes + IP_AT + 2, (uint16_t)length);
		f.bytes[IP_AT + 6] = 0x40;
		frame_checksum(&f);
	}
	m = rig_mbuf(&f);
	uint32_t more = length + ETHER_SIZE - f.length;
	memset(rte_pktmbuf_append(m, (uint16_t)more), 0, more); // nothing for any checksum
	ps_burst(rig.worker, &rig.worker->ports[0], &m, 1);
	rig_turn(1);
	rig_check_law();
}

static void answers_quote_as_much_as_they_may(void **state)
{
	uint32_t bytes, before;

	(void)state;
	configure("\"mode\":\"ipip\"", "2001:db8:99::5");
	receive_large(false, 1460);
	receive_large(true, 1460);
	assert_int_equal(rig_lcore(PS_LCORE_TX_PACKETS), 2);
	before = (uint32_t)rig_lcore(PS_LCORE_TX_BYTES);
	receive_large(false, 1461);
	bytes = (uint32_t)rig_lcore(PS_LCORE_TX_BYTES) - before;
	assert_int_equal(bytes, ETHER_SIZE + 576);
	assert_int_equal(read_16(last_sent()->bytes + L4_AT + 6), 1460);
	before += bytes;
	receive_large(true, 1461);
	assert_int_equal(rig_lcore(PS_LCORE_TX_BYTES) - before, ETHER_SIZE + 1280);
	assert_int_equal(rig_lcore(PS_LCORE_ORIGINATED_ICMPV6_TOO_BIG), 1);
}

static void clients_of_ipv6_are_told_what_fits(void **state)
{
	const uint8_t *sent, *ip;
	struct frame f = frame_tcp6(CLIENT6, 9, VIP6, 80, RTE_TCP_ACK_FLAG);
	uint32_t sum;

	(void)state;
	configure("\"mode\":\"ipip\"", "10.99.0.5");
	receive_large(true, 1481);
	sent = last_sent()->bytes;
	ip = sent + ETHER_SIZE;
	assert_int_equal(last_mac(), TEST_PEER);
	assert_int_equal(read_16(sent + 12), 0x86dd);
	assert_int_equal(read_16(ip), 0x6000);
	assert_int_equal(read_16(ip + 2), 0);
	assert_int_equal(read_16(ip + 4), 1240);
	assert_int_equal(read_16(ip + 6), 58 << 8 | 64);
	assert_memory_equal(ip + 8, f.bytes + IP_AT + 24, 16); // from the VIP
	assert_memory_equal(ip + 24, f.bytes + IP_AT + 8, 16); // to the client
	assert_int_equal(read_16(ip + 40), 2 << 8);
	assert_int_equal(read_16(ip + 44), 0);
	assert_int_equal(read_16(ip + 46), 1480);
	put_16(f.bytes + IP_AT + 4, 1441); // the quote, as it was sent
	assert_memory_equal(ip + 48, f.bytes + IP_AT, 60);
	// What the quote has beyond the rig's memory is zeroes.
	sum = ones_sum(ip + 8, 32, 1240 + 58);
	sum = ones_sum(ip + 40, 8 + 60, sum);
	assert_int_equal(sum, 0xffff);
}

// Nobody sends IPv6 in packets below 1280 bytes: there is nothing to tell.
static void ipv6_is_not_told_less_than_its_least(void **state)
{
	(void)state;
	configure("\"mode\":\"gue\"", "2001:db8:99::5");
	rig.worker->ports[0].mtu = 1300;
	receive_large(true, 1280);
	assert_int_equal(rig_lcore(PS_LCORE_DROP_EXCEEDS_MTU), 1);
	assert_int_equal(rig.sent_count, 0);
	receive_large(true, 1281);
	assert_int_equal(read_16(last_sent()->bytes + L4_AT6 + 6), 1280);
	assert_int_equal(rig_lcore(PS_LCORE_DROP_TOO_BIG_TOLD), 1);
}

static void errors_are_not_answered(void **state)
{
	struct frame f = error4(3, 4, 100);

	(void)state;
	configure("\"mode\":\"ipip\"", "10.99.0.5");
	f.bytes[IP_AT + 6] = 0x40;
	frame_checksum(&f);
	rig.worker->ports[0].mtu = (uint16_t)(f.length - ETHER_SIZE + 19);
	rig_receive(f);
	rig_receive(error6(2, 100));
	assert_int_equal(rig.sent_count, 0);
	assert_int_equal(rig_lcore(PS_LCORE_DROP_EXCEEDS_MTU), 2);
}

static void errors_have_a_rate(void **state)
{
	struct rte_mbuf *mbufs[PS_BURST];

	(void)state;
	configure("\"mode\":\"ipip\"", "10.99.0.5");
	rig.worker->ports[0].mtu = 88;
	receive_long4(true, 69);
	rig.worker->icmp_paid = 0;
	for (uint32_t i = 0; i < 60; i++)
		mbufs[i] = rig_mbuf(&sent_by_client);
	ps_burst(rig.worker, &rig.worker->ports[0], mbufs, 60); // at one instant
	rig_turn(60);
	rig_check_law();
	assert_int_equal(rig_lcore(PS_LCORE_ORIGINATED_ICMP_TOO_BIG), 1 + 50);
	assert_int_equal(rig_lcore(PS_LCORE_DROP_TOO_BIG_TOLD), 1 + 50);
	assert_int_equal(rig_lcore(PS_LCORE_DROP_ICMP_RATE_LIMITED), 10);
	rig.worker->icmp_paid = rig.worker->now - rig.app->shared.tsc_hz / 500; // 2 ms are 2 more
	for (uint32_t i = 0; i < 5; i++)
		mbufs[i] = rig_mbuf(&sent_by_client);
	ps_burst(rig.worker, &rig.worker->ports[0], mbufs, 5);
	rig_turn(5);
	assert_int_equal(rig_lcore(PS_LCORE_DROP_TOO_BIG_TOLD), 1 + 50 + 2);
	assert_int_equal(rig_lcore(PS_LCORE_DROP_ICMP_RATE_LIMITED), 10 + 3);
}

// --- errors from the way to a backend ---

// The router's error about the last packet that was sent, as far as `quoted` bytes of it.
static struct frame about_last_sent(uint32_t quoted, uint16_t mtu)
{
	const struct frame *sent = last_sent();
	bool v6 = sent->bytes[12] == 0x86;
	struct frame f;

	if (v6)
		frame_ipv6(&f, ROUTER6, "2001:db8:77::11", IPPROTO_ICMPV6, 8 + quoted);
	else
		frame_ipv4(&f, ROUTER, "10.77.1.11", IPPROTO_ICMP, 8 + quoted);
	uint8_t *message = f.bytes + (v6 ? L4_AT6 : L4_AT);
	message[0] = v6 ? 2 : 3;
	message[1] = v6 ? 0 : 4;
	put_16(message + 6, mtu);
	memcpy(message + 8, sent->bytes + ETHER_SIZE, quoted);
	if (v6)
		frame_checksum6(&f);
	else
		sum_icmp(&f);
	return f;
}

// All that was in front of the client's packet goes, from the quote and from the MTU.
static void check_passed_on(bool client6, uint32_t overhead)
{
	struct frame error;

	if (client6)
		receive6(0);
	else
		receive4(0, true);
	error = about_last_sent(overhead + (client6 ? 60 : 40), 1400);
	uint32_t sent = rig.sent_count;
	rig_receive(error);
	assert_int_equal(rig.sent_count, sent + 1);
	if (!client6) {
		expect_error4((uint16_t)(1400 - overhead));
		return;
	}
	const uint8_t *ip = last_sent()->bytes + ETHER_SIZE;
	assert_int_equal(last_mac(), TEST_PEER);
	assert_int_equal(read_16(last_sent()->bytes + 12), 0x86dd);
	assert_memory_equal(ip + 8, sent_by_client.bytes + IP_AT + 24, 16);
	assert_memory_equal(ip + 24, sent_by_client.bytes + IP_AT + 8, 16);
	assert_int_equal(read_16(ip + 40), 2 << 8);
	assert_int_equal(read_16(ip + 46), 1400 - overhead);
	assert_memory_equal(ip + 48, sent_by_client.bytes + IP_AT, 60);
	uint32_t sum = ones_sum(ip + 8, 32, 8 + 60 + 58);
	assert_int_equal(ones_sum(ip + 40, 8 + 60, sum), 0xffff);
}

static void the_way_to_the_backend_narrows(void **state)
{
	(void)state;
	for (int client6 = 0; client6 < 2; client6++) {
		configure("\"mode\":\"ipip\"", "10.99.0.5");
		check_passed_on(client6, 20);
		configure("\"mode\":\"ipip\"", "2001:db8:99::5");
		check_passed_on(client6, 40);
		configure("\"mode\":\"gue\"", "10.99.0.5");
		check_passed_on(client6, 32);
		configure("\"mode\":\"gue\"", "2001:db8:99::5");
		check_passed_on(client6, 52);
	}
	assert_int_equal(rig_lcore(PS_LCORE_CONSUMED_TUNNEL_TOO_BIG), 8);
	assert_int_equal(rig_lcore(PS_LCORE_ORIGINATED_ICMP_TOO_BIG), 4);
	assert_int_equal(rig_lcore(PS_LCORE_ORIGINATED_ICMPV6_TOO_BIG), 4);
}

static void quotes_without_a_clients_packet_have_a_reason(void **state)
{
	struct frame error;

	(void)state;
	configure("\"mode\":\"gue\"", "10.99.0.5");
	receive4(0, true);
	uint32_t sent = rig.sent_count;
	for (uint32_t quoted = 0; quoted < 32 + 28; quoted++) // every cut
		rig_receive(about_last_sent(quoted, 1400));
	assert_int_equal(rig_lcore(PS_LCORE_DROP_ICMP_BAD_INNER), 60);
	error = about_last_sent(32 + 28, 1400);
	change(error, 8 + 28, 1, true);      // a version of GUE that we do not send
	change(error, 8 + 32 + 16, 9, true); // no VIP
	change(error, 8 + 32 + 22, 9, true); // no listener's port
	change(error, 8 + 9, 47, true);      // no tunnel of ours
	assert_int_equal(rig_lcore(PS_LCORE_DROP_ICMP_BAD_INNER), 64);
	change(error, 3, 0xbb, false);
	assert_int_equal(rig_lcore(PS_LCORE_DROP_ICMP_MALFORMED), 1);
	assert_int_equal(rig.sent_count, sent);
	rig.worker->icmp_paid = rig.worker->now;
	rig_receive(error);
	assert_int_equal(rig_lcore(PS_LCORE_DROP_ICMP_RATE_LIMITED), 1);
	change(error, 1, 3, true); // "port unreachable": as ever
	assert_int_equal(rig_lcore(PS_LCORE_DROP_ICMP_UNSUPPORTED), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TUNNEL_TEST(clients_are_told_what_fits),
		TUNNEL_TEST(the_answer_has_the_tag_of_the_question),
		TUNNEL_TEST(answers_quote_as_much_as_they_may),
		TUNNEL_TEST(clients_of_ipv6_are_told_what_fits),
		TUNNEL_TEST(ipv6_is_not_told_less_than_its_least),
		TUNNEL_TEST(errors_are_not_answered),
		TUNNEL_TEST(errors_have_a_rate),
		TUNNEL_TEST(the_way_to_the_backend_narrows),
		TUNNEL_TEST(quotes_without_a_clients_packet_have_a_reason),
	};

	ps_harness_eal(RIG_MEMORY_MB, false);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
