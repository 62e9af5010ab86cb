// SPDX-License-Identifier: Apache-2.0
// What the tests of address translation share: a configuration, packets of both ends with right
// checksums, and what left, read back.
#pragma once

#include "datapath_rig.h"

#define LOCAL4 "10.77.1.12"
#define LOCAL6 "2001:db8:77::12"
#define VIP4 "198.51.100.1"
#define VIP6 "2001:db8:5::1"
#define CLIENT4 "192.0.2.1"
#define CLIENT6 "2001:db8:c::1"
#define BACKEND4 "10.77.1.21"
#define BACKEND6 "2001:db8:77::21"
#define FIRST_PORT 40000
#define PORTS 64 // of one worker
#define SYN RTE_TCP_SYN_FLAG
#define ACK RTE_TCP_ACK_FLAG
#define FIN (RTE_TCP_FIN_FLAG | RTE_TCP_ACK_FLAG)
#define RST RTE_TCP_RST_FLAG

static uint64_t generation;

// Listeners of TCP (port 80) and UDP (53) for each family. `pool`: members of both pools;
// `backend`: of their backends.
static inline char *nat_config(const char *mode, const char *pool, const char *backend)
{
	static char text[4096];

	snprintf(text, sizeof text,
		"{\"generation\":%u,\"addresses\":["
		"{\"port\":0,\"address\":\"10.77.1.11/24\"},"
		"{\"port\":0,\"address\":\"" LOCAL4 "/24\"},"
		"{\"port\":0,\"vlan\":7,\"address\":\"2001:db8:77::11/64\"},"
		"{\"port\":0,\"vlan\":7,\"address\":\"" LOCAL6 "/64\"}],"
		"\"nat\":{\"first_port\":%u,\"last_port\":%u},\"maglev\":{\"size\":251},"
		"\"timeouts\":{\"tcp_syn\":3,\"tcp_established\":20,\"tcp_fin\":2,\"udp\":5},"
		"\"pools\":[{\"name\":\"p4\",\"mode\":\"%s\"%s%s,\"backends\":["
		"{\"name\":\"b\",\"address\":\"" BACKEND4 "\"%s}]},"
		"{\"name\":\"p6\",\"mode\":\"%s\"%s%s,\"backends\":["
		"{\"name\":\"b\",\"address\":\"" BACKEND6 "\"%s}]}],"
		"\"listeners\":["
		"{\"name\":\"t4\",\"address\":\"" VIP4
		"\",\"port\":80,\"protocol\":\"tcp\",\"pool\":\"p4\"},"
		"{\"name\":\"u4\",\"address\":\"" VIP4
		"\",\"port\":53,\"protocol\":\"udp\",\"pool\":\"p4\"},"
		"{\"name\":\"t6\",\"address\":\"" VIP6
		"\",\"port\":80,\"protocol\":\"tcp\",\"pool\":\"p6\"},"
		"{\"name\":\"u6\",\"address\":\"" VIP6
		"\",\"port\":53,\"protocol\":\"udp\",\"pool\":\"p6\"}]}",
		(unsigned)++generation, FIRST_PORT, FIRST_PORT + PORTS - 1, mode,
		strcmp(mode, "nat") == 0 ? ",\"local_addresses\":[\"" LOCAL4 "\"]" : "", pool,
		backend, mode,
		strcmp(mode, "nat") == 0 ? ",\"local_addresses\":[\"" LOCAL6 "\"]" : "", pool,
		backend);
	return text;
}

static inline void nat_configure(const char *pool, const char *backend)
{
	rig_apply(nat_config("nat", pool, backend));
	ps_adopt_runtime(rig.worker);
	rig_resolve_all();
}

// One packet, of either family.
struct packet {
	bool v6;
	uint8_t protocol;
	const char *from, *to;
	uint16_t from_port, to_port;
	uint8_t flags;
	uint32_t sequence, acknowledged;
	uint32_t data;       // bytes
	const char *options; // of TCP
	uint32_t option_size;
};

static inline uint8_t *l4_of(struct frame *f)
{
	uint32_t at = f->bytes[12] == 0x81 ? 4 : 0;

	return f->bytes + at + (f->bytes[12 + at] == 0x86 ? L4_AT6 : L4_AT);
}

static inline struct frame make(struct packet p)
{
	uint32_t head = p.protocol == IPPROTO_TCP
				? (uint32_t)sizeof(struct rte_tcp_hdr) + p.option_size
				: (uint32_t)sizeof(struct rte_udp_hdr);
	struct frame f;

	if (p.v6)
		frame_ipv6(&f, p.from, p.to, p.protocol, head + p.data);
	else
		frame_ipv4(&f, p.from, p.to, p.protocol, head + p.data);
	struct rte_tcp_hdr *tcp = (void *)l4_of(&f);
	struct rte_udp_hdr *udp = (void *)tcp;
	tcp->src_port = htons(p.from_port);
	tcp->dst_port = htons(p.to_port);
	for (uint32_t i = 0; i < p.data; i++)
		l4_of(&f)[head + i] = (uint8_t)(i * 7 + 1);
	if (p.protocol == IPPROTO_TCP) {
		tcp->data_off = (uint8_t)(head / 4 << 4);
		tcp->tcp_flags = p.flags;
		tcp->sent_seq = htonl(p.sequence);
		tcp->recv_ack = htonl(p.acknowledged);
		if (p.option_size > 0)
			memcpy(tcp + 1, p.options, p.option_size);
	} else {
		udp->dgram_len = htons((uint16_t)(head + p.data));
	}
	uint16_t sum = p.v6 ? rte_ipv6_udptcp_cksum((void *)(f.bytes + IP_AT), tcp)
			    : rte_ipv4_udptcp_cksum((void *)(f.bytes + IP_AT), tcp);
	memcpy(l4_of(&f) + (p.protocol == IPPROTO_TCP ? 16 : 6), &sum, sizeof sum);
	return f;
}

