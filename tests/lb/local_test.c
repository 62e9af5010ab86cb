// SPDX-License-Identifier: Apache-2.0
// What the core does on its own account: neighbours, packets that wait for them, ARP and echo.
#include "datapath_config.h"

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
	rte_ring_enqueue(rig.app->shared.resolve_orders, (void *)(uintptr_t)0);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_AFTER(packets_wait_for_the_neighbour, start_unresolved),
		TEST_AFTER(waiting_has_an_end_and_a_limit, start_unresolved),
		TEST_AFTER(held_packets_go_with_their_backend, start_unresolved),
		TEST(arp_is_answered_for_own_addresses_only),
		TEST_AFTER(main_orders_arp_requests, start_unresolved),
		TEST(echo_is_answered),
	};

	ps_harness_eal(RIG_MEMORY_MB, false);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
