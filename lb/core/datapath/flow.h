// SPDX-License-Identifier: Apache-2.0
// The two hashes of a flow.
//
// The Maglev hash chooses the backend. All directors must agree on it, so it is fixed: CRC32C over
// the 5-tuple, then a finaliser, because CRC is linear and alone would map neighbouring clients to
// neighbouring slots. The key's hash finds the place in one worker's table; it is seeded at random
// at each start, so that nobody outside can aim packets at one bucket.
#pragma once

#include "datapath/packet.h"

#include <rte_branch_prediction.h>
#include <rte_hash_crc.h>
#include <string.h>

static inline uint32_t ps_address_crc(const struct ps_packet *packet)
{
	uint64_t words[4];
	uint32_t crc = 0xffffffff;

	if (likely(!packet->ipv6))
		return rte_hash_crc_8byte(
			(uint64_t)packet->source << 32 | packet->destination, crc);
	memcpy(words, packet->addresses6, sizeof words);
	for (uint32_t i = 0; i < 4; i++)
		crc = rte_hash_crc_8byte(words[i], crc);
	return crc;
}

// The finaliser of MurmurHash3 (public domain, Austin Appleby).
static inline uint32_t ps_finalise(uint32_t h)
{
	h ^= h >> 16;
	h *= 0x85ebca6b;
	h ^= h >> 13;
	h *= 0xc2b2ae35;
	return h ^ (h >> 16);
}

static inline uint32_t ps_maglev_hash(const struct ps_packet *packet)
{
	uint64_t ports = (uint64_t)packet->source_port << 32 |
			 (uint64_t)packet->destination_port << 16 | packet->protocol;

	return ps_finalise(rte_hash_crc_8byte(ports, ps_address_crc(packet)));
}

// Over the client alone: the same for all listeners. Whichever port it has, for port 0.
static inline uint32_t ps_source_hash(const struct ps_packet *packet, uint16_t port)
{
	uint64_t words[2] = {packet->source, 0};

	if (packet->ipv6)
		memcpy(words, packet->addresses6->source, sizeof words);
	uint32_t crc = rte_hash_crc_8byte(words[0], 0xffffffff);
	return ps_finalise(rte_hash_crc_8byte(port, rte_hash_crc_8byte(words[1], crc)));
}

// Slot of a table of `size`: the hash as a fraction of 2^32 (no division).
static inline uint32_t ps_maglev_slot(uint32_t hash, uint32_t size)
{
	return (uint32_t)(((uint64_t)hash * size) >> 32);
}

// The two halves of a product, which all bits of both factors reach.
static inline uint64_t ps_fold(uint64_t a, uint64_t b)
{
	__extension__ typedef unsigned __int128 wide;
	wide product = (wide)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

// A source and the listener's row are the whole 5-tuple; neither an IPv4 source nor the hash of an
// IPv6 one is 0, so no key is.
static inline uint64_t ps_flow_key(const struct ps_packet *packet, uint16_t listener_row)
{
	return (uint64_t)packet->source << 32 | (uint64_t)packet->source_port << 16 | listener_row;
}

static inline uint64_t ps_flow_key6(
	const struct ps_packet *packet, uint16_t listener_row, uint64_t seed)
{
	uint64_t words[2];

	memcpy(words, packet->addresses6->source, sizeof words);
	uint64_t hash = ps_fold(words[0] ^ seed, words[1] ^ 0x9e3779b97f4a7c15ULL);
	hash = ps_fold(hash ^ packet->source_port, seed ^ 0xd6e8feb86659fd93ULL) & ~0xffffULL;
	return (hash != 0 ? hash : 0x10000) | listener_row;
}

static inline uint64_t ps_key_hash(uint64_t key, uint64_t seed)
{
	uint64_t h = (key ^ seed) * 0x9e3779b97f4a7c15ULL;

	h = (h ^ (h >> 32)) * 0xd6e8feb86659fd93ULL;
	return h ^ (h >> 32);
}
