// SPDX-License-Identifier: Apache-2.0
// popscope-bench-core: what the program costs a packet, without a NIC.
//
// In process: packets are fresh buffers that a template was copied into. The floor is just that,
// and freeing them; the whole is the same and a worker's iteration around it: parse, classify,
// track, forward, chores, counters published. With --device, see device_bench.c.
#include "bench/device_bench.h"
#include "bench/harness.h"
#include "bench/measure.h"
#include "bench/templates.h"
#include "datapath/stages.h"

#include <getopt.h>
#include <rte_cycles.h>
#include <rte_memcpy.h>
#include <rte_tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_FLOWS (1u << 20)
#define MEMORY_MB 384
#define QUICK_WINDOWS 4

struct bench_case {
	const char *name;
	enum ps_family family;
	uint32_t flows;
	bool insert; // each packet opens a connection; a repetition makes every flow once
	uint32_t windows;
	uint32_t repetitions;
};

static const struct bench_case cases[] = {
	{"tcp4-ack-1", PS_FAMILY_TCP4, 1, false, 128, 5},
	{"tcp4-ack-1k", PS_FAMILY_TCP4, 1000, false, 128, 5},
	{"tcp4-ack-64k", PS_FAMILY_TCP4, 1 << 16, false, 128, 5},
	{"tcp4-ack-1m", PS_FAMILY_TCP4, MAX_FLOWS, false, 256, 3},
	{"tcp4-syn-64k", PS_FAMILY_TCP4, 1 << 16, true, 8, 16},
	{"tcp4-syn-1m", PS_FAMILY_TCP4, MAX_FLOWS, true, 128, 4},
	{"udp4-1k", PS_FAMILY_UDP4, 1000, false, 128, 5},
	{"udp4-64k", PS_FAMILY_UDP4, 1 << 16, false, 128, 5},
	{"tcp6-ack-1k", PS_FAMILY_TCP6, 1000, false, 128, 5},
	{"ipip4-ack-1k", PS_FAMILY_IPIP4, 1000, false, 128, 5},
};

struct bench {
	struct ps_app *app;
	struct ps_worker *worker;
	struct ps_templates templates;
	uint32_t position;
	struct ps_measured measured;
};

static inline void take_burst(struct bench *b, uint32_t *position, struct rte_mbuf **mbufs)
{
	const struct ps_templates *t = &b->templates;

	if (rte_pktmbuf_alloc_bulk(b->app->shared.pool, mbufs, PS_BURST) != 0) {
		fputs("bench: no packet buffers\n", stderr);
		exit(1);
	}
	for (uint32_t i = 0; i < PS_BURST; i++) {
		uint8_t *data = rte_pktmbuf_mtod(mbufs[i], uint8_t *);
		const uint8_t *frame = t->frames + (size_t)*position * t->stride;

		rte_mov64(data, frame);
		if (t->stride > 64)
			rte_mov64(data + 64, frame + 64);
		mbufs[i]->data_len = t->length;
		mbufs[i]->pkt_len = t->length;
		*position = *position + 1 == t->flows ? 0 : *position + 1;
	}
}

static uint32_t window_floor(void *user)
{
	struct bench *b = user;
	struct rte_mbuf *mbufs[PS_BURST];
	uint32_t position = b->position;

	for (uint32_t n = 0; n < PS_WINDOW; n += PS_BURST) {
		take_burst(b, &position, mbufs);
		rte_pktmbuf_free_bulk(mbufs, PS_BURST);
	}
	return PS_WINDOW;
}

static uint32_t window_total(void *user)
{
	struct bench *b = user;
	struct rte_mbuf *mbufs[PS_BURST];
	struct ps_worker *w = b->worker;
	uint32_t position = b->position;

	for (uint32_t n = 0; n < PS_WINDOW; n += PS_BURST) {
		ps_adopt_runtime(w);
		take_burst(b, &position, mbufs);
		ps_burst(w, &w->ports[0], mbufs, PS_BURST);
		ps_transmit_all(w);
		ps_chores(w);
		ps_transmit_all(w);
		ps_end_iteration(w, PS_BURST);
	}
	return PS_WINDOW;
}

static void forget_connections(struct ps_worker *w)
{
	memset(w->table.buckets, 0, (size_t)(w->table.mask + 1) * sizeof *w->table.buckets);
	w->table.used = 0;
}

static void next_position(struct bench *b)
{
	b->position = (b->position + PS_WINDOW) % b->templates.flows;
}

