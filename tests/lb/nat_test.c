// SPDX-License-Identifier: Apache-2.0
// Address translation: what backends and clients see, and what becomes of connections.
#include "nat_rig.h"

static int start_nat(void **state)
{
	(void)state;
	generation = 0;
	rig_start(nat_config("nat", "", ""), 256);
	ps_adopt_runtime(rig.worker);
	rig_resolve_all();
	return 0;
}

static int start_small(void **state)
{
	(void)state;
	generation = 0;
	rig_start(nat_config("nat", "", ""), 8);
	ps_adopt_runtime(rig.worker);
	rig_resolve_all();
	return 0;
}

static void check_ends(const struct seen *s, const char *from, uint16_t from_port, const char *to,
	uint16_t to_port)
{
	assert_string_equal(s->from, from);
	assert_string_equal(s->to, to);
	assert_int_equal(s->from_port, from_port);
	assert_int_equal(s->to_port, to_port);
	assert_int_equal(s->ttl, 63);
}

static void talk(bool v6, bool udp)
{
	struct packet p = of_client(v6, 1234, SYN);
	uint16_t service = udp ? 53 : 80;
	struct seen s;

	p.data = 11;
	send_client(udp ? as_udp(p, 11) : p);
	s = last();
	uint16_t local = s.from_port;
	assert_in_range(local, FIRST_PORT, FIRST_PORT + PORTS - 1);
	check_ends(&s, v6 ? LOCAL6 : LOCAL4, local, v6 ? BACKEND6 : BACKEND4, service);
	assert_int_equal(s.vlan, v6 ? 7 : 0);
	assert_int_equal(s.data_size, 11);
	p = of_backend(v6, local, SYN | ACK);
	p.data = 13;
	send_backend(udp ? as_udp(p, 13) : p);
	s = last();
	check_ends(&s, v6 ? VIP6 : VIP4, service, v6 ? CLIENT6 : CLIENT4, 1234);
	assert_int_equal(s.vlan, 0); // as the client's packet came
	assert_int_equal(s.mac, TEST_PEER);
	assert_int_equal(s.data_size, 13);
	p = of_client(v6, 1234, ACK);
	send_client(udp ? as_udp(p, 1) : p);
	s = last();
	check_ends(&s, v6 ? LOCAL6 : LOCAL4, local, v6 ? BACKEND6 : BACKEND4, service);
	assert_int_equal(rig.sent_count, 3);
}

static void both_ends_see_what_they_should(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 4; i++) {
		rig.sent_count = 0;
		talk(i / 2, i % 2);
	}
	assert_int_equal(RIG_SUM(DROP), 0);
	assert_int_equal(rig_lcore(PS_LCORE_NAT_CONNECTIONS), 4);
	assert_int_equal(rig_lcore(PS_LCORE_CREATED_CONNECTIONS), 4);
	for (uint32_t row = 0; row < 4; row++) {
		assert_int_equal(rig_vip(row, PS_VIP_TX_PACKETS), 2);
		assert_true(rig_vip(row, PS_VIP_REPLY_BYTES) > 0);
	}
	assert_int_equal(rig_backend(0, PS_BACKEND_REPLY_PACKETS), 2);
	assert_int_equal(rig_backend(1, PS_BACKEND_REPLY_PACKETS), 2);
}

static void backends_may_have_ports_of_their_own(void **state)
{
	struct packet p = of_backend(false, 0, SYN | ACK);

	(void)state;
	nat_configure("", ",\"port\":8080");
	p.to_port = open_connection(false, 1);
	assert_int_equal(last().to_port, 8080);
	send_backend(p); // from 80
	assert_int_equal(rig_lcore(PS_LCORE_DROP_NAT_NO_SESSION), 1);
	p.from_port = 8080;
	send_backend(p);
	assert_int_equal(last().from_port, 80);
}

static void udp_without_checksum_stays_so(void **state)
{
	struct frame f = make(as_udp(of_client(false, 7, 0), 4));

	(void)state;
	memset(l4_of(&f) + 6, 0, 2);
	rig_receive(f);
	struct frame sent = *frame_sent(0);
	assert_memory_equal(l4_of(&sent) + 6, "\0\0", 2);
	assert_string_equal(last().to, BACKEND4);
}

