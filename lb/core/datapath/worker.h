// SPDX-License-Identifier: Apache-2.0
// A worker: everything that one worker lcore owns, and what it shares with the main lcore.
#pragma once

#include "base/segment.h"
#include "counters.h"
#include "datapath/conn.h"
#include "datapath/evidence.h"
#include "datapath/packet.h"
#include "datapath/talkers.h"
#include "datapath/trace.h"
#include "tables/neighbours.h"
#include "tables/runtime.h"

#include <rte_ether.h>
#include <rte_mbuf.h>
#include <rte_rcu_qsbr.h>
#include <rte_ring.h>
#include <stdatomic.h>

#define PS_MAX_WORKERS 64
#define PS_TX_BUFFER 256

// Held packets: those of a worker, those of one neighbour, and for how long.
#define PS_HELD_MAX 512
#define PS_HELD_PER_NEIGHBOUR 64
#define PS_HELD_MS 1000

#define PS_TICKS_PER_SECOND 4
#define PS_SWEEP_BUCKETS 16 // looked through at a time for connections that expired

// The worker counts into the draft of its row (api/segment.h). It is laid out like the row
// (image[0] stands for the sequence), so that a cache line of one is a cache line of the other.
#define PS_ROW_LINES(cells) (((cells) + 1 + 7) / 8)
#define PS_LCORE_LINES PS_ROW_LINES(PS_LCORE_CELLS)

static_assert(PS_LCORE_LINES <= 32, "the set of dirty lines is 32 bits");

// Sends up to n packets, returns how many were taken: rte_eth_tx_burst() or a test's own.
typedef uint16_t ps_transmit(
	uint16_t port, uint16_t queue, struct rte_mbuf **packets, uint16_t count);

// A port as one worker sees it, with its own queue.
struct ps_port {
	uint16_t id;
	uint16_t queue;
	uint16_t mtu;
	uint16_t pending;       // packets in tx[]
	uint64_t pending_bytes; // of them
	uint64_t mac;           // low 48 bits as in memory
	uint64_t cells[PS_PORT_QUEUE_CELLS];
	uint32_t millisecond; // packets received in this one
	uint32_t microburst;  // the most of this second
	bool dirty;
	struct ps_row *row;
	struct rte_mbuf *tx[PS_TX_BUFFER];
};

// Packets and bytes of a row since it was last published, in one number: bytes below, packets above
// (enough for seconds at 100 Gbit/s). The packet path touches one word of a dense array a packet.
#define PS_TALLY_PACKET (1ULL << 40)
#define PS_TALLY_BYTES (PS_TALLY_PACKET - 1)

struct ps_vip_cells {
	uint64_t cells[PS_VIP_CELLS];
} __attribute__((aligned(64)));

struct ps_backend_cells {
	uint64_t cells[PS_BACKEND_CELLS];
	uint64_t dirty;
} __attribute__((aligned(64)));

struct ps_held_packet {
	struct rte_mbuf *mbuf;
	uint64_t deadline; // TSC
};

// Packets that wait for MAC addresses, in the order of their arrival.
struct ps_hold {
	uint32_t count;
	uint64_t learned;    // ps_neighbours.learned when it was last looked through
	uint64_t next_check; // TSC
	struct ps_held_packet packets[PS_HELD_MAX];
	uint8_t per_neighbour[PS_NEIGHBOURS];
};

// Connections of a backend in this worker's table.
struct ps_load {
	uint32_t connections;
	uint16_t epoch; // of the name that they were counted for
};

// What a listener's limits count in this worker.
struct ps_vip_load {
	uint32_t connections;
	uint32_t half_open;
	uint16_t epoch;
	bool translated; // connections of the row have had sessions, under whatever name
};

// Token buckets of a listener or backend.
struct ps_buckets {
	double tokens[PS_RATES];
	uint64_t filled; // TSC
	uint16_t epoch;
};

// What all workers and the main lcore share.
struct ps_shared {
	_Atomic(const struct ps_runtime *) runtime; // NULL: not configured
	_Atomic(const struct ps_trace *) trace;     // NULL: none is armed
	atomic_bool go;
	atomic_bool stop;
	_Atomic uint32_t running; // workers that were launched and have not ended
	struct rte_rcu_qsbr *rcu;
	struct rte_mempool *pool;
	struct rte_ring *resolve_orders; // indices of neighbours, from main to worker 0
	// Packets for each worker from the others; NULL: there is one worker alone.
	struct rte_ring *handover[PS_MAX_WORKERS];
	uint32_t worker_count;
	_Atomic uint32_t polling; // workers that may hand over
	struct ps_neighbours *neighbours;
	ps_transmit *transmit;
	uint64_t tsc_hz;
	uint64_t tsc_scale; // nanoseconds a cycle, times 2^32
	uint64_t tsc_start;
	_Atomic uint64_t realtime_offset; // CLOCK_REALTIME less ps_tsc_ns(now)
	uint32_t idle_polls;              // empty polls before a sleep; 0: never sleep
	uint32_t idle_sleep_us;
};

