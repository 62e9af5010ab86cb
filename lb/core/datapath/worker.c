// SPDX-License-Identifier: Apache-2.0
// The loop of a worker lcore.
#include "datapath/worker.h"

#include "datapath/count.h"
#include "datapath/drop.h"
#include "datapath/nat.h"
#include "datapath/stages.h"

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <sys/prctl.h>
#include <time.h>

#define IDLE_PUBLISH_US 1000
#define STOP_POLL_NS 50000
#define SATURATED (PS_BURST / 2) // packets of an iteration

// What a stage took since `start`. Returns the time now.
static uint64_t lap(struct ps_worker *w, enum ps_lcore_cell cell, uint64_t start)
{
	uint64_t now = rte_rdtsc();

	ps_count(w, cell, (now - start) * PS_TIMED_EVERY);
	return now;
}

static inline void run_stages(struct ps_worker *w, struct ps_port *port, struct rte_mbuf **mbufs,
	uint16_t count, bool timed)
{
	struct ps_packet packets[PS_BURST];
	uint64_t at = timed ? rte_rdtsc() : 0;

	uint16_t left = ps_stage_ingress(w, port, mbufs, count, packets);
	if (PS_COUNTERS && unlikely((w->talkers.skip -= left) < 0))
		ps_talkers_sample(w, packets, left);
	at = timed ? lap(w, PS_LCORE_STAGE_INGRESS_CYCLES, at) : 0;
	left = ps_stage_classify(w, port, packets, left);
	at = timed ? lap(w, PS_LCORE_STAGE_CLASSIFY_CYCLES, at) : 0;
	left = ps_stage_track(w, port, packets, left);
	at = timed ? lap(w, PS_LCORE_STAGE_TRACK_CYCLES, at) : 0;
	ps_stage_forward(w, port, packets, left);
	if (timed)
		lap(w, PS_LCORE_STAGE_FORWARD_CYCLES, at);
}

void ps_stages(struct ps_worker *w, struct ps_port *port, struct rte_mbuf **mbufs, uint16_t count)
{
	if (unlikely(w->runtime == NULL)) {
		for (uint16_t i = 0; i < count; i++) {
			ps_count(w, PS_LCORE_RX_BYTES, mbufs[i]->pkt_len);
			ps_count_queue(port, PS_PORT_QUEUE_RX_BYTES, mbufs[i]->pkt_len);
			ps_drop(w, mbufs[i], PS_DROP_NOT_CONFIGURED);
		}
		ps_count(w, PS_LCORE_RX_PACKETS, count);
		ps_count_queue(port, PS_PORT_QUEUE_RX_PACKETS, count);
		return;
	}
	if (PS_COUNTERS && unlikely(++w->untimed >= PS_TIMED_EVERY)) {
		w->untimed = 0;
		w->timed = true; // its transmission, too
		run_stages(w, port, mbufs, count, true);
	} else {
		run_stages(w, port, mbufs, count, false);
	}
}

void ps_burst(struct ps_worker *w, struct ps_port *port, struct rte_mbuf **mbufs, uint16_t count)
{
	const struct ps_trace *trace =
		atomic_load_explicit(&w->shared->trace, memory_order_acquire);

	if (unlikely(trace != NULL))
		ps_trace_burst(w, trace, port, mbufs, count);
	else
		ps_stages(w, port, mbufs, count);
	port->millisecond += count;
	ps_count_burst(w, count);
}

uint32_t ps_chores(struct ps_worker *w)
{
	uint32_t handled = ps_hold_check(w);

	if (unlikely(w->runtime == NULL))
		return 0;
	handled += ps_take_over(w);
	handled += ps_resolve_orders(w);
	ps_track_sweep(w);
	ps_gauge(w, PS_LCORE_ACTIVE_CONNECTIONS, w->table.used);
	ps_gauge(w, PS_LCORE_NAT_CONNECTIONS, w->sessions);
	return handled;
}

void ps_adopt_runtime(struct ps_worker *w)
{
	const struct ps_runtime *next =
		atomic_load_explicit(&w->shared->runtime, memory_order_acquire);

	if (likely(next == w->runtime))
		return;
	ps_hold_purge(w, next, PS_DROP_NEIGHBOUR_UNRESOLVED);
	ps_publish(w); // the last words of rows that go out of use
	w->runtime = next;
	ps_gauge(w, PS_LCORE_CONFIG_GENERATION, next->generation);
}

void ps_advance_clock(struct ps_worker *w, uint64_t now)
{
	w->now = now;
	while (unlikely(now >= w->next_tick)) {
		w->next_tick += w->shared->tsc_hz / PS_TICKS_PER_SECOND;
		w->tick++;
		ps_sampler_refill(&w->sampler);
		ps_talkers_tick(w);
	}
}

