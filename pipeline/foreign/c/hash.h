// SPDX-License-Identifier: Apache-2.0
// Two hashes: a fast one for the table in memory, whose secret changes with each process, and
// SipHash-2-4 for the fingerprint that is stored.
#pragma once

#include <stddef.h>
#include <stdint.h>

struct fm_secret {
	uint64_t words[2];
};

uint64_t fm_hash(const uint8_t *data, size_t size, const struct fm_secret *secret);

// Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012.
uint64_t fm_siphash(const uint8_t *data, size_t size, uint64_t key0, uint64_t key1);
