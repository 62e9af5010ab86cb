// SPDX-License-Identifier: Apache-2.0
#pragma once

// The states of connections, as the client's packets tell them.
enum ps_conn_state {
	PS_CONN_SYN,
	PS_CONN_ESTABLISHED,
	PS_CONN_FIN,
	PS_CONN_RESET, // the client sent a RST, or somebody in its name did
	PS_CONN_UDP,
	PS_CONN_STATES,
};