static void only_its_backend_reaches_a_connection(void **state)
{
	uint16_t local = open_connection(false, 1), local6 = open_connection(true, 1);
	struct packet p = of_backend(false, local, ACK);

	(void)state;
	uint32_t sent = rig.sent_count;
	p.from = "10.77.1.22";
	send_backend(p);
	p = of_backend(true, local6, ACK);
	p.from = "2001:db8:77::22";
	send_backend(p);
	p = of_backend(false, local, ACK);
	p.from_port = 81;
	send_backend(p);
	p = of_backend(false, (uint16_t)(local == FIRST_PORT ? local + 1 : local - 1), ACK);
	send_backend(p);
	p = of_backend(false, FIRST_PORT - 1, ACK);
	send_backend(p);
	p.to_port = FIRST_PORT + PORTS;
	send_backend(p);
	send_backend(as_udp(of_backend(false, local, 0), 4)); // the ports of UDP are apart
	assert_int_equal(rig_lcore(PS_LCORE_DROP_NAT_NO_SESSION), 7);
	assert_int_equal(rig.sent_count, sent);
	send_backend(of_backend(false, local, ACK));
	assert_int_equal(rig.sent_count, sent + 1);
	p = of_backend(false, local, ACK);
	p.to = "10.77.1.11"; // an own address that nothing is sent from
	send_backend(p);
	assert_int_equal(rig_lcore(PS_LCORE_DROP_OWN_ADDRESS), 1);
}

static void ports_run_out_and_come_back(void **state)
{
	bool used[PORTS] = {};

	(void)state;
	for (uint16_t i = 0; i < PORTS; i++) {
		uint16_t local = open_connection(false, (uint16_t)(1000 + i));
		assert_false(used[local - FIRST_PORT]);
		used[local - FIRST_PORT] = true;
	}
	for (uint16_t i = 0; i < 5; i++)
		send_client(of_client(false, (uint16_t)(2000 + i), SYN));
	assert_int_equal(rig_lcore(PS_LCORE_DROP_NAT_PORTS_EXHAUSTED), 5);
	assert_int_equal(rig_vip(0, PS_VIP_DROPPED_PACKETS), 5);
	open_connection(true, 1000); // other addresses have their own
	send_client(as_udp(of_client(false, 1000, 0), 1));
	assert_int_equal(RIG_SUM(DROP), 5);
	rig_wait(10);
	assert_int_equal(rig_lcore(PS_LCORE_NAT_CONNECTIONS), 0);
	for (uint16_t i = 0; i < PORTS; i++)
		open_connection(false, (uint16_t)(3000 + i));
	assert_int_equal(rig_lcore(PS_LCORE_DROP_NAT_PORTS_EXHAUSTED), 5);
	assert_int_equal(rig_lcore(PS_LCORE_NAT_CONNECTIONS), PORTS);
}

// The backend may be in TIME_WAIT: a port is used again when all others were.
static void ports_rest(void **state)
{
	uint16_t first = open_connection(false, 1);

	(void)state;
	send_client(of_client(false, 1, FIN));
	rig_wait(3);
	assert_int_equal(rig_lcore(PS_LCORE_CLOSED_CONNECTIONS), 1);
	for (uint16_t i = 1; i < PORTS; i++)
		assert_int_not_equal(open_connection(false, (uint16_t)(100 + i)), first);
	assert_int_equal(open_connection(false, 99), first);
}

static void a_client_port_that_is_used_again_gets_another_local_port(void **state)
{
	uint16_t first = open_connection(false, 1);

	(void)state;
	send_client(of_client(false, 1, FIN));
	assert_int_equal(last().from_port, first);
	assert_int_not_equal(open_connection(false, 1), first);
	send_backend(of_backend(false, first, ACK));
	assert_int_equal(rig_lcore(PS_LCORE_DROP_NAT_NO_SESSION), 1);
}

static void a_full_table_forwards_nothing_new(void **state)
{
	(void)state;
	for (uint16_t i = 0; i < 8; i++)
		open_connection(false, (uint16_t)(100 + i));
	for (uint16_t i = 0; i < 3; i++)
		send_client(of_client(false, (uint16_t)(200 + i), SYN));
	assert_int_equal(rig_lcore(PS_LCORE_DROP_CONNECTION_TABLE_FULL), 3);
	assert_int_equal(rig_lcore(PS_LCORE_UNTRACKED_PACKETS), 0);
	assert_int_equal(rig_lcore(PS_LCORE_NAT_CONNECTIONS), 8);
}

static void nothing_is_picked_up(void **state)
{
	(void)state;
	send_client(of_client(false, 1, ACK));
	send_client(of_client(false, 1, RST));
	send_client(of_client(true, 1, FIN));
	assert_int_equal(rig_lcore(PS_LCORE_DROP_NO_CONNECTION), 3);
	assert_int_equal(rig.sent_count, 0);
	assert_int_equal(rig_lcore(PS_LCORE_ACTIVE_CONNECTIONS), 0);
}

