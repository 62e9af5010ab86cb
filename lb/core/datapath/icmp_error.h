// SPDX-License-Identifier: Apache-2.0
// ICMP errors: those that come for a VIP, and those that we send in its name.
#pragma once

#include "datapath/worker.h"

// Of a packet with ICMP of its family.
bool ps_is_icmp_error(const struct ps_packet *packet);
// An error about a packet that a backend sent goes to that backend.
void ps_icmp_error_input(struct ps_worker *w, struct ps_port *in, struct ps_packet *packet);
// The packet is larger than `mtu`, which its way out leaves it, and nobody may fragment it: it is
// dropped, and its sender is told, within the rate.
void ps_tell_too_big(
	struct ps_worker *w, struct ps_port *in, const struct ps_packet *packet, uint32_t mtu);
