// SPDX-License-Identifier: Apache-2.0
// ICMP errors about translated packets, and packets that come in by another worker's queue.
#include "nat_rig.h"

#define ROUTER4 "203.0.113.7"
#define ROUTER6 "2001:db8:f::7"
#define CAPACITY 1023u // of a ring of 1024

static int start_nat(void **state)
{
	(void)state;
	generation = 0;
	rig_start(nat_config("nat", "", ""), 256);
	ps_adopt_runtime(rig.worker);
	rig_resolve_all();
	return 0;
}

static int start_two(void **state)
{
	(void)state;
	generation = 0;
	rig = (struct rig){.app = ps_harness_start_workers(
				   2, 1, 256, rig_transmit, nat_config("nat", "", ""))};
	rig.worker = rig.app->workers[0];
	rig_resolve_all();
	return 0;
}

static int end_two(void **state)
{
	(void)state;
	for (uint32_t i = 2; i-- > 1;) {
		rig.worker = rig.app->workers[i];
		ps_worker_end(rig.worker);
		rig_check_law();
	}
	rig.worker = rig.app->workers[0];
	rig_end();
	return 0;
}

// About the packet, of which `quoted` bytes behind its IP header come back.
static struct frame error_about(struct packet p, const char *from, const char *to, uint8_t type,
	uint8_t code, uint32_t quoted)
{
	struct frame sent = make(p), f;
	uint32_t head = p.v6 ? 40 : 20;
	uint8_t *icmp;

	if (p.v6)
		frame_ipv6(&f, from, to, IPPROTO_ICMPV6, 8 + head + quoted);
	else
		frame_ipv4(&f, from, to, IPPROTO_ICMP, 8 + head + quoted);
	icmp = l4_of(&f);
	icmp[0] = type;
	icmp[1] = code;
	icmp[6] = 1400 >> 8;
	icmp[7] = 1400 & 255;
	memcpy(icmp + 8, sent.bytes + IP_AT, head + quoted);
	if (p.v6) {
		frame_checksum6(&f);
	} else {
		uint16_t sum = (uint16_t)~rte_raw_cksum(icmp, f.length - L4_AT);
		memcpy(icmp + 2, &sum, sizeof sum);
	}
	return f;
}

static uint32_t mtu_of(const struct frame *f)
{
	struct frame copy = *f;
	const uint8_t *icmp = l4_of(&copy);

	return (uint32_t)(icmp[6] << 8 | icmp[7]);
}

// The last frame is an error with right checksums; returns what it quotes.
static struct seen read_error(const char *from, const char *to, bool whole)
{
	struct frame f = *frame_sent(0);
	struct seen s = read_frame(&f), quoted = {.v6 = s.v6};
	const uint8_t *icmp = l4_of(&f);
	const uint8_t *ip = icmp + 8;
	uint32_t length = f.length - (uint32_t)(icmp - f.bytes);
	const struct rte_ipv4_hdr *v4 = (const void *)ip;
	const struct rte_ipv6_hdr *v6 = (const void *)ip, *outer = v6 - 1;

	if (from != NULL)
		assert_string_equal(s.from, from);
	assert_string_equal(s.to, to);
	assert_int_equal(s.ttl, 63);
	uint32_t sum = rte_raw_cksum(icmp, length);
	if (s.v6) {
		outer = (const void *)(icmp - sizeof *outer);
		sum += rte_ipv6_phdr_cksum(outer, 0);
		inet_ntop(AF_INET6, v6->src_addr, quoted.from, sizeof quoted.from);
		inet_ntop(AF_INET6, v6->dst_addr, quoted.to, sizeof quoted.to);
		quoted.protocol = v6->proto;
		length = ntohs(v6->payload_len);
		ip += sizeof *v6;
	} else {
		assert_int_equal(rte_raw_cksum(v4, sizeof *v4), 0xffff);
		inet_ntop(AF_INET, &v4->src_addr, quoted.from, sizeof quoted.from);
		inet_ntop(AF_INET, &v4->dst_addr, quoted.to, sizeof quoted.to);
		quoted.protocol = v4->next_proto_id;
		length = ntohs(v4->total_length) - (uint32_t)sizeof *v4;
		ip += sizeof *v4;
	}
	assert_int_equal((sum & 0xffff) + (sum >> 16), 0xffff);
	if (whole) {
		read_l4(&quoted, icmp + 8, ip, length);
		return quoted;
	}
	quoted.from_port = (uint16_t)(ip[0] << 8 | ip[1]);
	quoted.to_port = (uint16_t)(ip[2] << 8 | ip[3]);
	quoted.sequence =
		(uint32_t)ip[4] << 24 | (uint32_t)ip[5] << 16 | (uint32_t)ip[6] << 8 | ip[7];
	return quoted;
}

