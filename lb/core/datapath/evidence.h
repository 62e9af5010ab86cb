// SPDX-License-Identifier: Apache-2.0
// What a worker keeps of single packets in the evidence file (api/evidence.h).
#pragma once

#include "base/evidence.h"
#include "counters.h"

#include <stdint.h>

#define PS_SAMPLES_A_TICK 8 // of a reason

struct ps_worker;
struct rte_mbuf;

// By index of the reason: its place in PS_DROP_CELLS.
struct ps_sampler {
	struct ps_evidence_lane lane;
	uint16_t lcore;                // as in names of rows
	uint8_t credit[PS_DROP_COUNT]; // samples until the next tick
	uint8_t index[PS_LCORE_CELLS]; // by the reason's cell
	uint64_t taken[PS_DROP_COUNT];
};

void ps_sampler_init(struct ps_sampler *sampler, struct ps_evidence_lane lane, uint16_t lcore);
// Called once a tick.
void ps_sampler_refill(struct ps_sampler *sampler);
// A sample of a packet that is dropped now, and was counted. It needs a credit.
void ps_sample_drop(struct ps_worker *worker, const struct rte_mbuf *mbuf, enum ps_drop reason,
	uint16_t vip, uint16_t backend);
// CLOCK_REALTIME at the start of the worker's iteration.
uint64_t ps_realtime_of(const struct ps_worker *worker);
uint64_t ps_tsc_ns(uint64_t tsc, uint64_t hz);
