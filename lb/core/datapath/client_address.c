// SPDX-License-Identifier: Apache-2.0
// The PROXY header is the first data that the backend gets. The packet that completes the handshake
// carries it: were it to get lost, the backend would ask for that packet again. Until the backend
// has acknowledged the header, every packet that begins with the client's first byte brings it
// again, so that the client's own retransmissions cover it. From then on the client's sequence
// numbers are `shift` behind those that the backend sees.
#include "datapath/client_address.h"

#include "datapath/checksum.h"
#include "datapath/link.h"
#include "datapath/nat.h"

#include <netinet/in.h>
#include <rte_ip.h>
#include <rte_tcp.h>

#define TOA_KIND 254
#define TOA_SIZE4 8u
#define TOA_SIZE6 20u
#define TCP_HEADER_MAX 60u
#define OPTION_END 0
#define OPTION_NOP 1
#define OPTION_SACK 5
#define SEQUENCE_AT offsetof(struct rte_tcp_hdr, sent_seq)
#define ACKNOWLEDGEMENT_AT offsetof(struct rte_tcp_hdr, recv_ack)
#define OFFSET_AT offsetof(struct rte_tcp_hdr, data_off)

struct proxy_header {
	uint8_t signature[12];
	uint8_t version; // 2, command PROXY
	uint8_t family;  // and SOCK_STREAM
	uint16_t length; // of what follows
	union {
		struct {
			uint32_t source;
			uint32_t destination;
			uint16_t source_port;
			uint16_t destination_port;
		} v4;
		struct {
			uint8_t source[16];
			uint8_t destination[16];
			uint16_t source_port;
			uint16_t destination_port;
		} v6;
	};
};

#define PROXY_SIZE4 28u
#define PROXY_SIZE6 52u
static_assert(sizeof(struct proxy_header) == PROXY_SIZE6, "as on the wire");

static struct rte_tcp_hdr *tcp_of(const struct ps_wire *wire)
{
	return (void *)(wire->ip + wire->header_length);
}

static uint32_t tcp_length(const struct rte_tcp_hdr *tcp)
{
	return (tcp->data_off >> 4) * 4u;
}

// Of the packet's own TCP header that `mbuf` holds.
static void set_flags(const struct ps_wire *wire, uint8_t set, uint8_t clear)
{
	struct rte_tcp_hdr word;

	memcpy(&word, tcp_of(wire), sizeof word);
	word.tcp_flags = (uint8_t)((word.tcp_flags | set) & ~clear);
	uint32_t to;
	memcpy(&to, &word.data_off, sizeof to);
	ps_change_tcp_word(wire, OFFSET_AT, to);
}

static void change_checksum(const struct ps_wire *wire, uint32_t change)
{
	struct rte_tcp_hdr *tcp = tcp_of(wire);

	tcp->cksum = ps_checksum_after(tcp->cksum, change);
}

static void change_sequence(const struct ps_wire *wire, uint32_t to)
{
	ps_change_tcp_word(wire, SEQUENCE_AT, rte_cpu_to_be_32(to));
}

// --- TOA ---

static void write_toa(uint8_t *option, const struct ps_session *session, uint32_t size)
{
	option[0] = TOA_KIND;
	option[1] = (uint8_t)size;
	memcpy(option + 2, &session->client_port, sizeof session->client_port);
	if (size == TOA_SIZE4)
		memcpy(option + 4, &session->client.words[3], 4);
	else
		memcpy(option + 4, session->client.bytes, 16);
}

