// SPDX-License-Identifier: Apache-2.0
// Packets of IPv4 that are larger than their way out, and may be fragmented.
#pragma once

#include "datapath/worker.h"

#define PS_PIECES_MAX 8

bool ps_may_fragment(const struct ps_packet *packet);
// Cuts it into pieces of at most `mtu` bytes, all but the last multiples of 8. The first one stays
// in the packet's own buffer; the others are packets of our own, for the same listener and backend.
// Returns how many, or 0: it was dropped. A packet without a listener is an answer of a backend
// that is translated.
uint32_t ps_cut(struct ps_worker *w, const struct ps_packet *packet, uint32_t mtu,
	struct ps_packet pieces[PS_PIECES_MAX]);
