// SPDX-License-Identifier: Apache-2.0
// Which side of a list an address is on: longest prefix match where there are two answers only.
//
// Prefixes become the ranges between their ends. Neighbouring ranges differ, so the answer is how
// many ranges begin at or below the address: odd or even. A range is 4 bytes (IPv6: 16); an index
// by the first 16 bits shortens the search (as DXR does it; Zec, Rizzo, Mikuc, CCR 2012).
#pragma once

#include "base/address.h"

#include <stdbool.h>
#include <stdint.h>

struct ps_rule {
	struct ps_prefix prefix;
	bool deny;
};

struct ps_ranges {
	bool deny; // what no prefix holds
	uint32_t v4_count;
	uint32_t v6_count;
	uint32_t *v4;       // where ranges begin, as numbers, ascending
	uint64_t (*v6)[2];  // high and low half
	uint32_t *v4_index; // by the first 16 bits, ranges that begin below them; NULL: few ranges
	uint32_t *v6_index;
};

// Of prefixes that are all different. Returns 0, or -ENOMEM; then free it all the same.
int ps_ranges_build(
	struct ps_ranges *ranges, uint32_t count, const struct ps_rule rules[], bool deny);
void ps_ranges_free(struct ps_ranges *ranges);
bool ps_ranges_deny_v4(const struct ps_ranges *ranges, uint32_t address); // network byte order
bool ps_ranges_deny_v6(const struct ps_ranges *ranges, const uint8_t address[16]);