static inline struct packet of_client(bool v6, uint16_t port, uint8_t flags)
{
	return (struct packet){.v6 = v6,
		.protocol = IPPROTO_TCP,
		.from = v6 ? CLIENT6 : CLIENT4,
		.to = v6 ? VIP6 : VIP4,
		.from_port = port,
		.to_port = 80,
		.flags = flags};
}

static inline struct packet of_backend(bool v6, uint16_t local, uint8_t flags)
{
	return (struct packet){.v6 = v6,
		.protocol = IPPROTO_TCP,
		.from = v6 ? BACKEND6 : BACKEND4,
		.to = v6 ? LOCAL6 : LOCAL4,
		.from_port = 80,
		.to_port = local,
		.flags = flags};
}

static inline struct packet as_udp(struct packet p, uint32_t data)
{
	p.protocol = IPPROTO_UDP;
	p.data = data;
	p.from_port = p.from_port == 80 ? 53 : p.from_port;
	p.to_port = p.to_port == 80 ? 53 : p.to_port;
	return p;
}

// Clients come in untagged, as their router sends; backends of IPv6 are on VLAN 7.
static inline void send_client(struct packet p)
{
	rig_receive(make(p));
}

static inline void send_backend(struct packet p)
{
	rig_receive(p.v6 ? frame_tagged(make(p), 7) : make(p));
}

// What left, read back; every checksum must be right.
struct seen {
	bool v6;
	uint16_t vlan;
	uint64_t mac;
	char from[INET6_ADDRSTRLEN], to[INET6_ADDRSTRLEN];
	uint8_t ttl;
	uint8_t protocol;
	uint16_t from_port, to_port;
	uint8_t flags;
	uint32_t sequence, acknowledged;
	const uint8_t *options;
	uint32_t option_size;
	const uint8_t *data;
	uint32_t data_size;
};

static inline void read_l4(struct seen *s, const uint8_t *ip, const uint8_t *l4, uint32_t length)
{
	const struct rte_tcp_hdr *tcp = (const void *)l4;
	const struct rte_udp_hdr *udp = (const void *)l4;
	uint32_t head = s->protocol == IPPROTO_TCP ? (tcp->data_off >> 4) * 4u : 8;

	s->from_port = ntohs(tcp->src_port);
	s->to_port = ntohs(tcp->dst_port);
	if (s->protocol == IPPROTO_TCP) {
		s->flags = tcp->tcp_flags;
		s->sequence = ntohl(tcp->sent_seq);
		s->acknowledged = ntohl(tcp->recv_ack);
		s->options = l4 + 20;
		s->option_size = head - 20;
	}
	s->data = l4 + head;
	s->data_size = length - head;
	if (s->protocol == IPPROTO_UDP && udp->dgram_cksum == 0)
		return;
	uint32_t sum = s->v6 ? rte_ipv6_phdr_cksum((const void *)ip, 0)
			     : rte_ipv4_phdr_cksum((const void *)ip, 0);
	sum += rte_raw_cksum(l4, length);
	assert_int_equal((sum & 0xffff) + (sum >> 16), 0xffff);
}

static inline struct seen read_frame(const struct frame *f)
{
	struct seen s = {};
	const uint8_t *ip = f->bytes + IP_AT;

	memcpy(&s.mac, f->bytes, 6);
	if (f->bytes[12] == 0x81) {
		s.vlan = (uint16_t)(f->bytes[14] << 8 | f->bytes[15]);
		ip += 4;
	}
	const struct rte_ipv4_hdr *v4 = (const void *)ip;
	const struct rte_ipv6_hdr *v6 = (const void *)ip;
	uint32_t length, head;
	s.v6 = ip[0] >> 4 == 6;
	if (s.v6) {
		inet_ntop(AF_INET6, v6->src_addr, s.from, sizeof s.from);
		inet_ntop(AF_INET6, v6->dst_addr, s.to, sizeof s.to);
		s.ttl = v6->hop_limits;
		s.protocol = v6->proto;
		length = ntohs(v6->payload_len);
		head = sizeof *v6;
	} else {
		inet_ntop(AF_INET, &v4->src_addr, s.from, sizeof s.from);
		inet_ntop(AF_INET, &v4->dst_addr, s.to, sizeof s.to);
		s.ttl = v4->time_to_live;
		s.protocol = v4->next_proto_id;
		length = ntohs(v4->total_length) - (uint32_t)sizeof *v4;
		head = sizeof *v4;
		assert_int_equal(rte_raw_cksum(v4, sizeof *v4), 0xffff);
	}
	assert_int_equal(f->length, (uint32_t)(ip - f->bytes) + head + length);
	if (s.protocol == IPPROTO_TCP || s.protocol == IPPROTO_UDP)
		read_l4(&s, ip, ip + head, length);
	return s;
}

static inline const struct frame *frame_sent(uint32_t before_last)
{
	assert_true(rig.sent_count > before_last);
	return &rig.sent[(rig.sent_count - 1 - before_last) % RIG_SENT_MAX];
}

static inline struct seen last(void)
{
	return read_frame(frame_sent(0));
}

// A connection of the client's port; returns its local port.
static inline uint16_t open_connection(bool v6, uint16_t port)
{
	send_client(of_client(v6, port, SYN));
	return last().from_port;
}

static inline int nat_end(void **state)
{
	(void)state;
	rig_end();
	return 0;
}
