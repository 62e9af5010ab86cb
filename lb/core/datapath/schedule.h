// SPDX-License-Identifier: Apache-2.0
// Which backend a packet without a connection goes to.
#pragma once

#include "datapath/worker.h"

// The row of a backend, or PS_NO_ROW. `fresh`: it opens a connection that will be in the table, so
// a scheduler may choose what no other packet or director would.
uint16_t ps_choose_backend(struct ps_worker *w, const struct ps_packet *packet, bool fresh);

// By the flow's addresses and ports alone: what every director would choose in mid-flow.
uint16_t ps_choose_by_hash(const struct ps_packet *packet);
// Fetches ahead what that will read.
void ps_choice_prefetch(const struct ps_packet *packet);

// How many connections of the backend this worker has.
static inline struct ps_load *ps_load_of(struct ps_worker *w, uint16_t row)
{
	uint16_t epoch = w->runtime->backends[row].epoch;

	if (unlikely(w->loads[row].epoch != epoch))
		w->loads[row] = (struct ps_load){.epoch = epoch};
	return &w->loads[row];
}

static inline struct ps_vip_load *ps_vip_load_of(struct ps_worker *w, uint16_t row)
{
	uint16_t epoch = w->runtime->vip_epochs[row];

	if (unlikely(w->vip_loads[row].epoch != epoch))
		w->vip_loads[row] = (struct ps_vip_load){
			.epoch = epoch, .translated = w->vip_loads[row].translated};
	return &w->vip_loads[row];
}

// --- quic.c ---
// The backend that the connection id of a QUIC listener's packet names, or PS_NO_ROW; counted.
uint16_t ps_quic_backend(struct ps_worker *w, const struct ps_packet *packet);
