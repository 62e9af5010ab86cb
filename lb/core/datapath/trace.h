// SPDX-License-Identifier: Apache-2.0
// Traces of single packets. While none is armed they cost one branch a burst.
#pragma once

#include "base/evidence.h"
#include "base/trace.h"
#include "counters.h"

struct ps_worker;
struct ps_port;
struct rte_mbuf;

// What a worker has of the trace that is armed.
struct ps_tracer {
	struct ps_evidence_lane lane;
	uint64_t id;                     // of the trace that it knows
	uint32_t left;                   // packets that it may still take
	uint64_t taken;                  // since boot
	uint64_t before[PS_LCORE_CELLS]; // the counters, when they were last compared
};

// Runs a burst through the stages, packets that match by themselves.
void ps_trace_burst(struct ps_worker *worker, const struct ps_trace *trace, struct ps_port *port,
	struct rte_mbuf **mbufs, uint16_t count);
// Whether a frame matches: all that its first bytes say, though the frame may be malformed.
bool ps_trace_matches(const struct ps_trace *trace, const uint8_t *frame, uint32_t length);
