// SPDX-License-Identifier: Apache-2.0
#include "datapath/nat.h"
#include "main/app.h"

#include <rte_cycles.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_lcore.h>
#include <rte_malloc.h>
#include <rte_random.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SWEEP_SECONDS 4 // the whole connection table once in this time

#define RESOLVE_ORDERS 1024
#define AUTO_IDLE_POLLS 200
#define STOP_POLL_US 100

static uint16_t transmit(uint16_t port, uint16_t queue, struct rte_mbuf **packets, uint16_t count)
{
	return rte_eth_tx_burst(port, queue, packets, count);
}

static bool lcores_share_cpu(const struct ps_app *app)
{
	rte_cpuset_t seen = rte_lcore_cpuset(rte_get_main_lcore());

	for (uint32_t i = 0; i < app->worker_count; i++) {
		rte_cpuset_t own = rte_lcore_cpuset(app->lcores[i]), both;
		CPU_AND(&both, &seen, &own);
		if (CPU_COUNT(&both) != 0)
			return true;
		CPU_OR(&seen, &seen, &own);
	}
	return false;
}

// A ring a worker, from all others.
static int create_handover(struct ps_app *app)
{
	char name[RTE_RING_NAMESIZE];

	for (uint32_t i = 0; app->worker_count > 1 && i < app->worker_count; i++) {
		snprintf(name, sizeof name, "handover %u", i);
		app->shared.handover[i] = rte_ring_create(name, PS_HANDOVER_RING,
			(int)rte_lcore_to_socket_id(app->lcores[i]), RING_F_SC_DEQ);
		if (app->shared.handover[i] == NULL)
			return -ENOMEM;
	}
	return 0;
}

static int create_shared(struct ps_app *app)
{
	struct ps_shared *shared = &app->shared;

	shared->transmit = transmit;
	shared->worker_count = app->worker_count;
	shared->tsc_hz = rte_get_tsc_hz();
	shared->tsc_scale = (1000000000ULL << 32) / shared->tsc_hz;
	shared->idle_sleep_us = app->options.idle_sleep_us;
	shared->idle_polls = app->options.idle_polls;
	if (shared->idle_polls == PS_IDLE_AUTO)
		shared->idle_polls = lcores_share_cpu(app) ? AUTO_IDLE_POLLS : 0;
	shared->neighbours = rte_zmalloc("neighbours", sizeof *shared->neighbours, 64);
	shared->rcu = rte_zmalloc("rcu", rte_rcu_qsbr_get_memsize(app->worker_count), 64);
	shared->resolve_orders = rte_ring_create("resolve orders", RESOLVE_ORDERS,
		(int)rte_socket_id(), RING_F_SP_ENQ | RING_F_SC_DEQ);
	if (shared->neighbours == NULL || shared->rcu == NULL || shared->resolve_orders == NULL)
		return -ENOMEM;
	shared->neighbours->hz = shared->tsc_hz;
	if (create_handover(app) != 0)
		return -ENOMEM;
	app->neighbours = shared->neighbours;
	ps_evidence_clock(app);
	return rte_rcu_qsbr_init(shared->rcu, app->worker_count) == 0 ? 0 : -rte_errno;
}

static void create_ports(struct ps_app *app, struct ps_worker *w)
{
	w->port_count = app->port_count;
	for (uint16_t i = 0; i < app->port_count; i++) {
		struct ps_port *port = &w->ports[i];
		port->id = i;
		port->queue = (uint16_t)w->index;
		port->mtu = app->ports[i].mtu;
		memcpy(&port->mac, &app->ports[i].mac, sizeof app->ports[i].mac);
		port->row = ps_segment_row(
			app->segment, PS_SCOPE_PORT_QUEUE, 0, i * app->worker_count + w->index);
	}
}

static int create_table(struct ps_app *app, struct ps_worker *w, int socket)
{
	uint32_t buckets = ps_conn_buckets(app->options.max_connections);
	size_t size = (size_t)buckets * sizeof(struct ps_conn_bucket);
	struct ps_conn_bucket *memory = rte_zmalloc_socket("connections", size, 64, socket);
	struct ps_conn_peer *peers = rte_zmalloc_socket(
		"peers", (size_t)buckets * PS_CONN_WAYS * sizeof *peers, 64, socket);

	ps_conn_init(&w->table, memory, peers, app->options.max_connections, rte_rand());
	if (memory == NULL || peers == NULL)
		return -ENOMEM;
	w->sweep_interval = app->shared.tsc_hz * SWEEP_SECONDS * PS_SWEEP_BUCKETS / buckets;
	return 0;
}

