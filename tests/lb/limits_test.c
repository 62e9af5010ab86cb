// SPDX-License-Identifier: Apache-2.0
// Lists and limits: exactly so many packets are dropped, each under its reason.
#include "datapath_config.h"

#define HTTP(more)                                                                                 \
	"{\"name\":\"web\",\"address\":\"" VIP                                                     \
	"\",\"port\":80,\"protocol\":\"tcp\",\"pool\":\"p\"" more "}"
#define LIMITED(limit) "{\"name\":\"b1\",\"address\":\"10.77.1.21\",\"limits\":{" limit "}}"
#define LISTS(generation, more, listener)                                                          \
	"{\"generation\":" generation                                                              \
	",\"addresses\":[{\"port\":0,\"address\":\"10.77.1.11/24\"}],\"lists\":["                  \
	"{\"name\":\"bad\",\"deny\":[\"192.0.2.0/24\",\"2001:db8::/64\"],"                         \
	"\"allow\":[\"192.0.2.128/25\"]},"                                                         \
	"{\"name\":\"only\",\"default\":\"deny\",\"allow\":[\"192.0.2.129/32\"]}]" more            \
	",\"pools\":[{\"name\":\"p\",\"backends\":[" B1("100") "]}],\"listeners\":[" listener "]}"

static void apply_limits(const char *config)
{
	rig_apply(config);
	rig_resolve_all();
	rig.worker->now = rte_rdtsc(); // and stays there: buckets are filled by the tests
}

// Without the clock of a worker's loop.
static void receive(struct frame f)
{
	uint64_t now = rig.worker->now;

	rig_receive(f);
	rig.worker->now = now;
}

static void later(double seconds)
{
	rig.worker->now += (uint64_t)(seconds * (double)rig.app->shared.tsc_hz);
}

static void lists_decide_by_the_longest_prefix(void **state)
{
	(void)state;
	apply_limits(LISTS("2", ",\"list\":\"bad\"", HTTP("")));
	for (uint32_t i = 0; i < 5; i++)
		receive(frame_tcp("192.0.2.7", 1, VIP, 80, SYN));
	receive(frame_tcp("192.0.2.129", 1, VIP, 80, SYN));
	receive(frame_tcp("203.0.113.9", 1, VIP, 80, SYN));
	assert_int_equal(rig_lcore(PS_LCORE_DROP_DENIED_BY_GLOBAL_LIST), 5);
	assert_int_equal(rig_vip(0, PS_VIP_DROPPED_PACKETS), 5);
	assert_int_equal(rig.sent_count, 2);
	apply_limits(LISTS("3", "", HTTP(",\"list\":\"only\"")));
	for (uint32_t i = 0; i < 4; i++)
		receive(frame_tcp("203.0.113.9", 1, VIP, 80, ACK)); // established or not
	receive(frame_tcp("192.0.2.129", 1, VIP, 80, ACK));
	assert_int_equal(rig_lcore(PS_LCORE_DROP_DENIED_BY_LIST), 4);
	assert_int_equal(rig.sent_count, 3);
	apply_limits(LISTS("4", "", HTTP("")));
	receive(frame_tcp("203.0.113.9", 1, VIP, 80, ACK));
	assert_int_equal(rig.sent_count, 4);
}

static void lists_hold_for_ipv6(void **state)
{
	(void)state;
	apply_limits(LISTS("2", ",\"list\":\"bad\"",
		"{\"name\":\"six\",\"address\":\"2001:db8:5::1\",\"port\":80,\"protocol\":\"tcp\","
		"\"pool\":\"p\"}"));
	receive(frame_tcp6("2001:db8::1", 1, "2001:db8:5::1", 80, SYN));
	receive(frame_tcp6("2001:db8:0:1::1", 1, "2001:db8:5::1", 80, SYN));
	assert_int_equal(rig_lcore(PS_LCORE_DROP_DENIED_BY_GLOBAL_LIST), 1);
	assert_int_equal(rig.sent_count, 1);
}

// A tenth of a second's worth at once, then as many as time brings.
static void rates_are_held(const char *config, uint8_t flags, enum ps_lcore_cell reason)
{
	apply_limits(config);
	for (uint16_t i = 0; i < 15; i++)
		receive(client(100 + i, 80, flags));
	assert_int_equal(rig_lcore(reason), 5);
	later(0.0301); // 100 a second
	for (uint16_t i = 0; i < 5; i++)
		receive(client(200 + i, 80, flags));
	assert_int_equal(rig_lcore(reason), 7);
	later(100);
	for (uint16_t i = 0; i < 15; i++)
		receive(client(300 + i, 80, flags));
	assert_int_equal(rig_lcore(reason), 12);
	assert_int_equal(rig.sent_count, 23);
	assert_int_equal(rig_vip(0, PS_VIP_DROPPED_PACKETS), 12);
}