static struct packet turned(struct packet p)
{
	struct packet back = p;

	back.from = p.to;
	back.to = p.from;
	back.from_port = p.to_port;
	back.to_port = p.from_port;
	return back;
}

// The path to the client complains to the VIP: the backend hears of what it sent itself.
static void errors_reach_the_backend(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 8; i++) {
		bool v6 = i & 1, udp = i & 2, whole = i & 4;
		struct packet p = of_client(v6, (uint16_t)(100 + i), SYN);
		p = udp ? as_udp(p, 20) : p;
		send_client(p);
		uint16_t local = last().from_port;
		struct packet sent = turned(p);
		sent.data = 20;
		rig_receive(error_about(sent, v6 ? ROUTER6 : ROUTER4, v6 ? VIP6 : VIP4, v6 ? 2 : 3,
			v6 ? 0 : 4, whole ? (udp ? 28 : 40) : 8));
		struct seen s = read_error(v6 ? ROUTER6 : ROUTER4, v6 ? BACKEND6 : BACKEND4, whole);
		assert_string_equal(s.from, v6 ? BACKEND6 : BACKEND4);
		assert_string_equal(s.to, v6 ? LOCAL6 : LOCAL4);
		assert_int_equal(s.from_port, udp ? 53 : 80);
		assert_int_equal(s.to_port, local);
		assert_int_equal(mtu_of(frame_sent(0)), 1400);
	}
	assert_int_equal(rig_lcore(PS_LCORE_RELAYED_ERROR_PACKETS), 8);
	rig_receive(error_about(
		turned(of_client(false, 999, ACK)), ROUTER4, VIP4, 3, 4, 8)); // of no connection
	assert_int_equal(rig_lcore(PS_LCORE_DROP_NO_CONNECTION), 1);
	assert_int_equal(rig_vip(0, PS_VIP_DROPPED_PACKETS), 1);
	assert_int_equal(RIG_SUM(DROP), 1);
}

// What a backend, or a router on the way to it, complains of, in the VIP's name.
static void errors_reach_the_client(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 8; i++) {
		bool v6 = i & 1, udp = i & 2, whole = i & 4;
		struct packet p = of_client(v6, (uint16_t)(100 + i), SYN);
		p = udp ? as_udp(p, 20) : p;
		send_client(p);
		struct packet sent = p;
		sent.from = v6 ? LOCAL6 : LOCAL4;
		sent.from_port = last().from_port;
		sent.to = v6 ? BACKEND6 : BACKEND4;
		sent.data = 20;
		struct frame f = error_about(sent, v6 ? BACKEND6 : BACKEND4, sent.from, v6 ? 1 : 3,
			v6 ? 4 : 3, whole ? (udp ? 28 : 40) : 8);
		rig_receive(v6 ? frame_tagged(f, 7) : f);
		struct seen s = read_error(v6 ? VIP6 : VIP4, v6 ? CLIENT6 : CLIENT4, whole);
		assert_string_equal(s.from, v6 ? CLIENT6 : CLIENT4);
		assert_string_equal(s.to, v6 ? VIP6 : VIP4);
		assert_int_equal(s.from_port, 100 + i);
		assert_int_equal(s.to_port, udp ? 53 : 80);
		assert_int_equal(last().mac, TEST_PEER);
	}
	assert_int_equal(rig_lcore(PS_LCORE_RELAYED_ERROR_PACKETS), 8);
	assert_int_equal(RIG_SUM(DROP), 0);
}

