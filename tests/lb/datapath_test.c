// SPDX-License-Identifier: Apache-2.0
// What the core does with packets for a listener: forwarding and connections.
#include "datapath_config.h"

static void without_configuration_all_is_dropped(void **state)
{
	(void)state;
	rig_receive(client(1, 80, SYN));
	rig_receive(frame_arp(RTE_ARP_OP_REQUEST, "10.77.1.1", TEST_PEER, OWN));
	assert_int_equal(rig_lcore(PS_LCORE_DROP_NOT_CONFIGURED), 2);
	assert_int_equal(rig.sent_count, 0);
}

static void only_mac_addresses_change(void **state)
{
	struct frame in = client(4000, 80, SYN);
	uint64_t source = 0;

	(void)state;
	rig_receive(in);
	assert_int_equal(rig.sent_count, 1);
	assert_int_equal(rig.sent[0].length, in.length);
	assert_memory_equal(rig.sent[0].bytes + 12, in.bytes + 12, in.length - 12);
	memcpy(&source, rig.sent[0].bytes + 6, 6);
	assert_int_equal(source, TEST_MAC);
	assert_int_equal(rig.sent[0].bytes[0], 2);
	assert_int_equal(rig_vip(0, PS_VIP_TX_PACKETS), 1);
	assert_int_equal(rig_vip(0, PS_VIP_RX_BYTES), in.length);
	assert_int_equal(rig_lcore(PS_LCORE_CREATED_CONNECTIONS), 1);
}

static void a_backend_may_be_on_another_port(void **state)
{
	uint64_t source = 0;

	(void)state;
	rig_apply(CONFIG(
		"2", "{\"name\":\"far\",\"address\":\"10.78.1.21\",\"weight\":1}", LISTENERS));
	rig_resolve_all();
	rig_receive(client(1, 80, SYN));
	assert_int_equal(rig.sent_count, 1);
	assert_int_equal(rig.sent_port[0], 1);
	memcpy(&source, rig.sent[0].bytes + 6, 6);
	assert_int_equal(source, 0x010000000002ULL); // port 1's
}

static void destinations_have_their_reasons(void **state)
{
	(void)state;
	rig_receive(frame_tcp(CLIENT, 1, "203.0.113.9", 80, SYN));
	rig_receive(client(1, 82, SYN));
	rig_receive(frame_udp(CLIENT, 1, VIP, 80));
	rig_receive(frame_echo(CLIENT, VIP));
	rig_receive(frame_tcp(CLIENT, 1, OWN, 22, SYN));
	assert_int_equal(rig_lcore(PS_LCORE_DROP_UNKNOWN_DESTINATION), 1);
	assert_int_equal(rig_lcore(PS_LCORE_DROP_NO_LISTENER), 3);
	assert_int_equal(rig_lcore(PS_LCORE_DROP_OWN_ADDRESS), 1);
	assert_int_equal(rig.sent_count, 0);
}

static void buffers_that_are_not_taken_have_their_reasons(void **state)
{
	struct frame f = client(1, 80, SYN);
	struct rte_mbuf *m = rig_mbuf(&f);

	(void)state;
	m->ol_flags |= RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED;
	m->vlan_tci = 7;
	ps_burst(rig.worker, &rig.worker->ports[0], &m, 1);
	m = rig_mbuf(&f);
	rte_pktmbuf_chain(m, rig_mbuf(&f));
	ps_burst(rig.worker, &rig.worker->ports[0], &m, 1);
	rig_turn(2);
	rig_check_law();
	assert_int_equal(rig_lcore(PS_LCORE_DROP_VLAN_UNKNOWN), 1);
	assert_int_equal(rig_lcore(PS_LCORE_DROP_MULTI_SEGMENT), 1);
}

