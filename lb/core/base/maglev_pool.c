// SPDX-License-Identifier: Apache-2.0
// From backends to a Maglev table that all directors agree on.
#include "base/maglev.h"

#include <errno.h>
#include <stdlib.h>

// The finalizer of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014; constants of Stafford's mix 13).
static inline uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

uint64_t ps_maglev_identity(const struct ps_address *address)
{
	if (ps_address_is_v4(address))
		return ntohl(address->words[3]);
	uint64_t high = ((uint64_t)ntohl(address->words[0]) << 32) | ntohl(address->words[1]);
	uint64_t low = ((uint64_t)ntohl(address->words[2]) << 32) | ntohl(address->words[3]);
	return mix(mix(high) + low) | 1ULL << 63;
}

struct ps_maglev_entry ps_maglev_entry_of(uint32_t size, struct ps_maglev_backend backend)
{
	uint64_t h1 = mix(backend.identity + 0x9e3779b97f4a7c15);
	uint64_t h2 = mix(backend.identity + 0xd1b54a32d192ed03);

	return (struct ps_maglev_entry){
		.offset = (uint32_t)(h1 % size),
		.skip = (uint32_t)(h2 % (size - 1)) + 1,
		.weight = backend.weight,
	};
}

struct place {
	uint64_t identity;
	uint32_t index;
};

static int by_identity(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	return (x->identity > y->identity) - (x->identity < y->identity);
}

int ps_maglev_build_pool(
	uint32_t size, uint32_t count, const struct ps_maglev_backend backends[], uint32_t table[])
{
	if (size < 2)
		return -EINVAL;
	struct place *places = calloc(count ? count : 1, sizeof(*places));
	struct ps_maglev_entry *entries = calloc(count ? count : 1, sizeof(*entries));
	bool sorted = true;
	int rc = -ENOMEM;

	if (!places || !entries)
		goto out;
	for (uint32_t i = 0; i < count; i++) {
		places[i] = (struct place){backends[i].identity, i};
		sorted = sorted && (i == 0 || places[i - 1].identity < places[i].identity);
	}
	if (!sorted)
		qsort(places, count, sizeof(*places), by_identity);
	rc = -EEXIST;
	for (uint32_t i = 0; i < count; i++) {
		if (i && places[i].identity == places[i - 1].identity)
			goto out;
		entries[i] = ps_maglev_entry_of(size, backends[places[i].index]);
	}
	rc = ps_maglev_build(size, count, entries, table);
	for (uint32_t slot = 0; rc == 0 && slot < size; slot++)
		table[slot] = places[table[slot]].index;
out:
	free(entries);
	free(places);
	return rc;
}

uint64_t ps_maglev_digest(uint32_t size, const uint32_t table[], const uint64_t identities[])
{
	uint64_t sum = size;

	// A sum of mixed words, not a chain: the additions do not wait for each other.
	for (uint32_t slot = 0; slot < size; slot++) {
		uint64_t owner = identities ? identities[table[slot]] : table[slot];

		sum += mix(((uint64_t)slot << 32 ^ owner) + 0x9e3779b97f4a7c15);
	}
	return mix(sum);
}
