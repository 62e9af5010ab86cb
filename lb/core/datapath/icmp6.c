// SPDX-License-Identifier: Apache-2.0
// Echo requests to an own IPv6 address, or to a VIP that answers them, are answered in their own
// buffer.
#include "datapath/icmp6.h"

#include "datapath/link.h"

#include <rte_icmp.h>

#define ECHO_REQUEST 128
#define ECHO_REPLY 129
#define REPLY_HOP_LIMIT 64

static enum ps_drop check_echo(const struct ps_packet *packet, const struct rte_icmp_hdr *icmp)
{
	const struct rte_ipv6_hdr *ip = ps_header6(packet);

	if (packet->header_length != sizeof *ip) // extension headers are not to be reflected
		return PS_DROP_ICMPV6_UNSUPPORTED;
	if (packet->l3_length - packet->header_length < (int)sizeof *icmp ||
		!ps_icmp6_checksum_ok(ip, icmp))
		return PS_DROP_ICMPV6_MALFORMED;
	if (icmp->icmp_type != ECHO_REQUEST || icmp->icmp_code != 0 ||
		ps_is_unspecified6(ip->src_addr))
		return PS_DROP_ICMPV6_UNSUPPORTED;
	return PS_NO_DROP;
}

void ps_icmp6_input(struct ps_worker *w, struct ps_port *port, struct ps_packet *packet)
{
	uint8_t *frame = rte_pktmbuf_mtod(packet->mbuf, uint8_t *);
	struct rte_ipv6_hdr *ip = ps_header6(packet);
	struct rte_icmp_hdr *icmp = (void *)((uint8_t *)ip + packet->header_length);
	enum ps_drop drop = check_echo(packet, icmp);
	uint8_t client[16];
	uint64_t peer = 0;

	if (drop != PS_NO_DROP) {
		ps_drop(w, packet->mbuf, drop);
		return;
	}
	memcpy(&peer, frame + RTE_ETHER_ADDR_LEN, RTE_ETHER_ADDR_LEN);
	ps_rewrite_macs(frame, peer, port->mac);
	memcpy(client, ip->src_addr, sizeof client);
	memcpy(ip->src_addr, ip->dst_addr, sizeof client);
	memcpy(ip->dst_addr, client, sizeof client);
	ip->hop_limits = REPLY_HOP_LIMIT;
	icmp->icmp_type = ECHO_REPLY;
	icmp->icmp_cksum = 0;
	icmp->icmp_cksum = ps_icmp6_checksum(ip, icmp);
	ps_answer(w, PS_CONSUMED_ICMPV6_ECHO_REQUEST, PS_ORIGINATED_ICMPV6_ECHO_REPLY);
	ps_set_owner(packet->mbuf, PS_NO_ROW, PS_NO_ROW);
	ps_transmit_packet(w, port, packet->mbuf, packet->frame_length);
}
