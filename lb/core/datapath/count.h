// SPDX-License-Identifier: Apache-2.0
// Counting. A worker counts into private memory and publishes at the end of an iteration, when the
// ledger law holds: the rows of the lcore and its queues each time, those of listeners and backends
// each time too unless it is saturated, then every PS_PUBLISH_US.
//
// With PS_COUNTERS 0 all of it compiles to nothing: a benchmark's baseline, not a product.
#pragma once

#include "datapath/worker.h"

#ifndef PS_COUNTERS
#define PS_COUNTERS 1
#endif

#define PS_PUBLISH_US 100
#define PS_TIMED_EVERY 16 // bursts; the stages of one of them are timed

// Copies what changed into the shared rows: everything, or the rows of lcore and queues alone.
void ps_publish(struct ps_worker *worker);
void ps_publish_lcore(struct ps_worker *worker);
void ps_count_burst(struct ps_worker *worker, uint32_t packets);
// A millisecond has passed: its packets count for the second's microbursts.
void ps_end_millisecond(struct ps_worker *worker);
void ps_count_busy(struct ps_worker *worker, uint64_t cycles);

static inline void ps_count(struct ps_worker *w, enum ps_lcore_cell cell, uint64_t n)
{
	if (!PS_COUNTERS)
		return;
	w->image[cell + 1] += n;
	w->dirty_lines |= 1u << ((cell + 1) / 8);
}

static inline void ps_gauge(struct ps_worker *w, enum ps_lcore_cell cell, uint64_t value)
{
	if (!PS_COUNTERS)
		return;
	w->image[cell + 1] = value;
	w->dirty_lines |= 1u << ((cell + 1) / 8);
}

// A private row will be published. One that has another name than when it was last counted in
// starts at zero, as the main lcore has zeroed the shared one: here, a row at a time, so that a new
// configuration with thousands of new names does not hold the worker up.
void ps_open_vip_cells(struct ps_worker *worker, uint16_t row);
void ps_open_backend_cells(struct ps_worker *worker, uint16_t row);

// The private cells of a row that will be published.
static inline uint64_t *ps_vip_cells(struct ps_worker *w, uint16_t row)
{
	if (!w->vip_dirty[row])
		ps_open_vip_cells(w, row);
	return w->vips[row].cells;
}

static inline uint64_t *ps_backend_cells(struct ps_worker *w, uint16_t row)
{
	if (!w->backends[row].dirty)
		ps_open_backend_cells(w, row);
	return w->backends[row].cells;
}

// Packets of a listener were received, and will, so it is assumed, be sent: whoever drops or holds
// one takes it back from PS_VIP_TX_PACKETS. `sum` is in the form of a tally.
static inline void ps_count_taken(struct ps_worker *w, uint16_t vip, uint64_t sum)
{
	if (!PS_COUNTERS)
		return;
	if (unlikely(w->vip_tally[vip] == 0))
		w->tallied_vips[w->tallied_vip_count++] = vip;
	w->vip_tally[vip] += sum;
}

// A packet was sent to a backend.
static inline void ps_count_sent(struct ps_worker *w, uint16_t backend, uint32_t bytes)
{
	if (!PS_COUNTERS)
		return;
	if (unlikely(w->backend_tally[backend] == 0))
		w->tallied_backends[w->tallied_backend_count++] = backend;
	w->backend_tally[backend] += PS_TALLY_PACKET + bytes;
}

static inline void ps_count_vip(
	struct ps_worker *w, uint16_t row, enum ps_vip_cell cell, uint64_t n)
{
	if (PS_COUNTERS)
		ps_vip_cells(w, row)[cell] += n;
}

static inline void ps_count_backend(
	struct ps_worker *w, uint16_t row, enum ps_backend_cell cell, uint64_t n)
{
	if (PS_COUNTERS)
		ps_backend_cells(w, row)[cell] += n;
}

static inline void ps_count_queue(struct ps_port *port, enum ps_port_queue_cell cell, uint64_t n)
{
	if (!PS_COUNTERS)
		return;
	port->cells[cell] += n;
	port->dirty = true;
}

// The row of a listener or backend that a packet in flight belongs to stays with its mbuf, so that
// a transmit queue that refuses it can still say whose packet it was.
static inline void ps_set_owner(struct rte_mbuf *mbuf, uint16_t vip_row, uint16_t backend_row)
{
	mbuf->hash.usr = (uint32_t)vip_row << 16 | backend_row;
}

static inline uint16_t ps_owner_vip(const struct rte_mbuf *mbuf)
{
	return mbuf->hash.usr >> 16;
}

static inline uint16_t ps_owner_backend(const struct rte_mbuf *mbuf)
{
	return mbuf->hash.usr & 0xffff;
}