static struct frame with_ttl(struct packet p, uint8_t ttl)
{
	struct frame f = make(p);

	f.bytes[IP_AT + (p.v6 ? 7 : 8)] = ttl;
	if (!p.v6)
		frame_checksum(&f);
	return f;
}

static void a_hop_is_counted(void **state)
{
	uint16_t local = open_connection(false, 1), local6 = open_connection(true, 1);

	(void)state;
	uint32_t sent = rig.sent_count;
	rig_receive(with_ttl(of_client(false, 1, ACK), 1));
	rig_receive(with_ttl(of_client(true, 1, ACK), 1));
	rig_receive(with_ttl(of_backend(false, local, ACK), 1));
	rig_receive(frame_tagged(with_ttl(of_backend(true, local6, ACK), 1), 7));
	assert_int_equal(rig_lcore(PS_LCORE_DROP_TTL_EXPIRED), 4);
	assert_int_equal(rig_vip(0, PS_VIP_DROPPED_PACKETS), 1);
	assert_int_equal(rig.sent_count, sent);
	rig_receive(with_ttl(of_client(false, 1, ACK), 2));
	assert_int_equal(last().ttl, 1);
}

static void answers_keep_a_connection(void **state)
{
	uint16_t local = open_connection(false, 1);

	(void)state;
	send_client(of_client(false, 1, ACK));
	for (uint32_t i = 0; i < 4; i++) {
		rig_wait(15); // of 20
		send_backend(of_backend(false, local, ACK));
	}
	assert_int_equal(rig_lcore(PS_LCORE_ACTIVE_CONNECTIONS), 1);
	rig_wait(20);
	assert_int_equal(rig_lcore(PS_LCORE_EXPIRED_CONNECTIONS), 1);
	send_backend(of_backend(false, local, ACK));
	assert_int_equal(rig_lcore(PS_LCORE_DROP_NAT_NO_SESSION), 1);
}

static void a_refused_connection_frees_its_port(void **state)
{
	uint16_t local = open_connection(false, 1);

	(void)state;
	send_backend(of_backend(false, local, RST | ACK));
	assert_int_equal(last().flags, RST | ACK);
	assert_int_equal(rig_lcore(PS_LCORE_RESET_CONNECTIONS), 1);
	assert_int_equal(rig_vip(0, PS_VIP_HALF_OPEN_CONNECTIONS), 0);
	rig_wait(2); // tcp_fin
	assert_int_equal(rig_lcore(PS_LCORE_CLOSED_CONNECTIONS), 1);
	assert_int_equal(rig_lcore(PS_LCORE_NAT_CONNECTIONS), 0);
}

// What the backend still sends does not keep what the client has reset.
static void a_reset_connection_ends(void **state)
{
	uint16_t local = open_connection(false, 1);

	(void)state;
	send_client(of_client(false, 1, ACK));
	send_client(of_client(false, 1, RST));
	assert_int_equal(last().flags, RST);
	assert_string_equal(last().to, BACKEND4);
	rig_wait(1);
	send_backend(of_backend(false, local, ACK));
	rig_wait(1);
	assert_int_equal(rig_lcore(PS_LCORE_CLOSED_CONNECTIONS), 1);
}

static void connections_outlive_a_change(void **state)
{
	uint16_t local = open_connection(false, 1);

	(void)state;
	nat_configure(",\"client_address\":\"toa\"", ",\"weight\":0");
	send_client(of_client(false, 1, ACK));
	assert_int_equal(last().from_port, local);
	send_backend(of_backend(false, local, ACK));
	assert_string_equal(last().to, CLIENT4);
	send_client(of_client(false, 2, SYN)); // it drains
	assert_int_equal(rig_lcore(PS_LCORE_DROP_NO_BACKEND), 1);
}

