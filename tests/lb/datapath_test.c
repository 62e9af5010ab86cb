// SPDX-License-Identifier: Apache-2.0
// What the core does with a packet: forwarding, connections, neighbours, answers.
#include "datapath_rig.h"

#define OWN "10.77.1.11"
#define VIP "198.51.100.1"
#define CLIENT "192.0.2.1"
#define SYN RTE_TCP_SYN_FLAG
#define ACK RTE_TCP_ACK_FLAG
#define FIN (RTE_TCP_FIN_FLAG | RTE_TCP_ACK_FLAG)
#define RST RTE_TCP_RST_FLAG

#define B1(weight) "{\"name\":\"b1\",\"address\":\"10.77.1.21\",\"weight\":" weight "}"
#define B2(weight) "{\"name\":\"b2\",\"address\":\"10.77.1.22\",\"weight\":" weight "}"
#define LISTENERS                                                                                  \
	"{\"name\":\"web\",\"address\":\"" VIP                                                     \
	"\",\"port\":80,\"protocol\":\"tcp\",\"pool\":\"p\"},"                                     \
	"{\"name\":\"strict\",\"address\":\"" VIP                                                  \
	"\",\"port\":81,\"protocol\":\"tcp\",\"pool\":\"p\",\"tcp_sloppy\":false},"                \
	"{\"name\":\"dns\",\"address\":\"" VIP                                                     \
	"\",\"port\":53,\"protocol\":\"udp\",\"pool\":\"p\"}"
#define CONFIG(generation, backends, listeners)                                                    \
	"{\"generation\":" generation                                                              \
	",\"addresses\":[{\"port\":0,\"address\":\"10.77.1.11/24\"},"                              \
	"{\"port\":1,\"address\":\"10.78.1.11/24\"}],"                                             \
	"\"timeouts\":{\"tcp_syn\":10,\"tcp_established\":100,\"tcp_fin\":5,\"udp\":20},"          \
	"\"pools\":[{\"name\":\"p\",\"mode\":\"dsr\",\"backends\":[" backends                      \
	"]}],\"listeners\":[" listeners "]}"

static struct frame client(uint16_t port, uint16_t to, uint8_t flags)
{
	return frame_tcp(CLIENT, port, VIP, to, flags);
}

static uint8_t last_backend(void) // last byte of the MAC address that the last frame went to
{
	assert_true(rig.sent_count > 0);
	return rig.sent[(rig.sent_count - 1) % RIG_SENT_MAX].bytes[5];
}

static int start(void **state)
{
	(void)state;
	rig_start(CONFIG("1", B1("100") "," B2("100"), LISTENERS), 256);
	rig_resolve_all();
	return 0;
}

static int start_unresolved(void **state)
{
	(void)state;
	rig_start(CONFIG("1", B1("100"), LISTENERS), 256);
	return 0;
}

static int start_unconfigured(void **state)
{
	(void)state;
	rig_start(NULL, 256);
	return 0;
}

static int end(void **state)
{
	(void)state;
	rig_end();
	return 0;
}

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
	ps_burst(rig.worker, &rig.worker->ports[0], &m, 1);
	m = rig_mbuf(&f);
	rte_pktmbuf_chain(m, rig_mbuf(&f));
	ps_burst(rig.worker, &rig.worker->ports[0], &m, 1);
	rig_turn(2);
	rig_check_law();
	assert_int_equal(rig_lcore(PS_LCORE_DROP_VLAN_TAGGED), 1);
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
	assert_int_equal(rig.sent_count, 1);
	assert_int_equal(rig_lcore(PS_LCORE_DROP_EXCEEDS_MTU), 1);
}

static void packets_wait_for_the_neighbour(void **state)
{
	(void)state;
	rig_receive(client(1, 80, SYN));
	rig_receive(client(2, 80, SYN));
	assert_int_equal(rig.sent_count, 0);
	assert_int_equal(rig_lcore(PS_LCORE_HELD_NEIGHBOUR_QUEUE), 2);
	assert_int_equal(rig_vip(0, PS_VIP_HELD_PACKETS), 2);
	rig_receive(frame_arp(RTE_ARP_OP_REPLY, "10.77.1.21", 0xbb0000000002ULL, OWN));
	assert_int_equal(rig.sent_count, 2);
	assert_int_equal(rig.sent[0].bytes[L4_AT + 1], 1); // in their order
	assert_int_equal(last_backend(), 0xbb);
	assert_int_equal(rig_lcore(PS_LCORE_HELD_NEIGHBOUR_QUEUE), 0);
	assert_int_equal(rig_vip(0, PS_VIP_TX_PACKETS), 2);
	assert_int_equal(rig_lcore(PS_LCORE_CONSUMED_ARP_REPLY), 1);
}

static void waiting_has_an_end_and_a_limit(void **state)
{
	(void)state;
	for (uint16_t i = 0; i < PS_HELD_PER_NEIGHBOUR + 3; i++)
		rig_receive(client(i + 1, 80, SYN));
	assert_int_equal(rig_lcore(PS_LCORE_HELD_NEIGHBOUR_QUEUE), PS_HELD_PER_NEIGHBOUR);
	assert_int_equal(rig_lcore(PS_LCORE_DROP_NEIGHBOUR_QUEUE_FULL), 3);
	for (uint32_t i = 0; i < rig.worker->hold.count; i++)
		rig.worker->hold.packets[i].deadline = 0;
	rig.worker->hold.next_check = 0;
	rig_turn(0);
	rig_check_law();
	assert_int_equal(rig_lcore(PS_LCORE_DROP_NEIGHBOUR_UNRESOLVED), PS_HELD_PER_NEIGHBOUR);
	assert_int_equal(rig_backend(0, PS_BACKEND_DROPPED_PACKETS), PS_HELD_PER_NEIGHBOUR + 3);
}

