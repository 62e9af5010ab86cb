// SPDX-License-Identifier: Apache-2.0
// libFuzzer target of the whole packet path: a worker with every feature configured gets a few
// packets, and afterwards the ledger law holds, and nothing is left behind.
//
// An input is packets, each behind two bytes: 11 bits of length, and PORT_1, ROOM, WRONG, LATER.
// See also LAST_PORT.
#include "bench/harness.h"
#include "datapath/stages.h"
#include "fuzz_worker_config.h"

#include <netinet/in.h>
#include <rte_cycles.h>
#include <rte_ip.h>
#include <sanitizer/asan_interface.h>
#include <stdlib.h>

#define MEMORY_MB 128
#define CONNECTIONS 256
#define PACKETS_MAX 16
#define LENGTH_MAX 2047
#define PORT_1 0x8000u // it comes in by port 1
#define ROOM 0x4000u   // as from a device; else nothing is behind it, and reading there is an error
#define WRONG 0x2000u  // its checksums are as given; else they are made right
#define LATER 0x1000u  // 5 s after the last one
#define TICKS_LATER (5 * PS_TICKS_PER_SECOND)

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define LAST_PORT 0xff // both bytes of a destination port: the last packet sent had it as source

static struct ps_app *app;
static uint8_t last_port[2];

static void check(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "fuzz-worker: %s\n", what);
	abort();
}

// What lies between two buffers of the pool is touched by nobody.
static void poison(struct rte_mempool *pool, void *user, void *buffer, unsigned index)
{
	const struct rte_mbuf *m = buffer;

	(void)user;
	(void)index;
	ASAN_POISON_MEMORY_REGION((char *)m->buf_addr + m->buf_len, pool->trailer_size);
}

static size_t l4_of(const uint8_t *frame)
{
	return 14 +
	       (frame[14] >> 4 == 4 ? sizeof(struct rte_ipv4_hdr) : sizeof(struct rte_ipv6_hdr));
}

static uint16_t transmit(uint16_t port, uint16_t queue, struct rte_mbuf **packets, uint16_t count)
{
	(void)port;
	(void)queue;
	for (uint16_t i = 0; i < count; i++) {
		const uint8_t *frame = rte_pktmbuf_mtod(packets[i], const uint8_t *);
		if (packets[i]->data_len >= l4_of(frame) + sizeof last_port)
			memcpy(last_port, frame + l4_of(frame), sizeof last_port);
	}
	rte_pktmbuf_free_bulk(packets, count);
	return count;
}

static void end(void)
{
	ps_worker_end(app->workers[0]);
	ps_harness_end(app);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	ps_harness_eal(MEMORY_MB, false);
	app = ps_harness_start(2, CONNECTIONS, transmit, FUZZ_WORKER_CONFIG);
	rte_mempool_obj_iter(app->shared.pool, poison, NULL);
	atexit(end);
	return 0;
}

static void sum_ipv4(uint8_t *at, size_t size)
{
	struct rte_ipv4_hdr *ip = (void *)at;
	size_t header = size >= sizeof *ip ? (ip->version_ihl & 15u) * 4 : 0;

	if (header < sizeof *ip || header > size)
		return;
	ip->hdr_checksum = 0;
	ip->hdr_checksum = (uint16_t)~rte_raw_cksum(ip, header);
	size_t total = rte_be_to_cpu_16(ip->total_length);
	if (ip->next_proto_id != IPPROTO_ICMP || total < header + 4 || total > size)
		return;
	memset(at + header + 2, 0, 2);
	uint16_t sum = (uint16_t)~rte_raw_cksum(at + header, total - header);
	memcpy(at + header + 2, &sum, 2);
}

static void sum_ipv6(uint8_t *at, size_t size)
{
	struct rte_ipv6_hdr *ip = (void *)at;
	size_t header = sizeof *ip;
	size_t payload = size >= header ? rte_be_to_cpu_16(ip->payload_len) : 0;

	if (payload < 4 || payload > size - header || ip->proto != IPPROTO_ICMPV6)
		return;
	memset(at + header + 2, 0, 2);
	uint16_t sum = rte_ipv6_udptcp_cksum(ip, at + header);
	memcpy(at + header + 2, &sum, 2);
}

// Answers of backends behind NAT go to a port that no input can know.
static void aim(uint8_t *frame, size_t size)
{
	if (size < 54 || size < l4_of(frame) + 4)
		return;
	uint8_t *port = frame + l4_of(frame) + 2;
	if (port[0] == LAST_PORT && port[1] == LAST_PORT)
		memcpy(port, last_port, sizeof last_port);
}

