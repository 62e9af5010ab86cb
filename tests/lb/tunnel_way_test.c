// SPDX-License-Identifier: Apache-2.0
// The way of tunnelled packets: next hops, tags, MTU, room, and waiting for a MAC address.
#include "tunnel_rig.h"

static void the_longest_prefix_leads(void **state)
{
	(void)state;
	configure("\"mode\":\"ipip\"", "10.99.0.5"); // 0.0.0.0/0
	receive4(0, true);
	assert_int_equal(last_mac(), ROUTER_MAC);
	configure("\"mode\":\"ipip\"", "172.16.3.4"); // 172.16.0.0/12
	receive4(0, true);
	assert_int_equal(last_mac(), ROUTER2_MAC);
	configure("\"mode\":\"ipip\"", "172.16.9.1"); // 172.16.9.0/24
	receive4(0, true);
	assert_int_equal(last_mac(), ROUTER_MAC);
	configure("\"mode\":\"ipip\"", "10.77.1.21"); // on-link: itself
	receive4(0, true);
	assert_int_equal(last_mac(), BACKEND_MAC);
}

static void backends_share_a_router(void **state)
{
	(void)state;
	configure("\"mode\":\"ipip\"",
		"10.99.0.5\",\"weight\":1},{\"name\":\"b2\",\"address\":\"10.99.0.6");
	assert_int_equal(neighbours_in_use(), 1);
}

static void padding_is_not_part_of_the_packet(void **state)
{
	(void)state;
	configure("\"mode\":\"ipip\"", "10.99.0.5");
	sent_by_client = frame_tcp("192.0.2.1", 1, VIP4, 80, RTE_TCP_SYN_FLAG);
	sent_by_client.length = 60; // the least that Ethernet sends
	rig_receive(sent_by_client);
	assert_int_equal(last_sent()->length, ETHER_SIZE + 20 + INNER);
	assert_int_equal(rig_backend(backend_row(), PS_BACKEND_TX_BYTES), ETHER_SIZE + 20 + INNER);
}

static void tags_come_and_go(void **state)
{
	const struct frame *sent;

	(void)state;
	configure("\"mode\":\"ipip\"", "10.99.0.5");
	rig_receive(frame_tagged(frame_tcp("192.0.2.1", 1, VIP4, 80, RTE_TCP_SYN_FLAG), 7));
	assert_int_equal(last_sent()->length, ETHER_SIZE + 20 + INNER);
	assert_int_equal(read_16(last_sent()->bytes + 12), 0x0800);
	configure("\"mode\":\"gue\"", "10.88.1.5"); // on-link of VLAN 7
	receive4(0, true);
	sent = last_sent();
	assert_int_equal(read_16(sent->bytes + 12), 0x8100);
	assert_int_equal(read_16(sent->bytes + 14), 7);
	assert_int_equal(read_16(sent->bytes + 16), 0x0800);
	assert_int_equal(sent->bytes[18], 0x45);
	assert_int_equal(sent->length, ETHER_SIZE + 4 + 20 + 12 + INNER);
}

static void the_mtu_counts_the_outer_headers(void **state)
{
	(void)state;
	configure("\"mode\":\"gue\"", "10.99.0.5");
	rig.worker->ports[0].mtu = INNER + 32;
	receive4(0, false);
	assert_int_equal(rig.sent_count, 1);
	rig.worker->ports[0].mtu = INNER + 31;
	receive4(0, false);
	assert_int_equal(rig.sent_count, 3); // two pieces, each in a tunnel of its own
	assert_int_equal(rig_lcore(PS_LCORE_ORIGINATED_FRAGMENT), 1);
}

static void without_room_in_front_there_is_a_reason(void **state)
{
	struct frame f = frame_tcp("192.0.2.1", 1, VIP4, 80, RTE_TCP_SYN_FLAG);
	struct rte_mbuf *m;

	(void)state;
	configure("\"mode\":\"ipip\"", "2001:db8:99::5");
	m = rig_mbuf(&f);
	rte_pktmbuf_prepend(m, 100);
	memmove(rte_pktmbuf_mtod(m, void *), f.bytes, f.length);
	rte_pktmbuf_trim(m, 100);
	ps_burst(rig.worker, &rig.worker->ports[0], &m, 1);
	rig_turn(1);
	rig_check_law();
	assert_int_equal(rig_lcore(PS_LCORE_DROP_NO_HEADROOM), 1);
}

static void held_packets_are_wrapped(void **state)
{
	struct expected e;

	(void)state;
	configure_unresolved("\"mode\":\"ipip\"", "10.99.0.5");
	receive4(7, true);
	assert_int_equal(rig.sent_count, 0);
	assert_int_equal(rig_lcore(PS_LCORE_HELD_NEIGHBOUR_QUEUE), 1);
	resolve();
	rig_turn(0);
	expect_begin(&e, ROUTER_MAC, 0x0800);
	expect_ipv4(&e, 7, INNER, true, 4);
	expect_end(&e, &sent_by_client);
}

static void held_packets_do_not_outlive_their_tunnel(void **state)
{
	(void)state;
	configure_unresolved("\"mode\":\"ipip\"", "10.99.0.5");
	receive4(0, true);
	configure_unresolved("\"mode\":\"ipip\"", "10.99.0.5"); // the same: it waits on
	assert_int_equal(rig_lcore(PS_LCORE_HELD_NEIGHBOUR_QUEUE), 1);
	configure_unresolved("\"mode\":\"gue\"", "10.99.0.5");
	rig_turn(0);
	assert_int_equal(rig_lcore(PS_LCORE_HELD_NEIGHBOUR_QUEUE), 0);
	assert_int_equal(rig_lcore(PS_LCORE_DROP_NEIGHBOUR_UNRESOLVED), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TUNNEL_TEST(the_longest_prefix_leads),
		TUNNEL_TEST(backends_share_a_router),
		TUNNEL_TEST(padding_is_not_part_of_the_packet),
		TUNNEL_TEST(tags_come_and_go),
		TUNNEL_TEST(the_mtu_counts_the_outer_headers),
		TUNNEL_TEST(without_room_in_front_there_is_a_reason),
		TUNNEL_TEST(held_packets_are_wrapped),
		TUNNEL_TEST(held_packets_do_not_outlive_their_tunnel),
	};

	ps_harness_eal(RIG_MEMORY_MB, false);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
