// SPDX-License-Identifier: Apache-2.0
// What the core does with IPv6 packets and on VLANs.
#include "datapath/icmp6.h"
#include "datapath_rig.h"

#define OWN "2001:db8:77::11"
#define VIP "2001:db8:5::1"
#define CLIENT "2001:db8::c1"
#define B1 "2001:db8:77::21"
#define B2 "2001:db8:77::22"
#define TAGGED_OWN "10.100.0.11"
#define SYN RTE_TCP_SYN_FLAG
#define ACK RTE_TCP_ACK_FLAG

#define CONFIG(generation)                                                                         \
	"{\"generation\":" generation ",\"addresses\":[{\"port\":0,\"address\":\"" OWN             \
	"/64\"},{\"port\":0,\"vlan\":100,\"address\":\"" TAGGED_OWN                                \
	"/24\"},{\"port\":1,\"vlan\":100,\"address\":\"10.101.0.11/24\"}],"                        \
	"\"timeouts\":{\"tcp_syn\":10,\"tcp_established\":100,\"tcp_fin\":5,\"udp\":20},"          \
	"\"pools\":[{\"name\":\"p\",\"backends\":["                                                \
	"{\"name\":\"b1\",\"address\":\"" B1 "\"},{\"name\":\"b2\",\"address\":\"" B2              \
	"\"}]},{\"name\":\"tagged\",\"backends\":["                                                \
	"{\"name\":\"b3\",\"address\":\"10.100.0.23\"},"                                           \
	"{\"name\":\"b4\",\"address\":\"10.101.0.24\"}]}],\"listeners\":["                         \
	"{\"name\":\"web\",\"address\":\"" VIP                                                     \
	"\",\"port\":80,\"protocol\":\"tcp\",\"pool\":\"p\"},"                                     \
	"{\"name\":\"dns\",\"address\":\"" VIP                                                     \
	"\",\"port\":53,\"protocol\":\"udp\",\"pool\":\"p\"},"                                     \
	"{\"name\":\"far\",\"address\":\"" VIP                                                     \
	"\",\"port\":81,\"protocol\":\"tcp\",\"pool\":\"tagged\"}]}"

static int start_unresolved(void **state)
{
	(void)state;
	rig_start(CONFIG("1"), 256);
	return 0;
}

static int start(void **state)
{
	start_unresolved(state);
	rig_resolve_all();
	return 0;
}

static int end(void **state)
{
	(void)state;
	rig_end();
	return 0;
}

static struct frame client(uint16_t port, uint16_t to, uint8_t flags)
{
	return frame_tcp6(CLIENT, port, VIP, to, flags);
}

static const struct frame *last_sent(void)
{
	assert_true(rig.sent_count > 0);
	return &rig.sent[(rig.sent_count - 1) % RIG_SENT_MAX];
}

static void only_mac_addresses_change(void **state)
{
	struct frame in = client(4000, 80, SYN);

	(void)state;
	rig_receive(in);
	assert_int_equal(rig.sent_count, 1);
	assert_int_equal(last_sent()->length, in.length);
	assert_memory_equal(last_sent()->bytes + 12, in.bytes + 12, in.length - 12);
	assert_int_equal(rig_lcore(PS_LCORE_CREATED_CONNECTIONS), 1);
}

static void a_flow_keeps_its_backend(void **state)
{
	uint8_t chosen[64], seen = 0;

	(void)state;
	for (uint16_t i = 0; i < 64; i++) {
		rig_receive(client(i + 1, 80, SYN));
		chosen[i] = last_sent()->bytes[5];
		seen |= (uint8_t)(1u << (chosen[i] - 0xa0));
	}
	assert_int_equal(__builtin_popcount(seen), 2); // both backends
	for (uint16_t i = 0; i < 64; i++) {
		rig_receive(client(i + 1, 80, ACK));
		assert_int_equal(last_sent()->bytes[5], chosen[i]);
	}
	assert_int_equal(rig_lcore(PS_LCORE_CREATED_CONNECTIONS), 64);
	assert_int_equal(rig_lcore(PS_LCORE_PICKED_UP_CONNECTIONS), 0);
	rig_wait(101);
	assert_int_equal(rig_lcore(PS_LCORE_EXPIRED_CONNECTIONS), 64);
}

