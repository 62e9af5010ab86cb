// SPDX-License-Identifier: Apache-2.0
// What a backend answers may come in by any queue, but its session belongs to one worker. Its port
// tells which; of an error about what a client was sent, nothing does, and they look in turn. The
// packet goes there by a ring: consumed here, originated there, so that the ledger of each lcore
// is whole.
#include "datapath/drop.h"
#include "datapath/icmp_error.h"
#include "datapath/nat.h"
#include "datapath/parse.h"
#include "datapath/target.h"

void ps_hand_over(
	struct ps_worker *w, uint32_t owner, const struct ps_port *in, struct rte_mbuf *mbuf)
{
	mbuf->port = in->id;
	mbuf->hash.usr = w->looked + 1;
	if (unlikely(rte_ring_mp_enqueue(w->shared->handover[owner], mbuf) != 0))
		ps_drop(w, mbuf, PS_DROP_HANDOVER_FULL);
	else
		ps_count(w, PS_LCORE_CONSUMED_HANDED_OVER, 1);
}

bool ps_hand_on(struct ps_worker *w, const struct ps_port *in, struct rte_mbuf *mbuf)
{
	uint32_t workers = w->shared->worker_count;

	if (w->looked + 1 >= workers)
		return false;
	ps_hand_over(w, (w->index + 1) % workers, in, mbuf);
	return true;
}

static bool handle(struct ps_worker *w, struct ps_port *in, struct ps_packet *packet)
{
	const struct ps_runtime_entry *address =
		ps_find_target(w->runtime, packet, 0, PS_KEY_ADDRESS);
	bool error = packet->kind == PS_PACKET_OTHER;

	if (address->target == PS_TARGET_VIP && error) {
		ps_icmp_error_input(w, in, packet);
		return true;
	}
	if (address->target != PS_TARGET_OWN)
		return false;
	const struct ps_own *own = &w->runtime->own[address->index];
	return error ? ps_nat_error_input(w, in, packet, own) : ps_nat_input(w, in, packet, own);
}

// The configuration may be another by now than when it was handed over.
static void take_one(struct ps_worker *w, struct rte_mbuf *mbuf)
{
	struct ps_port *in = &w->ports[mbuf->port];
	struct ps_packet packet = {.mbuf = mbuf};

	ps_parse(rte_pktmbuf_mtod(mbuf, const uint8_t *), mbuf->data_len, in->mac, &packet);
	w->looked = mbuf->hash.usr;
	if (!handle(w, in, &packet))
		ps_drop(w, mbuf, PS_DROP_NAT_NO_SESSION);
	w->looked = 0;
}

uint32_t ps_take_over(struct ps_worker *w)
{
	struct rte_ring *ring = w->shared->handover[w->index];
	void *mbufs[PS_BURST];

	if (likely(ring == NULL || rte_ring_empty(ring)))
		return 0;
	unsigned count = rte_ring_sc_dequeue_burst(ring, mbufs, PS_BURST, NULL);
	ps_count(w, PS_LCORE_ORIGINATED_TAKEN_OVER, count);
	for (unsigned i = 0; i < count; i++)
		take_one(w, mbufs[i]);
	return count;
}

void ps_handover_purge(struct ps_worker *w)
{
	struct rte_ring *ring = w->shared->handover[w->index];
	void *mbuf;

	while (ring != NULL && rte_ring_sc_dequeue(ring, &mbuf) == 0) {
		ps_count(w, PS_LCORE_ORIGINATED_TAKEN_OVER, 1);
		ps_drop(w, mbuf, PS_DROP_STOPPING);
	}
}
