// SPDX-License-Identifier: Apache-2.0
#include "datapath/fragment.h"

#include "datapath/drop.h"

#include <rte_ip.h>
#include <string.h>

#define UNIT 8u // of fragment offsets

static struct rte_ipv4_hdr *header_of(const struct ps_packet *packet)
{
	return rte_pktmbuf_mtod_offset(packet->mbuf, struct rte_ipv4_hdr *, packet->ether_length);
}

bool ps_may_fragment(const struct ps_packet *packet)
{
	return !packet->ipv6 &&
	       !(header_of(packet)->fragment_offset & RTE_BE16(RTE_IPV4_HDR_DF_FLAG));
}

static uint32_t end(struct ps_worker *w, const struct ps_packet *packet, enum ps_drop reason)
{
	if (packet->listener != NULL)
		ps_drop_owned(w, packet->mbuf, packet->listener->row, packet->backend, reason);
	else
		ps_drop(w, packet->mbuf, reason);
	return 0;
}

// Its bytes are in place; `at` is where they were behind the packet's IP header.
static void finish(struct ps_packet *piece, uint32_t at, uint32_t length, bool last)
{
	struct rte_ipv4_hdr *ip = header_of(piece);

	piece->l3_length = (uint16_t)(sizeof *ip + length);
	piece->frame_length = (uint16_t)(piece->ether_length + piece->l3_length);
	ip->total_length = rte_cpu_to_be_16(piece->l3_length);
	ip->fragment_offset =
		rte_cpu_to_be_16((uint16_t)(at / UNIT | (last ? 0 : RTE_IPV4_HDR_MF_FLAG)));
	ip->hdr_checksum = 0;
	ip->hdr_checksum = rte_ipv4_cksum(ip);
}

static void copy(const struct ps_packet *packet, struct ps_packet *piece, struct rte_mbuf *mbuf,
	uint32_t at, uint32_t length)
{
	uint32_t head = packet->ether_length + (uint32_t)sizeof(struct rte_ipv4_hdr);
	const uint8_t *from = rte_pktmbuf_mtod(packet->mbuf, const uint8_t *);
	uint8_t *to = (uint8_t *)rte_pktmbuf_append(mbuf, (uint16_t)(head + length));

	*piece = *packet;
	piece->mbuf = mbuf;
	memcpy(to, from, head);
	memcpy(to + head, from + head + at, length);
}

uint32_t ps_cut(struct ps_worker *w, const struct ps_packet *packet, uint32_t mtu,
	struct ps_packet pieces[PS_PIECES_MAX])
{
	uint32_t header = sizeof(struct rte_ipv4_hdr), size = packet->l3_length - header;
	uint32_t each = mtu > header ? (mtu - header) / UNIT * UNIT : 0;
	uint32_t count = each != 0 ? (size + each - 1) / each : PS_PIECES_MAX + 1;
	struct rte_mbuf *mbufs[PS_PIECES_MAX];

	// Options would have to be looked through: some are for the first piece alone.
	if (count > PS_PIECES_MAX || packet->header_length != header)
		return end(w, packet, PS_DROP_EXCEEDS_MTU);
	if (rte_pktmbuf_alloc_bulk(w->shared->pool, mbufs, count - 1) != 0)
		return end(w, packet, PS_DROP_NO_HEADROOM);
	for (uint32_t i = 1; i < count; i++) {
		uint32_t at = i * each, length = RTE_MIN(each, size - at);

		copy(packet, &pieces[i], mbufs[i - 1], at, length);
		finish(&pieces[i], at, length, i + 1 == count);
	}
	pieces[0] = *packet;
	rte_pktmbuf_trim(packet->mbuf,
		(uint16_t)(packet->frame_length - packet->ether_length - header - each));
	finish(&pieces[0], 0, each, false);
	ps_count(w, PS_LCORE_ORIGINATED_FRAGMENT, count - 1);
	if (packet->listener != NULL)
		ps_count_taken(w, packet->listener->row, (count - 1) * PS_TALLY_PACKET);
	return count;
}
