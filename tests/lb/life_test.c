// SPDX-License-Identifier: Apache-2.0
// The life of connections: RST and FIN, timeouts of a listener, half-open ones, draining's end.
#include "datapath_config.h"

#define HTTP(more)                                                                                 \
	"{\"name\":\"web\",\"address\":\"" VIP                                                     \
	"\",\"port\":80,\"protocol\":\"tcp\",\"pool\":\"p\"" more "}"
#define DRAIN(name, address, weight, then)                                                         \
	"{\"name\":\"" name "\",\"address\":\"" address "\",\"weight\":" weight                    \
	",\"drain\":{\"deadline_s\":60,\"then\":\"" then "\"}}"
#define ROOM 20 // half-open connections

static uint64_t half_open(void)
{
	return rig_vip(0, PS_VIP_HALF_OPEN_CONNECTIONS);
}

static void a_forged_reset_ends_nothing(void **state)
{
	(void)state;
	rig_receive(client(1, 81, SYN)); // not sloppy: who is forgotten is lost
	rig_receive(client(1, 81, ACK));
	for (uint32_t i = 0; i < 3; i++)
		rig_receive(client(1, 81, RST));
	assert_int_equal(rig_lcore(PS_LCORE_RESET_CONNECTIONS), 1);
	rig_receive(client(1, 81, ACK)); // the client goes on
	assert_int_equal(rig_lcore(PS_LCORE_REVIVED_CONNECTIONS), 1);
	rig_wait(50); // tcp_established is 100
	rig_receive(client(1, 81, ACK));
	assert_int_equal(rig_lcore(PS_LCORE_DROP_NO_CONNECTION), 0);
	assert_int_equal(rig.sent_count, 7);
}

static void a_reset_shortens_the_wait(void **state)
{
	(void)state;
	rig_receive(client(1, 80, SYN));
	rig_receive(client(1, 80, ACK));
	rig_receive(client(1, 80, RST));
	assert_int_equal(rig_vip(0, PS_VIP_RESET_CONNECTIONS), 1);
	rig_wait(3);
	rig_receive(client(1, 80, RST)); // more of them do not prolong it
	rig_wait(2);                     // tcp_fin is 5
	assert_int_equal(rig_lcore(PS_LCORE_CLOSED_CONNECTIONS), 1);
	assert_int_equal(rig_lcore(PS_LCORE_ACTIVE_CONNECTIONS), 0);
	assert_int_equal(rig_lcore(PS_LCORE_RESET_CONNECTIONS), 1);
	rig_receive(client(2, 80, SYN));
	rig_receive(client(2, 80, RST));
	rig_receive(client(2, 80, SYN)); // the port is used again
	assert_int_equal(rig_lcore(PS_LCORE_CREATED_CONNECTIONS), 3);
	assert_int_equal(half_open(), 1);
}

static void a_fin_is_counted_once(void **state)
{
	(void)state;
	rig_receive(client(1, 80, SYN));
	rig_receive(client(1, 80, FIN));
	rig_receive(client(1, 80, FIN));
	rig_receive(client(1, 80, ACK)); // for what the backend still sends
	assert_int_equal(rig_lcore(PS_LCORE_FINISHED_CONNECTIONS), 1);
	assert_int_equal(rig_vip(0, PS_VIP_FINISHED_CONNECTIONS), 1);
	assert_int_equal(half_open(), 0);
	rig_wait(5);
	assert_int_equal(rig_lcore(PS_LCORE_CLOSED_CONNECTIONS), 1);
}

static void a_listener_may_have_its_own_timeouts(void **state)
{
	(void)state;
	rig_apply(CONFIG("2", B1("100"),
		HTTP(",\"timeouts\":{\"tcp_established\":7,\"tcp_fin\":2}") ","
									    "{\"name\":\"dns\","
									    "\"address\":\"" VIP
									    "\",\"port\":53,"
									    "\"protocol\":\"udp\","
									    "\"pool\":\"p\","
									    "\"timeouts\":{\"udp\":"
									    "3}}"));
	rig_receive(client(1, 80, SYN)); // tcp_syn is the configuration's 10
	rig_receive(client(2, 80, ACK));
	rig_receive(client(3, 80, ACK));
	rig_receive(client(3, 80, FIN));
	rig_receive(frame_udp(CLIENT, 1, VIP, 53));
	rig_wait(2);
	assert_int_equal(rig_lcore(PS_LCORE_ACTIVE_CONNECTIONS), 3);
	rig_wait(1);
	assert_int_equal(rig_lcore(PS_LCORE_ACTIVE_CONNECTIONS), 2);
	rig_wait(4);
	assert_int_equal(rig_lcore(PS_LCORE_ACTIVE_CONNECTIONS), 1);
	rig_wait(3);
	assert_int_equal(rig_lcore(PS_LCORE_ACTIVE_CONNECTIONS), 0);
}

