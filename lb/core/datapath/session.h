// SPDX-License-Identifier: Apache-2.0
// Sessions: what address translation knows of a connection beside its entry.
#pragma once

#include "datapath/worker.h"

// Of an entry; NULL: it has none, or its local address is in this configuration no longer.
static inline struct ps_session *ps_session_of(
	const struct ps_worker *w, const struct ps_conn *conn)
{
	const struct ps_conn_peer *peer = ps_conn_peer(&w->table, conn);
	const struct ps_local *local =
		peer->local != 0 ? w->runtime->locals[peer->local - 1] : NULL;

	return local != NULL && local->serial == peer->local_serial
		       ? ps_local_session(local, w->index, peer->local_port)
		       : NULL;
}

// The session of a new entry becomes the packet's. False: no local port is free.
bool ps_session_open(struct ps_worker *w, struct ps_packet *packet, struct ps_conn *conn);
// The session of an entry becomes the packet's. False: there is none.
bool ps_session_join(struct ps_worker *w, struct ps_packet *packet, const struct ps_conn *conn);
// The entry ends; it need not have a session.
void ps_session_close(struct ps_worker *w, const struct ps_conn *conn);
