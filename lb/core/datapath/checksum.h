// SPDX-License-Identifier: Apache-2.0
// Incremental updates of Internet checksums (RFC 1624). What was wrong before stays wrong, as it
// must: the end of the connection is who checks it. Values are as they lie in memory.
#pragma once

#include <rte_branch_prediction.h>
#include <stdint.h>
#include <string.h>

// A ones' complement sum of 16-bit words, of any number that has not lost a carry.
static inline uint16_t ps_sum_fold(uint64_t sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)((sum & 0xffff) + (sum >> 16));
}

// What a checksum changes by when words that add up to `old` become such that add up to `new`.
static inline uint32_t ps_sum_change(uint64_t old, uint64_t new)
{
	return (uint32_t)(uint16_t)~ps_sum_fold(old) + ps_sum_fold(new);
}

static inline uint64_t ps_sum_words(const void *at, uint32_t words)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < words; i++) {
		uint32_t word;
		memcpy(&word, (const uint8_t *)at + 4 * i, sizeof word);
		sum += word;
	}
	return sum;
}

static inline uint16_t ps_checksum_after(uint16_t checksum, uint32_t change)
{
	return (uint16_t)~ps_sum_fold((uint64_t)(uint16_t)~checksum + change);
}
