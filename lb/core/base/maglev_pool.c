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

struct ps_maglev_entry ps_maglev_entry_of(uint32_t size, struct ps_maglev_backend backend)
{
	uint64_t h1 = mix(backend.address + 0x9e3779b97f4a7c15);
	uint64_t h2 = mix(backend.address + 0xd1b54a32d192ed03);

	return (struct ps_maglev_entry){
		.offset = (uint32_t)(h1 % size),
		.skip = (uint32_t)(h2 % (size - 1)) + 1,
		.weight = backend.weight,
	};
}

struct place {
	uint32_t address;
	uint32_t index;
};

static int by_address(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	return (x->address > y->address) - (x->address < y->address);
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
		places[i] = (struct place){backends[i].address, i};
		sorted = sorted && (i == 0 || places[i - 1].address < places[i].address);
	}
	if (!sorted)
		qsort(places, count, sizeof(*places), by_address);
	rc = -EEXIST;
	for (uint32_t i = 0; i < count; i++) {
		if (i && places[i].address == places[i - 1].address)
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

uint64_t ps_maglev_digest(uint32_t size, const uint32_t table[], const uint32_t identities[])
{
	uint64_t sum = size;

	// A sum of mixed words, not a chain: the additions do not wait for each other.
	for (uint32_t slot = 0; slot < size; slot++) {
		uint32_t owner = identities ? identities[table[slot]] : table[slot];

		sum += mix(((uint64_t)slot << 32 | owner) + 0x9e3779b97f4a7c15);
	}
	return mix(sum);
}
