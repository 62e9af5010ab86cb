// SPDX-License-Identifier: Apache-2.0
// Maglev consistent hashing (Eisenbud et al., NSDI 2016, section 3.4) with weights. Pure: no DPDK.
#pragma once

#include "base/address.h"

#include <stdbool.h>
#include <stdint.h>

#define PS_MAGLEV_MAX_SIZE 16777213u // largest prime below 2^24

// A backend's preference list is offset, offset + skip, offset + 2 * skip, ... modulo the size.
struct ps_maglev_entry {
	uint32_t offset; // 0 .. size - 1
	uint32_t skip;   // 1 .. size - 1
	uint32_t weight; // 0 takes no slot
};

bool ps_is_prime(uint32_t n);

// Fills table[slot] with the index of the entry that owns the slot. Entries take turns in the order
// given. In iteration i = 1, 2, ... an entry takes its next turn only when i * weight has reached
// (turns taken) * (largest weight), so slots are proportional to weights at any ratio, and every
// entry with a weight gets a slot as long as there are enough. Returns 0; -EINVAL when the size is
// not a prime of 2 .. PS_MAGLEV_MAX_SIZE or an entry is out of range; -ENOENT when no entry has a
// weight; -ENOMEM. The table is untouched on errors.
int ps_maglev_build(
	uint32_t size, uint32_t count, const struct ps_maglev_entry entries[], uint32_t table[]);

// A backend as the balancer knows it. Its address alone is its identity: a name may change without
// moving a flow.
struct ps_maglev_backend {
	uint64_t identity;
	uint32_t weight;
};

// An IPv4 address is the number that it is in host byte order; an IPv6 address is hashed, to a
// number that no IPv4 address is.
uint64_t ps_maglev_identity(const struct ps_address *address);

// offset = h1(identity) mod size, skip = h2(identity) mod (size - 1) + 1, with two independent
// 64-bit hashes: the SplitMix64 finalizer over the identity added to one of two odd constants.
struct ps_maglev_entry ps_maglev_entry_of(uint32_t size, struct ps_maglev_backend backend);

// The table that every director builds from these backends, whatever order it was told: turns go by
// ascending identity. table[slot] is an index into `backends`. Errors as ps_maglev_build(), and
// -EEXIST for an identity that is there twice.
int ps_maglev_build_pool(
	uint32_t size, uint32_t count, const struct ps_maglev_backend backends[], uint32_t table[]);

// 64 bits over (slot, identity of its owner): equal tables, equal digests, on any director.
// `identities` gives the identity of an index; NULL: the index itself.
uint64_t ps_maglev_digest(uint32_t size, const uint32_t table[], const uint64_t identities[]);