static void errors_of_others_are_not_believed(void **state)
{
	struct packet p = of_client(false, 1, SYN);

	(void)state;
	send_client(p);
	uint16_t local = last().from_port;
	uint32_t sent = rig.sent_count;
	p.from = LOCAL4;
	p.from_port = local;
	p.to = "10.77.1.22"; // not its backend
	rig_receive(error_about(p, BACKEND4, LOCAL4, 3, 3, 8));
	p.to = BACKEND4;
	p.to_port = 81;
	rig_receive(error_about(p, BACKEND4, LOCAL4, 3, 3, 8));
	p.to_port = 80;
	p.from_port = (uint16_t)(local == FIRST_PORT ? local + 1 : local - 1);
	rig_receive(error_about(p, BACKEND4, LOCAL4, 3, 3, 8));
	assert_int_equal(rig_lcore(PS_LCORE_DROP_ICMP_UNSUPPORTED), 3);
	assert_int_equal(rig.sent_count, sent);
	rig_receive(frame_echo(CLIENT4, LOCAL4)); // it is an own address, and answers
	assert_string_equal(last().from, LOCAL4);
}

static void an_mtu_leaves_room_for_the_option(void **state)
{
	struct packet p = of_client(false, 1, SYN);

	(void)state;
	nat_configure(",\"client_address\":\"toa\"", "");
	for (uint32_t v6 = 0; v6 < 2; v6++) {
		p = of_client(v6, 1, SYN);
		send_client(p);
		p.from_port = last().from_port;
		p.from = v6 ? LOCAL6 : LOCAL4;
		p.to = v6 ? BACKEND6 : BACKEND4;
		struct frame f =
			error_about(p, v6 ? ROUTER6 : ROUTER4, p.from, v6 ? 2 : 3, v6 ? 0 : 4, 8);
		rig_receive(v6 ? frame_tagged(f, 7) : f);
		read_error(v6 ? VIP6 : VIP4, v6 ? CLIENT6 : CLIENT4, false);
		assert_int_equal(mtu_of(frame_sent(0)), v6 ? 1380 : 1392);
	}
}

static void a_quoted_sequence_number_is_the_clients(void **state)
{
	struct packet p = of_client(false, 1, SYN);

	(void)state;
	nat_configure(",\"client_address\":\"proxy_v2\"", "");
	p.sequence = 1000;
	send_client(p);
	p.from_port = last().from_port;
	struct packet ack = of_client(false, 1, ACK);
	ack.sequence = 1001;
	send_client(ack); // with the header
	p.from = LOCAL4;
	p.to = BACKEND4;
	p.sequence = 1001 + 28 + 500;
	rig_receive(error_about(p, ROUTER4, LOCAL4, 3, 4, 8));
	assert_int_equal(read_error(VIP4, CLIENT4, false).sequence, 1501);
	p.sequence = 1001; // the header's own
	rig_receive(error_about(p, ROUTER4, LOCAL4, 3, 4, 20));
	assert_int_equal(read_error(VIP4, CLIENT4, false).sequence, 1001);
}

static void receive_by(uint32_t worker, struct frame f)
{
	rig.worker = rig.app->workers[worker];
	rig_receive(f);
}

static void turn(uint32_t worker)
{
	rig.worker = rig.app->workers[worker];
	rig_turn(0);
	rig_check_law();
}

// Both workers have half of the ports, and answers come in by the wrong queue.
static void answers_find_their_worker(void **state)
{
	(void)state;
	for (uint32_t owner = 0; owner < 2; owner++) {
		receive_by(owner, make(of_client(false, 1, SYN)));
		uint16_t local = last().from_port;
		assert_in_range(local, FIRST_PORT + 32 * owner, FIRST_PORT + 32 * owner + 31);
		uint32_t sent = rig.sent_count;
		receive_by(!owner, make(of_backend(false, local, ACK)));
		assert_int_equal(rig_lcore(PS_LCORE_CONSUMED_HANDED_OVER), 1);
		assert_int_equal(rig.sent_count, sent);
		struct packet p = of_client(false, 1, ACK);
		p.from = LOCAL4;
		p.from_port = local;
		p.to = BACKEND4;
		receive_by(!owner, error_about(p, BACKEND4, LOCAL4, 3, 3, 8));
		assert_int_equal(rig_lcore(PS_LCORE_CONSUMED_HANDED_OVER), 2);
		turn(owner);
		assert_int_equal(rig_lcore(PS_LCORE_ORIGINATED_TAKEN_OVER), 2);
		assert_int_equal(rig.sent_count, sent + 2);
		assert_string_equal(last().to, CLIENT4);
		receive_by(owner, make(of_backend(false, local, ACK)));
		assert_int_equal(rig.sent_count, sent + 3);
	}
}

