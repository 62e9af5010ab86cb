// SPDX-License-Identifier: Apache-2.0
// Frames for tests of the packet path: well-formed ones, to be spoiled byte by byte.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <rte_arp.h>
#include <rte_ether.h>
#include <rte_icmp.h>
#include <rte_ip.h>
#include <rte_tcp.h>
#include <rte_udp.h>
#include <string.h>

#define FRAME_MAX 256
#define ETHER_SIZE sizeof(struct rte_ether_hdr)
#define IP_AT ETHER_SIZE
#define L4_AT (ETHER_SIZE + sizeof(struct rte_ipv4_hdr))
#define TEST_MAC 0x000000000002ULL  // 02:00:00:00:00:00, port 0 of the harness
#define TEST_PEER 0x010000000002ULL // 02:00:00:00:00:01

struct frame {
	uint8_t bytes[FRAME_MAX];
	uint32_t length;
};

static inline void frame_checksum(struct frame *f)
{
	struct rte_ipv4_hdr *ip = (void *)(f->bytes + IP_AT);

	ip->hdr_checksum = 0;
	ip->hdr_checksum = rte_ipv4_cksum(ip);
}

static inline void frame_ether(struct frame *f, uint16_t type)
{
	uint64_t to = TEST_MAC, from = TEST_PEER;

	memset(f, 0, sizeof *f);
	memcpy(f->bytes, &to, 6);
	memcpy(f->bytes + 6, &from, 6);
	f->bytes[12] = (uint8_t)(type >> 8);
	f->bytes[13] = (uint8_t)type;
}

static inline void frame_ipv4(
	struct frame *f, const char *from, const char *to, uint8_t protocol, uint32_t l4_size)
{
	struct rte_ipv4_hdr *ip = (void *)(f->bytes + IP_AT);

	frame_ether(f, RTE_ETHER_TYPE_IPV4);
	ip->version_ihl = 0x45;
	ip->total_length = htons((uint16_t)(sizeof *ip + l4_size));
	ip->time_to_live = 64;
	ip->next_proto_id = protocol;
	ip->src_addr = inet_addr(from);
	ip->dst_addr = inet_addr(to);
	frame_checksum(f);
	f->length = (uint32_t)(L4_AT + l4_size);
}

static inline struct frame frame_tcp(
	const char *from, uint16_t from_port, const char *to, uint16_t to_port, uint8_t flags)
{
	struct frame f;
	struct rte_tcp_hdr *tcp = (void *)(f.bytes + L4_AT);

	frame_ipv4(&f, from, to, IPPROTO_TCP, sizeof *tcp);
	tcp->src_port = htons(from_port);
	tcp->dst_port = htons(to_port);
	tcp->data_off = 5 << 4;
	tcp->tcp_flags = flags;
	return f;
}

static inline struct frame frame_udp(
	const char *from, uint16_t from_port, const char *to, uint16_t to_port)
{
	struct frame f;
	struct rte_udp_hdr *udp = (void *)(f.bytes + L4_AT);

	frame_ipv4(&f, from, to, IPPROTO_UDP, sizeof *udp + 4);
	udp->src_port = htons(from_port);
	udp->dst_port = htons(to_port);
	udp->dgram_len = htons(sizeof *udp + 4);
	return f;
}

static inline struct frame frame_echo(const char *from, const char *to)
{
	struct frame f;
	struct rte_icmp_hdr *icmp = (void *)(f.bytes + L4_AT);

	frame_ipv4(&f, from, to, IPPROTO_ICMP, sizeof *icmp + 16);
	icmp->icmp_type = RTE_IP_ICMP_ECHO_REQUEST;
	icmp->icmp_cksum = (uint16_t)~rte_raw_cksum(icmp, sizeof *icmp + 16);
	return f;
}

static inline struct frame frame_arp(
	uint16_t opcode, const char *sender, uint64_t sender_mac, const char *target)
{
	struct frame f;
	struct rte_arp_hdr *arp = (void *)(f.bytes + ETHER_SIZE);

	frame_ether(&f, RTE_ETHER_TYPE_ARP);
	arp->arp_hardware = htons(RTE_ARP_HRD_ETHER);
	arp->arp_protocol = htons(RTE_ETHER_TYPE_IPV4);
	arp->arp_hlen = 6;
	arp->arp_plen = 4;
	arp->arp_opcode = htons(opcode);
	memcpy(&arp->arp_data.arp_sha, &sender_mac, 6);
	arp->arp_data.arp_sip = inet_addr(sender);
	arp->arp_data.arp_tip = inet_addr(target);
	f.length = 60;
	return f;
}

// --- IPv6 ---

