// SPDX-License-Identifier: Apache-2.0
// Frame bytes to struct ps_packet. Pure: no mbuf, no worker, so that it can be fuzzed on exact-size
// buffers. Each check has a drop reason of its own.
#pragma once

#include "counters.h"
#include "datapath/packet.h"

// A MAC address as an integer: its six bytes in the low 48 bits, as they lie in memory.
#define PS_MAC_MASK 0xffffffffffffULL

// Reads `frame` (`length` bytes) that arrived on a port with the MAC address `mac`. Fills every
// field of *packet but the mbuf and what later stages find out, and returns
// PS_NO_DROP, or the reason to drop it, and then *packet is undefined.
enum ps_drop ps_parse(
	const uint8_t *frame, uint32_t length, uint64_t mac, struct ps_packet *packet);
