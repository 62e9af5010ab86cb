// SPDX-License-Identifier: Apache-2.0
// The way out: a buffer a port, emptied at the end of each burst.
#include "datapath/drop.h"
#include "datapath/stages.h"

#include <rte_cycles.h>

// The queue refused it: what was counted as sent was not.
static void refuse(struct ps_worker *w, struct ps_port *port, struct rte_mbuf *mbuf)
{
	uint16_t vip = ps_owner_vip(mbuf), backend = ps_owner_backend(mbuf);

	ps_count_queue(port, PS_PORT_QUEUE_TX_REFUSED_PACKETS, 1);
	if (vip == PS_NO_ROW) {
		ps_drop(w, mbuf, PS_DROP_TX_FULL);
		return;
	}
	ps_count_backend(w, backend, PS_BACKEND_TX_PACKETS, -1);
	ps_count_backend(w, backend, PS_BACKEND_TX_BYTES, -(uint64_t)mbuf->pkt_len);
	ps_drop_owned(w, mbuf, vip, backend, PS_DROP_TX_FULL);
}

static void flush(struct ps_worker *w, struct ps_port *port)
{
	uint16_t count = port->pending;
	uint64_t bytes = port->pending_bytes;
	uint16_t sent = w->shared->transmit(port->id, port->queue, port->tx, count);
	for (uint16_t i = sent; i < count; i++) {
		bytes -= port->tx[i]->pkt_len;
		refuse(w, port, port->tx[i]);
	}
	port->pending = 0;
	port->pending_bytes = 0;
	ps_count(w, PS_LCORE_TX_PACKETS, sent);
	ps_count(w, PS_LCORE_TX_BYTES, bytes);
	ps_count_queue(port, PS_PORT_QUEUE_TX_PACKETS, sent);
	ps_count_queue(port, PS_PORT_QUEUE_TX_BYTES, bytes);
}

void ps_transmit_packet(
	struct ps_worker *w, struct ps_port *port, struct rte_mbuf *mbuf, uint32_t length)
{
	if (unlikely(port->pending == PS_TX_BUFFER))
		flush(w, port);
	port->tx[port->pending++] = mbuf;
	if (PS_COUNTERS)
		port->pending_bytes += length;
}

void ps_transmit_all(struct ps_worker *w)
{
	uint64_t start = unlikely(w->timed) ? rte_rdtsc() : 0;

	for (uint16_t i = 0; i < w->port_count; i++)
		if (w->ports[i].pending > 0)
			flush(w, &w->ports[i]);
	if (unlikely(w->timed)) {
		ps_count(w, PS_LCORE_STAGE_TRANSMIT_CYCLES, (rte_rdtsc() - start) * PS_TIMED_EVERY);
		w->timed = false;
	}
}
