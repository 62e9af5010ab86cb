// SPDX-License-Identifier: Apache-2.0
#include "bench/templates.h"

#include <arpa/inet.h>
#include <jansson.h>
#include <netinet/in.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_malloc.h>
#include <rte_tcp.h>
#include <rte_udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PORT 80

static const uint32_t vips[PS_FAMILIES] = {
	[PS_FAMILY_TCP4] = 0xc6336401, // 198.51.100.1
	[PS_FAMILY_UDP4] = 0xc6336401,
	[PS_FAMILY_IPIP4] = 0xc6336402,
};

// 2001:db8::1
static const uint8_t vip6[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 1};

static void *put_ethernet(uint8_t *frame, uint16_t type)
{
	struct rte_ether_hdr *ether = (void *)frame;

	ether->dst_addr = (struct rte_ether_addr){{0x02, 0, 0, 0, 0, 0}};
	ether->src_addr = (struct rte_ether_addr){{0x02, 0, 0, 0, 1, 0}};
	ether->ether_type = rte_cpu_to_be_16(type);
	return ether + 1;
}

static void *put_ipv4(
	struct rte_ipv4_hdr *ip, uint32_t flow, uint32_t vip, uint8_t protocol, size_t payload)
{
	ip->version_ihl = 0x45;
	ip->total_length = htons((uint16_t)(sizeof *ip + payload));
	ip->time_to_live = 64;
	ip->next_proto_id = protocol;
	ip->src_addr = htonl(0x0a000000u + (flow >> 4));
	ip->dst_addr = htonl(vip);
	ip->hdr_checksum = rte_ipv4_cksum(ip);
	return ip + 1;
}

static void *put_ipv6(struct rte_ipv6_hdr *ip, uint32_t flow, uint8_t protocol, size_t payload)
{
	uint32_t client = htonl(flow >> 4);

	ip->vtc_flow = htonl(6u << 28);
	ip->payload_len = htons((uint16_t)payload);
	ip->proto = protocol;
	ip->hop_limits = 64;
	memcpy(ip->src_addr, vip6, 8);
	ip->src_addr[7] = 1;
	memcpy(ip->src_addr + 12, &client, sizeof client);
	memcpy(ip->dst_addr, vip6, sizeof vip6);
	return ip + 1;
}

static uint16_t source_port(uint32_t flow)
{
	return htons((uint16_t)(20000 + (flow & 15) * 7));
}

static void put_tcp(struct rte_tcp_hdr *tcp, uint32_t flow)
{
	tcp->src_port = source_port(flow);
	tcp->dst_port = htons(PORT);
	tcp->data_off = 5 << 4;
}

static void put_udp(struct rte_udp_hdr *udp, uint32_t flow)
{
	udp->src_port = source_port(flow);
	udp->dst_port = htons(PORT);
	udp->dgram_len = htons(sizeof *udp);
}

static void make_frame(uint8_t *frame, enum ps_family family, uint32_t flow)
{
	if (family == PS_FAMILY_TCP6) {
		put_tcp(put_ipv6(put_ethernet(frame, RTE_ETHER_TYPE_IPV6), flow, IPPROTO_TCP,
				sizeof(struct rte_tcp_hdr)),
			flow);
		return;
	}
	void *ip = put_ethernet(frame, RTE_ETHER_TYPE_IPV4);
	if (family == PS_FAMILY_UDP4)
		put_udp(put_ipv4(ip, flow, vips[family], IPPROTO_UDP, sizeof(struct rte_udp_hdr)),
			flow);
	else
		put_tcp(put_ipv4(ip, flow, vips[family], IPPROTO_TCP, sizeof(struct rte_tcp_hdr)),
			flow);
}

void ps_templates_create(struct ps_templates *templates, uint32_t bytes)
{
	*templates = (struct ps_templates){.frames = rte_malloc("templates", bytes, 64)};
	if (templates->frames != NULL)
		return;
	fputs("bench: no memory for the templates\n", stderr);
	exit(1);
}

void ps_templates_fill(struct ps_templates *templates, enum ps_family family, uint32_t flows)
{
	bool ipv6 = family == PS_FAMILY_TCP6;
	size_t l3 = ipv6 ? sizeof(struct rte_ipv6_hdr) : sizeof(struct rte_ipv4_hdr);
	size_t headers = sizeof(struct rte_ether_hdr) + l3;

	templates->flows = flows;
	templates->stride = ipv6 ? 128 : 64;
	templates->length = ipv6 ? (uint16_t)(headers + sizeof(struct rte_tcp_hdr)) : 60;
	templates->flags_at =
		family == PS_FAMILY_UDP4
			? 0
			: (uint16_t)(headers + offsetof(struct rte_tcp_hdr, tcp_flags));
	memset(templates->frames, 0, (size_t)flows * templates->stride);
	for (uint32_t i = 0; i < flows; i++)
		make_frame(templates->frames + (size_t)i * templates->stride, family, i);
}

void ps_templates_set_flags(struct ps_templates *templates, uint8_t flags)
{
	if (templates->flags_at == 0)
		return;
	for (size_t i = 0; i < templates->flows; i++)
		templates->frames[i * templates->stride + templates->flags_at] = flags;
}

void ps_templates_free(struct ps_templates *templates)
{
	rte_free(templates->frames);
}

static json_t *make_pool(const char *name, const char *mode, uint32_t third_byte)
{
	json_t *backends = json_array();
	char backend[16], address[16];

	for (uint32_t i = 0; i < PS_TEMPLATE_BACKENDS; i++) {
		snprintf(backend, sizeof backend, "b%u", i);
		snprintf(address, sizeof address, "10.77.%u.%u", third_byte, 20 + i);
		json_array_append_new(
			backends, json_pack("{s:s, s:s}", "name", backend, "address", address));
	}
	return json_pack("{s:s, s:s, s:o}", "name", name, "mode", mode, "backends", backends);
}

static json_t *make_listener(
	const char *name, const char *address, const char *protocol, const char *pool)
{
	return json_pack("{s:s, s:s, s:i, s:s, s:s}", "name", name, "address", address, "port",
		PORT, "protocol", protocol, "pool", pool);
}

char *ps_templates_config(void)
{
	json_t *config = json_pack("{s:i, s:[{s:i, s:s}], s:[o, o], s:[o, o, o, o]}", "generation",
		1, "addresses", "port", 0, "address", "10.77.1.11/16", "pools",
		make_pool("web", "dsr", 1), make_pool("far", "ipip", 2), "listeners",
		make_listener("tcp4", "198.51.100.1", "tcp", "web"),
		make_listener("udp4", "198.51.100.1", "udp", "web"),
		make_listener("tcp6", "2001:db8::1", "tcp", "web"),
		make_listener("ipip4", "198.51.100.2", "tcp", "far"));
	char *text = json_dumps(config, 0);

	json_decref(config);
	return text;
}
