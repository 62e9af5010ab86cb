// SPDX-License-Identifier: Apache-2.0
// Which backend a connection gets: schedulers, and QUIC by server ids.
#include "datapath_config.h"

#define POOL(name, scheduler, w1, w2)                                                              \
	"{\"name\":\"" name "\",\"scheduler\":\"" scheduler "\",\"backends\":["                    \
	"{\"name\":\"b1\",\"address\":\"10.77.1.21\",\"server_id\":\"0a01\",\"weight\":" w1        \
	"},{\"name\":\"b2\",\"address\":\"10.77.1.22\",\"server_id\":\"0a02\",\"weight\":" w2      \
	"}]}"
#define LISTEN(name, port, protocol, pool, more)                                                   \
	"{\"name\":\"" name "\",\"address\":\"" VIP "\",\"port\":" port                            \
	",\"protocol\":\"" protocol "\",\"pool\":\"" pool "\"" more "}"
#define SCHEDULES(generation, pools, listeners)                                                    \
	"{\"generation\":" generation                                                              \
	",\"addresses\":[{\"port\":0,\"address\":\"10.77.1.11/24\"}],\"pools\":[" pools            \
	"],\"listeners\":[" listeners "]}"
#define QUIC ",\"quic\":{\"rotation\":2,\"server_id_length\":2}"
#define MAC_1 0xa0 // of b1, after rig_resolve_all()
#define MAC_2 0xa1

static int start_schedules(void **state)
{
	(void)state;
	rig_start(SCHEDULES("1",
			  POOL("source", "maglev_source", "100", "100") "," POOL(
				  "port", "maglev_source_port", "100", "100") "," POOL("turns",
				  "weighted_round_robin", "300",
				  "100") "," POOL("load", "weighted_least_connections", "100",
				  "100") "," POOL("plain", "maglev", "100", "100"),
			  LISTEN("s1", "81", "tcp", "source", "") "," LISTEN("s2", "82", "tcp",
				  "source",
				  "") "," LISTEN("p1", "83", "tcp", "port", "") "," LISTEN("p2",
				  "84", "tcp", "port", "") "," LISTEN("t", "85", "tcp", "turns",
				  "") "," LISTEN("l", "86", "tcp", "load", "") "," LISTEN("m", "87",
				  "tcp", "plain", "") "," LISTEN("q", "443", "udp", "plain", QUIC)),
		256);
	rig_resolve_all();
	return 0;
}

static uint8_t backend_of(struct frame f)
{
	rig_receive(f);
	return last_backend();
}

static void a_client_keeps_its_backend(void **state)
{
	char address[16];
	bool seen[2] = {};

	(void)state;
	for (uint32_t i = 1; i < 50; i++) {
		snprintf(address, sizeof address, "192.0.2.%u", i);
		uint8_t first = backend_of(frame_tcp(address, 1, VIP, 81, SYN));
		assert_int_equal(backend_of(frame_tcp(address, 2, VIP, 81, SYN)), first);
		assert_int_equal(backend_of(frame_tcp(address, 3, VIP, 82, SYN)), first);
		seen[first == MAC_2] = true;
	}
	assert_true(seen[0] && seen[1]);
}

static void a_clients_port_keeps_its_backend(void **state)
{
	bool seen[2] = {};

	(void)state;
	for (uint16_t port = 1; port < 50; port++) {
		uint8_t first = backend_of(client(port, 83, SYN));
		assert_int_equal(backend_of(client(port, 84, SYN)), first);
		seen[first == MAC_2] = true;
	}
	assert_true(seen[0] && seen[1]);
}

static void turns_follow_the_weights(void **state)
{
	uint32_t first = 0;

	(void)state;
	for (uint16_t i = 0; i < 80; i++) {
		first += backend_of(client(100 + i, 85, SYN)) == MAC_1;
		if (i % 4 == 3)
			assert_int_equal(first, (i + 1) * 3 / 4); // in every round
	}
	uint8_t before = backend_of(client(100, 85, ACK)); // a connection stays where it is
	assert_int_equal(backend_of(client(100, 85, ACK)), before);
}

