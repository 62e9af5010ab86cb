// SPDX-License-Identifier: Apache-2.0
// How a pool chooses a backend.
#pragma once

#define PS_SERVER_ID_MAX 15 // bytes of the server id in a connection id of QUIC

enum ps_scheduler {
	PS_SCHEDULER_MAGLEV, // over the 5-tuple
	PS_SCHEDULER_MAGLEV_SOURCE,
	PS_SCHEDULER_MAGLEV_SOURCE_PORT,
	// Those from here on choose without regard to the packet; a packet in mid-flow that no
	// connection is known for goes by Maglev over the 5-tuple.
	PS_SCHEDULER_ROUND_ROBIN,
	PS_SCHEDULER_LEAST_CONNECTIONS,
};