// The headers move to the front, and the option comes behind TCP's fixed part. False: no room.
static bool add_toa(struct ps_packet *packet, uint32_t mtu)
{
	struct ps_wire wire = ps_wire_of(packet);
	uint32_t size = packet->ipv6 ? TOA_SIZE6 : TOA_SIZE4;
	uint32_t front = packet->ether_length + packet->header_length + sizeof(struct rte_tcp_hdr);

	if (tcp_length(tcp_of(&wire)) + size > TCP_HEADER_MAX || packet->l3_length + size > mtu)
		return false;
	uint8_t *frame = (uint8_t *)rte_pktmbuf_prepend(packet->mbuf, (uint16_t)size);
	if (frame == NULL)
		return false;
	memmove(frame, frame + size, front);
	write_toa(frame + front, packet->session, size);
	wire.ip -= size;
	ps_change_length(&wire, (int32_t)size);
	wire.l4_length += size;
	struct rte_tcp_hdr *tcp = tcp_of(&wire);
	tcp->cksum = ps_checksum_after(
		tcp->cksum, ps_sum_change(0, ps_sum_words(frame + front, size / 4)));
	struct rte_tcp_hdr longer = *tcp;
	longer.data_off = (uint8_t)(longer.data_off + (size / 4 << 4));
	uint32_t word;
	memcpy(&word, &longer.data_off, sizeof word);
	ps_change_tcp_word(&wire, OFFSET_AT, word);
	ps_packet_moved(packet, -(int32_t)size);
	packet->l3_length = (uint16_t)(packet->l3_length + size);
	packet->frame_length = (uint16_t)(packet->frame_length + size);
	return true;
}

// The backend's kernel looks for the option where the handshake completes; until it has an answer
// to its first data it may need it again.
static void tell_by_option(struct ps_worker *w, struct ps_packet *packet)
{
	const struct ps_session *session = packet->session;
	const struct ps_wire wire = ps_wire_of(packet);
	uint32_t acknowledged = rte_be_to_cpu_32(tcp_of(&wire)->recv_ack);
	uint8_t out = w->runtime->backends[packet->backend].port;

	if ((packet->tcp_flags & (RTE_TCP_SYN_FLAG | RTE_TCP_RST_FLAG | RTE_TCP_ACK_FLAG)) !=
			RTE_TCP_ACK_FLAG ||
		!(session->flags & PS_SESSION_ANSWERED) || acknowledged != session->backend_isn + 1)
		return;
	if (!add_toa(packet, w->ports[out].mtu))
		ps_count(w, PS_LCORE_TOA_SKIPPED_PACKETS, 1);
}

// --- PROXY protocol ---

static void write_header(struct proxy_header *header, const struct ps_session *session)
{
	*header = (struct proxy_header){
		.signature = "\r\n\r\n\0\r\nQUIT\n",
		.version = 0x21,
	};
	if (session->shift == PROXY_SIZE4) {
		header->family = 0x11;
		header->length = RTE_BE16(sizeof header->v4);
		header->v4.source = session->client.words[3];
		header->v4.destination = session->vip.words[3];
		header->v4.source_port = session->client_port;
		header->v4.destination_port = session->vip_port;
	} else {
		header->family = 0x21;
		header->length = RTE_BE16(sizeof header->v6);
		memcpy(header->v6.source, session->client.bytes, sizeof header->v6.source);
		memcpy(header->v6.destination, session->vip.bytes, sizeof header->v6.destination);
		header->v6.source_port = session->client_port;
		header->v6.destination_port = session->vip_port;
	}
}

// The header becomes the data of a packet that has none. False: no room.
static bool append_header(
	struct rte_mbuf *mbuf, struct ps_wire *wire, const struct ps_session *session)
{
	struct proxy_header header;
	uint8_t *data = (uint8_t *)rte_pktmbuf_append(mbuf, session->shift);

	if (data == NULL)
		return false;
	write_header(&header, session);
	memcpy(data, &header, session->shift);
	ps_change_length(wire, session->shift);
	wire->l4_length += session->shift;
	change_checksum(wire, ps_sum_change(0, ps_sum_words(data, session->shift / 4u)));
	set_flags(wire, RTE_TCP_PSH_FLAG, 0);
	return true;
}

// The packet's headers alone, in a buffer of its own; what is taken off its end comes off its
// checksum. NULL: no buffer.
static struct rte_mbuf *copy_headers(
	struct ps_worker *w, const struct ps_packet *packet, struct ps_wire *wire)
{
	const struct ps_wire from = ps_wire_of(packet);
	uint32_t tcp = tcp_length(tcp_of(&from)), data = from.l4_length - tcp;
	uint32_t length = packet->ether_length + packet->header_length + tcp;
	struct rte_mbuf *mbuf = rte_pktmbuf_alloc(w->shared->pool);

