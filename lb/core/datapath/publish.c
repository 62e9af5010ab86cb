// SPDX-License-Identifier: Apache-2.0
// Private counters to the shared rows, each inside its row's sequence.
#include "datapath/count.h"

static const uint64_t burst_bounds[] = PS_LCORE_BURST_PACKETS_BOUNDS;
static const uint64_t cycle_bounds[] = PS_LCORE_BURST_CYCLES_BOUNDS;

static void observe(struct ps_worker *w, enum ps_lcore_cell first, const uint64_t *bounds,
	uint32_t bound_count, uint64_t value)
{
	uint32_t bucket = 0;

	while (bucket < bound_count && value > bounds[bucket])
		bucket++;
	ps_count(w, first + bucket, 1);
	ps_count(w, first + bound_count + 1, value);
}

#define LATENCY_BUCKETS 17
#define LATENCY_FIRST 10 // the first bucket ends at 2^10 ns

static_assert(PS_LCORE_MAX_HELD_PACKETS == PS_LCORE_BURST_LATENCY_NANOSECONDS + LATENCY_BUCKETS + 1,
	"the histogram's cells");

// Log-linear: two buckets an octave, without a search.
static uint32_t latency_bucket(uint64_t ns)
{
	if (ns <= 1ULL << LATENCY_FIRST)
		return 0;
	uint32_t octave = 63 - (uint32_t)__builtin_clzll(ns - 1);
	uint32_t upper_half = (ns - 1) >> (octave - 1) & 1;
	uint32_t bucket = (octave - LATENCY_FIRST) * 2 + 1 + upper_half;

	return bucket < LATENCY_BUCKETS ? bucket : LATENCY_BUCKETS - 1;
}

static void count_latency(struct ps_worker *w, uint64_t cycles)
{
	__extension__ typedef unsigned __int128 wide;
	uint64_t ns = (uint64_t)((wide)cycles * w->shared->tsc_scale >> 32);

	ps_count(w, PS_LCORE_BURST_LATENCY_NANOSECONDS + latency_bucket(ns), 1);
	ps_count(w, (enum ps_lcore_cell)(PS_LCORE_BURST_LATENCY_NANOSECONDS + LATENCY_BUCKETS), ns);
}

void ps_count_burst(struct ps_worker *w, uint32_t packets)
{
	if (!PS_COUNTERS)
		return;
	ps_count(w, PS_LCORE_RX_BURSTS, 1);
	observe(w, PS_LCORE_BURST_PACKETS, burst_bounds, RTE_DIM(burst_bounds), packets);
}

void ps_count_busy(struct ps_worker *w, uint64_t cycles)
{
	if (!PS_COUNTERS)
		return;
	ps_count(w, PS_LCORE_BUSY_CYCLES, cycles);
	observe(w, PS_LCORE_BURST_CYCLES, cycle_bounds, RTE_DIM(cycle_bounds), cycles);
	count_latency(w, cycles);
}

// The gauges tell of the last whole second, so that whoever looks once a second misses none.
static void end_second(struct ps_worker *w)
{
	for (uint16_t i = 0; i < w->port_count; i++) {
		struct ps_port *port = &w->ports[i];
		port->cells[PS_PORT_QUEUE_MICROBURST_PACKETS] = port->microburst;
		port->dirty = true;
		port->microburst = 0;
	}
	ps_gauge(w, PS_LCORE_MICROBURST_PACKETS, w->microburst);
	w->microburst = 0;
	w->next_second = w->now + w->shared->tsc_hz;
}

void ps_end_millisecond(struct ps_worker *w)
{
	uint64_t packets = 0;

	for (uint16_t i = 0; i < w->port_count; i++) {
		struct ps_port *port = &w->ports[i];
		packets += port->millisecond;
		port->microburst = RTE_MAX(port->microburst, port->millisecond);
		port->millisecond = 0;
	}
	w->microburst = RTE_MAX(w->microburst, packets);
	w->next_millisecond = w->now + w->shared->tsc_hz / 1000;
	if (w->now >= w->next_second)
		end_second(w);
}

