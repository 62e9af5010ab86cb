// SPDX-License-Identifier: Apache-2.0
#include "hash.h"

#include <string.h>

static inline uint64_t load(const uint8_t *data)
{
	uint64_t word;

	memcpy(&word, data, sizeof(word));
	return word;
}

// The halves of a full product: every bit of it depends on every bit of both factors.
static inline uint64_t fold(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

uint64_t fm_hash(const uint8_t *data, size_t size, const struct fm_secret *secret)
{
	uint64_t state = secret->words[0] ^ size;
	uint8_t last[16] = {0};

	for (; size >= 16; data += 16, size -= 16)
		state = fold(load(data) ^ secret->words[1], load(data + 8) ^ state);
	if (size) {
		memcpy(last, data, size);
		state = fold(load(last) ^ secret->words[1], load(last + 8) ^ state);
	}
	return fold(state ^ secret->words[1], secret->words[0] | 1);
}

struct sip {
	uint64_t v0, v1, v2, v3;
};

static inline uint64_t rotate(uint64_t word, unsigned bits)
{
	return word << bits | word >> (64 - bits);
}

static inline void rounds(struct sip *s, int count)
{
	while (count--) {
		s->v0 += s->v1;
		s->v2 += s->v3;
		s->v1 = rotate(s->v1, 13) ^ s->v0;
		s->v3 = rotate(s->v3, 16) ^ s->v2;
		s->v0 = rotate(s->v0, 32) + s->v3;
		s->v2 += s->v1;
		s->v1 = rotate(s->v1, 17) ^ s->v2;
		s->v3 = rotate(s->v3, 21) ^ s->v0;
		s->v2 = rotate(s->v2, 32);
	}
}

static inline void absorb(struct sip *s, uint64_t word)
{
	s->v3 ^= word;
	rounds(s, 2);
	s->v0 ^= word;
}

uint64_t fm_siphash(const uint8_t *data, size_t size, uint64_t key0, uint64_t key1)
{
	struct sip s = {
		key0 ^ 0x736f6d6570736575,
		key1 ^ 0x646f72616e646f6d,
		key0 ^ 0x6c7967656e657261,
		key1 ^ 0x7465646279746573,
	};
	uint64_t last = (uint64_t)size << 56;

	for (; size >= 8; data += 8, size -= 8)
		absorb(&s, load(data));
	for (size_t i = 0; i < size; i++)
		last |= (uint64_t)data[i] << (8 * i);
	absorb(&s, last);
	s.v2 ^= 0xff;
	rounds(&s, 4);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}
