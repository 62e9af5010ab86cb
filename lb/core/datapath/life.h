// SPDX-License-Identifier: Apache-2.0
// The end of connections, whoever brings it about.
#pragma once

#include "datapath/conn.h"
#include "datapath/worker.h"

static inline bool ps_is_current_listener(const struct ps_conn *conn, uint16_t epoch)
{
	return epoch != 0 && conn->listener_epoch == PS_LISTENER_EPOCH(epoch);
}

static inline bool ps_is_current_backend(const struct ps_conn *conn, uint16_t epoch)
{
	return epoch != 0 && conn->backend_epoch == PS_BACKEND_EPOCH(epoch);
}

// A connection that the client has finished was closed, however long its entry stayed.
static inline enum ps_lcore_cell ps_expiry_of(const struct ps_conn *conn)
{
	return conn->state == PS_CONN_FIN || conn->state == PS_CONN_RESET
		       ? PS_LCORE_CLOSED_CONNECTIONS
		       : PS_LCORE_EXPIRED_CONNECTIONS;
}

// It is half-open no longer.
void ps_leave_syn(struct ps_worker *w, const struct ps_conn *conn);
// Ends a connection. Rows that have another name by now do not hear of it.
void ps_end_connection(struct ps_worker *w, struct ps_conn *conn, enum ps_lcore_cell how);
// The connection of a key, if it is there, has not expired, and its rows have their names still.
struct ps_conn *ps_live_connection(struct ps_worker *w, uint64_t key);
