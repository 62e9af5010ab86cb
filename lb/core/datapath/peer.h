// SPDX-License-Identifier: Apache-2.0
// Who the client of an IPv6 connection is.
#pragma once

#include "datapath/worker.h"

#include <string.h>

static inline void ps_set_peer(
	struct ps_worker *w, const struct ps_packet *packet, struct ps_conn *conn)
{
	struct ps_conn_peer *peer = ps_conn_peer(&w->table, conn);

	memcpy(peer->address, packet->addresses6->source, sizeof peer->address);
	peer->port = packet->source_port;
}

static inline bool ps_is_peer(
	const struct ps_worker *w, const struct ps_packet *packet, const struct ps_conn *conn)
{
	const struct ps_conn_peer *peer = ps_conn_peer(&w->table, conn);

	return memcmp(peer->address, packet->addresses6->source, sizeof peer->address) == 0 &&
	       peer->port == packet->source_port;
}