static uint32_t poll_ports(struct ps_worker *w)
{
	struct rte_mbuf *mbufs[PS_BURST];
	uint32_t handled = 0;

	for (uint16_t i = 0; i < w->port_count; i++) {
		struct ps_port *port = &w->ports[i];
		uint16_t count = rte_eth_rx_burst(port->id, port->queue, mbufs, PS_BURST);
		if (count == 0)
			continue;
		ps_burst(w, port, mbufs, count);
		ps_transmit_all(w);
		handled += count;
	}
	return handled;
}

static void publish(struct ps_worker *w, uint32_t handled)
{
	bool due = w->now >= w->next_publish;

	if (handled >= SATURATED && !due) {
		ps_publish_lcore(w);
	} else if (handled > 0 || due || w->tallied_vip_count > 0) {
		uint64_t wait = handled > 0 ? PS_PUBLISH_US : IDLE_PUBLISH_US;
		ps_publish(w);
		w->next_publish = w->now + w->shared->tsc_hz * wait / 1000000;
	}
}

void ps_end_iteration(struct ps_worker *w, uint32_t handled)
{
	uint64_t end = rte_rdtsc(), cycles = end - w->now;

	ps_count(w, PS_LCORE_LOOP_ITERATIONS, 1);
	if (handled > 0)
		ps_count_busy(w, cycles);
	else
		ps_count(w, PS_LCORE_IDLE_CYCLES, cycles);
	ps_advance_clock(w, end);
	if (PS_COUNTERS && unlikely(end >= w->next_millisecond))
		ps_end_millisecond(w);
	publish(w, handled);
}

static void idle_sleep(struct ps_worker *w)
{
	struct timespec wait = {.tv_nsec = w->shared->idle_sleep_us * 1000L};

	nanosleep(&wait, NULL);
	uint64_t end = rte_rdtsc();
	ps_count(w, PS_LCORE_IDLE_CYCLES, end - w->now);
	ps_advance_clock(w, end);
}

uint32_t ps_worker_turn(struct ps_worker *w)
{
	ps_adopt_runtime(w);
	uint32_t handled = poll_ports(w);
	handled += ps_chores(w);
	ps_transmit_all(w);
	ps_end_iteration(w, handled);
	rte_rcu_qsbr_quiescent(w->shared->rcu, w->index);
	return handled;
}

static void loop(struct ps_worker *w)
{
	const struct ps_shared *shared = w->shared;
	uint32_t empty = 0;

	while (!atomic_load_explicit(&shared->stop, memory_order_relaxed)) {
		uint32_t handled = ps_worker_turn(w);
		if (handled > 0)
			empty = 0;
		else if (shared->idle_polls != 0 && ++empty >= shared->idle_polls)
			idle_sleep(w);
	}
}

// Until nobody hands over any more: what is in the ring then is all that there will be.
static void await_others(struct ps_worker *w)
{
	struct timespec wait = {.tv_nsec = STOP_POLL_NS};

	atomic_fetch_sub(&w->shared->polling, 1);
	while (atomic_load(&w->shared->polling) != 0) {
		rte_rcu_qsbr_quiescent(w->shared->rcu, w->index);
		nanosleep(&wait, NULL);
	}
}

void ps_worker_begin(struct ps_worker *w)
{
	w->next_tick = rte_rdtsc();
	ps_advance_clock(w, w->next_tick);
	w->next_sweep = w->now;
	ps_gauge(w, PS_LCORE_MAX_CONNECTIONS, w->table.max);
	ps_gauge(w, PS_LCORE_MAX_HELD_PACKETS, PS_HELD_MAX);
}

void ps_worker_end(struct ps_worker *w)
{
	ps_adopt_runtime(w);
	ps_hold_purge(w, NULL, PS_DROP_STOPPING);
	ps_handover_purge(w);
	ps_transmit_all(w);
	ps_publish(w);
}

int ps_worker_main(void *argument)
{
	struct ps_worker *w = argument;
	struct ps_shared *shared = w->shared;

	// The default slack of 50 us would double a short sleep.
	prctl(PR_SET_TIMERSLACK, 1000, 0, 0, 0);
	while (!atomic_load_explicit(&shared->go, memory_order_acquire))
		rte_pause();
	rte_rcu_qsbr_thread_online(shared->rcu, w->index);
	ps_worker_begin(w);
	loop(w);
	await_others(w);
	ps_worker_end(w);
	rte_rcu_qsbr_thread_offline(shared->rcu, w->index);
	atomic_fetch_sub_explicit(&shared->running, 1, memory_order_release);
	return 0;
}
