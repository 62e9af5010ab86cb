// SPDX-License-Identifier: Apache-2.0
// Packets that wait for a backend's MAC address: few, and not for long.
#include "datapath/drop.h"
#include "datapath/link.h"
#include "datapath/stages.h"

static const struct ps_backend *backend_of(const struct ps_worker *w, const struct rte_mbuf *mbuf)
{
	return &w->runtime->backends[ps_owner_backend(mbuf)];
}

// The packet is on its way again: to be sent, unless it is dropped now. Its place in the array is
// the caller's.
static void release(struct ps_worker *w, const struct rte_mbuf *mbuf)
{
	w->hold.per_neighbour[backend_of(w, mbuf)->neighbour]--;
	ps_count_vip(w, ps_owner_vip(mbuf), PS_VIP_HELD_PACKETS, -1);
	ps_count_vip(w, ps_owner_vip(mbuf), PS_VIP_TX_PACKETS, 1);
}

void ps_hold_packet(struct ps_worker *w, struct ps_packet *packet)
{
	struct ps_hold *hold = &w->hold;
	uint16_t vip = packet->listener->row;
	uint16_t neighbour = w->runtime->backends[packet->backend].neighbour;

	ps_neighbour_want(&w->shared->neighbours->entries[neighbour]);
	if (hold->count == PS_HELD_MAX || hold->per_neighbour[neighbour] == PS_HELD_PER_NEIGHBOUR) {
		ps_drop_owned(w, packet->mbuf, vip, packet->backend, PS_DROP_NEIGHBOUR_QUEUE_FULL);
		return;
	}
	hold->per_neighbour[neighbour]++;
	hold->packets[hold->count++] = (struct ps_held_packet){
		.mbuf = packet->mbuf,
		.deadline = w->now + w->shared->tsc_hz * PS_HELD_MS / 1000,
	};
	ps_count_vip(w, vip, PS_VIP_HELD_PACKETS, 1);
	ps_count_vip(w, vip, PS_VIP_TX_PACKETS, -1);
	ps_gauge(w, PS_LCORE_HELD_NEIGHBOUR_QUEUE, hold->count);
}

// Sends or drops it; false: it goes on waiting.
static bool settle(struct ps_worker *w, const struct ps_held_packet *held)
{
	const struct ps_backend *backend = backend_of(w, held->mbuf);
	uint64_t mac = ps_neighbour_mac(&w->shared->neighbours->entries[backend->neighbour]);

	if (mac == 0 && w->now < held->deadline)
		return false;
	release(w, held->mbuf);
	if (mac != 0)
		ps_send_owned(w, held->mbuf, ps_owner_backend(held->mbuf), mac);
	else
		ps_drop_owned(w, held->mbuf, ps_owner_vip(held->mbuf), ps_owner_backend(held->mbuf),
			PS_DROP_NEIGHBOUR_UNRESOLVED);
	return true;
}

uint32_t ps_hold_check(struct ps_worker *w)
{
	struct ps_hold *hold = &w->hold;
	uint32_t kept = 0;

	if (likely(hold->count == 0))
		return 0;
	uint64_t learned =
		atomic_load_explicit(&w->shared->neighbours->learned, memory_order_acquire);
	if (learned == hold->learned && w->now < hold->next_check)
		return 0;
	hold->learned = learned;
	hold->next_check = w->now + w->shared->tsc_hz / 1000;
	for (uint32_t i = 0; i < hold->count; i++)
		if (!settle(w, &hold->packets[i]))
			hold->packets[kept++] = hold->packets[i];
	uint32_t settled = hold->count - kept;
	hold->count = kept;
	ps_gauge(w, PS_LCORE_HELD_NEIGHBOUR_QUEUE, kept);
	return settled;
}

static bool survives(
	const struct ps_worker *w, const struct ps_runtime *next, const struct rte_mbuf *mbuf)
{
	uint16_t vip = ps_owner_vip(mbuf), backend = ps_owner_backend(mbuf);

	return next != NULL && next->vip_epochs[vip] == w->runtime->vip_epochs[vip] &&
	       next->backends[backend].epoch == w->runtime->backends[backend].epoch &&
	       ps_same_way(next, w->runtime, backend);
}

void ps_hold_purge(struct ps_worker *w, const struct ps_runtime *next, enum ps_drop reason)
{
	struct ps_hold *hold = &w->hold;
	uint32_t kept = 0;

	for (uint32_t i = 0; i < hold->count; i++) {
		struct rte_mbuf *mbuf = hold->packets[i].mbuf;
		if (survives(w, next, mbuf)) {
			hold->packets[kept++] = hold->packets[i];
			continue;
		}
		release(w, mbuf);
		ps_drop_owned(w, mbuf, ps_owner_vip(mbuf), ps_owner_backend(mbuf), reason);
	}
	hold->count = kept;
	ps_gauge(w, PS_LCORE_HELD_NEIGHBOUR_QUEUE, kept);
}