static void packets_of_a_listener(void **state)
{
	(void)state;
	rates_are_held(CONFIG("2", B1("100"), HTTP(",\"limits\":{\"packets_per_s\":100}")), ACK,
		PS_LCORE_DROP_LISTENER_PACKET_LIMIT);
}

static void connections_a_second_of_a_listener(void **state)
{
	(void)state;
	rates_are_held(CONFIG("2", B1("100"), HTTP(",\"limits\":{\"new_connections_per_s\":100}")),
		SYN, PS_LCORE_DROP_LISTENER_NEW_CONNECTION_LIMIT);
	receive(client(100, 80, ACK)); // established ones are not asked, nor those picked up
	receive(client(1, 80, ACK));
	assert_int_equal(rig.sent_count, 25);
}

static void packets_of_a_backend(void **state)
{
	(void)state;
	rates_are_held(CONFIG("2", LIMITED("\"packets_per_s\":100"), HTTP("")), ACK,
		PS_LCORE_DROP_BACKEND_PACKET_LIMIT);
	assert_int_equal(rig_backend(rig.app->backend_rows[0], PS_BACKEND_DROPPED_PACKETS), 12);
}

static void connections_a_second_of_a_backend(void **state)
{
	(void)state;
	rates_are_held(CONFIG("2", LIMITED("\"new_connections_per_s\":100"), HTTP("")), SYN,
		PS_LCORE_DROP_BACKEND_NEW_CONNECTION_LIMIT);
	assert_int_equal(rig_lcore(PS_LCORE_ACTIVE_CONNECTIONS), 23);
}

static void bits_are_held(const char *config, enum ps_lcore_cell reason)
{
	uint32_t bits = client(1, 80, ACK).length * 8;

	apply_limits(config); // one frame of any size may come: 73728 bits
	for (uint32_t i = 0; i < 73728 / bits + 6; i++)
		receive(client(1, 80, ACK));
	assert_int_equal(rig_lcore(reason), 6);
	later(1); // 1000 bits
	for (uint32_t i = 0; i < 8; i++)
		receive(client(1, 80, ACK));
	assert_int_equal(rig_lcore(reason), 6 + 8 - (1000 + 73728 % bits) / bits);
}

static void bits_of_a_listener(void **state)
{
	(void)state;
	bits_are_held(CONFIG("2", B1("100"), HTTP(",\"limits\":{\"bits_per_s\":1000}")),
		PS_LCORE_DROP_LISTENER_BIT_LIMIT);
}

static void bits_of_a_backend(void **state)
{
	(void)state;
	bits_are_held(CONFIG("2", LIMITED("\"bits_per_s\":1000"), HTTP("")),
		PS_LCORE_DROP_BACKEND_BIT_LIMIT);
}

static void connections_are_held(const char *config, enum ps_lcore_cell reason)
{
	apply_limits(config);
	for (uint16_t i = 0; i < 9; i++)
		receive(client(100 + i, 80, SYN));
	assert_int_equal(rig_lcore(reason), 4);
	assert_int_equal(rig_lcore(PS_LCORE_ACTIVE_CONNECTIONS), 5);
	receive(client(100, 80, FIN));
	rig_wait(5); // tcp_fin
	receive(client(200, 80, SYN));
	receive(client(201, 80, SYN));
	assert_int_equal(rig_lcore(reason), 5);
}

static void connections_of_a_listener(void **state)
{
	(void)state;
	connections_are_held(CONFIG("2", B1("100"), HTTP(",\"limits\":{\"connections\":5}")),
		PS_LCORE_DROP_LISTENER_CONNECTION_LIMIT);
}

static void connections_of_a_backend(void **state)
{
	(void)state;
	connections_are_held(CONFIG("2", LIMITED("\"connections\":5"), HTTP("")),
		PS_LCORE_DROP_BACKEND_CONNECTION_LIMIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(lists_decide_by_the_longest_prefix),
		TEST(lists_hold_for_ipv6),
		TEST(packets_of_a_listener),
		TEST(connections_a_second_of_a_listener),
		TEST(packets_of_a_backend),
		TEST(connections_a_second_of_a_backend),
		TEST(bits_of_a_listener),
		TEST(bits_of_a_backend),
		TEST(connections_of_a_listener),
		TEST(connections_of_a_backend),
	};

	ps_harness_eal(RIG_MEMORY_MB, false);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
