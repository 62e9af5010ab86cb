// SPDX-License-Identifier: Apache-2.0
// popscope-bench-core: what the program costs a packet, without a NIC and its driver.
//
// Packets are fresh buffers that a 64-byte template was copied into. The floor is just that, and
// freeing them; the case is the same and the whole loop iteration of a worker around it: parse,
// classify, track, forward, chores, counters published. Windows of both alternate in one run; a
// figure is the median over the windows, in CPU time of the thread.
#include "bench/harness.h"
#include "datapath/stages.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <rte_cycles.h>
#include <rte_ip.h>
#include <rte_malloc.h>
#include <rte_memcpy.h>
#include <rte_tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define WINDOW 8192 // packets
#define FRAME 60
#define MAX_FLOWS (1u << 20)
#define MAX_WINDOWS 1024
#define BACKENDS 100
#define MEMORY_MB 384

struct bench_case {
	const char *name;
	uint32_t flows;
	uint8_t flags;
	uint32_t windows; // 0: as many as make every flow once (each packet inserts)
	uint32_t repetitions;
};

static const struct bench_case cases[] = {
	{"ack, 1k flows", 1000, RTE_TCP_ACK_FLAG, 128, 5},
	{"ack, 64k flows", 65536, RTE_TCP_ACK_FLAG, 128, 5},
	{"ack, 1M flows", MAX_FLOWS, RTE_TCP_ACK_FLAG, 256, 3},
	{"syn with insertion, 64k flows", 65536, RTE_TCP_SYN_FLAG, 0, 16},
	{"syn with insertion, 1M flows", MAX_FLOWS, RTE_TCP_SYN_FLAG, 0, 4},
};

struct bench {
	struct ps_app *app;
	struct ps_worker *worker;
	uint8_t (*templates)[64];
	uint32_t flows;
	uint32_t position;
};

struct sample {
	double floor;
	double total;
};

static uint64_t thread_cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void make_template(uint8_t *frame, uint32_t flow, uint8_t flags)
{
	struct rte_ether_hdr *ether = (void *)frame;
	struct rte_ipv4_hdr *ip = (void *)(ether + 1);
	struct rte_tcp_hdr *tcp = (void *)(ip + 1);

	memset(frame, 0, 64);
	ether->dst_addr = (struct rte_ether_addr){{0x02, 0, 0, 0, 0, 0}};
	ether->src_addr = (struct rte_ether_addr){{0x02, 0, 0, 0, 1, 0}};
	ether->ether_type = RTE_BE16(RTE_ETHER_TYPE_IPV4);
	ip->version_ihl = 0x45;
	ip->total_length = RTE_BE16(sizeof *ip + sizeof *tcp);
	ip->time_to_live = 64;
	ip->next_proto_id = IPPROTO_TCP;
	ip->src_addr = htonl(0x0a000000u + (flow >> 4));
	ip->dst_addr = htonl(0xc6336401u);
	ip->hdr_checksum = rte_ipv4_cksum(ip);
	tcp->src_port = htons((uint16_t)(20000 + (flow & 15) * 7));
	tcp->dst_port = htons(80);
	tcp->data_off = 5 << 4;
	tcp->tcp_flags = flags;
}

static void set_flags(struct bench *b, uint8_t flags)
{
	for (uint32_t i = 0; i < b->flows; i++)
		b->templates[i][sizeof(struct rte_ether_hdr) + sizeof(struct rte_ipv4_hdr) +
				offsetof(struct rte_tcp_hdr, tcp_flags)] = flags;
}

static inline void take_burst(struct bench *b, uint32_t *position, struct rte_mbuf **mbufs)
{
	if (rte_pktmbuf_alloc_bulk(b->app->shared.pool, mbufs, PS_BURST) != 0) {
		fputs("bench: no packet buffers\n", stderr);
		exit(1);
	}
	for (uint32_t i = 0; i < PS_BURST; i++) {
		rte_mov64(rte_pktmbuf_mtod(mbufs[i], uint8_t *), b->templates[*position]);
		mbufs[i]->data_len = FRAME;
		mbufs[i]->pkt_len = FRAME;
		*position = *position + 1 == b->flows ? 0 : *position + 1;
	}
}

static void window_floor(struct bench *b, uint32_t position)
{
	struct rte_mbuf *mbufs[PS_BURST];

	for (uint32_t n = 0; n < WINDOW; n += PS_BURST) {
		take_burst(b, &position, mbufs);
		rte_pktmbuf_free_bulk(mbufs, PS_BURST);
	}
}

static void window_total(struct bench *b, uint32_t position)
{
	struct rte_mbuf *mbufs[PS_BURST];
	struct ps_worker *w = b->worker;

	for (uint32_t n = 0; n < WINDOW; n += PS_BURST) {
		ps_adopt_runtime(w);
		take_burst(b, &position, mbufs);
		ps_burst(w, &w->ports[0], mbufs, PS_BURST);
		ps_transmit_all(w);
		ps_chores(w);
		ps_transmit_all(w);
		ps_end_iteration(w, PS_BURST);
	}
}

static double timed(void (*window)(struct bench *, uint32_t), struct bench *b)
{
	uint64_t start = thread_cpu_ns();

	window(b, b->position);
	return (double)(thread_cpu_ns() - start) / WINDOW;
}

// One pair; every second one the other way round, as the first of a pair fetches the templates.
static struct sample measure_pair(struct bench *b, uint32_t i)
{
	struct sample sample;

