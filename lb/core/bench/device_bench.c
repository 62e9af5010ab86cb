// SPDX-License-Identifier: Apache-2.0
// Workers on a packet device. The floor is to take packets from the queue and to give them back to
// it, the driver's cost both ways; the whole is a worker's iteration.
#include "bench/device_bench.h"

#include "bench/harness.h"
#include "bench/measure.h"

#include <rte_ethdev.h>
#include <rte_random.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WINDOWS 256
#define QUICK_WINDOWS 4
#define MAX_CONNECTIONS (1u << 18)
#define MEMORY_MB 192
#define BUFFERS_A_MB 420
#define EMPTY_POLLS_MAX 100000000 // then the device is broken
#define POLL_US 1000

struct seat {
	struct ps_worker *worker;
	uint32_t warm_up; // packets
	uint32_t windows;
	struct ps_measured measured;
};

static struct seat seats[PS_DEVICE_WORKERS];

static void count_empty(uint32_t *empty)
{
	if (++*empty < EMPTY_POLLS_MAX)
		return;
	fputs("bench: the device gives no packets\n", stderr);
	exit(1);
}

static uint32_t bounce(const struct ps_port *port, uint32_t packets)
{
	struct rte_mbuf *mbufs[PS_BURST];
	uint32_t done = 0, empty = 0;

	while (done < packets) {
		uint16_t count = rte_eth_rx_burst(port->id, port->queue, mbufs, PS_BURST);
		uint16_t sent = rte_eth_tx_burst(port->id, port->queue, mbufs, count);

		rte_pktmbuf_free_bulk(mbufs + sent, count - sent);
		done += count;
		if (count == 0)
			count_empty(&empty);
	}
	return done;
}

static uint32_t window_floor(void *user)
{
	return bounce(&((struct seat *)user)->worker->ports[0], PS_WINDOW);
}

static uint32_t work(struct ps_worker *w, uint32_t packets)
{
	uint32_t done = 0, empty = 0;

	while (done < packets) {
		uint32_t handled = ps_worker_turn(w);

		done += handled;
		if (handled == 0)
			count_empty(&empty);
	}
	return done;
}

static uint32_t window_total(void *user)
{
	return work(((struct seat *)user)->worker, PS_WINDOW);
}

static int take_seat(void *user)
{
	struct seat *seat = user;
	struct ps_worker *w = seat->worker;
	struct ps_shared *shared = w->shared;

	rte_rcu_qsbr_thread_online(shared->rcu, w->index);
	ps_worker_begin(w);
	work(w, seat->warm_up);
	for (uint32_t i = 0; i < seat->windows; i++) {
		ps_measure_pair(&seat->measured, window_floor, window_total, seat);
		// Or both would always meet the same packets of a capture that repeats.
		bounce(&w->ports[0], (uint32_t)rte_rand_max(PS_BURST) * PS_BURST);
	}
	ps_worker_end(w);
	rte_rcu_qsbr_thread_offline(shared->rcu, w->index);
	atomic_fetch_sub_explicit(&shared->running, 1, memory_order_release);
	return 0;
}

static char *read_file(const char *path)
{
	FILE *file = fopen(path, "r");
	char *text = NULL;
	size_t size = 0;

	if (file == NULL || getdelim(&text, &size, '\0', file) < 0) {
		fprintf(stderr, "popscope-bench-core: cannot read %s\n", path);
		exit(1);
	}
	fclose(file);
	return text;
}

static void measure(struct ps_app *app, const struct ps_device_bench *bench)
{
	for (uint32_t i = 0; i < app->worker_count; i++) {
		seats[i] = (struct seat){
			.worker = app->workers[i],
			.warm_up = 2 * bench->packets / bench->workers + PS_WINDOW,
			.windows = bench->quick ? QUICK_WINDOWS : WINDOWS,
		};
		atomic_fetch_add(&app->shared.running, 1);
		if (rte_eal_remote_launch(take_seat, &seats[i], app->lcores[i]) != 0) {
			fputs("bench: cannot launch a worker\n", stderr);
			exit(1);
		}
	}
	while (atomic_load_explicit(&app->shared.running, memory_order_acquire) != 0)
		usleep(POLL_US);
	rte_eal_mp_wait_lcore(); // it spins: never while workers run
}

void ps_bench_device(const struct ps_device_bench *bench)
{
	uint32_t memory = MEMORY_MB + 64 * bench->workers + bench->packets / BUFFERS_A_MB;
	bool huge = ps_harness_eal_workers(memory, bench->workers, bench->device);
	char *config = read_file(bench->config);
	struct ps_app *app = ps_harness_start_devices(MAX_CONNECTIONS, bench->packets, config);

	ps_harness_resolve(app);
	measure(app, bench);
	ps_report_machine(huge);
	puts("},\n \"cases\": [");
	for (uint32_t i = 0; i < app->worker_count; i++) {
		ps_report_case(bench->name, &seats[i].measured);
		printf(", \"worker\": %u, \"connections\": %u", i, seats[i].worker->table.used);
		ps_report_fate(seats[i].worker);
		puts(i + 1 < app->worker_count ? "}," : "}");
	}
	puts(" ]}");
	ps_harness_end(app);
	free(config);
}