// Pools of another mode, and back: who is known goes on as the pool says now.
static void modes_change(void **state)
{
	uint16_t local = open_connection(false, 1);

	(void)state;
	send_client(of_client(false, 2, SYN));
	rig_apply(nat_config("dsr", "", ""));
	ps_adopt_runtime(rig.worker);
	rig_resolve_all();
	send_client(of_client(false, 1, ACK));
	assert_string_equal(last().to, VIP4);
	send_backend(of_backend(false, local, ACK));
	assert_int_equal(rig_lcore(PS_LCORE_DROP_OWN_ADDRESS), 1);
	send_client(of_client(false, 3, SYN));
	nat_configure("", "");
	send_client(of_client(false, 1, ACK)); // its local port is forgotten
	send_client(of_client(false, 3, ACK));
	assert_int_equal(rig_lcore(PS_LCORE_DROP_NO_CONNECTION), 2);
	assert_int_equal(rig_lcore(PS_LCORE_ORPHANED_CONNECTIONS), 2);
	send_client(of_client(false, 2, SYN)); // comes again, and gets a new one
	assert_string_equal(last().from, LOCAL4);
	rig_wait(20);
	assert_int_equal(rig_lcore(PS_LCORE_NAT_CONNECTIONS), 0);
}

static void an_answer_that_does_not_fit_is_told(void **state)
{
	uint16_t local = open_connection(false, 1);
	struct packet p = of_backend(false, local, ACK);

	(void)state;
	rig.worker->ports[0].mtu = 120;
	p.data = 81;
	struct frame f = make(p);
	f.bytes[IP_AT + 6] = 0x40; // DF
	frame_checksum(&f);
	rig_receive(f);
	assert_int_equal(rig_lcore(PS_LCORE_DROP_TOO_BIG_TOLD), 1);
	assert_string_equal(last().to, BACKEND4);
	assert_string_equal(last().from, LOCAL4);
	assert_int_equal(last().protocol, IPPROTO_ICMP);
	p.data = 80;
	send_backend(p);
	assert_string_equal(last().to, CLIENT4);
}

static void packets_wait_for_the_backend(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < rig.app->neighbours->high; i++)
		atomic_store(&rig.app->neighbours->entries[i].mac, 0);
	send_client(of_client(false, 1, SYN));
	assert_int_equal(rig_lcore(PS_LCORE_HELD_NEIGHBOUR_QUEUE), 1);
	rig_resolve_all();
	rig.worker->hold.next_check = 0;
	rig_turn(0);
	assert_string_equal(last().to, BACKEND4);
	assert_int_equal(rig_lcore(PS_LCORE_HELD_NEIGHBOUR_QUEUE), 0);
}

static void draining_ends_with_a_reset(void **state)
{
	uint16_t local = open_connection(false, 1);
	struct packet p = of_client(false, 1, ACK);

	(void)state;
	nat_configure("", ",\"weight\":0,\"drain\":{\"deadline_s\":1,\"then\":\"leave\"}");
	for (uint32_t row = 0; row < 4; row++)
		rig.app->drain_since[row] = 1;
	ps_drain_mark(rig.app, rig.app->runtime, rig.app->config, rig.app->backend_rows);
	p.data = 20;
	p.sequence = 1000;
	p.acknowledged = 77;
	send_client(p);
	struct seen to_client = read_frame(frame_sent(1)), to_backend = last();
	assert_string_equal(to_client.to, CLIENT4);
	assert_int_equal(to_client.flags, RST);
	assert_int_equal(to_client.sequence, 77);
	assert_string_equal(to_backend.to, BACKEND4);
	assert_int_equal(to_backend.from_port, local);
	assert_int_equal(to_backend.flags, RST | ACK);
	assert_int_equal(to_backend.sequence, 1000);
	assert_int_equal(rig_lcore(PS_LCORE_DRAIN_RESET_CONNECTIONS), 1);
	send_client(as_udp(of_client(false, 9, 0), 1));
	assert_int_equal(rig_lcore(PS_LCORE_DROP_NO_BACKEND), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start_nat, nat_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(both_ends_see_what_they_should),
		TEST(backends_may_have_ports_of_their_own),
		TEST(udp_without_checksum_stays_so),
		TEST(only_its_backend_reaches_a_connection),
		TEST(ports_run_out_and_come_back),
		TEST(ports_rest),
		TEST(a_client_port_that_is_used_again_gets_another_local_port),
		cmocka_unit_test_setup_teardown(
			a_full_table_forwards_nothing_new, start_small, nat_end),
		TEST(nothing_is_picked_up),
		TEST(a_hop_is_counted),
		TEST(answers_keep_a_connection),
		TEST(a_refused_connection_frees_its_port),
		TEST(a_reset_connection_ends),
		TEST(connections_outlive_a_change),
		TEST(modes_change),
		TEST(an_answer_that_does_not_fit_is_told),
		TEST(packets_wait_for_the_backend),
		TEST(draining_ends_with_a_reset),
	};

	ps_harness_eal(RIG_MEMORY_MB, false);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