// What another director began: its turns are not known here, Maglev's choice is.
static void mid_flow_goes_by_maglev(void **state)
{
	(void)state;
	for (uint16_t i = 0; i < 40; i++) {
		// The destination port is part of the hash: ask a pool's table for this very flow.
		uint8_t picked = backend_of(client(1000 + i, 85, ACK));
		rig_receive(client(1000 + i, 85, RST));
		rig_wait(40);
		assert_int_equal(backend_of(client(1000 + i, 85, ACK)), picked);
	}
	assert_int_equal(rig_lcore(PS_LCORE_CREATED_CONNECTIONS), 0);
}

static void flows_beyond_the_table_stay_together(void **state)
{
	(void)state;
	for (uint16_t i = 0; i < 300; i++)
		rig_receive(client(100 + i, 85, SYN));
	uint64_t untracked = rig_lcore(PS_LCORE_UNTRACKED_PACKETS);
	assert_int_equal(untracked, 300 - 256);
	for (uint16_t i = 0; i < 20; i++) {
		uint8_t first = backend_of(client(1000 + i, 85, SYN));
		assert_int_equal(backend_of(client(1000 + i, 85, ACK)), first);
		assert_int_equal(backend_of(client(1000 + i, 85, ACK)), first);
	}
	assert_int_equal(rig_lcore(PS_LCORE_UNTRACKED_PACKETS), untracked + 60);
}

// Of candidate n of a pool, in this worker's table.
static uint32_t load_of(uint32_t pool, uint32_t n)
{
	return rig.worker->loads[rig.worker->runtime->pools[pool].table->candidates[n].row]
		.connections;
}

static void the_least_loaded_is_next(void **state)
{
	uint8_t backend[40];

	(void)state;
	for (uint16_t i = 0; i < 40; i++)
		backend[i] = backend_of(client(100 + i, 86, SYN));
	assert_int_equal(load_of(3, 0), 20);
	assert_int_equal(load_of(3, 1), 20);
	for (uint16_t i = 0; i < 40; i++) // the first one's end at once, the others' go on
		rig_receive(client(100 + i, 86, backend[i] == MAC_1 ? FIN : ACK));
	rig_wait(31);
	assert_int_equal(load_of(3, 0), 0);
	assert_int_equal(load_of(3, 1), 20);
	for (uint16_t i = 0; i < 20; i++)
		assert_int_equal(backend_of(client(200 + i, 86, SYN)), MAC_1);
	assert_int_equal(load_of(3, 0) + load_of(3, 1), rig_lcore(PS_LCORE_ACTIVE_CONNECTIONS));
}

static void a_large_pool_costs_no_more(void **state)
{
	char *text, *end;

	(void)state;
	assert_non_null(text = end = malloc(100000));
	end += sprintf(end, "%s",
		"{\"generation\":2,\"addresses\":[{\"port\":0,\"address\":\"10.77.1.11/16\"}],"
		"\"pools\":[{\"name\":\"load\",\"scheduler\":\"weighted_least_connections\","
		"\"backends\":[");
	for (uint32_t i = 0; i < 200; i++)
		end += sprintf(end, "%s{\"name\":\"b%u\",\"address\":\"10.77.2.%u\"}",
			i == 0 ? "" : ",", i, i + 1);
	sprintf(end, "]}],\"listeners\":[" LISTEN("l", "86", "tcp", "load", "") "]}");
	rig_apply(text);
	free(text);
	rig_resolve_all();
	for (uint16_t i = 0; i < 200; i++)
		rig_receive(client(100 + i, 86, SYN));
	// Compared in turn, 64 at a time: nobody is left out, nobody gets many.
	for (uint32_t i = 0; i < 200; i++)
		assert_in_range(load_of(0, i), 0, 2);
}