static void a_flow_keeps_its_backend_through_changes(void **state)
{
	uint8_t chosen[32];

	(void)state;
	for (uint16_t i = 0; i < 32; i++) {
		rig_receive(client(i + 1, 80, SYN));
		chosen[i] = last_backend();
	}
	rig_apply(CONFIG("2", B1("0") "," B2("100"), LISTENERS)); // b1 drains
	for (uint16_t i = 0; i < 32; i++) {
		rig_receive(client(i + 1, 80, ACK));
		assert_int_equal(last_backend(), chosen[i]);
	}
	uint64_t created = rig_backend(0, PS_BACKEND_CREATED_CONNECTIONS);
	for (uint16_t i = 0; i < 32; i++)
		rig_receive(client(i + 1000, 80, SYN));
	assert_int_equal(rig_backend(0, PS_BACKEND_CREATED_CONNECTIONS), created);
	assert_int_equal(rig_backend(1, PS_BACKEND_CREATED_CONNECTIONS), 64 - created);
}

static void a_removed_backend_loses_its_connections(void **state)
{
	(void)state;
	for (uint16_t i = 0; i < 32; i++)
		rig_receive(client(i + 1, 80, SYN));
	uint64_t lost = rig_backend(0, PS_BACKEND_ACTIVE_CONNECTIONS);
	assert_true(lost > 0 && lost < 32);
	rig_apply(CONFIG("2", B2("100"), LISTENERS));
	for (uint16_t i = 0; i < 32; i++)
		rig_receive(client(i + 1, 80, ACK));
	assert_int_equal(rig_lcore(PS_LCORE_ORPHANED_CONNECTIONS), lost);
	assert_int_equal(rig_lcore(PS_LCORE_PICKED_UP_CONNECTIONS), lost);
	assert_int_equal(rig_backend(1, PS_BACKEND_ACTIVE_CONNECTIONS), 32);
}

static void a_removed_listener_lets_its_connections_expire(void **state)
{
	(void)state;
	rig_receive(client(1, 80, SYN));
	rig_apply(CONFIG("2", B1("100") "," B2("100"),
		"{\"name\":\"other\",\"address\":\"" VIP
		"\",\"port\":8080,\"protocol\":\"tcp\",\"pool\":\"p\"}"));
	rig_receive(client(1, 80, ACK));
	assert_int_equal(rig_lcore(PS_LCORE_DROP_NO_LISTENER), 1);
	rig_wait(100);
	assert_int_equal(rig_lcore(PS_LCORE_EXPIRED_CONNECTIONS), 1);
	assert_int_equal(rig_lcore(PS_LCORE_ACTIVE_CONNECTIONS), 0);
}

static void sloppy_listeners_pick_up(void **state)
{
	(void)state;
	rig_receive(client(1, 80, SYN));
	uint8_t chosen = last_backend();
	rig_receive(client(1, 80, RST));
	rig_wait(5);
	assert_int_equal(rig_lcore(PS_LCORE_CLOSED_CONNECTIONS), 1);
	assert_int_equal(rig_lcore(PS_LCORE_ACTIVE_CONNECTIONS), 0);
	rig_receive(client(1, 80, ACK)); // as after a failover: the same backend by Maglev
	assert_int_equal(last_backend(), chosen);
	assert_int_equal(rig_lcore(PS_LCORE_PICKED_UP_CONNECTIONS), 1);
	rig_receive(client(2, 80, RST)); // forwarded, not remembered
	assert_int_equal(rig_lcore(PS_LCORE_ACTIVE_CONNECTIONS), 1);
	assert_int_equal(rig.sent_count, 4);
	rig_receive(client(1, 81, ACK));
	rig_receive(client(1, 81, RST));
	assert_int_equal(rig_lcore(PS_LCORE_DROP_NO_CONNECTION), 2);
	assert_int_equal(rig_vip(1, PS_VIP_DROPPED_PACKETS), 2);
}

