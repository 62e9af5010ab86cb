// SPDX-License-Identifier: Apache-2.0
// ICMP errors: those that come for a VIP, and those that we send in its name.
#pragma once

#include "datapath/worker.h"

// Of a packet with ICMP of its family.
bool ps_is_icmp_error(const struct ps_packet *packet);
// An error about a packet that a backend sent goes to that backend.
void ps_icmp_error_input(struct ps_worker *w, struct ps_port *in, struct ps_packet *packet);
// Reads what the error quotes; see ps_read_quote(). False: it is malformed.
bool ps_read_error(
	const struct ps_packet *packet, struct ps_packet *flow, struct ps_addresses6 *addresses);
// "Fragmentation needed" or "packet too big".
bool ps_is_too_big(const struct ps_packet *packet);
// Such an error to an own address: a packet did not fit somewhere on the way to a tunnel's backend.
// The client whose packet was in it is told.
void ps_tunnel_error_input(struct ps_worker *w, struct ps_port *in, struct ps_packet *packet);

// A packet that is too large, as far as it is there, and what would fit.
struct ps_quote {
	const uint8_t *bytes;
	uint32_t length;
	uint32_t mtu;
};

// The error `packet` ends; the sender of `flow` is told of the quoted packet, within the rate.
void ps_pass_too_big_on(struct ps_worker *w, struct ps_port *in, struct ps_packet *packet,
	const struct ps_packet *flow, const struct ps_quote *quote);
// The packet is larger than `mtu`, which its way out leaves it, and nobody may fragment it: it is
// dropped, and its sender is told, within the rate. One without a listener is an answer of a
// backend that is translated.
void ps_too_big(
	struct ps_worker *w, struct ps_port *in, const struct ps_packet *packet, uint32_t mtu);
