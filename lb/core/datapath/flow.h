// SPDX-License-Identifier: Apache-2.0
// The two hashes of a flow.
//
// The Maglev hash chooses the backend. All directors must agree on it, so it is fixed: CRC32C over
// the 5-tuple, then a finaliser, because CRC is linear and alone would map neighbouring clients to
// neighbouring slots. The key's hash finds the place in one worker's table; it is seeded at random
// at each start, so that nobody outside can aim packets at one bucket.
#pragma once

#include "datapath/packet.h"

#include <rte_hash_crc.h>

static inline uint32_t ps_maglev_hash(const struct ps_packet *packet)
{
	uint64_t addresses = (uint64_t)packet->source << 32 | packet->destination;
	uint64_t ports = (uint64_t)packet->source_port << 32 |
			 (uint64_t)packet->destination_port << 16 | packet->protocol;
	uint32_t h = rte_hash_crc_8byte(ports, rte_hash_crc_8byte(addresses, 0xffffffff));

	// The finaliser of MurmurHash3 (public domain, Austin Appleby).
	h ^= h >> 16;
	h *= 0x85ebca6b;
	h ^= h >> 13;
	h *= 0xc2b2ae35;
	return h ^ (h >> 16);
}

// Slot of a table of `size`: the hash as a fraction of 2^32 (no division).
static inline uint32_t ps_maglev_slot(uint32_t hash, uint32_t size)
{
	return (uint32_t)(((uint64_t)hash * size) >> 32);
}

// The source and the listener's row are the whole 5-tuple; a source is never 0, so no key is.
static inline uint64_t ps_flow_key(const struct ps_packet *packet, uint16_t listener_row)
{
	return (uint64_t)packet->source << 32 | (uint64_t)packet->source_port << 16 | listener_row;
}

static inline uint64_t ps_key_hash(uint64_t key, uint64_t seed)
{
	uint64_t h = (key ^ seed) * 0x9e3779b97f4a7c15ULL;

	h = (h ^ (h >> 32)) * 0xd6e8feb86659fd93ULL;
	return h ^ (h >> 32);
}
