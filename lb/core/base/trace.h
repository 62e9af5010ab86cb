// SPDX-License-Identifier: Apache-2.0
// Which packets are to be traced: what the control socket's request "trace" asks for.
#pragma once

#include "base/address.h"
#include "base/errors.h"

#define PS_TRACE_TERMS 16
#define PS_TRACE_SECONDS_MAX 3600

enum ps_trace_kind {
	PS_TRACE_ETHERTYPE,
	PS_TRACE_PROTOCOL, // behind the IP headers
	PS_TRACE_NETWORK,
	PS_TRACE_PORT, // of TCP or UDP
};

enum ps_trace_side { PS_TRACE_EITHER, PS_TRACE_SOURCE, PS_TRACE_DESTINATION };

struct ps_trace_term {
	enum ps_trace_kind kind;
	enum ps_trace_side side; // of networks and ports
	uint16_t number;         // host byte order
	struct ps_prefix network;
};

// Immutable while a worker may look at it. A packet matches when every term holds.
struct ps_trace {
	uint64_t id;      // unique within the boot
	uint32_t count;   // packets, of each worker
	uint32_t seconds; // until it ends, at the latest
	uint32_t term_count;
	struct ps_trace_term terms[PS_TRACE_TERMS];
};

// Reads a request; the id is the caller's. False after adding errors. A count of 0 ends a trace.
bool ps_trace_read(json_t *request, struct ps_trace *out, struct ps_errors *errors);