// Whoever shares another client's key is not taken for it.
static void a_twin_of_a_key_is_not_tracked(void **state)
{
	struct ps_conn_table *table = &rig.worker->table;
	struct ps_conn *conn = NULL;

	(void)state;
	rig_receive(client(1, 80, SYN));
	for (uint32_t i = 0; conn == NULL && i <= table->mask; i++)
		for (uint32_t n = 0; n < PS_CONN_WAYS; n++)
			if (table->buckets[i].entries[n].key != 0)
				conn = &table->buckets[i].entries[n];
	assert_non_null(conn);
	ps_conn_peer(table, conn)->address[1] ^= 1; // now it is another client's
	rig_receive(client(1, 80, ACK));
	assert_int_equal(rig_lcore(PS_LCORE_UNTRACKED_PACKETS), 1);
	assert_int_equal(table->used, 1);
	assert_int_equal(rig.sent_count, 2);
}

static void destinations_have_their_reasons(void **state)
{
	(void)state;
	rig_receive(frame_tcp6(CLIENT, 1, "2001:db8:5::2", 80, SYN));
	rig_receive(client(1, 82, SYN));
	rig_receive(frame_echo6(CLIENT, VIP));
	rig_receive(frame_tcp6(CLIENT, 1, OWN, 22, SYN));
	assert_int_equal(rig_lcore(PS_LCORE_DROP_UNKNOWN_DESTINATION), 1);
	assert_int_equal(rig_lcore(PS_LCORE_DROP_NO_LISTENER), 2);
	assert_int_equal(rig_lcore(PS_LCORE_DROP_OWN_ADDRESS), 1);
	rig_receive(frame_udp6(CLIENT, 1, VIP, 53));
	assert_int_equal(rig.sent_count, 1);
}

static void echo_to_an_own_address_is_answered(void **state)
{
	struct frame in = frame_echo6(CLIENT, OWN), bad = in;
	struct frame out;
	const struct rte_ipv6_hdr *ip = (void *)(out.bytes + IP_AT);

	(void)state;
	rig_receive(in);
	out = *last_sent();
	assert_int_equal(out.bytes[L4_AT6], 129);
	assert_true(ps_icmp6_checksum_ok(ip, out.bytes + L4_AT6));
	assert_memory_equal(ip->dst_addr, in.bytes + IP_AT + 8, 16);
	bad.bytes[L4_AT6 + 9] ^= 1;
	rig_receive(bad);
	bad.bytes[L4_AT6] = 1; // destination unreachable
	frame_checksum6(&bad);
	rig_receive(bad);
	assert_int_equal(rig_lcore(PS_LCORE_DROP_ICMPV6_MALFORMED), 1);
	assert_int_equal(rig_lcore(PS_LCORE_DROP_ICMPV6_UNSUPPORTED), 1);
	assert_int_equal(rig.sent_count, 1);
}

static void solicitations_for_own_addresses_are_answered(void **state)
{
	struct frame in = frame_nd(135, B1, "ff02::1:ff00:11", OWN, TEST_PEER), out;
	const struct rte_ipv6_hdr *ip = (void *)(out.bytes + IP_AT);
	uint64_t to = 0, mac = 0;

	(void)state;
	memcpy(in.bytes, "\x33\x33\xff\x00\x00\x11", 6);
	rig_receive(in);
	out = *last_sent();
	memcpy(&to, out.bytes, 6);
	memcpy(&mac, out.bytes + L4_AT6 + 26, 6);
	assert_int_equal(to, TEST_PEER);
	assert_int_equal(mac, TEST_MAC);
	assert_int_equal(out.bytes[L4_AT6], 136);
	assert_int_equal(out.bytes[L4_AT6 + 4], 0x60); // solicited, override
	assert_int_equal(ip->hop_limits, 255);
	assert_true(ps_icmp6_checksum_ok(ip, out.bytes + L4_AT6));
	assert_int_equal(rig_lcore(PS_LCORE_CONSUMED_ND_SOLICITATION), 1);
	rig_receive(frame_nd(135, B1, "ff02::1:ff00:1", VIP, TEST_PEER)); // never for a VIP
	assert_int_equal(rig_lcore(PS_LCORE_DROP_ND_NOT_FOR_US), 1);
	assert_int_equal(rig.sent_count, 1);
}

static void a_probe_is_answered_to_all(void **state)
{
	struct frame in = frame_nd(135, "::", "ff02::1:ff00:11", OWN, 0);

	(void)state;
	rig_receive(in);
	assert_memory_equal(last_sent()->bytes, "\x33\x33\x00\x00\x00\x01", 6);
	assert_int_equal(last_sent()->bytes[L4_AT6 + 4], 0x20);
	assert_int_equal(last_sent()->length, L4_AT6 + 32); // it is longer than the probe
}