	if (mbuf == NULL)
		return NULL;
	uint8_t *frame = (uint8_t *)rte_pktmbuf_append(mbuf, (uint16_t)length);
	memcpy(frame, from.ip - packet->ether_length, length);
	*wire = from;
	wire->ip = frame + packet->ether_length;
	ps_change_length(wire, -(int32_t)data);
	wire->l4_length = tcp;
	change_checksum(
		wire, ps_sum_change(rte_raw_cksum((const uint8_t *)tcp_of(&from) + tcp, data), 0));
	set_flags(wire, 0, RTE_TCP_FIN_FLAG);
	return mbuf;
}

// A packet of our own with the header, ahead of the client's. Without a buffer, or without the
// backend's MAC address, it does not go: the client's retransmission asks for it again.
static void send_header(struct ps_worker *w, const struct ps_packet *packet)
{
	const struct ps_backend *backend = &w->runtime->backends[packet->backend];
	uint64_t mac = ps_neighbour_mac(&w->shared->neighbours->entries[backend->neighbour]);
	struct ps_port *out = &w->ports[backend->port];
	struct ps_session *session = packet->session;
	const struct ps_ends ends = ps_ends_to_backend(session);
	struct ps_wire wire;
	struct rte_mbuf *mbuf = mac != 0 ? copy_headers(w, packet, &wire) : NULL;

	if (mbuf == NULL)
		return;
	ps_count(w, PS_LCORE_ORIGINATED_PROXY_HEADER, 1);
	ps_set_owner(mbuf, PS_NO_ROW, PS_NO_ROW);
	if (!append_header(mbuf, &wire, session) || !ps_retag(mbuf, backend->vlan)) {
		ps_drop(w, mbuf, PS_DROP_NO_HEADROOM);
		return;
	}
	ps_rewrite(&wire, &ends);
	ps_rewrite_macs(rte_pktmbuf_mtod(mbuf, uint8_t *), mac, out->mac);
	ps_transmit_packet(w, out, mbuf, mbuf->pkt_len);
	session->flags |= PS_SESSION_HEADER_SENT;
}

// Data in a SYN would come before the header: the client sends it again.
static void cut_data(struct ps_packet *packet)
{
	struct ps_wire wire = ps_wire_of(packet);
	uint32_t tcp = tcp_length(tcp_of(&wire)), data = wire.l4_length - tcp;

	if (data == 0)
		return;
	uint32_t sum = rte_raw_cksum((const uint8_t *)tcp_of(&wire) + tcp, data);
	ps_change_length(&wire, -(int32_t)data);
	change_checksum(&wire, ps_sum_change(sum, 0));
	rte_pktmbuf_trim(packet->mbuf, (uint16_t)data);
	packet->l3_length = (uint16_t)(packet->l3_length - data);
	packet->frame_length = (uint16_t)(packet->frame_length - data);
}

// The packet completes the handshake, or it is the client's first byte that comes (again).
static enum ps_drop bring_header(
	struct ps_worker *w, struct ps_packet *packet, struct ps_wire *wire, uint32_t mtu)
{
	struct ps_session *session = packet->session;
	uint32_t data = wire->l4_length - tcp_length(tcp_of(wire));

	if (data != 0 || (packet->tcp_flags & RTE_TCP_FIN_FLAG)) {
		send_header(w, packet);
		change_sequence(wire, session->client_isn + 1 + session->shift);
		return PS_NO_DROP;
	}
	if (packet->l3_length + (uint32_t)session->shift > mtu)
		return PS_DROP_EXCEEDS_MTU;
	if (!append_header(packet->mbuf, wire, session))
		return PS_DROP_NO_HEADROOM;
	packet->l3_length = (uint16_t)(packet->l3_length + session->shift);
	packet->frame_length = (uint16_t)(packet->frame_length + session->shift);
	session->flags |= PS_SESSION_HEADER_SENT;
	return PS_NO_DROP;
}

static enum ps_drop tell_by_header(struct ps_worker *w, struct ps_packet *packet)
{
	struct ps_session *session = packet->session;
	struct ps_wire wire = ps_wire_of(packet);
	uint32_t sequence = rte_be_to_cpu_32(tcp_of(&wire)->sent_seq);
	uint8_t flags = packet->tcp_flags;
	uint8_t out = w->runtime->backends[packet->backend].port;

