// SPDX-License-Identifier: Apache-2.0
// The stages of a burst, in their order, a file each. A stage that takes `count` packets leaves the
// ones that go on at the front of the array, in order, and returns how many they are.
#pragma once

#include "datapath/worker.h"

// All of them.
void ps_stages(struct ps_worker *w, struct ps_port *port, struct rte_mbuf **mbufs, uint16_t count);
// parse.c checks bytes; this drops what is malformed and hands ARP and ND over.
uint16_t ps_stage_ingress(struct ps_worker *w, struct ps_port *port, struct rte_mbuf **mbufs,
	uint16_t count, struct ps_packet *packets);
// Finds the listener of each packet; answers or drops what is not for one.
uint16_t ps_stage_classify(
	struct ps_worker *w, struct ps_port *port, struct ps_packet *packets, uint16_t count);
// Finds or makes the connection of each packet, and with it the backend.
uint16_t ps_stage_track(
	struct ps_worker *w, struct ps_port *port, struct ps_packet *packets, uint16_t count);
// Rewrites the MAC addresses or wraps them, and queues each packet for its port. They came in by
// `in`.
void ps_stage_forward(
	struct ps_worker *w, struct ps_port *in, struct ps_packet *packets, uint16_t count);

// --- what the stages call ---

// Sends the client a RST by the way that the packet came, and makes the packet a RST itself.
void ps_reset_both(struct ps_worker *w, struct ps_port *port, struct ps_packet *packet);

// One packet, of a listener and with a backend, through the last stage alone.
void ps_forward(struct ps_worker *w, struct ps_port *in, struct ps_packet *packet);
// One that is ready but for its MAC addresses.
void ps_send_forward(struct ps_worker *w, struct ps_packet *packet);
// The row of the backend that packets of this flow go to, or PS_NO_ROW. Changes nothing.
uint16_t ps_track_peek(struct ps_worker *w, const struct ps_packet *flow);
// Removes connections that expired, a few buckets a call.
void ps_track_sweep(struct ps_worker *w);
void ps_arp_input(struct ps_worker *w, struct ps_port *port, struct ps_packet *packet);
void ps_nd_input(struct ps_worker *w, struct ps_port *port, struct ps_packet *packet);
// Writes a request for the neighbour's MAC address into an empty buffer, without the frame's own
// MAC addresses; `mac` asks. Returns the MAC address to send it to.
uint64_t ps_arp_request(struct rte_mbuf *mbuf, uint64_t mac, const struct ps_neighbour *neighbour);
uint64_t ps_nd_solicit(struct rte_mbuf *mbuf, uint64_t mac, const struct ps_neighbour *neighbour);
// Sends the requests that the main lcore has ordered. Returns how many.
uint32_t ps_resolve_orders(struct ps_worker *w);
void ps_icmp_input(struct ps_worker *w, struct ps_port *port, struct ps_packet *packet);
void ps_icmp6_input(struct ps_worker *w, struct ps_port *port, struct ps_packet *packet);
// Keeps a packet until its backend's MAC address is known.
void ps_hold_packet(struct ps_worker *w, struct ps_packet *packet);
// Sends or drops the packets whose wait is over. Returns how many.
uint32_t ps_hold_check(struct ps_worker *w);
// Drops the packets whose listener or backend `next` does not have; all of them when it is NULL.
void ps_hold_purge(struct ps_worker *w, const struct ps_runtime *next, enum ps_drop reason);
// Queues a packet of `length` bytes for transmission by a port.
void ps_transmit_packet(
	struct ps_worker *w, struct ps_port *port, struct rte_mbuf *mbuf, uint32_t length);
void ps_transmit_all(struct ps_worker *w);