static void malformed_discovery_is_dropped(void **state)
{
	static const struct {
		uint32_t offset;
		uint8_t value;
	} defects[] = {
		{IP_AT + 7, 254},                  // hop limit
		{L4_AT6 + 1, 1},                   // code
		{L4_AT6 + 8, 0xff},                // target
		{L4_AT6 + 25, 0}, {L4_AT6 + 25, 2} // length of the option
	};

	(void)state;
	for (size_t i = 0; i < sizeof defects / sizeof *defects; i++) {
		struct frame f = frame_nd(135, B1, "ff02::1:ff00:11", OWN, TEST_PEER);
		f.bytes[defects[i].offset] = defects[i].value;
		frame_checksum6(&f);
		rig_receive(f);
		assert_int_equal(rig_lcore(PS_LCORE_DROP_ND_MALFORMED), i + 1);
	}
	struct frame f = frame_nd(135, B1, "ff02::1:ff00:11", OWN, TEST_PEER);
	f.bytes[L4_AT6 + 2] ^= 1;
	rig_receive(f);
	assert_int_equal(rig_lcore(PS_LCORE_DROP_ND_MALFORMED), 6);
	assert_int_equal(rig.sent_count, 0);
}

static void packets_wait_for_the_advertisement(void **state)
{
	struct ps_neighbours *neighbours = rig.app->neighbours;
	uint32_t asked = 0;

	(void)state;
	rig_receive(client(1, 80, SYN));
	assert_int_equal(rig_lcore(PS_LCORE_HELD_NEIGHBOUR_QUEUE), 1);
	for (uint32_t i = 0; i < neighbours->high; i++)
		if (!ps_address_is_v4(&neighbours->entries[i].address))
			asked += rte_ring_enqueue(
					 rig.app->shared.resolve_orders, (void *)(uintptr_t)i) == 0;
	rig_turn(0);
	assert_int_equal(asked, 2);
	assert_int_equal(rig_lcore(PS_LCORE_ORIGINATED_ND_SOLICITATION), 2);
	assert_int_equal(rig.sent_count, 2);
	assert_memory_equal(rig.sent[0].bytes, "\x33\x33\xff\x00\x00", 5);
	assert_true(ps_icmp6_checksum_ok(
		(void *)(rig.sent[0].bytes + IP_AT), rig.sent[0].bytes + L4_AT6));
	rig_receive(frame_nd(136, B1, OWN, B1, 0x2100000000a2ULL));
	rig_receive(frame_nd(136, B2, OWN, B2, 0x2200000000a2ULL));
	assert_int_equal(rig_lcore(PS_LCORE_CONSUMED_ND_ADVERTISEMENT), 2);
	assert_int_equal(rig_lcore(PS_LCORE_HELD_NEIGHBOUR_QUEUE), 0);
	assert_int_equal(rig.sent_count, 3);
	assert_int_equal(last_sent()->bytes[0], 0xa2);
}

// RFC 4861 section 7.2.5: without the override flag a known address stays.
static void an_advertisement_may_not_override(void **state)
{
	struct frame f = frame_nd(136, B1, OWN, B1, 0x2100000000a2ULL);

	(void)state;
	rig_receive(f);
	assert_int_equal(ps_neighbour_mac(&rig.app->neighbours->entries[0]) & 0xff, 2);
	f.bytes[L4_AT6 + 4] = 0x20;
	frame_checksum6(&f);
	rig_receive(f);
	assert_int_equal(ps_neighbour_mac(&rig.app->neighbours->entries[0]) & 0xff, 0xa2);
}

static void tags_change_with_the_network(void **state)
{
	struct frame in = client(1, 81, SYN), back;

	(void)state;
	for (uint16_t i = 1; i <= 64; i++) {
		rig_receive(client(i, 81, SYN)); // untagged in, tagged out
		assert_int_equal(last_sent()->length, in.length + 4);
		assert_memory_equal(last_sent()->bytes + 12, "\x81\x00\x00\x64", 4);
		assert_memory_equal(last_sent()->bytes + 16, in.bytes + 12, 2);
	}
	assert_int_not_equal(rig_backend(2, PS_BACKEND_TX_PACKETS), 0);
	assert_int_not_equal(rig_backend(3, PS_BACKEND_TX_PACKETS), 0); // on the other port
	back = frame_tagged(client(1, 80, SYN), 100);
	rig_receive(back); // tagged in, untagged out
	assert_int_equal(last_sent()->length, in.length);
	rig_receive(frame_tagged(client(2, 81, SYN), 0xa064)); // a priority and the drop bit
	assert_memory_equal(last_sent()->bytes + 12, "\x81\x00\x00\x64", 4);
	rig_receive(frame_tagged(client(3, 80, SYN), 0)); // a priority tag alone
	assert_int_equal(last_sent()->length, in.length);
}