static void turns_lie_evenly_in_a_round(void **state)
{
	static const uint32_t expected[] = {0, 0, 0, 1, 2, 0, 0}; // of weights 5, 1 and 1
	uint64_t counts[3] = {};

	(void)state;
#define THREE(w1, w2, w3)                                                                          \
	"{\"name\":\"t\",\"scheduler\":\"weighted_round_robin\",\"backends\":["                    \
	"{\"name\":\"a\",\"address\":\"10.77.1.31\",\"weight\":" w1                                \
	"},{\"name\":\"b\",\"address\":\"10.77.1.32\",\"weight\":" w2                              \
	"},{\"name\":\"c\",\"address\":\"10.77.1.33\",\"weight\":" w3 "}]}"
	rig_apply(SCHEDULES("2", THREE("500", "100", "100"), LISTEN("t", "85", "tcp", "t", "")));
	const struct ps_table *table = rig.worker->runtime->pools[0].table;
	assert_int_equal(table->turn_count, 7);
	for (uint32_t i = 0; i < 7; i++)
		assert_int_equal(table->turns[i], rig.app->backend_rows[expected[i]]);
	rig_apply(SCHEDULES("3", THREE("997", "1", "0"), LISTEN("t", "85", "tcp", "t", "")));
	table = rig.worker->runtime->pools[0].table;
	for (uint32_t i = 0; i < table->turn_count; i++)
		for (uint32_t n = 0; n < 3; n++)
			counts[n] += table->turns[i] == rig.app->backend_rows[n];
	assert_int_equal(counts[0], 997);
	assert_int_equal(counts[1], 1);
	assert_int_equal(counts[2], 0);
	rig_apply(SCHEDULES("4", THREE("0", "0", "0"), LISTEN("t", "85", "tcp", "t", "")));
	rig_receive(client(1, 85, SYN));
	assert_int_equal(rig_lcore(PS_LCORE_DROP_NO_BACKEND), 1);
}

// --- QUIC ---

static struct frame quic(const char *from, uint16_t port, uint8_t *data, uint32_t length)
{
	struct frame f = frame_udp(from, port, VIP, 443);
	struct rte_ipv4_hdr *ip = (void *)(f.bytes + IP_AT);
	struct rte_udp_hdr *udp = (void *)(f.bytes + L4_AT);

	memcpy(udp + 1, data, length);
	udp->dgram_len = htons((uint16_t)(sizeof *udp + length));
	ip->total_length = htons((uint16_t)(sizeof *ip + sizeof *udp + length));
	frame_checksum(&f);
	f.length = (uint32_t)(L4_AT + sizeof *udp + length);
	return f;
}

static void check_quic(uint64_t routed, uint64_t fallback, uint64_t malformed)
{
	uint16_t row = rig.worker->runtime->listeners[7].row;

	assert_int_equal(rig_vip(row, PS_VIP_QUIC_ROUTED_PACKETS), routed);
	assert_int_equal(rig_vip(row, PS_VIP_QUIC_FALLBACK_PACKETS), fallback);
	assert_int_equal(rig_vip(row, PS_VIP_QUIC_MALFORMED_PACKETS), malformed);
}

static void short_headers_name_their_server(void **state)
{
	uint8_t data[32] = {0x40, 2 << 5 | 9, 0x0a, 0x01};
	uint8_t flow[2];

	(void)state;
	for (uint16_t port = 1; port <= 20; port++) {
		data[3] = 1 + port % 2;
		assert_int_equal(backend_of(quic(CLIENT, port, data, sizeof data)),
			port % 2 ? MAC_2 : MAC_1);
		// The client has moved; the packet's first bit may be anything (RFC 9287).
		data[0] ^= 0x40;
		assert_int_equal(backend_of(quic("192.0.2.200", port, data, sizeof data)),
			port % 2 ? MAC_2 : MAC_1);
	}
	check_quic(40, 0, 0);
	data[3] = 3; // nobody's
	flow[0] = backend_of(quic("192.0.2.9", 1, data, sizeof data));
	assert_int_equal(backend_of(quic("192.0.2.9", 1, data, sizeof data)), flow[0]);
	data[3] = 1;
	data[1] = 3 << 5; // of another configuration
	assert_int_equal(backend_of(quic("192.0.2.9", 1, data, sizeof data)), flow[0]);
	check_quic(40, 3, 0);
}

