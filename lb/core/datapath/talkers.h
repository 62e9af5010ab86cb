// SPDX-License-Identifier: Apache-2.0
// Who sends most: the space-saving algorithm (Metwally, Agrawal, El Abbadi, ICDT 2005) over a
// sample of the packets that a worker parsed, in windows of PS_TALKERS_SECONDS.
//
// Of N samples, a count is too large by its error at most, an error is N / PS_TALKERS at most, and
// whoever sent more than N / PS_TALKERS of them is in the table.
#pragma once

#include "base/address.h"
#include "base/evidence.h"

#define PS_TALKERS 128       // counters
#define PS_TALKERS_EVERY 256 // one packet in so many is a sample, on average
#define PS_TALKERS_SECONDS 10
#define PS_TALKERS_HEADS 256

struct ps_worker;
struct ps_packet;

struct ps_talker {
	struct ps_address source;
	struct ps_address destination;
	uint32_t service; // protocol above, port (network byte order) below
	uint8_t next;     // in the chain of its hash; PS_TALKERS: none
	uint8_t place;    // in the heap
	uint8_t head;     // its chain
	uint64_t count;
	uint64_t error; // what the count may be too large by
	uint64_t bytes; // since it is in the table
};

struct ps_talkers {
	struct ps_evidence_lane lane;
	int32_t skip; // packets before the next sample; below 0: it is among the last ones
	uint32_t used;
	uint64_t random;
	uint64_t samples; // of this window
	uint64_t windows; // since boot
	uint64_t written; // records
	uint64_t start_ns;
	uint8_t heap[PS_TALKERS]; // the smallest count first
	uint8_t heads[PS_TALKERS_HEADS];
	struct ps_talker entries[PS_TALKERS];
};

void ps_talkers_init(struct ps_talkers *talkers, struct ps_evidence_lane lane, uint64_t seed);
// One sample. Of *talker, who it is counts.
void ps_talkers_add(struct ps_talkers *talkers, const struct ps_talker *talker, uint32_t bytes);
// Samples among the `count` packets of a burst, by which `skip` was lowered.
void ps_talkers_sample(struct ps_worker *worker, const struct ps_packet *packets, uint16_t count);
// Once a tick: at the end of a window it is written out, and the next begins.
void ps_talkers_tick(struct ps_worker *worker);
