// SPDX-License-Identifier: Apache-2.0
// ICMP and VIPs: errors about a backend's packets, errors in a VIP's name, echo.
#include "datapath_rig.h"
#include "tunnel_rig.h"

#define QUOTED 28            // of TCP over IPv4: the header and 8 bytes, as every router quotes
#define ROUTER "203.0.113.7" // somewhere on the path
#define ROUTER6 "2001:db8:f::7"

// --- errors from the path ---

static void sum_icmp(struct frame *f)
{
	uint8_t *icmp = f->bytes + L4_AT;

	put_16(icmp + 2, 0);
	put_16(icmp + 2, (uint16_t)~ones_sum(icmp, f->length - L4_AT, 0));
}

// An error of a router to the VIP, about what the VIP's backend sent to the client's port.
static struct frame error4(uint8_t type, uint8_t code, uint16_t port)
{
	struct frame sent = frame_tcp(VIP4, 80, CLIENT4, port, RTE_TCP_ACK_FLAG), f;

	frame_ipv4(&f, ROUTER, VIP4, IPPROTO_ICMP, 8 + QUOTED);
	f.bytes[L4_AT] = type;
	f.bytes[L4_AT + 1] = code;
	put_16(f.bytes + L4_AT + 6, 1400);
	memcpy(f.bytes + L4_AT + 8, sent.bytes + IP_AT, QUOTED);
	sum_icmp(&f);
	return f;
}

static struct frame error6(uint8_t type, uint16_t port)
{
	struct frame sent = frame_tcp6(VIP6, 80, CLIENT6, port, RTE_TCP_ACK_FLAG), f;

	frame_ipv6(&f, ROUTER6, VIP6, IPPROTO_ICMPV6, 8 + 60);
	f.bytes[L4_AT6] = type;
	put_16(f.bytes + L4_AT6 + 6, 1400);
	memcpy(f.bytes + L4_AT6 + 8, sent.bytes + IP_AT, 60);
	frame_checksum6(&f);
	return f;
}

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

static void change(struct frame f, uint32_t at, uint8_t value, bool right)
{
	bool v6 = f.bytes[12] == 0x86;

	f.bytes[(v6 ? L4_AT6 : L4_AT) + at] = value;
	if (right && v6)
		frame_checksum6(&f);
	else if (right)
		sum_icmp(&f);
	rig_receive(f);
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

// --- errors in the VIP's name ---

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
	receive_long4(false, 91); // may be fragmented: nobody is told
	assert_int_equal(rig_lcore(PS_LCORE_DROP_EXCEEDS_MTU), 1);
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
		TUNNEL_TEST(clients_are_told_what_fits),
		TUNNEL_TEST(the_answer_has_the_tag_of_the_question),
		TUNNEL_TEST(answers_quote_as_much_as_they_may),
		TUNNEL_TEST(clients_of_ipv6_are_told_what_fits),
		TUNNEL_TEST(ipv6_is_not_told_less_than_its_least),
		TUNNEL_TEST(errors_are_not_answered),
		TUNNEL_TEST(errors_have_a_rate),
		TUNNEL_TEST(a_vip_answers_echo_by_choice),
		TUNNEL_TEST(a_vip_of_ipv6_answers_echo_by_choice),
	};

	ps_harness_eal(RIG_MEMORY_MB, false);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