static int create_worker(struct ps_app *app, uint32_t index)
{
	int socket = (int)rte_lcore_to_socket_id(app->lcores[index]);
	struct ps_worker *w = rte_zmalloc_socket("worker", sizeof *w, 64, socket);

	if (w == NULL)
		return -ENOMEM;
	app->workers[index] = w;
	w->shared = &app->shared;
	w->index = index;
	for (uint32_t i = 0; i < RTE_DIM(w->turns); i++)
		w->turns[i] = index * 0x9e3779b9u; // workers begin at different places
	w->row = ps_segment_row(app->segment, PS_SCOPE_LCORE, 0, index);
	w->image = ps_segment_draft(app->segment, PS_SCOPE_LCORE, 0, index);
	ps_sampler_init(&w->sampler, ps_evidence_lane(app->evidence, PS_EVIDENCE_DROPS, index),
		(uint16_t)app->lcores[index]);
	w->tracer.lane = ps_evidence_lane(app->evidence, PS_EVIDENCE_TRACES, index);
	ps_talkers_init(
		&w->talkers, ps_evidence_lane(app->evidence, PS_EVIDENCE_TALKS, index), rte_rand());
	w->vip_lane = ps_segment_lane(app->segment, PS_SCOPE_VIP, index);
	w->backend_lane = ps_segment_lane(app->segment, PS_SCOPE_BACKEND, index);
	w->vips = rte_zmalloc_socket("vips", sizeof *w->vips * PS_VIP_ROWS, 64, socket);
	w->backends =
		rte_zmalloc_socket("backends", sizeof *w->backends * PS_BACKEND_ROWS, 64, socket);
	if (w->vips == NULL || w->backends == NULL)
		return -ENOMEM;
	create_ports(app, w);
	rte_rcu_qsbr_thread_register(app->shared.rcu, index);
	return create_table(app, w, socket);
}

int ps_workers_create(struct ps_app *app)
{
	int ret = create_shared(app);

	for (uint32_t i = 0; ret == 0 && i < app->worker_count; i++)
		ret = create_worker(app, i);
	if (ret != 0)
		fprintf(stderr,
			"popscope-core: no memory for the workers: %s; give the EAL more (-m MB) "
			"or lower --max-connections\n",
			strerror(-ret));
	return ret;
}

int ps_workers_launch(struct ps_app *app)
{
	for (uint32_t i = 0; i < app->worker_count; i++) {
		int ret = rte_eal_remote_launch(ps_worker_main, app->workers[i], app->lcores[i]);
		if (ret != 0) {
			fprintf(stderr, "popscope-core: cannot launch lcore %u: %s\n",
				app->lcores[i], strerror(-ret));
			return ret;
		}
		atomic_fetch_add(&app->shared.running, 1);
		atomic_fetch_add(&app->shared.polling, 1);
	}
	atomic_store_explicit(&app->shared.go, true, memory_order_release);
	return 0;
}

void ps_workers_stop(struct ps_app *app)
{
	atomic_store(&app->shared.stop, true);
	atomic_store(&app->shared.go, true);
	while (atomic_load_explicit(&app->shared.running, memory_order_acquire) != 0)
		usleep(STOP_POLL_US);
	rte_eal_mp_wait_lcore(); // it spins: never while workers run
}

void ps_workers_free(struct ps_app *app)
{
	for (uint32_t i = 0; i < app->worker_count; i++) {
		struct ps_worker *w = app->workers[i];
		if (w == NULL)
			continue;
		rte_free(w->table.buckets);
		rte_free(w->table.peers);
		rte_free(w->vips);
		rte_free(w->backends);
		rte_free(w);
	}
	free(app->trace);
	rte_free(app->shared.neighbours);
	rte_free(app->shared.rcu);
	rte_ring_free(app->shared.resolve_orders);
	for (uint32_t i = 0; i < app->worker_count; i++)
		rte_ring_free(app->shared.handover[i]);
}