// Exactly so many are dropped, and who is established does not notice.
static void a_flood_of_syn_is_bounded(void **state)
{
	(void)state;
	rig_apply(CONFIG("2", B1("100") "," B2("100"), HTTP(",\"max_half_open\":20")));
	for (uint16_t i = 0; i < 10; i++) {
		rig_receive(client(100 + i, 80, SYN));
		rig_receive(client(100 + i, 80, ACK));
	}
	assert_int_equal(half_open(), 0);
	for (uint16_t i = 0; i < ROOM + 50; i++)
		rig_receive(frame_tcp("192.0.2.66", 1000 + i, VIP, 80, SYN));
	assert_int_equal(rig_lcore(PS_LCORE_DROP_HALF_OPEN_LIMIT), 50);
	assert_int_equal(half_open(), ROOM);
	uint32_t sent = rig.sent_count;
	for (uint16_t i = 0; i < 10; i++)
		rig_receive(client(100 + i, 80, ACK));
	assert_int_equal(rig.sent_count, sent + 10);
	rig_receive(frame_tcp("192.0.2.66", 1000, VIP, 80, SYN)); // one that is there already
	assert_int_equal(rig_lcore(PS_LCORE_DROP_HALF_OPEN_LIMIT), 50);
	rig_receive(frame_tcp("192.0.2.66", 1000, VIP, 80, ACK)); // makes room for one
	rig_receive(client(7, 80, SYN));
	rig_receive(client(8, 80, SYN));
	assert_int_equal(rig_lcore(PS_LCORE_DROP_HALF_OPEN_LIMIT), 51);
	rig_wait(10); // tcp_syn
	assert_int_equal(half_open(), 0);
	rig_receive(client(8, 80, SYN));
	assert_int_equal(rig_lcore(PS_LCORE_DROP_HALF_OPEN_LIMIT), 51);
}

// A client in the midst of the flood comes through: Maglev sends all its packets to one backend.
static void what_exceeds_may_go_untracked(void **state)
{
	(void)state;
	rig_apply(CONFIG("2", B1("100") "," B2("100"),
		HTTP(",\"max_half_open\":20,\"half_open_excess\":\"untracked\"")));
	for (uint16_t i = 0; i < ROOM + 50; i++)
		rig_receive(frame_tcp("192.0.2.66", 1000 + i, VIP, 80, SYN));
	assert_int_equal(rig_lcore(PS_LCORE_UNTRACKED_PACKETS), 50);
	assert_int_equal(rig_lcore(PS_LCORE_ACTIVE_CONNECTIONS), ROOM);
	rig_receive(client(7, 80, SYN));
	uint8_t chosen = last_backend();
	rig_receive(client(7, 80, ACK));
	assert_int_equal(last_backend(), chosen);
	assert_int_equal(rig_lcore(PS_LCORE_PICKED_UP_CONNECTIONS), 1);
	assert_int_equal(rig_lcore(PS_LCORE_DROP_HALF_OPEN_LIMIT), 0);
}

// --- draining ---

static uint16_t first_row(void)
{
	return rig.app->backend_rows[0];
}

static void apply_draining(const char *config)
{
	rig_apply(config);
	rig_resolve_all();
}

static void let_time_pass(uint32_t seconds)
{
	rig.app->drain_since[first_row()] -= seconds * rig.app->shared.tsc_hz;
	ps_drain_mark(rig.app, rig.app->runtime, rig.app->config, rig.app->backend_rows);
}

static void start_draining(const char *then_config)
{
	apply_draining(CONFIG("2", B1("100"), HTTP("")));
	rig_receive(client(1, 80, SYN));
	rig_receive(client(1, 80, ACK));
	apply_draining(then_config);
	let_time_pass(59);
	rig_receive(client(1, 80, ACK));
	assert_int_equal(rig_backend(first_row(), PS_BACKEND_TX_PACKETS), 3);
	rig.sent_count = 0;
}