static void states_have_their_timeouts(void **state)
{
	(void)state;
	rig_receive(client(1, 80, SYN));
	rig_receive(client(2, 80, SYN));
	rig_receive(client(2, 80, ACK));
	rig_receive(client(3, 80, SYN));
	rig_receive(client(3, 80, FIN));
	rig_receive(frame_udp(CLIENT, 4, VIP, 53));
	assert_int_equal(rig_lcore(PS_LCORE_ACTIVE_CONNECTIONS), 4);
	rig_wait(4);
	assert_int_equal(rig_lcore(PS_LCORE_ACTIVE_CONNECTIONS), 4);
	rig_wait(1); // fin, 5 s
	assert_int_equal(rig_lcore(PS_LCORE_CLOSED_CONNECTIONS), 1);
	rig_wait(5); // syn, 10 s
	assert_int_equal(rig_lcore(PS_LCORE_EXPIRED_CONNECTIONS), 1);
	rig_wait(10); // udp, 20 s
	assert_int_equal(rig_lcore(PS_LCORE_EXPIRED_CONNECTIONS), 2);
	rig_wait(80); // established, 100 s
	assert_int_equal(rig_lcore(PS_LCORE_EXPIRED_CONNECTIONS), 3);
	assert_int_equal(rig_lcore(PS_LCORE_ACTIVE_CONNECTIONS), 0);
	assert_int_equal(rig_vip(0, PS_VIP_ACTIVE_CONNECTIONS), 0);
}

static void a_port_may_be_used_again(void **state)
{
	(void)state;
	rig_receive(client(1, 80, SYN));
	rig_receive(client(1, 80, SYN)); // a retransmission
	assert_int_equal(rig_lcore(PS_LCORE_CREATED_CONNECTIONS), 1);
	rig_receive(client(1, 80, FIN));
	rig_receive(client(1, 80, SYN));
	assert_int_equal(rig_lcore(PS_LCORE_CREATED_CONNECTIONS), 2);
	assert_int_equal(rig_lcore(PS_LCORE_CLOSED_CONNECTIONS), 1);
	assert_int_equal(rig_lcore(PS_LCORE_ACTIVE_CONNECTIONS), 1);
}

static void a_full_table_does_not_stop_traffic(void **state)
{
	(void)state;
	for (uint16_t i = 0; i < 300; i++)
		rig_receive(client(i + 1, 80, SYN));
	assert_int_equal(rig_lcore(PS_LCORE_ACTIVE_CONNECTIONS), 256);
	assert_int_equal(rig_lcore(PS_LCORE_UNTRACKED_PACKETS), 44);
	assert_int_equal(rig_lcore(PS_LCORE_TX_PACKETS), 300);
}

static const struct ps_table *table(void)
{
	return rig.worker->runtime->pools[0].table;
}

// A table is built anew only when something that it depends on has changed.
static void an_unchanged_table_is_kept(void **state)
{
	const struct ps_table *first = table();

	(void)state;
	rig_apply(CONFIG("2", B1("100") "," B2("100"), ""));
	assert_ptr_equal(table(), first);
	assert_int_equal(first->users, 1);
	rig_apply(CONFIG("3", B1("100") "," B2("99"), LISTENERS));
	assert_ptr_not_equal(table(), first);
	uint64_t digest = table()->digest;
	rig_apply(CONFIG("4", B1("100"), LISTENERS));
	assert_true(table()->digest != digest);
	for (uint32_t slot = 0; slot < 65537; slot++)
		assert_int_equal(table()->rows[slot], 0);
	rig_apply(CONFIG("5", B1("0"), LISTENERS));
	assert_null(table());
	rig_apply(CONFIG("6", B1("100"), LISTENERS));
	first = table();
	rig_apply(CONFIG("7", B1("100") "," B2("0"), LISTENERS));
	assert_ptr_not_equal(table(), first);
}

static void no_weight_is_no_backend(void **state)
{
	(void)state;
	rig_apply(CONFIG("2", B1("0"), LISTENERS));
	rig_receive(client(1, 80, SYN));
	assert_int_equal(rig_lcore(PS_LCORE_DROP_NO_BACKEND), 1);
	assert_int_equal(rig_vip(0, PS_VIP_DROPPED_PACKETS), 1);
}

