// SPDX-License-Identifier: Apache-2.0
// Packets become the payload of others, to backends beyond the link.
#pragma once

#include "datapath/worker.h"

// Puts the tunnel's headers, and an Ethernet header whose MAC addresses are to be written, in front
// of the packet. What was behind the packet in its frame is gone. False: no room.
//
// The outer packet has the inner one's DSCP and ECN (RFC 6040, normal mode) and a TTL of 64. The
// inner TTL stays: a director stands in for the last hop, as it does in direct server return.
bool ps_encapsulate(
	struct ps_worker *w, const struct ps_tunnel *tunnel, const struct ps_packet *packet);