struct ps_worker {
	struct ps_shared *shared;
	const struct ps_runtime *runtime; // valid until the next quiescent state
	uint64_t now;                     // TSC at the start of the iteration
	uint32_t tick;                    // now, in ticks
	uint32_t index;
	uint64_t next_tick;
	uint64_t next_sweep;
	uint64_t next_publish; // of idle counters
	uint64_t next_millisecond;
	uint64_t next_second;    // of microbursts
	uint64_t microburst;     // the most packets in 1 ms of this second
	uint32_t untimed;        // bursts since the stages were last timed
	bool timed;              // they are, in this iteration
	uint64_t sweep_interval; // cycles a call of the sweep
	uint64_t icmp_paid;      // TSC up to which ICMP errors have used up their rate
	uint16_t next_ip_id;     // of outer packets
	uint32_t next_local;     // which local address is next
	uint32_t sessions;       // of address translation
	uint32_t looked;         // workers that have had the packet at hand
	struct ps_conn_table table;
	uint32_t turns[PS_VIP_ROWS]; // by pool: whose turn it is, where a scheduler takes turns
	struct ps_load loads[PS_BACKEND_ROWS];
	struct ps_vip_load vip_loads[PS_VIP_ROWS];
	struct ps_buckets vip_buckets[PS_VIP_ROWS];
	struct ps_buckets backend_buckets[PS_BACKEND_ROWS];

	// Private counters, see count.h.
	uint32_t dirty_lines; // of image
	uint32_t dirty_vip_count;
	uint32_t dirty_backend_count;
	uint32_t tallied_vip_count;
	uint32_t tallied_backend_count;
	struct ps_row *row;
	struct ps_lane vip_lane;
	struct ps_lane backend_lane;
	struct ps_vip_cells *vips;         // PS_VIP_ROWS
	struct ps_backend_cells *backends; // PS_BACKEND_ROWS
	uint64_t *image;                   // PS_LCORE_LINES * 8

	struct ps_sampler sampler; // of dropped packets
	struct ps_tracer tracer;
	struct ps_talkers talkers;

	uint16_t port_count;
	struct ps_port ports[PS_MAX_PORTS];
	struct ps_hold hold;
	uint64_t vip_tally[PS_VIP_ROWS];
	uint64_t backend_tally[PS_BACKEND_ROWS];
	uint16_t tallied_vips[PS_VIP_ROWS]; // whose tally is not 0
	uint16_t tallied_backends[PS_BACKEND_ROWS];
	uint16_t dirty_vips[PS_VIP_ROWS];
	uint16_t dirty_backends[PS_BACKEND_ROWS];
	bool vip_dirty[PS_VIP_ROWS];
	uint16_t seen_vip_epochs[PS_VIP_ROWS]; // of the names that the private rows count for
	uint16_t seen_backend_epochs[PS_BACKEND_ROWS];
};

// The life of a worker lcore: polls until shared->stop, then drops what it holds and publishes.
// The argument is the struct ps_worker; the type is lcore_function_t's.
int ps_worker_main(void *worker);

// --- the parts of that life, for benchmarks and tests that bring packets of their own ---

void ps_worker_begin(struct ps_worker *worker);
// One iteration of the loop on the worker's ports. Returns how many packets it handled.
uint32_t ps_worker_turn(struct ps_worker *worker);
// Takes over the newest configuration. Call it only between bursts.
void ps_adopt_runtime(struct ps_worker *worker);
// One burst through all stages. The packets are taken; what leaves is in the ports' buffers until
// ps_transmit_all() (stages.h).
void ps_burst(
	struct ps_worker *worker, struct ps_port *port, struct rte_mbuf **mbufs, uint16_t count);
// The iteration's small work: held packets, ARP requests to send, connections that expire. Returns
// how many packets it handled.
uint32_t ps_chores(struct ps_worker *worker);
// Counts the iteration that ends now, and publishes; an idle one only now and then.
void ps_end_iteration(struct ps_worker *worker, uint32_t handled);
void ps_advance_clock(struct ps_worker *worker, uint64_t now);
void ps_worker_end(struct ps_worker *worker);
