// SPDX-License-Identifier: Apache-2.0
// popscope-bench-apply: large configurations put in force while packets flow.
//
// One thread plays the main lcore: it parses and applies documents of 10,000 listeners and 20,000
// backends. The other is a worker that goes on with bursts of packets and times each of its
// iterations in its own CPU time, so that another program on the CPU is no stall; a figure in wall
// clock stands beside it. "idle" is the same worker without a change of configuration.
#include "bench/harness.h"
#include "datapath/stages.h"

#include <netinet/in.h>
#include <rte_cycles.h>
#include <rte_ip.h>
#include <rte_tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LISTENERS 10000u
#define BACKENDS 20000u
#define MEMORY_MB 512
#define FRAME 60
#define FLOWS 4096u
#define MAX_ITERATIONS (1u << 22)
#define STALL_NS 100000

struct shape {
	const char *name;
	uint32_t pools; // that share the backends
	uint32_t size;  // of a Maglev table
};

static const struct shape shapes[] = {
	{"10,000 pools of 2", 10000, 251},
	{"1,000 pools of 20", 1000, 2039},
	{"100 pools of 200", 100, 20011},
};

struct step {
	const char *name;
	uint32_t renamed; // of every five listeners and backends
	uint32_t weight;  // of the first backend of each pool
};

// Names that change need rows beside the old ones.
static const struct step steps[] = {
	{"all new", 0, 100},
	{"a weight a pool", 0, 50},
	{"6,000 listeners and 12,000 backends renamed", 3, 50},
	{"the same again", 3, 50},
};

static struct ps_app *app;
static uint64_t sent, received, iterations;
static uint32_t flow;
static float *cpu_ns, *wall_ns;
static double adopting_ns; // of the iteration that took over the configuration

static uint64_t now_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static uint16_t transmit(uint16_t port, uint16_t queue, struct rte_mbuf **packets, uint16_t count)
{
	(void)port;
	(void)queue;
	sent += count;
	rte_pktmbuf_free_bulk(packets, count);
	return count;
}

static void make_frame(uint8_t *frame)
{
	struct rte_ether_hdr *ether = (void *)frame;
	struct rte_ipv4_hdr *ip = (void *)(ether + 1);
	struct rte_tcp_hdr *tcp = (void *)(ip + 1);

	memset(frame, 0, FRAME);
	ether->dst_addr = (struct rte_ether_addr){{0x02, 0, 0, 0, 0, 0}};
	ether->src_addr = (struct rte_ether_addr){{0x02, 0, 0, 0, 1, 0}};
	ether->ether_type = RTE_BE16(RTE_ETHER_TYPE_IPV4);
	ip->version_ihl = 0x45;
	ip->total_length = RTE_BE16(sizeof *ip + sizeof *tcp);
	ip->time_to_live = 64;
	ip->next_proto_id = IPPROTO_TCP;
	ip->src_addr = htonl(0x0a000000u + flow++ % FLOWS);
	ip->dst_addr = htonl(0xc6336401u);
	ip->hdr_checksum = rte_ipv4_cksum(ip);
	tcp->src_port = htons(20000);
	tcp->dst_port = htons(80);
	tcp->data_off = 5 << 4;
	tcp->tcp_flags = RTE_TCP_ACK_FLAG;
}

// A whole iteration of a worker that is saturated.
static void turn(void *user)
{
	struct ps_worker *w = app->workers[0];
	struct rte_mbuf *mbufs[PS_BURST];

	(void)user;
	if (rte_pktmbuf_alloc_bulk(app->shared.pool, mbufs, PS_BURST) != 0)
		exit(1);
	for (uint32_t i = 0; i < PS_BURST; i++)
		make_frame((uint8_t *)rte_pktmbuf_append(mbufs[i], FRAME));
	uint64_t cpu = now_ns(CLOCK_THREAD_CPUTIME_ID), wall = now_ns(CLOCK_MONOTONIC);
	const struct ps_runtime *before = w->runtime;
	ps_adopt_runtime(w);
	ps_burst(w, &w->ports[0], mbufs, PS_BURST);
	ps_transmit_all(w);
	ps_chores(w);
	ps_transmit_all(w);
	ps_end_iteration(w, PS_BURST);
	wall = now_ns(CLOCK_MONOTONIC) - wall;
	cpu = now_ns(CLOCK_THREAD_CPUTIME_ID) - cpu;
	received += PS_BURST;
	if (w->runtime != before)
		adopting_ns = (double)cpu;
	if (iterations < MAX_ITERATIONS) {
		cpu_ns[iterations] = (float)cpu;
		wall_ns[iterations++] = (float)wall;
	}
}

static json_t *make_pool(const char *name, uint32_t first, uint32_t count, const struct step *step)
{
	json_t *backends = json_array();
	char text[32], address[32];

	for (uint32_t i = first; i < first + count; i++) {
		snprintf(text, sizeof text, "b%u-%d", i, i % 5 < step->renamed);
		snprintf(address, sizeof address, "10.77.%u.%u", i / 250, i % 250 + 1);
		json_array_append_new(
			backends, json_pack("{s:s, s:s, s:i}", "name", text, "address", address,
					  "weight", i == first ? (int)step->weight : 100));
	}
	return json_pack("{s:s, s:o}", "name", name, "backends", backends);
}