static void establish(struct bench *b)
{
	for (uint32_t pass = 0; pass < 2; pass++) {
		ps_templates_set_flags(
			&b->templates, pass == 0 ? RTE_TCP_SYN_FLAG : RTE_TCP_ACK_FLAG);
		for (b->position = 0; b->position < b->templates.flows; b->position += PS_WINDOW)
			window_total(b);
	}
	b->position = 0;
}

static void run_case(struct bench *b, const struct bench_case *c, bool quick)
{
	uint32_t windows = quick ? RTE_MIN(c->windows, QUICK_WINDOWS) : c->windows;
	uint32_t repetitions = quick ? 1 : c->repetitions;

	b->measured.count = 0;
	b->measured.packets = 0;
	b->position = 0;
	forget_connections(b->worker);
	ps_templates_fill(&b->templates, c->family, c->flows);
	if (!c->insert)
		establish(b);
	ps_templates_set_flags(&b->templates, c->insert ? RTE_TCP_SYN_FLAG : RTE_TCP_ACK_FLAG);
	for (uint32_t r = 0; r < repetitions; r++) {
		if (c->insert) {
			forget_connections(b->worker);
			b->position = 0;
		}
		for (uint32_t i = 0; i < windows; i++) {
			ps_measure_pair(&b->measured, window_floor, window_total, b);
			next_position(b);
		}
	}
	ps_report_case(c->name, &b->measured);
	printf(", \"connections\": %u}", b->worker->table.used);
}

static void run_in_process(const char *only, bool quick)
{
	static struct bench b;
	bool huge = ps_harness_eal(MEMORY_MB, true), first = true;
	char *config = ps_templates_config();

	b.app = ps_harness_start(1, MAX_FLOWS, NULL, config);
	b.worker = b.app->workers[0];
	ps_harness_resolve(b.app);
	ps_templates_create(&b.templates, MAX_FLOWS * 64);
	ps_report_machine(huge);
	printf(", \"backends\": %u},\n \"cases\": [\n", PS_TEMPLATE_BACKENDS);
	for (uint32_t i = 0; i < RTE_DIM(cases); i++) {
		if (only != NULL && strcmp(only, cases[i].name) != 0)
			continue;
		fputs(first ? "" : ",\n", stdout);
		first = false;
		run_case(&b, &cases[i], quick);
		fflush(stdout);
	}
	puts("\n ]}");
	ps_templates_free(&b.templates);
	ps_harness_end(b.app);
	free(config);
}

static _Noreturn void usage(FILE *out, int status)
{
	fputs("usage: popscope-bench-core [--quick] [--only CASE]\n"
	      "       popscope-bench-core [--quick] --device VDEV --config FILE [--name NAME]\n"
	      "                           [--workers N] [--packets N]\n"
	      "Prints JSON. --quick measures too little for a figure. --device takes packets from "
	      "a\n"
	      "virtual device as the EAL names it, with a queue a worker; N packets, which the\n"
	      "device keeps, are what it repeats.\n",
		out);
	exit(status);
}

static uint32_t number(const char *text, uint32_t most)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (*end == '\0' && value >= 1 && value <= most)
		return (uint32_t)value;
	fprintf(stderr, "popscope-bench-core: %s is not a number from 1 to %u\n", text, most);
	exit(2);
}

int main(int argc, char **argv)
{
	static const struct option long_options[] = {{"quick", no_argument, NULL, 'q'},
		{"only", required_argument, NULL, 'o'}, {"device", required_argument, NULL, 'd'},
		{"config", required_argument, NULL, 'c'}, {"name", required_argument, NULL, 'n'},
		{"workers", required_argument, NULL, 'w'},
		{"packets", required_argument, NULL, 'p'}, {"help", no_argument, NULL, 'h'}, {}};
	struct ps_device_bench device = {.name = "device", .workers = 1};
	const char *only = NULL;
	bool quick = false;
	int option;

	while ((option = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		switch (option) {
		case 'q':
			quick = true;
			break;
		case 'o':
			only = optarg;
			break;
		case 'd':
			device.device = optarg;
			break;
		case 'c':
			device.config = optarg;
			break;
		case 'n':
			device.name = optarg;
			break;
		case 'w':
			device.workers = number(optarg, PS_DEVICE_WORKERS);
			break;
		case 'p':
			device.packets = number(optarg, PS_DEVICE_PACKETS);
			break;
		case 'h':
			usage(stdout, 0);
		default:
			usage(stderr, 2);
		}
	}
	if (optind != argc || (device.device == NULL) != (device.config == NULL))
		usage(stderr, 2);
	device.quick = quick;
	if (device.device != NULL)
		ps_bench_device(&device);
	else
		run_in_process(only, quick);
	return 0;
}