static void refused_packets_are_dropped_and_named(void **state)
{
	(void)state;
	rig.refuse = 1;
	rig_receive(client(1, 80, SYN));
	rig_receive(client(1, 80, ACK));
	assert_int_equal(rig_lcore(PS_LCORE_DROP_TX_FULL), 1);
	assert_int_equal(rig_vip(0, PS_VIP_TX_PACKETS), 1);
	assert_int_equal(rig_vip(0, PS_VIP_DROPPED_PACKETS), 1);
	assert_int_equal(
		rig_backend(0, PS_BACKEND_TX_PACKETS) + rig_backend(1, PS_BACKEND_TX_PACKETS), 1);
	rig.refuse = 1;
	rig_receive(frame_echo(CLIENT, OWN));
	assert_int_equal(rig_lcore(PS_LCORE_DROP_TX_FULL), 2);
}

static void the_mtu_holds(void **state)
{
	(void)state;
	rig.worker->ports[0].mtu = 40;
	rig_receive(client(1, 80, SYN));
	assert_int_equal(rig.sent_count, 1);
	rig.worker->ports[0].mtu = 39;
	rig_receive(client(1, 80, ACK));
	assert_int_equal(rig.sent_count, 3); // two pieces
	assert_int_equal(rig_lcore(PS_LCORE_ORIGINATED_FRAGMENT), 1);
}

// Behind a short packet there may be anything, as long as the receiving port takes.
static void what_follows_a_packet_does_not_exceed_the_mtu(void **state)
{
	struct frame f = client(1, 80, SYN);
	uint32_t length = f.length;

	(void)state;
	f.length += 100;
	rig.worker->ports[0].mtu = 140;
	rig_receive(f);
	assert_int_equal(rig.sent[0].length, length + 100);
	rig.worker->ports[0].mtu = 139;
	rig_receive(f);
	assert_int_equal(rig.sent[1].length, length);
	assert_int_equal(rig_lcore(PS_LCORE_TX_BYTES), 2 * length + 100);
	assert_int_equal(rig_lcore(PS_LCORE_DROP_EXCEEDS_MTU), 0);
}

static void a_bad_configuration_changes_nothing(void **state)
{
	const struct ps_runtime *before = rig.worker->runtime;

	(void)state;
	assert_true(ps_harness_apply(rig.app, CONFIG("1", B1("1"), LISTENERS)) < 0);
	assert_true(ps_harness_apply(rig.app, CONFIG("2", B1("1001"), LISTENERS)) < 0);
	assert_ptr_equal(rig.worker->runtime, before);
	rig_receive(client(1, 80, SYN));
	assert_int_equal(rig.sent_count, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_AFTER(without_configuration_all_is_dropped, start_unconfigured),
		TEST(only_mac_addresses_change),
		TEST(a_backend_may_be_on_another_port),
		TEST(destinations_have_their_reasons),
		TEST(buffers_that_are_not_taken_have_their_reasons),
		TEST(a_flow_keeps_its_backend_through_changes),
		TEST(a_removed_backend_loses_its_connections),
		TEST(a_removed_listener_lets_its_connections_expire),
		TEST(sloppy_listeners_pick_up),
		TEST(states_have_their_timeouts),
		TEST(a_port_may_be_used_again),
		TEST(a_full_table_does_not_stop_traffic),
		TEST(an_unchanged_table_is_kept),
		TEST(no_weight_is_no_backend),
		TEST(refused_packets_are_dropped_and_named),
		TEST(the_mtu_holds),
		TEST(what_follows_a_packet_does_not_exceed_the_mtu),
		TEST(a_bad_configuration_changes_nothing),
	};

	ps_harness_eal(RIG_MEMORY_MB, false);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