static void publish_row(struct ps_worker *w)
{
	_Atomic uint64_t *shared = &w->row->sequence; // and the cells behind it

	ps_row_begin(w->row);
	for (uint32_t lines = w->dirty_lines; lines != 0; lines &= lines - 1) {
		uint32_t first = (uint32_t)__builtin_ctz(lines) * 8;
		for (uint32_t i = first == 0; i < 8; i++) // image[0] stands for the sequence
			atomic_store_explicit(
				&shared[first + i], w->image[first + i], memory_order_relaxed);
	}
	ps_row_end(w->row);
	w->dirty_lines = 0;
}

void ps_publish_lcore(struct ps_worker *w)
{
	if (!PS_COUNTERS)
		return;
	for (uint16_t i = 0; i < w->port_count; i++) {
		struct ps_port *port = &w->ports[i];
		if (port->dirty)
			ps_row_publish(port->row, port->cells, PS_PORT_QUEUE_CELLS);
		port->dirty = false;
	}
	if (w->dirty_lines != 0)
		publish_row(w);
}

void ps_open_vip_cells(struct ps_worker *w, uint16_t row)
{
	uint16_t epoch = w->runtime->vip_epochs[row];

	if (w->seen_vip_epochs[row] != epoch) {
		w->vips[row] = (struct ps_vip_cells){};
		w->seen_vip_epochs[row] = epoch;
	}
	w->vip_dirty[row] = true;
	w->dirty_vips[w->dirty_vip_count++] = row;
}

void ps_open_backend_cells(struct ps_worker *w, uint16_t row)
{
	uint16_t epoch = w->runtime->backends[row].epoch;

	if (w->seen_backend_epochs[row] != epoch) {
		w->backends[row] = (struct ps_backend_cells){};
		w->seen_backend_epochs[row] = epoch;
	}
	w->backends[row].dirty = true;
	w->dirty_backends[w->dirty_backend_count++] = row;
}

static void fold_tallies(struct ps_worker *w)
{
	for (uint32_t i = 0; i < w->tallied_vip_count; i++) {
		uint16_t row = w->tallied_vips[i];
		uint64_t *cells = ps_vip_cells(w, row);
		cells[PS_VIP_RX_PACKETS] += w->vip_tally[row] / PS_TALLY_PACKET;
		cells[PS_VIP_TX_PACKETS] += w->vip_tally[row] / PS_TALLY_PACKET;
		cells[PS_VIP_RX_BYTES] += w->vip_tally[row] & PS_TALLY_BYTES;
		w->vip_tally[row] = 0;
	}
	for (uint32_t i = 0; i < w->tallied_backend_count; i++) {
		uint16_t row = w->tallied_backends[i];
		uint64_t *cells = ps_backend_cells(w, row);
		cells[PS_BACKEND_TX_PACKETS] += w->backend_tally[row] / PS_TALLY_PACKET;
		cells[PS_BACKEND_TX_BYTES] += w->backend_tally[row] & PS_TALLY_BYTES;
		w->backend_tally[row] = 0;
	}
	w->tallied_vip_count = 0;
	w->tallied_backend_count = 0;
}

void ps_publish(struct ps_worker *w)
{
	if (!PS_COUNTERS)
		return;
	fold_tallies(w);
	for (uint32_t i = 0; i < w->dirty_vip_count; i++) {
		uint16_t row = w->dirty_vips[i];
		ps_row_publish(ps_lane_row(&w->vip_lane, row), w->vips[row].cells, PS_VIP_CELLS);
		w->vip_dirty[row] = false;
	}
	for (uint32_t i = 0; i < w->dirty_backend_count; i++) {
		uint16_t row = w->dirty_backends[i];
		ps_row_publish(ps_lane_row(&w->backend_lane, row), w->backends[row].cells,
			PS_BACKEND_CELLS);
		w->backends[row].dirty = false;
	}
	w->dirty_vip_count = 0;
	w->dirty_backend_count = 0;
	ps_publish_lcore(w);
}
