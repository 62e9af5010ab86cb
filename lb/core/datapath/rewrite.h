// SPDX-License-Identifier: Apache-2.0
// The one change that direct server return makes to a frame: its MAC addresses.
#pragma once

#include "datapath/count.h"
#include "datapath/stages.h"

#include <string.h>

// Each MAC address is the low 48 bits of its number. The frame has 14 bytes at least.
static inline void ps_rewrite_macs(uint8_t *frame, uint64_t destination, uint64_t source)
{
	uint64_t low = destination | source << 48;
	uint32_t high = (uint32_t)(source >> 16);

	memcpy(frame, &low, sizeof low);
	memcpy(frame + sizeof low, &high, sizeof high);
}

// Sends a packet of a listener (see ps_set_owner()), `length` bytes, to its backend.
static inline void ps_send_owned(struct ps_worker *w, struct ps_port *port, struct rte_mbuf *mbuf,
	uint32_t length, uint16_t backend, uint64_t mac)
{
	ps_rewrite_macs(rte_pktmbuf_mtod(mbuf, uint8_t *), mac, port->mac);
	ps_count_sent(w, backend, length);
	ps_transmit_packet(w, port, mbuf, length);
}