static void held_packets_go_with_their_backend(void **state)
{
	(void)state;
	rig_receive(client(1, 80, SYN));
	rig_apply(CONFIG("2", B2("100"), LISTENERS));
	rig_turn(0);
	rig_check_law();
	assert_int_equal(rig_lcore(PS_LCORE_DROP_NEIGHBOUR_UNRESOLVED), 1);
	assert_int_equal(rig_lcore(PS_LCORE_HELD_NEIGHBOUR_QUEUE), 0);
	rig_receive(client(2, 80, SYN)); // held until rig_end(): dropped as "stopping"
}

static void arp_is_answered_for_own_addresses_only(void **state)
{
	struct rte_arp_hdr *arp = (void *)(rig.sent[0].bytes + ETHER_SIZE);
	uint64_t mac = 0;

	(void)state;
	rig_receive(frame_arp(RTE_ARP_OP_REQUEST, "10.77.1.1", TEST_PEER, OWN));
	assert_int_equal(rig.sent_count, 1);
	assert_int_equal(arp->arp_opcode, htons(RTE_ARP_OP_REPLY));
	assert_int_equal(arp->arp_data.arp_sip, inet_addr(OWN));
	memcpy(&mac, &arp->arp_data.arp_sha, 6);
	assert_int_equal(mac, TEST_MAC);
	rig_receive(frame_arp(RTE_ARP_OP_REQUEST, "10.77.1.1", TEST_PEER, VIP));
	rig_receive(frame_arp(RTE_ARP_OP_REQUEST, "10.77.1.1", TEST_PEER, "10.78.1.11"));
	assert_int_equal(rig_lcore(PS_LCORE_DROP_ARP_NOT_FOR_US), 2);
	struct frame bad = frame_arp(RTE_ARP_OP_REQUEST, "10.77.1.1", 0x000000000001ULL, OWN);
	rig_receive(bad); // the sender is a multicast address
	bad.length = 41;
	rig_receive(bad);
	assert_int_equal(rig_lcore(PS_LCORE_DROP_ARP_MALFORMED), 2);
	assert_int_equal(rig.sent_count, 1);
}

static void main_orders_arp_requests(void **state)
{
	struct rte_arp_hdr *arp = (void *)(rig.sent[0].bytes + ETHER_SIZE);

	(void)state;
	rte_ring_enqueue(rig.app->shared.arp_orders, (void *)(uintptr_t)0);
	rig_turn(0);
	rig_check_law();
	assert_int_equal(rig.sent_count, 1);
	assert_int_equal(arp->arp_data.arp_tip, inet_addr("10.77.1.21"));
	assert_int_equal(arp->arp_data.arp_sip, inet_addr(OWN));
	assert_int_equal(rig_lcore(PS_LCORE_ORIGINATED_ARP_REQUEST), 1);
}

static void echo_is_answered(void **state)
{
	struct frame echo = frame_echo(CLIENT, OWN), bad = echo;
	struct rte_ipv4_hdr *ip = (void *)(rig.sent[0].bytes + IP_AT);
	struct rte_icmp_hdr *icmp = (void *)(ip + 1);

	(void)state;
	rig_receive(echo);
	assert_int_equal(rig.sent_count, 1);
	assert_int_equal(ip->src_addr, inet_addr(OWN));
	assert_int_equal(ip->dst_addr, inet_addr(CLIENT));
	assert_int_equal(icmp->icmp_type, RTE_IP_ICMP_ECHO_REPLY);
	assert_int_equal(rte_raw_cksum(icmp, 24), 0xffff);
	assert_int_equal(rte_raw_cksum(ip, sizeof *ip), 0xffff);
	bad.bytes[L4_AT + 9] ^= 1;
	rig_receive(bad);
	bad = echo;
	bad.bytes[L4_AT] = 13; // timestamp request, the checksum mended
	bad.bytes[L4_AT + 2] = 0;
	bad.bytes[L4_AT + 3] = 0;
	uint16_t sum = (uint16_t)~rte_raw_cksum(bad.bytes + L4_AT, 24);
	memcpy(bad.bytes + L4_AT + 2, &sum, 2);
	rig_receive(bad);
	assert_int_equal(rig_lcore(PS_LCORE_DROP_ICMP_MALFORMED), 1);
	assert_int_equal(rig_lcore(PS_LCORE_DROP_ICMP_UNSUPPORTED), 1);
	assert_int_equal(rig.sent_count, 1);
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, end)
#define TEST_AFTER(name, setup) cmocka_unit_test_setup_teardown(name, setup, end)

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
		TEST(no_weight_is_no_backend),
		TEST(refused_packets_are_dropped_and_named),
		TEST(the_mtu_holds),
		TEST_AFTER(packets_wait_for_the_neighbour, start_unresolved),
		TEST_AFTER(waiting_has_an_end_and_a_limit, start_unresolved),
		TEST_AFTER(held_packets_go_with_their_backend, start_unresolved),
		TEST(arp_is_answered_for_own_addresses_only),
		TEST_AFTER(main_orders_arp_requests, start_unresolved),
		TEST(echo_is_answered),
		TEST(a_bad_configuration_changes_nothing),
	};

	ps_harness_eal(RIG_MEMORY_MB, false);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