// Random bytes would hardly ever have a right checksum.
static void sum(uint8_t *frame, size_t size)
{
	size_t at = 14;

	while (size >= at + 4 && at < 18 && frame[at - 2] == 0x81 && frame[at - 1] == 0)
		at += 4;
	if (size <= at || frame[at - 2] != (frame[at] >> 4 == 4 ? 0x08 : 0x86))
		return;
	if (frame[at] >> 4 == 4)
		sum_ipv4(frame + at, size - at);
	else
		sum_ipv6(frame + at, size - at);
}

static void receive(const uint8_t *data, uint16_t length, unsigned how)
{
	struct ps_worker *w = app->workers[0];
	struct rte_mbuf *m = rte_pktmbuf_alloc(app->shared.pool);
	uint16_t port = how & PORT_1 ? 1 : 0;

	check(m != NULL, "a buffer was lost");
	if (!(how & ROOM))
		m->data_off = (uint16_t)(m->buf_len - length);
	m->data_len = length;
	m->pkt_len = length;
	m->port = port;
	memcpy(rte_pktmbuf_mtod(m, void *), data, length);
	aim(rte_pktmbuf_mtod(m, uint8_t *), length);
	if (!(how & WRONG))
		sum(rte_pktmbuf_mtod(m, uint8_t *), length);
	if (how & LATER)
		w->tick += TICKS_LATER;
	ps_burst(w, &w->ports[port], &m, 1);
	ps_transmit_all(w);
	ps_chores(w);
	ps_transmit_all(w);
	ps_end_iteration(w, 1);
}

static uint64_t terms(uint32_t count, const uint16_t cells[])
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < count; i++)
		sum += app->workers[0]->image[cells[i] + 1];
	return sum;
}

#define TERMS(term) terms(PS_##term##_COUNT, (const uint16_t[])PS_##term##_CELLS)

static void check_law(void)
{
	const uint64_t *cells = app->workers[0]->image + 1;

	check(cells[PS_LCORE_RX_PACKETS] + TERMS(ORIGINATED) ==
			cells[PS_LCORE_TX_PACKETS] + TERMS(DROP) + TERMS(CONSUMED) + TERMS(HELD),
		"the ledger law is broken");
	check(cells[PS_LCORE_CREATED_CONNECTIONS] + cells[PS_LCORE_PICKED_UP_CONNECTIONS] ==
			cells[PS_LCORE_CLOSED_CONNECTIONS] + cells[PS_LCORE_EXPIRED_CONNECTIONS] +
				cells[PS_LCORE_ORPHANED_CONNECTIONS] + app->workers[0]->table.used,
		"connections do not balance");
}

// All connections expire, all that is held goes: inputs do not depend on those before them.
static void clear(void)
{
	struct ps_worker *w = app->workers[0];

	ps_hold_purge(w, NULL, PS_DROP_STOPPING);
	ps_transmit_all(w);
	w->tick += 1u << 30;
	for (uint32_t i = 0; i <= w->table.mask; i += PS_SWEEP_BUCKETS) {
		w->next_sweep = w->now;
		ps_track_sweep(w);
	}
	check_law();
	check(w->table.used == 0, "connections outlive their time");
	check(w->sessions == 0, "sessions of NAT are lost");
	for (uint32_t i = 0; i < w->runtime->listener_count; i++) {
		const struct ps_vip_load *load = &w->vip_loads[w->runtime->listeners[i].row];
		check(load->connections == 0 && load->half_open == 0,
			"a listener counts connections that are not there");
	}
	check(rte_mempool_in_use_count(app->shared.pool) == 0, "packet buffers are lost");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	for (uint32_t i = 0; i + 1 < app->neighbours->high; i++) // the last one never resolves
		ps_neighbour_learn(app->neighbours, i, 0x020000000002ULL + i, rte_rdtsc());
	for (uint32_t n = 0; size >= 2 && n < PACKETS_MAX; n++) {
		unsigned head = (unsigned)data[0] << 8 | data[1];
		size_t length = RTE_MIN(head & LENGTH_MAX, size - 2);

		receive(data + 2, (uint16_t)length, head & ~LENGTH_MAX);
		check_law();
		data += 2 + length;
		size -= 2 + length;
	}
	clear();
	return 0;
}
