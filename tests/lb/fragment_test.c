// SPDX-License-Identifier: Apache-2.0
// What is too large for its way out goes in pieces, which are the packet when put together again.
#include "nat_rig.h"

#define WIDE 1500
#define SIZE 160 // of TCP's data

static int start_mode(const char *mode)
{
	generation = 0;
	rig_start(nat_config(mode, "", ""), 256);
	ps_adopt_runtime(rig.worker);
	rig_resolve_all();
	return 0;
}

static int start_dsr(void **state)
{
	(void)state;
	return start_mode("dsr");
}

static int start_ipip(void **state)
{
	(void)state;
	return start_mode("ipip");
}

static int start_nat(void **state)
{
	(void)state;
	return start_mode("nat");
}

static struct frame large(struct packet p)
{
	p.data = SIZE;
	struct frame f = make(p);
	f.bytes[IP_AT + 4] = 0x12; // identification
	f.bytes[IP_AT + 5] = 0x34;
	frame_checksum(&f);
	return f;
}

// The last `count` frames are pieces of one packet, in order, behind `outer` bytes of a tunnel.
static struct frame together(uint32_t count, uint32_t outer, uint32_t mtu)
{
	struct frame whole = {};

	for (uint32_t i = 0; i < count; i++) {
		const struct frame *f = frame_sent(count - 1 - i);
		const uint8_t *ip = f->bytes + IP_AT + outer;
		uint32_t word = (uint32_t)(ip[6] << 8 | ip[7]),
			 length = (uint32_t)(ip[2] << 8 | ip[3]);
		assert_int_equal(f->length, IP_AT + outer + length);
		assert_in_range(outer + length, 21, mtu);
		assert_int_equal(rte_raw_cksum(ip, 20), 0xffff);
		if (outer != 0)
			assert_int_equal(rte_raw_cksum(f->bytes + IP_AT, 20), 0xffff);
		assert_int_equal(word >> 13, i + 1 < count ? 1 : 0); // more fragments
		assert_int_equal((word & 0x1fff) * 8, i == 0 ? 0 : whole.length - L4_AT);
		if (i == 0) {
			memcpy(whole.bytes, f->bytes, IP_AT);
			memcpy(whole.bytes + IP_AT, ip, 20);
			whole.length = L4_AT;
		}
		assert_memory_equal(ip + 4, whole.bytes + IP_AT + 4, 2); // identification
		assert_memory_equal(ip + 8, whole.bytes + IP_AT + 8, 2);
		assert_memory_equal(ip + 12, whole.bytes + IP_AT + 12, 8);
		memcpy(whole.bytes + whole.length, ip + 20, length - 20);
		whole.length += length - 20;
	}
	uint8_t *ip = whole.bytes + IP_AT;
	ip[2] = (uint8_t)((whole.length - IP_AT) >> 8);
	ip[3] = (uint8_t)(whole.length - IP_AT);
	ip[6] = ip[7] = 0;
	frame_checksum(&whole);
	return whole;
}

// The same packet by a wide way and by narrow ones.
static void check_ways(struct frame in, uint32_t outer)
{
	rig.worker->ports[0].mtu = WIDE;
	rig_receive(in);
	struct frame expected = *frame_sent(0);
	if (outer != 0) {
		memmove(expected.bytes + IP_AT, expected.bytes + IP_AT + outer,
			expected.length - IP_AT - outer);
		expected.length -= outer;
	}
	for (uint16_t mtu = 42; mtu < 200; mtu++) {
		uint32_t each = (mtu - outer - 20u) / 8 * 8;
		uint32_t count = each != 0 ? (20 + SIZE + each - 1) / each : UINT32_MAX;
		uint32_t sent = rig.sent_count;
		rig.worker->ports[0].mtu = mtu;
		uint64_t made = rig_lcore(PS_LCORE_ORIGINATED_FRAGMENT);
		uint64_t lost = rig_lcore(PS_LCORE_DROP_EXCEEDS_MTU);
		rig_receive(in);
		if (count > 8) {
			assert_int_equal(rig_lcore(PS_LCORE_DROP_EXCEEDS_MTU), lost + 1);
			assert_int_equal(rig.sent_count, sent);
			continue;
		}
		assert_int_equal(rig.sent_count, sent + count);
		assert_int_equal(rig_lcore(PS_LCORE_ORIGINATED_FRAGMENT), made + count - 1);
		struct frame whole = together(count, outer, mtu);
		assert_int_equal(whole.length, expected.length);
		assert_memory_equal(whole.bytes, expected.bytes, whole.length);
	}
	assert_true(rig_lcore(PS_LCORE_DROP_EXCEEDS_MTU) > 0);
	assert_int_equal(rig_vip(0, PS_VIP_RX_PACKETS),
		rig_vip(0, PS_VIP_TX_PACKETS) + rig_vip(0, PS_VIP_DROPPED_PACKETS));
}

