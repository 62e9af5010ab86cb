// SPDX-License-Identifier: Apache-2.0
#include "datapath/life.h"

#include "datapath/count.h"
#include "datapath/flow.h"
#include "datapath/schedule.h"
#include "datapath/session.h"
#include "datapath/stages.h"

#define SWEEP_MAX 512 // of one call, when it is behind

void ps_leave_syn(struct ps_worker *w, const struct ps_conn *conn)
{
	uint16_t vip = conn->key & 0xffff;

	if (conn->state != PS_CONN_SYN ||
		!ps_is_current_listener(conn, w->runtime->vip_epochs[vip]))
		return;
	ps_vip_load_of(w, vip)->half_open--;
	ps_count_vip(w, vip, PS_VIP_HALF_OPEN_CONNECTIONS, -1);
}

void ps_end_connection(struct ps_worker *w, struct ps_conn *conn, enum ps_lcore_cell how)
{
	uint16_t vip = conn->key & 0xffff;

	ps_leave_syn(w, conn);
	if (ps_is_current_listener(conn, w->runtime->vip_epochs[vip])) {
		ps_count_vip(w, vip, PS_VIP_ACTIVE_CONNECTIONS, -1);
		ps_vip_load_of(w, vip)->connections--;
	}
	if (ps_is_current_backend(conn, w->runtime->backends[conn->backend].epoch)) {
		ps_count_backend(w, conn->backend, PS_BACKEND_ACTIVE_CONNECTIONS, -1);
		ps_load_of(w, conn->backend)->connections--;
	}
	if (unlikely(w->vip_loads[vip].translated))
		ps_session_close(w, conn);
	ps_count(w, how, 1);
	ps_conn_remove(&w->table, conn);
}

struct ps_conn *ps_live_connection(struct ps_worker *w, uint64_t key)
{
	struct ps_conn *conn = ps_conn_find(&w->table, key, ps_key_hash(key, w->table.seed));

	if (conn == NULL || ps_conn_expired(conn, w->tick) ||
		!ps_is_current_listener(conn, w->runtime->vip_epochs[key & 0xffff]) ||
		!ps_is_current_backend(conn, w->runtime->backends[conn->backend].epoch))
		return NULL;
	return conn;
}

// One of its rows has another name now. It cannot wait for its deadline: until then the row might
// get so many names that the few bits of its epoch that an entry has come round.
static bool is_outdated(const struct ps_worker *w, const struct ps_conn *conn)
{
	uint16_t listener = w->runtime->vip_epochs[conn->key & 0xffff];
	uint16_t backend = w->runtime->backends[conn->backend].epoch;

	return (listener != 0 && !ps_is_current_listener(conn, listener)) ||
	       (backend != 0 && !ps_is_current_backend(conn, backend));
}

static void sweep_bucket(struct ps_worker *w, struct ps_conn_bucket *bucket)
{
	for (uint32_t i = 0; i < PS_CONN_WAYS; i++) {
		struct ps_conn *conn = &bucket->entries[i];
		if (conn->key == 0)
			continue;
		if (ps_conn_expired(conn, w->tick))
			ps_end_connection(w, conn, ps_expiry_of(conn));
		else if (unlikely(is_outdated(w, conn)))
			ps_end_connection(w, conn, PS_LCORE_ORPHANED_CONNECTIONS);
		else if (unlikely(
				 w->runtime->backends[conn->backend].drained == PS_DRAINED_LEAVE)) {
			ps_count(w, PS_LCORE_DRAIN_LEFT_CONNECTIONS, 1);
			ps_end_connection(w, conn, PS_LCORE_ORPHANED_CONNECTIONS);
		}
	}
}

void ps_track_sweep(struct ps_worker *w)
{
	struct ps_conn_table *table = &w->table;

	for (uint32_t n = 0; w->now >= w->next_sweep && n < SWEEP_MAX; n += PS_SWEEP_BUCKETS) {
		for (uint32_t i = 0; i < PS_SWEEP_BUCKETS; i++) {
			sweep_bucket(w, &table->buckets[table->swept]);
			table->swept = (table->swept + 1) & table->mask;
		}
		w->next_sweep += w->sweep_interval;
	}
	if (unlikely(w->now >= w->next_sweep))
		w->next_sweep = w->now; // it was stalled: do not run after the lost time
}
