// SPDX-License-Identifier: Apache-2.0
// QUIC: packets of one connection go to one backend though the client's address changes. The
// server id is in the connection id as it is (draft-ietf-quic-load-balancers, "plaintext"): three
// bits of configuration in the first byte, then the id, then what makes each connection another's.
#include "datapath/count.h"
#include "datapath/schedule.h"

#include <rte_udp.h>

#define LONG_HEADER 0x80
#define VERSION_1 0x00000001u
#define VERSION_2 0x6b3343cfu
#define CONNECTION_ID_MAX 20 // of both versions
#define LONG_ID_AT 6         // first byte, version, length
#define SHORT_ID_AT 1

struct id {
	const uint8_t *bytes;
	uint32_t length;
};

enum outcome {
	NAMED,
	NOT_NAMED, // by the client's own id, by one of another configuration, or of no backend
	MALFORMED,
};

// Initial and 0-RTT packets: the client made up the id that they have, at first at least.
static bool is_clients_own(uint8_t first, uint32_t version)
{
	uint8_t type = first >> 4 & 3;

	if (version == VERSION_1)
		return type <= 1;
	if (version == VERSION_2)
		return type == 1 || type == 2;
	return true; // nothing is known of its types
}

static enum outcome read_long(const uint8_t *data, uint32_t length, struct id *id)
{
	uint32_t version;

	if (length < LONG_ID_AT)
		return MALFORMED;
	memcpy(&version, data + 1, sizeof version);
	version = rte_be_to_cpu_32(version);
	*id = (struct id){data + LONG_ID_AT, data[LONG_ID_AT - 1]};
	if (id->length > length - LONG_ID_AT)
		return MALFORMED;
	if ((version == VERSION_1 || version == VERSION_2) && id->length > CONNECTION_ID_MAX)
		return MALFORMED;
	return is_clients_own(data[0], version) ? NOT_NAMED : NAMED;
}

// The length of a short header's id is not in the packet: all may be id.
static enum outcome read_short(
	const uint8_t *data, uint32_t length, uint32_t server_id_length, struct id *id)
{
	*id = (struct id){data + SHORT_ID_AT, length - SHORT_ID_AT};
	return id->length < 1 + server_id_length ? MALFORMED : NAMED;
}

static enum outcome read_id(
	const struct ps_packet *packet, const struct ps_listener *listener, struct id *id)
{
	const uint8_t *frame = rte_pktmbuf_mtod(packet->mbuf, const uint8_t *);
	const struct rte_udp_hdr *udp =
		(const void *)(frame + packet->ether_length + packet->header_length);
	const uint8_t *data = (const uint8_t *)(udp + 1);
	uint32_t length = rte_be_to_cpu_16(udp->dgram_len) - (uint32_t)sizeof *udp;

	if (length == 0)
		return MALFORMED;
	return data[0] & LONG_HEADER ? read_long(data, length, id)
				     : read_short(data, length, listener->server_id_length, id);
}

static enum outcome find_server(const struct ps_worker *w, const struct ps_listener *listener,
	const struct id *id, uint16_t *row)
{
	uint8_t server[PS_SERVER_ID_MAX] = {};

	if (id->length < 1u + listener->server_id_length ||
		id->bytes[0] >> 5 != listener->quic_rotation || listener->pool->servers == NULL)
		return NOT_NAMED;
	memcpy(server, id->bytes + 1, listener->server_id_length);
	const struct ps_server *found = ps_server_find(listener->pool->servers, server);
	*row = found->row;
	return found->used && !w->runtime->backends[found->row].drained ? NAMED : NOT_NAMED;
}

uint16_t ps_quic_backend(struct ps_worker *w, const struct ps_packet *packet)
{
	static const enum ps_vip_cell cells[] = {
		[NAMED] = PS_VIP_QUIC_ROUTED_PACKETS,
		[NOT_NAMED] = PS_VIP_QUIC_FALLBACK_PACKETS,
		[MALFORMED] = PS_VIP_QUIC_MALFORMED_PACKETS,
	};
	const struct ps_listener *listener = packet->listener;
	uint16_t row = PS_NO_ROW;
	struct id id;
	enum outcome outcome = read_id(packet, listener, &id);

	if (outcome == NAMED)
		outcome = find_server(w, listener, &id, &row);
	ps_count_vip(w, listener->row, cells[outcome], 1);
	return outcome == NAMED ? row : PS_NO_ROW;
}