static void networks_have_their_own_neighbours(void **state)
{
	struct frame request =
		frame_arp(RTE_ARP_OP_REQUEST, "10.100.0.23", 0x2300000000a2ULL, TAGGED_OWN);

	(void)state;
	memset(request.bytes, 0xff, 6);
	request.bytes[11] = 9; // of none of our ports
	rig_receive(request);  // untagged: not that network
	assert_int_equal(rig_lcore(PS_LCORE_DROP_ARP_NOT_FOR_US), 1);
	rig_receive_on(1, frame_tagged(request, 100)); // that VLAN of another port
	assert_int_equal(
		rig_lcore(PS_LCORE_DROP_FOREIGN_MAC) + rig_lcore(PS_LCORE_DROP_ARP_NOT_FOR_US), 2);
	rig_receive(frame_tagged(request, 100));
	assert_int_equal(rig_lcore(PS_LCORE_CONSUMED_ARP_REQUEST), 1);
	assert_memory_equal(last_sent()->bytes + 12, "\x81\x00\x00\x64\x08\x06", 6);
	rig_receive(frame_tagged(request, 101));
	assert_int_equal(rig_lcore(PS_LCORE_DROP_VLAN_UNKNOWN), 1);
	rte_ring_enqueue(rig.app->shared.resolve_orders, (void *)(uintptr_t)2);
	rig_turn(0);
	assert_memory_equal(last_sent()->bytes, "\xff\xff\xff\xff\xff\xff", 6);
	assert_memory_equal(last_sent()->bytes + 12, "\x81\x00\x00\x64\x08\x06", 6);
}

// The bug that the predecessor died of: VLANs come and go while packets flow.
static void vlans_come_and_go(void **state)
{
	static const char *without =
		"{\"generation\":%u,\"addresses\":[{\"port\":0,\"address\":\"" OWN
		"/64\"}],\"pools\":[{\"name\":\"p\",\"backends\":[{\"name\":\"b1\",\"address\":"
		"\"" B1 "\"}]}],\"listeners\":[{\"name\":\"web\",\"address\":\"" VIP
		"\",\"port\":80,\"protocol\":\"tcp\",\"pool\":\"p\"}]}";
	char config[1024], with[] = CONFIG("        ");

	(void)state;
	for (uint32_t i = 0; i < 200; i++) {
		char number[12];
		snprintf(config, sizeof config, without, 2 * i + 2);
		rig_apply(config);
		rig_receive(frame_tagged(client((uint16_t)(i + 1), 80, SYN), 100));
		snprintf(number, sizeof number, "%-8u", 2 * i + 3);
		memcpy(strchr(with, ':') + 1, number, 8);
		rig_apply(with);
		rig_resolve_all();
		rig_receive(frame_tagged(client((uint16_t)(i + 1), 80, ACK), 100));
	}
	assert_int_equal(rig_lcore(PS_LCORE_DROP_VLAN_UNKNOWN), 200);
	assert_int_equal(rig.sent_count, 200);
	assert_true(rig.app->neighbours->high <= 8); // entries are used again
}

static void groups_follow_the_addresses(void **state)
{
	static const char *config =
		"{\"generation\":2,\"pools\":[],\"listeners\":[],\"addresses\":["
		"{\"port\":0,\"address\":\"2001:db8:77::11/64\"},"
		"{\"port\":0,\"vlan\":5,\"address\":\"2001:db8:78::11/64\"},"
		"{\"port\":0,\"address\":\"2001:db8:77::12/64\"},"
		"{\"port\":1,\"address\":\"2001:db8:79::13/64\"},"
		"{\"port\":1,\"address\":\"10.0.0.1/24\"}]}";
	struct rte_ether_addr groups[8];

	(void)state;
	rig_apply(config);
	assert_int_equal(ps_port_groups(rig.app->config, 0, groups), 2);
	assert_memory_equal(groups[0].addr_bytes, "\x33\x33\xff\x00\x00\x11", 6);
	assert_memory_equal(groups[1].addr_bytes, "\x33\x33\xff\x00\x00\x12", 6);
	assert_int_equal(ps_port_groups(rig.app->config, 1, groups), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(only_mac_addresses_change),
		TEST(a_flow_keeps_its_backend),
		TEST(a_twin_of_a_key_is_not_tracked),
		TEST(destinations_have_their_reasons),
		TEST(echo_to_an_own_address_is_answered),
		TEST(solicitations_for_own_addresses_are_answered),
		TEST(a_probe_is_answered_to_all),
		TEST(malformed_discovery_is_dropped),
		cmocka_unit_test_setup_teardown(
			packets_wait_for_the_advertisement, start_unresolved, end),
		TEST(an_advertisement_may_not_override),
		TEST(tags_change_with_the_network),
		TEST(networks_have_their_own_neighbours),
		TEST(vlans_come_and_go),
		TEST(groups_follow_the_addresses),
	};

	ps_harness_eal(RIG_MEMORY_MB, false);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