#define L4_AT6 (ETHER_SIZE + sizeof(struct rte_ipv6_hdr))

static inline void frame_ipv6(
	struct frame *f, const char *from, const char *to, uint8_t protocol, uint32_t l4_size)
{
	struct rte_ipv6_hdr *ip = (void *)(f->bytes + IP_AT);

	frame_ether(f, RTE_ETHER_TYPE_IPV6);
	ip->vtc_flow = htonl(6u << 28);
	ip->payload_len = htons((uint16_t)l4_size);
	ip->proto = protocol;
	ip->hop_limits = 64;
	inet_pton(AF_INET6, from, ip->src_addr);
	inet_pton(AF_INET6, to, ip->dst_addr);
	f->length = (uint32_t)(L4_AT6 + l4_size);
}

static inline struct frame frame_tcp6(
	const char *from, uint16_t from_port, const char *to, uint16_t to_port, uint8_t flags)
{
	struct frame f;
	struct rte_tcp_hdr *tcp = (void *)(f.bytes + L4_AT6);

	frame_ipv6(&f, from, to, IPPROTO_TCP, sizeof *tcp);
	tcp->src_port = htons(from_port);
	tcp->dst_port = htons(to_port);
	tcp->data_off = 5 << 4;
	tcp->tcp_flags = flags;
	return f;
}

static inline struct frame frame_udp6(
	const char *from, uint16_t from_port, const char *to, uint16_t to_port)
{
	struct frame f;
	struct rte_udp_hdr *udp = (void *)(f.bytes + L4_AT6);

	frame_ipv6(&f, from, to, IPPROTO_UDP, sizeof *udp + 4);
	udp->src_port = htons(from_port);
	udp->dst_port = htons(to_port);
	udp->dgram_len = htons(sizeof *udp + 4);
	return f;
}

// Puts an extension header of `size` bytes (a multiple of 8) of type `type` in front of the rest.
static inline void frame_extend6(struct frame *f, uint8_t type, uint32_t size)
{
	struct rte_ipv6_hdr *ip = (void *)(f->bytes + IP_AT);
	uint8_t *extension = f->bytes + L4_AT6;

	memmove(extension + size, extension, f->length - L4_AT6);
	memset(extension, 0, size);
	extension[0] = ip->proto;
	extension[1] = (uint8_t)(size / 8 - 1);
	ip->proto = type;
	ip->payload_len = htons((uint16_t)(ntohs(ip->payload_len) + size));
	f->length += size;
}

// Of an ICMPv6 message behind the IPv6 header.
static inline void frame_checksum6(struct frame *f)
{
	struct rte_ipv6_hdr *ip = (void *)(f->bytes + IP_AT);
	uint8_t *icmp = f->bytes + L4_AT6;
	uint32_t sum;

	icmp[2] = icmp[3] = 0;
	sum = rte_raw_cksum(icmp, ntohs(ip->payload_len)) + rte_ipv6_phdr_cksum(ip, 0);
	sum = ~((sum & 0xffff) + (sum >> 16));
	memcpy(icmp + 2, &sum, 2);
}

static inline struct frame frame_echo6(const char *from, const char *to)
{
	struct frame f;

	frame_ipv6(&f, from, to, IPPROTO_ICMPV6, 8 + 16);
	f.bytes[L4_AT6] = 128;
	frame_checksum6(&f);
	return f;
}

// A neighbour solicitation (135) or advertisement (136) with the sender's MAC address; 0: without.
static inline struct frame frame_nd(
	uint8_t type, const char *from, const char *to, const char *target, uint64_t mac)
{
	struct frame f;
	struct rte_ipv6_hdr *ip = (void *)(f.bytes + IP_AT);
	uint8_t *nd = f.bytes + L4_AT6;

	frame_ipv6(&f, from, to, IPPROTO_ICMPV6, mac != 0 ? 32 : 24);
	ip->hop_limits = 255;
	nd[0] = type;
	inet_pton(AF_INET6, target, nd + 8);
	if (mac != 0) {
		nd[24] = type == 135 ? 1 : 2;
		nd[25] = 1;
		memcpy(nd + 26, &mac, 6);
	}
	frame_checksum6(&f);
	return f;
}

// --- VLAN ---

static inline struct frame frame_tagged(struct frame f, uint16_t vlan)
{
	memmove(f.bytes + ETHER_SIZE + 2, f.bytes + ETHER_SIZE - 2, f.length - ETHER_SIZE + 2);
	f.bytes[12] = 0x81;
	f.bytes[13] = 0;
	f.bytes[14] = (uint8_t)(vlan >> 8);
	f.bytes[15] = (uint8_t)vlan;
	f.length += 4;
	return f;
}
