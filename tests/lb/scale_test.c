// SPDX-License-Identifier: Apache-2.0
// 10,000 listeners and 20,000 backends, put in force while packets flow: none is lost.
#include "datapath_config.h"

#include <errno.h>
#include <sched.h>

#define POOLS 1000u
#define BACKENDS 20u // a pool
#define SCALE_LISTENERS 10000u
#define BURST 8

static uint64_t injected, sent;

static uint16_t count_and_free(
	uint16_t port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t count)
{
	(void)port;
	(void)queue;
	sent += count;
	rte_pktmbuf_free_bulk(mbufs, count);
	return count;
}

// What the small configuration has is in the large one too, under the same names.
static char *large_config(uint32_t generation, const char *prefix)
{
	json_t *config = json_loads(CONFIG("1", B1("100") "," B2("100"), LISTENERS), 0, NULL);
	json_t *pools = json_object_get(config, "pools");
	json_t *listeners = json_object_get(config, "listeners");
	char name[32], address[32], pool[16];

	assert_non_null(config);
	json_object_set_new(config, "generation", json_integer(generation));
	json_object_set_new(config, "maglev", json_pack("{s:i}", "size", 251));
	json_array_append_new(json_object_get(config, "addresses"),
		json_pack("{s:i, s:s}", "port", 0, "address", "10.255.255.1/8"));
	for (uint32_t p = 0; p < POOLS; p++) {
		json_t *backends = json_array();
		for (uint32_t b = p * BACKENDS; b < (p + 1) * BACKENDS; b++) {
			snprintf(name, sizeof name, "%s-b%u", prefix, b);
			snprintf(address, sizeof address, "10.100.%u.%u", b / 250, b % 250 + 1);
			json_array_append_new(backends,
				json_pack("{s:s, s:s}", "name", name, "address", address));
		}
		snprintf(pool, sizeof pool, "p%u", p);
		json_array_append_new(
			pools, json_pack("{s:s, s:o}", "name", pool, "backends", backends));
	}
	for (uint32_t i = 0; i < SCALE_LISTENERS; i++) {
		snprintf(name, sizeof name, "%s-l%u", prefix, i);
		snprintf(address, sizeof address, "198.18.%u.%u", i / 250, i % 250 + 1);
		snprintf(pool, sizeof pool, "p%u", i % POOLS);
		json_array_append_new(
			listeners, json_pack("{s:s, s:s, s:i, s:s, s:s}", "name", name, "address",
					   address, "port", 80, "protocol", "tcp", "pool", pool));
	}
	char *text = json_dumps(config, JSON_COMPACT);
	json_decref(config);
	return text;
}

static void turn(void *user)
{
	struct rte_mbuf *mbufs[BURST];

	(void)user;
	ps_adopt_runtime(rig.worker);
	for (uint16_t i = 0; i < BURST; i++) {
		struct frame f = client((uint16_t)(1 + injected++ % 100), 80, ACK);
		mbufs[i] = rig_mbuf(&f);
	}
	ps_burst(rig.worker, &rig.worker->ports[0], mbufs, BURST);
	rig_turn(BURST);
	rig_check_law();
	sched_yield();
}

static void no_packet_is_lost(void **state)
{
	(void)state;
	rig.app->shared.transmit = count_and_free;
	for (uint32_t generation = 2; generation < 5; generation++) {
		char *text = large_config(generation, "a");
		assert_int_equal(ps_harness_apply_during(rig.app, text, turn, NULL, NULL), 0);
		free(text);
		turn(NULL);
	}
	assert_true(injected > 0);
	assert_int_equal(sent, injected);
	assert_int_equal(rig_lcore(PS_LCORE_RX_PACKETS), injected);
	assert_int_equal(rig_lcore(PS_LCORE_ORPHANED_CONNECTIONS), 0);
	assert_int_equal(rig_lcore(PS_LCORE_CONFIG_GENERATION), 4);
}

static void every_listener_is_there(void **state)
{
	char address[32];

	(void)state;
	char *text = large_config(2, "a");
	rig_apply(text);
	free(text);
	rig_resolve_all();
	for (uint32_t i = 0; i < SCALE_LISTENERS; i += 3) {
		snprintf(address, sizeof address, "198.18.%u.%u", i / 250, i % 250 + 1);
		struct frame f = frame_tcp(CLIENT, 1, address, 80, ACK);
		struct rte_mbuf *m = rig_mbuf(&f);
		ps_burst(rig.worker, &rig.worker->ports[0], &m, 1);
		rig_turn(1);
	}
	rig_check_law();
	assert_int_equal(rig.sent_count, (SCALE_LISTENERS + 2) / 3);
	assert_int_equal(rig.app->config->listener_count, SCALE_LISTENERS + 3);
	assert_int_equal(rig.app->config->backend_count, POOLS * BACKENDS + 2);
}

// Rows run out only when more names change within 10 s than there are rows beside them.
static void too_many_new_names_change_nothing(void **state)
{
	(void)state;
	char *text = large_config(2, "a");
	rig_apply(text);
	free(text);
	text = large_config(3, "b");
	assert_int_equal(ps_harness_apply(rig.app, text), -ENOSPC);
	free(text);
	assert_int_equal(rig.app->config->generation, 2);
	rig_receive(client(1, 80, SYN));
	assert_int_equal(rig.sent_count, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(no_packet_is_lost),
		TEST(every_listener_is_there),
		TEST(too_many_new_names_change_nothing),
	};

	ps_harness_eal(RIG_MEMORY_MB, false);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
