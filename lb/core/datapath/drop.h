// SPDX-License-Identifier: Apache-2.0
// The only ways a packet can end here. Every other way to free a buffer is poisoned below: a file
// of the packet path that includes this header cannot drop a packet without a reason.
#pragma once

#include "datapath/count.h"
#include "datapath/evidence.h"

#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>

static inline void ps_end_packet(struct ps_worker *w, struct rte_mbuf *mbuf, enum ps_drop reason,
	uint16_t vip, uint16_t backend)
{
	ps_count(w, (enum ps_lcore_cell)reason, 1);
	if (PS_COUNTERS && unlikely(w->sampler.credit[w->sampler.index[reason]] != 0))
		ps_sample_drop(w, mbuf, reason, vip, backend);
	rte_pktmbuf_free(mbuf);
}

static inline void ps_drop(struct ps_worker *w, struct rte_mbuf *mbuf, enum ps_drop reason)
{
	ps_end_packet(w, mbuf, reason, PS_NO_ROW, PS_NO_ROW);
}

// A packet that a listener had taken, and, when `backend` is not PS_NO_ROW, a backend was chosen
// for.
static inline void ps_drop_owned(struct ps_worker *w, struct rte_mbuf *mbuf, uint16_t vip,
	uint16_t backend, enum ps_drop reason)
{
	ps_count_vip(w, vip, PS_VIP_TX_PACKETS, -1);
	ps_count_vip(w, vip, PS_VIP_DROPPED_PACKETS, 1);
	if (backend != PS_NO_ROW)
		ps_count_backend(w, backend, PS_BACKEND_DROPPED_PACKETS, 1);
	ps_end_packet(w, mbuf, reason, vip, backend);
}

// The packet has served its purpose and ends here.
static inline void ps_consume(struct ps_worker *w, struct rte_mbuf *mbuf, enum ps_consumed kind)
{
	ps_count(w, (enum ps_lcore_cell)kind, 1);
	rte_pktmbuf_free(mbuf);
}

// The packet has served its purpose and its buffer leaves again as a packet of our own.
static inline void ps_answer(
	struct ps_worker *w, enum ps_consumed consumed, enum ps_originated originated)
{
	ps_count(w, (enum ps_lcore_cell)consumed, 1);
	ps_count(w, (enum ps_lcore_cell)originated, 1);
}

#pragma GCC poison rte_pktmbuf_free rte_pktmbuf_free_bulk rte_pktmbuf_free_seg rte_mbuf_raw_free
#pragma GCC poison rte_mempool_put rte_mempool_put_bulk rte_mempool_generic_put