static char *make_config(uint64_t generation, const struct shape *shape, const struct step *step)
{
	json_t *pools = json_array(), *listeners = json_array();
	char name[32], address[32], pool[32];
	uint32_t each = shape != NULL ? BACKENDS / shape->pools : 0;

	for (uint32_t p = 0; shape != NULL && p < shape->pools; p++) {
		snprintf(pool, sizeof pool, "p%u", p);
		json_array_append_new(pools, make_pool(pool, p * each, each, step));
	}
	for (uint32_t i = 0; shape != NULL && i < LISTENERS; i++) {
		snprintf(name, sizeof name, "l%u-%d", i, i % 5 < step->renamed);
		snprintf(address, sizeof address, "198.18.%u.%u", i / 250 + 1, i % 250 + 1);
		snprintf(pool, sizeof pool, "p%u", i % shape->pools);
		json_array_append_new(
			listeners, json_pack("{s:s, s:s, s:i, s:s, s:s}", "name", name, "address",
					   address, "port", 80, "protocol", "tcp", "pool", pool));
	}
	json_array_append_new(pools, json_pack("{s:s, s:[{s:s, s:s}]}", "name", "kept", "backends",
					     "name", "b", "address", "10.200.0.1"));
	json_array_append_new(
		listeners, json_pack("{s:s, s:s, s:i, s:s, s:s}", "name", "kept", "address",
				   "198.51.100.1", "port", 80, "protocol", "tcp", "pool", "kept"));
	json_t *config = json_pack("{s:I, s:[{s:i, s:s}], s:{s:i}, s:o, s:o}", "generation",
		(json_int_t)generation, "addresses", "port", 0, "address", "10.255.255.1/8",
		"maglev", "size", shape != NULL ? (int)shape->size : 251, "pools", pools,
		"listeners", listeners);
	char *text = json_dumps(config, JSON_COMPACT);

	json_decref(config);
	return text;
}

static int by_value(const void *a, const void *b)
{
	float x = *(const float *)a, y = *(const float *)b;

	return (x > y) - (x < y);
}

static void report(const char *shape, const char *step, double apply_ms, uint64_t apply_ns)
{
	uint64_t count = iterations, stalls = 0;

	qsort(cpu_ns, count, sizeof *cpu_ns, by_value);
	qsort(wall_ns, count, sizeof *wall_ns, by_value);
	while (stalls < count && cpu_ns[count - 1 - stalls] > STALL_NS)
		stalls++;
	printf("  {\"name\": \"%s: %s\", \"apply_ms\": %.1f, "
	       "\"apply_cpu_ms\": %.1f, \"adopting_us\": %.2f, \"iterations\": %lu, \"median_us\": "
	       "%.2f, \"p999_us\": %.2f, "
	       "\"longest_us\": %.2f, \"longest_wall_us\": %.2f, \"over_100_us\": %lu, "
	       "\"packets_in\": %lu, \"packets_out\": %lu}",
		shape, step, apply_ms, (double)apply_ns / 1e6, adopting_ns / 1000, count,
		(double)cpu_ns[count / 2] / 1000, (double)cpu_ns[count - 1 - count / 1000] / 1000,
		(double)cpu_ns[count - 1] / 1000, (double)wall_ns[count - 1] / 1000, stalls,
		received, sent);
	sent = received = iterations = 0;
	adopting_ns = 0;
}

static void run_step(uint64_t generation, const struct shape *shape, const struct step *step)
{
	char *text = make_config(generation, shape, step);
	uint64_t start = now_ns(CLOCK_MONOTONIC), cpu_time;

	if (text == NULL || ps_harness_apply_during(app, text, turn, NULL, &cpu_time) != 0)
		exit(1);
	double apply_ms = (double)(now_ns(CLOCK_MONOTONIC) - start) / 1e6;
	for (uint32_t i = 0; i < 1000; i++) // the first ones after it
		turn(NULL);
	report(shape->name, step->name, apply_ms, cpu_time);
	free(text);
}

static void run_shape(const struct shape *shape)
{
	char *text = make_config(1, NULL, NULL);

	app = ps_harness_start(1, FLOWS * 2, transmit, text);
	free(text);
	for (uint32_t i = 0; i < app->neighbours->high; i++)
		ps_neighbour_learn(app->neighbours, i, 0x020000000002ULL + i, rte_rdtsc());
	for (uint32_t i = 0; i < 1000; i++)
		turn(NULL);
	sent = received = iterations = 0;
	for (uint32_t i = 0; i < 50000; i++)
		turn(NULL);
	report(shape->name, "idle", 0, 0);
	for (uint32_t i = 0; i < RTE_DIM(steps); i++) {
		puts(",");
		run_step(2 + i, shape, &steps[i]);
	}
	ps_worker_end(app->workers[0]);
	ps_harness_end(app);
}

int main(void)
{
	bool huge = ps_harness_eal(MEMORY_MB, true);

	cpu_ns = calloc(MAX_ITERATIONS, sizeof *cpu_ns);
	wall_ns = calloc(MAX_ITERATIONS, sizeof *wall_ns);
	if (cpu_ns == NULL || wall_ns == NULL)
		return 1;
	memset(cpu_ns, 1, MAX_ITERATIONS * sizeof *cpu_ns); // no page fault later
	memset(wall_ns, 1, MAX_ITERATIONS * sizeof *wall_ns);
	printf("{\"memory\": \"%s\", \"listeners\": %u, \"backends\": %u,\n \"cases\": [\n",
		huge ? "hugepages" : "4k pages", LISTENERS, BACKENDS);
	for (uint32_t i = 0; i < RTE_DIM(shapes); i++) {
		if (i > 0)
			puts(",");
		run_shape(&shapes[i]);
	}
	puts("\n]}");
	free(cpu_ns);
	free(wall_ns);
	return 0;
}
