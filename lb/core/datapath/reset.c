// SPDX-License-Identifier: Apache-2.0
// Ends a TCP connection on both sides. A RST counts only with the sequence number that its receiver
// waits for (RFC 5961): the client's packet has it for the backend, and its acknowledgement for the
// client. So a connection is reset when it sends something, not before.
#include "datapath/link.h"

#include <rte_ip.h>
#include <rte_tcp.h>

#define TTL 64

static struct rte_tcp_hdr *tcp_of(const struct ps_packet *packet)
{
	uint8_t *frame = rte_pktmbuf_mtod(packet->mbuf, uint8_t *);

	return (void *)(frame + packet->ether_length + packet->header_length);
}

static void finish_ipv4(struct rte_ipv4_hdr *ip, struct rte_tcp_hdr *tcp, uint16_t header_length)
{
	ip->total_length = rte_cpu_to_be_16((uint16_t)(header_length + sizeof *tcp));
	ip->hdr_checksum = 0;
	ip->hdr_checksum = (uint16_t)~rte_raw_cksum(ip, header_length);
	tcp->cksum = rte_ipv4_udptcp_cksum(ip, tcp);
}

// Extension headers may stand between.
static void finish_ipv6(struct rte_ipv6_hdr *ip, struct rte_tcp_hdr *tcp, uint16_t header_length)
{
	struct rte_ipv6_hdr pseudo = *ip;

	pseudo.proto = IPPROTO_TCP;
	pseudo.payload_len = rte_cpu_to_be_16(sizeof *tcp);
	ip->payload_len = rte_cpu_to_be_16((uint16_t)(header_length - sizeof *ip + sizeof *tcp));
	tcp->cksum = rte_ipv6_udptcp_cksum(&pseudo, tcp);
}

// What follows the packet's own sequence number: what it acknowledges itself.
static uint32_t next_sequence(const struct ps_packet *packet, const struct rte_tcp_hdr *tcp)
{
	uint32_t data = packet->l3_length - packet->header_length - (tcp->data_off >> 4) * 4u;

	return rte_be_to_cpu_32(tcp->sent_seq) + data + ((tcp->tcp_flags & RTE_TCP_FIN_FLAG) != 0);
}

static struct rte_tcp_hdr answer(const struct ps_packet *packet)
{
	const struct rte_tcp_hdr *from = tcp_of(packet);
	struct rte_tcp_hdr tcp = {
		.src_port = from->dst_port,
		.dst_port = from->src_port,
		.data_off = sizeof tcp / 4 << 4,
		.tcp_flags = RTE_TCP_RST_FLAG,
	};

	if (from->tcp_flags & RTE_TCP_ACK_FLAG) {
		tcp.sent_seq = from->recv_ack;
	} else {
		tcp.tcp_flags |= RTE_TCP_ACK_FLAG;
		tcp.recv_ack = rte_cpu_to_be_32(next_sequence(packet, from));
	}
	return tcp;
}

static void write_ipv4(uint8_t *at, const struct ps_packet *packet)
{
	struct rte_ipv4_hdr *ip = (void *)at;
	struct rte_tcp_hdr *tcp = (void *)(ip + 1);

	*ip = (struct rte_ipv4_hdr){
		.version_ihl = 0x45,
		.fragment_offset = RTE_BE16(RTE_IPV4_HDR_DF_FLAG),
		.time_to_live = TTL,
		.next_proto_id = IPPROTO_TCP,
		.src_addr = packet->destination,
		.dst_addr = packet->source,
	};
	*tcp = answer(packet);
	finish_ipv4(ip, tcp, sizeof *ip);
}

static void write_ipv6(uint8_t *at, const struct ps_packet *packet)
{
	struct rte_ipv6_hdr *ip = (void *)at;
	struct rte_tcp_hdr *tcp = (void *)(ip + 1);

	*ip = (struct rte_ipv6_hdr){
		.vtc_flow = RTE_BE32(6u << 28),
		.proto = IPPROTO_TCP,
		.hop_limits = TTL,
	};
	memcpy(ip->src_addr, packet->addresses6->destination, sizeof ip->src_addr);
	memcpy(ip->dst_addr, packet->addresses6->source, sizeof ip->dst_addr);
	*tcp = answer(packet);
	finish_ipv6(ip, tcp, sizeof *ip);
}

// Without a buffer there is none: the client's next packet asks again.
static void reset_client(struct ps_worker *w, struct ps_port *port, const struct ps_packet *packet)
{
	const uint8_t *from = rte_pktmbuf_mtod(packet->mbuf, const uint8_t *);
	uint32_t l3 = packet->ipv6 ? sizeof(struct rte_ipv6_hdr) : sizeof(struct rte_ipv4_hdr);
	uint32_t length = packet->ether_length + l3 + (uint32_t)sizeof(struct rte_tcp_hdr);
	struct rte_mbuf *mbuf = rte_pktmbuf_alloc(w->shared->pool);
	uint64_t peer = 0;

	if (mbuf == NULL)
		return;
	uint8_t *frame = (uint8_t *)rte_pktmbuf_append(mbuf, (uint16_t)length);
	memcpy(frame, from, packet->ether_length); // EtherType and VLAN tag
	memcpy(&peer, from + RTE_ETHER_ADDR_LEN, RTE_ETHER_ADDR_LEN);
	ps_rewrite_macs(frame, peer, port->mac);
	if (packet->ipv6)
		write_ipv6(frame + packet->ether_length, packet);
	else
		write_ipv4(frame + packet->ether_length, packet);
	ps_count(w, PS_LCORE_ORIGINATED_TCP_RESET, 1);
	ps_set_owner(mbuf, PS_NO_ROW, PS_NO_ROW);
	ps_transmit_packet(w, port, mbuf, length);
}

// The headers without options, and nothing behind them.
static void become_reset(struct ps_packet *packet)
{
	uint8_t *ip = rte_pktmbuf_mtod(packet->mbuf, uint8_t *) + packet->ether_length;
	struct rte_tcp_hdr *tcp = tcp_of(packet);
	uint16_t length = (uint16_t)(packet->header_length + sizeof *tcp);

	tcp->data_off = sizeof *tcp / 4 << 4;
	tcp->tcp_flags = RTE_TCP_RST_FLAG | (tcp->tcp_flags & RTE_TCP_ACK_FLAG);
	packet->tcp_flags = tcp->tcp_flags;
	tcp->tcp_urp = 0;
	tcp->cksum = 0;
	if (packet->ipv6)
		finish_ipv6((void *)ip, tcp, packet->header_length);
	else
		finish_ipv4((void *)ip, tcp, packet->header_length);
	rte_pktmbuf_trim(packet->mbuf, packet->frame_length - packet->ether_length - length);
	packet->l3_length = length;
	packet->frame_length = (uint16_t)(packet->ether_length + length);
}

void ps_reset_both(struct ps_worker *w, struct ps_port *port, struct ps_packet *packet)
{
	reset_client(w, port, packet);
	become_reset(packet);
}