	if (i & 1) {
		sample.floor = timed(window_floor, b);
		sample.total = timed(window_total, b);
	} else {
		sample.total = timed(window_total, b);
		sample.floor = timed(window_floor, b);
	}
	b->position = (b->position + WINDOW) % b->flows;
	return sample;
}

static void forget_connections(struct ps_worker *w)
{
	memset(w->table.buckets, 0, (size_t)(w->table.mask + 1) * sizeof *w->table.buckets);
	w->table.used = 0;
}

static void establish(struct bench *b)
{
	for (uint32_t pass = 0; pass < 2; pass++) {
		set_flags(b, pass == 0 ? RTE_TCP_SYN_FLAG : RTE_TCP_ACK_FLAG);
		for (uint32_t position = 0; position < b->flows; position += WINDOW)
			window_total(b, position);
	}
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *values, uint32_t count)
{
	qsort(values, count, sizeof *values, by_value);
	return values[count / 2];
}

static void report(const struct bench_case *c, const struct sample *samples, uint32_t count,
	const struct ps_worker *w, bool last)
{
	double *floor = calloc(count, sizeof *floor), *total = calloc(count, sizeof *total),
	       *net = calloc(count, sizeof *net);

	if (floor == NULL || total == NULL || net == NULL)
		exit(1);
	for (uint32_t i = 0; i < count; i++) {
		floor[i] = samples[i].floor;
		total[i] = samples[i].total;
		net[i] = samples[i].total - samples[i].floor;
	}
	double middle = median(net, count);
	printf("  {\"name\": \"%s\", \"flows\": %u, \"ns_per_packet\": %.2f, \"floor_ns\": %.2f, "
	       "\"net_ns\": %.2f, \"net_ns_p10\": %.2f, \"net_ns_p90\": %.2f, \"mpps\": %.2f, "
	       "\"windows\": %u, \"repetitions\": %u, \"connections\": %u}%s\n",
		c->name, c->flows, median(total, count), median(floor, count), middle,
		net[count / 10], net[count * 9 / 10], 1000 / middle, count, c->repetitions,
		w->table.used, last ? "" : ",");
	fflush(stdout);
	free(floor);
	free(total);
	free(net);
}

static void run_case(struct bench *b, const struct bench_case *c, bool last)
{
	static struct sample samples[MAX_WINDOWS];
	uint32_t windows = c->windows != 0 ? c->windows : c->flows / WINDOW, count = 0;

	b->flows = c->flows;
	b->position = 0;
	forget_connections(b->worker);
	for (uint32_t i = 0; i < c->flows; i++)
		make_template(b->templates[i], i, c->flags);
	if (c->windows != 0)
		establish(b);
	set_flags(b, c->flags);
	for (uint32_t r = 0; r < c->repetitions; r++) {
		if (c->windows == 0) {
			forget_connections(b->worker);
			b->position = 0;
		}
		for (uint32_t i = 0; i < windows && count < MAX_WINDOWS; i++)
			samples[count++] = measure_pair(b, i + r);
	}
	report(c, samples, count, b->worker, last);
}

static char *make_config(void)
{
	json_t *backends = json_array();
	char name[16], address[16];

	for (uint32_t i = 0; i < BACKENDS; i++) {
		snprintf(name, sizeof name, "b%u", i);
		snprintf(address, sizeof address, "10.77.1.%u", 20 + i);
		json_array_append_new(backends, json_pack("{s:s, s:s, s:i}", "name", name,
							"address", address, "weight", 100));
	}
	json_t *config = json_pack("{s:i, s:[{s:i, s:s}], s:[{s:s, s:s, s:o}], s:[{s:s, s:s, s:i, "
				   "s:s, s:s}]}",
		"generation", 1, "addresses", "port", 0, "address", "10.77.1.11/24", "pools",
		"name", "web", "mode", "dsr", "backends", backends, "listeners", "name", "web-80",
		"address", "198.51.100.1", "port", 80, "protocol", "tcp", "pool", "web");
	char *text = json_dumps(config, 0);

	json_decref(config);
	return text;
}

static void resolve_neighbours(struct ps_app *app)
{
	for (uint32_t i = 0; i < app->neighbours->high; i++)
		ps_neighbour_learn(app->neighbours, i, 0x020000000002ULL + i, rte_rdtsc());
}

int main(void)
{
	bool huge = ps_harness_eal(MEMORY_MB, true);
	char *config = make_config();
	struct bench b = {.app = ps_harness_start(1, MAX_FLOWS, NULL, config)};

	b.worker = b.app->workers[0];
	resolve_neighbours(b.app);
	b.templates = rte_malloc("templates", (size_t)MAX_FLOWS * sizeof *b.templates, 64);
	if (b.templates == NULL) {
		fputs("bench: no memory for the templates\n", stderr);
		return 1;
	}
	fprintf(stderr, "memory: %s\n",
		huge ? "hugepages of 2 MB" : "4 KB pages: no hugepages free");
	printf("{\"machine\": {\"tsc_hz\": %lu, \"memory\": \"%s\", \"counters\": %s, "
	       "\"burst\": %u, \"backends\": %u},\n \"cases\": [\n",
		rte_get_tsc_hz(), huge ? "hugepages" : "4k pages", PS_COUNTERS ? "true" : "false",
		PS_BURST, BACKENDS);
	for (uint32_t i = 0; i < RTE_DIM(cases); i++)
		run_case(&b, &cases[i], i + 1 == RTE_DIM(cases));
	puts(" ]}");
	rte_free(b.templates);
	ps_harness_end(b.app);
	free(config);
	return 0;
}