static void by_mac_address(void **state)
{
	(void)state;
	check_ways(large(of_client(false, 1, ACK)), 0);
}

static void through_a_tunnel(void **state)
{
	(void)state;
	check_ways(large(of_client(false, 1, ACK)), 20);
}

static void translated(void **state)
{
	(void)state;
	open_connection(false, 1);
	check_ways(large(of_client(false, 1, ACK)), 0);
}

static void answers(void **state)
{
	uint16_t local = open_connection(false, 1);

	(void)state;
	check_ways(large(of_backend(false, local, ACK)), 0);
}

static void options_and_df_are_left_alone(void **state)
{
	struct frame f = large(of_client(false, 1, ACK));

	(void)state;
	rig.worker->ports[0].mtu = 100;
	f.bytes[IP_AT + 6] = 0x40;
	frame_checksum(&f);
	rig_receive(f);
	assert_int_equal(rig_lcore(PS_LCORE_DROP_TOO_BIG_TOLD), 1);
	f.bytes[IP_AT + 6] = 0;
	f.bytes[IP_AT] = 0x46; // the first words of TCP are options now
	memset(f.bytes + L4_AT, 1, 4);
	memmove(f.bytes + L4_AT + 4, f.bytes + L4_AT, f.length - L4_AT - 4);
	uint16_t sum = 0;
	memcpy(f.bytes + IP_AT + 10, &sum, 2);
	memset(f.bytes + L4_AT, 1, 4);
	sum = (uint16_t)~rte_raw_cksum(f.bytes + IP_AT, 24);
	memcpy(f.bytes + IP_AT + 10, &sum, 2);
	f.bytes[L4_AT + 4 + 12] = 0x50;
	f.bytes[L4_AT + 4 + 13] = ACK;
	f.bytes[L4_AT + 4 + 2] = 0;
	f.bytes[L4_AT + 4 + 3] = 80;
	rig_receive(f);
	assert_int_equal(rig_lcore(PS_LCORE_DROP_EXCEEDS_MTU), 1);
	assert_int_equal(rig_lcore(PS_LCORE_ORIGINATED_FRAGMENT), 0);
}

static void pieces_wait_and_are_refused_as_others(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < rig.app->neighbours->high; i++)
		atomic_store(&rig.app->neighbours->entries[i].mac, 0);
	rig.worker->ports[0].mtu = 100;
	rig_receive(large(of_client(false, 1, ACK)));
	assert_int_equal(rig_lcore(PS_LCORE_HELD_NEIGHBOUR_QUEUE), 3);
	rig_resolve_all();
	rig.refuse = 2;
	rig.worker->hold.next_check = 0;
	rig_turn(0);
	rig_check_law();
	assert_int_equal(rig_lcore(PS_LCORE_DROP_TX_FULL), 2);
	assert_int_equal(rig_vip(0, PS_VIP_RX_PACKETS), 3);
	assert_int_equal(rig_vip(0, PS_VIP_TX_PACKETS), 1);
	assert_int_equal(rig_vip(0, PS_VIP_DROPPED_PACKETS), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(by_mac_address, start_dsr, nat_end),
		cmocka_unit_test_setup_teardown(through_a_tunnel, start_ipip, nat_end),
		cmocka_unit_test_setup_teardown(translated, start_nat, nat_end),
		cmocka_unit_test_setup_teardown(answers, start_nat, nat_end),
		cmocka_unit_test_setup_teardown(options_and_df_are_left_alone, start_dsr, nat_end),
		cmocka_unit_test_setup_teardown(
			pieces_wait_and_are_refused_as_others, start_dsr, nat_end),
	};

	ps_harness_eal(RIG_MEMORY_MB, false);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
