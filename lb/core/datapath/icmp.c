// SPDX-License-Identifier: Apache-2.0
// Echo requests to an own address, or to a VIP that answers them, are answered in their own buffer.
#include "datapath/link.h"

#include <rte_icmp.h>
#include <rte_ip.h>

#define REPLY_TTL 64

static enum ps_drop check_echo(const struct rte_icmp_hdr *icmp, uint32_t length)
{
	if (length < sizeof *icmp)
		return PS_DROP_ICMP_MALFORMED;
	if (rte_raw_cksum(icmp, length) != 0xffff)
		return PS_DROP_ICMP_MALFORMED;
	if (icmp->icmp_type != RTE_IP_ICMP_ECHO_REQUEST || icmp->icmp_code != 0)
		return PS_DROP_ICMP_UNSUPPORTED;
	return PS_NO_DROP;
}

void ps_icmp_input(struct ps_worker *w, struct ps_port *port, struct ps_packet *packet)
{
	uint8_t *frame = rte_pktmbuf_mtod(packet->mbuf, uint8_t *);
	struct rte_ipv4_hdr *ip = (void *)(frame + packet->ether_length);
	struct rte_icmp_hdr *icmp = (void *)((uint8_t *)ip + packet->header_length);
	uint32_t length = packet->l3_length - packet->header_length;
	enum ps_drop drop = check_echo(icmp, length);
	uint64_t peer = 0;

	if (packet->header_length != sizeof *ip && drop == PS_NO_DROP)
		drop = PS_DROP_ICMP_UNSUPPORTED; // IP options are not to be reflected
	if (drop != PS_NO_DROP) {
		ps_drop(w, packet->mbuf, drop);
		return;
	}
	memcpy(&peer, frame + RTE_ETHER_ADDR_LEN, RTE_ETHER_ADDR_LEN);
	ps_rewrite_macs(frame, peer, port->mac);
	ip->src_addr = packet->destination;
	ip->dst_addr = packet->source;
	ip->time_to_live = REPLY_TTL;
	ip->hdr_checksum = 0;
	ip->hdr_checksum = rte_ipv4_cksum(ip);
	icmp->icmp_type = RTE_IP_ICMP_ECHO_REPLY;
	icmp->icmp_cksum = 0;
	icmp->icmp_cksum = (uint16_t)~rte_raw_cksum(icmp, length);
	ps_answer(w, PS_CONSUMED_ICMP_ECHO_REQUEST, PS_ORIGINATED_ICMP_ECHO_REPLY);
	ps_set_owner(packet->mbuf, PS_NO_ROW, PS_NO_ROW);
	ps_transmit_packet(w, port, packet->mbuf, packet->frame_length);
}