static void malformed_ids_fall_back(void **state)
{
	uint8_t data[32] = {0x40, 2 << 5, 0x0a, 0x01};

	(void)state;
	for (uint32_t length = 0; length < 4; length++)
		rig_receive(quic(CLIENT, 9, data, length));
	check_quic(0, 0, 4);
	rig_receive(quic(CLIENT, 9, data, 4));
	check_quic(1, 0, 4);
	memcpy(data, (uint8_t[]){0xc0, 0, 0, 0, 1, 21}, 6); // longer than an id may be
	rig_receive(quic(CLIENT, 9, data, sizeof data));
	data[5] = 20;
	rig_receive(quic(CLIENT, 9, data, 25)); // longer than the packet
	rig_receive(quic(CLIENT, 9, data, 5));
	check_quic(1, 0, 7);
	assert_int_equal(rig.sent_count, 8); // all of them were sent
}

static void long_headers_follow_the_flow_or_the_id(void **state)
{
	uint8_t data[32] = {0xc0, 0, 0, 0, 1, 8, 2 << 5, 0x0a, 0x01};

	(void)state;
	uint8_t first = backend_of(quic(CLIENT, 1, data, sizeof data)); // Initial
	data[8] = 2;
	assert_int_equal(backend_of(quic(CLIENT, 1, data, sizeof data)), first);
	data[0] = 0xd0; // 0-RTT
	assert_int_equal(backend_of(quic(CLIENT, 1, data, sizeof data)), first);
	check_quic(0, 3, 0);
	data[0] = 0xe0; // Handshake: the server has chosen the id
	assert_int_equal(backend_of(quic(CLIENT, 1, data, sizeof data)), MAC_2);
	data[8] = 1;
	assert_int_equal(backend_of(quic(CLIENT, 1, data, sizeof data)), MAC_1);
	check_quic(2, 3, 0);
	memcpy(data + 1, (uint8_t[]){0x6b, 0x33, 0x43, 0xcf}, 4); // version 2 has other types
	data[0] = 0xd0;                                           // Initial
	assert_int_equal(backend_of(quic(CLIENT, 1, data, sizeof data)), first);
	data[0] = 0xf0; // Handshake
	assert_int_equal(backend_of(quic(CLIENT, 1, data, sizeof data)), MAC_1);
	data[4] = 0; // a version that is not known
	assert_int_equal(backend_of(quic(CLIENT, 1, data, sizeof data)), first);
	data[0] = 0xf0;
	data[4] = 0xcf;
	data[5] = 2; // too short for a server id
	assert_int_equal(backend_of(quic(CLIENT, 1, data, sizeof data)), first);
	check_quic(3, 6, 0);
}

static void a_draining_server_keeps_its_ids(void **state)
{
	uint8_t data[32] = {0x40, 2 << 5, 0x0a, 0x01};

	(void)state;
	rig_apply(SCHEDULES("2", POOL("plain", "maglev", "0", "100"),
		LISTEN("q", "443", "udp", "plain", QUIC)));
	rig_resolve_all();
	uint16_t row = rig.app->backend_rows[0];
	rig_receive(quic(CLIENT, 1, data, sizeof data));
	assert_int_equal(rig_backend(row, PS_BACKEND_TX_PACKETS), 1);
	data[1] = 0;
	rig_receive(quic("192.0.2.77", 1, data, sizeof data)); // a new one goes elsewhere
	assert_int_equal(rig_backend(row, PS_BACKEND_TX_PACKETS), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_AFTER(a_client_keeps_its_backend, start_schedules),
		TEST_AFTER(a_clients_port_keeps_its_backend, start_schedules),
		TEST_AFTER(turns_follow_the_weights, start_schedules),
		TEST_AFTER(mid_flow_goes_by_maglev, start_schedules),
		TEST_AFTER(flows_beyond_the_table_stay_together, start_schedules),
		TEST_AFTER(the_least_loaded_is_next, start_schedules),
		TEST_AFTER(a_large_pool_costs_no_more, start_schedules),
		TEST_AFTER(turns_lie_evenly_in_a_round, start_schedules),
		TEST_AFTER(short_headers_name_their_server, start_schedules),
		TEST_AFTER(malformed_ids_fall_back, start_schedules),
		TEST_AFTER(long_headers_follow_the_flow_or_the_id, start_schedules),
		TEST_AFTER(a_draining_server_keeps_its_ids, start_schedules),
	};

	ps_harness_eal(RIG_MEMORY_MB, false);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