// An error to the VIP does not say whose the connection is: the workers look in turn.
static void errors_find_their_worker(void **state)
{
	struct packet p = turned(of_client(false, 1, ACK));

	(void)state;
	receive_by(0, make(of_client(false, 1, SYN)));
	receive_by(1, error_about(p, ROUTER4, VIP4, 3, 4, 8));
	assert_int_equal(rig_lcore(PS_LCORE_CONSUMED_HANDED_OVER), 1);
	assert_int_equal(rig_vip(0, PS_VIP_RX_PACKETS), 0);
	turn(0);
	assert_int_equal(rig_lcore(PS_LCORE_RELAYED_ERROR_PACKETS), 1);
	assert_int_equal(rig_vip(0, PS_VIP_TX_PACKETS), 2);
	assert_string_equal(last().to, BACKEND4);
	p.to_port = 2;
	receive_by(0, error_about(p, ROUTER4, VIP4, 3, 4, 8)); // of nobody
	turn(1);
	turn(0);
	assert_int_equal(rig_lcore(PS_LCORE_ORIGINATED_TAKEN_OVER), 1);
	rig.worker = rig.app->workers[1];
	assert_int_equal(rig_lcore(PS_LCORE_DROP_NO_CONNECTION), 1);
	assert_int_equal(rig_vip(0, PS_VIP_DROPPED_PACKETS), 1);
}

static void a_full_ring_drops(void **state)
{
	(void)state;
	receive_by(0, make(of_client(false, 1, SYN)));
	uint16_t local = last().from_port;
	for (uint32_t i = 0; i < CAPACITY + 9; i++)
		receive_by(1, make(of_backend(false, local, ACK)));
	assert_int_equal(rig_lcore(PS_LCORE_DROP_HANDOVER_FULL), 9);
	assert_int_equal(rig_lcore(PS_LCORE_CONSUMED_HANDED_OVER), CAPACITY);
	while (!rte_ring_empty(rig.app->shared.handover[0]))
		turn(0);
	assert_int_equal(rig_lcore(PS_LCORE_ORIGINATED_TAKEN_OVER), CAPACITY);
}

static void what_waits_at_the_end_is_dropped(void **state)
{
	(void)state;
	receive_by(0, make(of_client(false, 1, SYN)));
	uint16_t local = last().from_port;
	for (uint32_t i = 0; i < 7; i++)
		receive_by(1, make(of_backend(false, local, ACK)));
	rig.worker = rig.app->workers[0];
	ps_worker_end(rig.worker);
	rig_check_law();
	assert_int_equal(rig_lcore(PS_LCORE_ORIGINATED_TAKEN_OVER), 7);
	assert_int_equal(rig_lcore(PS_LCORE_DROP_STOPPING), 7);
}

// What is handed over may be nobody's when it arrives.
static void a_change_meets_packets_on_their_way(void **state)
{
	(void)state;
	receive_by(0, make(of_client(false, 1, SYN)));
	uint16_t local = last().from_port;
	receive_by(1, make(of_backend(false, local, ACK)));
	rig_apply(nat_config("dsr", "", ""));
	turn(0);
	assert_int_equal(rig_lcore(PS_LCORE_DROP_NAT_NO_SESSION), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start_nat, nat_end)
#define TEST_TWO(name) cmocka_unit_test_setup_teardown(name, start_two, end_two)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(errors_reach_the_backend),
		TEST(errors_reach_the_client),
		TEST(errors_of_others_are_not_believed),
		TEST(an_mtu_leaves_room_for_the_option),
		TEST(a_quoted_sequence_number_is_the_clients),
		TEST_TWO(answers_find_their_worker),
		TEST_TWO(errors_find_their_worker),
		TEST_TWO(a_full_ring_drops),
		TEST_TWO(what_waits_at_the_end_is_dropped),
		TEST_TWO(a_change_meets_packets_on_their_way),
	};

	ps_harness_eal(RIG_MEMORY_MB, false);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
