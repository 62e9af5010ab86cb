// SPDX-License-Identifier: Apache-2.0
// Samples of dropped packets. Each reason has a ring of its own, so that a flood of one cannot push
// out the rare ones, and a few samples a tick, so that it costs next to nothing.
#include "datapath/evidence.h"

#include "datapath/count.h"

#include <string.h>

static_assert(PS_DROP_COUNT <= UINT8_MAX, "the index of a reason is 8 bits");

void ps_sampler_init(struct ps_sampler *sampler, struct ps_evidence_lane lane, uint16_t lcore)
{
	static const uint16_t cells[] = PS_DROP_CELLS;

	*sampler = (struct ps_sampler){.lane = lane, .lcore = lcore};
	for (uint8_t i = 0; i < PS_DROP_COUNT; i++)
		sampler->index[cells[i]] = i;
}

void ps_sampler_refill(struct ps_sampler *sampler)
{
	memset(sampler->credit, PS_SAMPLES_A_TICK, sizeof sampler->credit);
}

uint64_t ps_tsc_ns(uint64_t tsc, uint64_t hz)
{
	return tsc / hz * 1000000000 + tsc % hz * 1000000000 / hz;
}

uint64_t ps_realtime_of(const struct ps_worker *w)
{
	return ps_tsc_ns(w->now, w->shared->tsc_hz) +
	       atomic_load_explicit(&w->shared->realtime_offset, memory_order_relaxed);
}

void ps_sample_drop(struct ps_worker *w, const struct rte_mbuf *mbuf, enum ps_drop reason,
	uint16_t vip, uint16_t backend)
{
	struct ps_sampler *sampler = &w->sampler;
	uint8_t ring = sampler->index[reason];
	uint64_t n = sampler->taken[ring]++;
	struct ps_evidence_drop *sample = ps_evidence_begin(&sampler->lane, ring, n);

	sampler->credit[ring]--;
	sample->time_ns = ps_realtime_of(w);
	sample->dropped = w->image[(uint32_t)reason + 1];
	sample->length = mbuf->pkt_len;
	sample->lcore = sampler->lcore;
	sample->port = mbuf->port;
	sample->vip = vip;
	sample->vip_epoch = vip == PS_NO_ROW ? 0 : w->runtime->vip_epochs[vip];
	sample->backend = backend;
	sample->backend_epoch = backend == PS_NO_ROW ? 0 : w->runtime->backends[backend].epoch;
	sample->captured = RTE_MIN(mbuf->data_len, (uint16_t)PS_EVIDENCE_BYTES);
	memcpy(sample->bytes, rte_pktmbuf_mtod(mbuf, const void *), sample->captured);
	ps_evidence_end(sample, n);
}