	session->shift = packet->ipv6 ? PROXY_SIZE6 : PROXY_SIZE4;
	if (flags & RTE_TCP_SYN_FLAG) {
		if (!(session->flags & PS_SESSION_HEADER_TAKEN))
			session->client_isn = sequence;
		cut_data(packet);
		return PS_NO_DROP;
	}
	if ((flags & RTE_TCP_RST_FLAG) && !(session->flags & PS_SESSION_HEADER_SENT))
		return PS_NO_DROP; // the backend has seen nothing but the SYN
	if (!(flags & RTE_TCP_RST_FLAG) && !(session->flags & PS_SESSION_HEADER_TAKEN) &&
		sequence == session->client_isn + 1)
		return bring_header(w, packet, &wire, w->ports[out].mtu);
	change_sequence(&wire, sequence + session->shift);
	return PS_NO_DROP;
}

enum ps_drop ps_client_tell(struct ps_worker *w, struct ps_packet *packet)
{
	if (packet->session->client_address == PS_CLIENT_PROXY_V2)
		return tell_by_header(w, packet);
	if (packet->session->client_address == PS_CLIENT_TOA)
		tell_by_option(w, packet);
	return PS_NO_DROP;
}

// --- what comes back ---

static void shift_edges(const struct ps_wire *wire, uint32_t at, uint32_t length, uint32_t shift)
{
	for (uint32_t edge = at + 2; edge + 4 <= at + length; edge += 4) {
		uint32_t value;
		memcpy(&value, (const uint8_t *)tcp_of(wire) + edge, sizeof value);
		ps_change_tcp_word(wire, edge, rte_cpu_to_be_32(rte_be_to_cpu_32(value) - shift));
	}
}

// Selective acknowledgements are of what the client has sent, too.
static void shift_sack(const struct ps_wire *wire, uint32_t shift)
{
	const uint8_t *tcp = (const void *)tcp_of(wire);
	uint32_t end = tcp_length(tcp_of(wire)), at = sizeof(struct rte_tcp_hdr);

	while (at + 1 < end && tcp[at] != OPTION_END) {
		uint32_t length = tcp[at] == OPTION_NOP ? 1 : tcp[at + 1];

		if (length == 0 || at + length > end)
			return;
		if (tcp[at] == OPTION_SACK)
			shift_edges(wire, at, length, shift);
		at += length;
	}
}

static void shift_answer(struct ps_session *session, const struct ps_wire *wire)
{
	uint32_t first = session->client_isn + 1;
	uint32_t acknowledged = rte_be_to_cpu_32(tcp_of(wire)->recv_ack);
	int32_t beyond = (int32_t)(acknowledged - first);

	if (!(session->flags & PS_SESSION_HEADER_TAKEN)) {
		if (beyond >= (int32_t)session->shift)
			session->flags |= PS_SESSION_HEADER_TAKEN;
		else if (beyond > 0)
			acknowledged = first + session->shift; // a part of it
	}
	if ((session->flags & PS_SESSION_HEADER_TAKEN) || beyond > 0)
		ps_change_tcp_word(
			wire, ACKNOWLEDGEMENT_AT, rte_cpu_to_be_32(acknowledged - session->shift));
	shift_sack(wire, session->shift);
}

void ps_client_answer(struct ps_session *session, const struct ps_wire *wire)
{
	const struct rte_tcp_hdr *tcp = tcp_of(wire);
	uint8_t flags = tcp->tcp_flags;

	if ((flags & (RTE_TCP_SYN_FLAG | RTE_TCP_ACK_FLAG)) ==
		(RTE_TCP_SYN_FLAG | RTE_TCP_ACK_FLAG)) {
		session->backend_isn = rte_be_to_cpu_32(tcp->sent_seq);
		session->flags |= PS_SESSION_ANSWERED;
	}
	if (session->client_address == PS_CLIENT_PROXY_V2 && (flags & RTE_TCP_ACK_FLAG))
		shift_answer(session, wire);
}

void ps_client_quoted(const struct ps_session *session, const struct ps_wire *wire)
{
	uint32_t sequence = rte_be_to_cpu_32(tcp_of(wire)->sent_seq);

	if (session->client_address == PS_CLIENT_PROXY_V2 &&
		(session->flags & PS_SESSION_HEADER_SENT) && sequence != session->client_isn + 1)
		change_sequence(wire, sequence - session->shift);
}