static void a_drained_connection_is_reset_on_both_sides(void **state)
{
	struct frame f = client(1, 80, ACK);
	struct rte_tcp_hdr *tcp = (void *)(f.bytes + L4_AT);

	(void)state;
	start_draining(
		CONFIG("3", DRAIN("b1", "10.77.1.21", "0", "reset") "," B2("100"), HTTP("")));
	let_time_pass(2);
	tcp->sent_seq = htonl(1000);
	tcp->recv_ack = htonl(5000);
	f.length += 4; // data
	((struct rte_ipv4_hdr *)(void *)(f.bytes + IP_AT))->total_length = htons(44);
	frame_checksum(&f);
	rig_receive(f);
	assert_int_equal(rig.sent_count, 2);
	assert_int_equal(rig_lcore(PS_LCORE_ORIGINATED_TCP_RESET), 1);
	assert_int_equal(rig_lcore(PS_LCORE_DRAIN_RESET_CONNECTIONS), 1);
	for (uint32_t i = 0; i < 2; i++) {
		struct rte_ipv4_hdr *ip = (void *)(rig.sent[i].bytes + IP_AT);
		struct rte_tcp_hdr *sent = (void *)(rig.sent[i].bytes + L4_AT);
		bool to_client = ip->dst_addr == inet_addr(CLIENT);

		assert_int_equal(rig.sent[i].length, L4_AT + sizeof *sent);
		assert_int_equal(rte_raw_cksum(ip, sizeof *ip), 0xffff);
		uint32_t sum = rte_raw_cksum(sent, sizeof *sent) + rte_ipv4_phdr_cksum(ip, 0);
		assert_int_equal((sum & 0xffff) + (sum >> 16), 0xffff);
		assert_true(sent->tcp_flags & RST);
		assert_int_equal(sent->sent_seq, htonl(to_client ? 5000 : 1000));
		assert_int_equal(sent->dst_port, htons(to_client ? 1 : 80));
		assert_int_equal(rig.sent[i].bytes[0], 2);
		assert_int_equal(rig.sent[i].bytes[5] == 1, to_client);
	}
	rig_receive(f); // what was under way
	assert_int_equal(rig_lcore(PS_LCORE_ORIGINATED_TCP_RESET), 2);
	assert_int_equal(rig_lcore(PS_LCORE_DRAIN_RESET_CONNECTIONS), 1);
	rig_receive(client(1, 80, SYN)); // anew, elsewhere
	assert_int_equal(rig_backend(rig.app->backend_rows[1], PS_BACKEND_TX_PACKETS), 1);
}

static void drained_connections_may_go_elsewhere(void **state)
{
	(void)state;
	start_draining(
		CONFIG("3", DRAIN("b1", "10.77.1.21", "0", "leave") "," B2("100"), HTTP("")));
	let_time_pass(2);
	rig_receive(client(1, 80, ACK));
	assert_int_equal(rig_backend(rig.app->backend_rows[1], PS_BACKEND_TX_PACKETS), 1);
	assert_int_equal(rig_lcore(PS_LCORE_DRAIN_LEFT_CONNECTIONS), 1);
	assert_int_equal(rig_lcore(PS_LCORE_ORPHANED_CONNECTIONS), 1);
	assert_int_equal(rig_lcore(PS_LCORE_ORIGINATED_TCP_RESET), 0);
}

// The time runs from when the weight became 0, whatever is applied after it; a weight ends it.
static void the_deadline_survives_configurations(void **state)
{
	(void)state;
	start_draining(
		CONFIG("3", DRAIN("b1", "10.77.1.21", "0", "leave") "," B2("100"), HTTP("")));
	apply_draining(CONFIG("4", DRAIN("b1", "10.77.1.21", "0", "leave") "," B2("50"), HTTP("")));
	let_time_pass(2);
	assert_int_equal(rig.app->runtime->backends[first_row()].drained, PS_DRAINED_LEAVE);
	apply_draining(CONFIG("5", DRAIN("b1", "10.77.1.21", "0", "leave") "," B2("60"), HTTP("")));
	assert_int_equal(rig.app->runtime->backends[first_row()].drained, PS_DRAINED_LEAVE);
	rig_wait(1); // the sweep ends what is silent
	assert_int_equal(rig_lcore(PS_LCORE_ACTIVE_CONNECTIONS), 0);
	assert_int_equal(rig_lcore(PS_LCORE_DRAIN_LEFT_CONNECTIONS), 1);
	apply_draining(CONFIG("6", DRAIN("b1", "10.77.1.21", "1", "leave") "," B2("60"), HTTP("")));
	apply_draining(CONFIG("7", DRAIN("b1", "10.77.1.21", "0", "leave") "," B2("60"), HTTP("")));
	let_time_pass(59);
	assert_int_equal(rig.app->runtime->backends[first_row()].drained, PS_NOT_DRAINED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_forged_reset_ends_nothing),
		TEST(a_reset_shortens_the_wait),
		TEST(a_fin_is_counted_once),
		TEST(a_listener_may_have_its_own_timeouts),
		TEST(a_flood_of_syn_is_bounded),
		TEST(what_exceeds_may_go_untracked),
		TEST(a_drained_connection_is_reset_on_both_sides),
		TEST(drained_connections_may_go_elsewhere),
		TEST(the_deadline_survives_configurations),
	};

	ps_harness_eal(RIG_MEMORY_MB, false);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
