// SPDX-License-Identifier: Apache-2.0
// The evidence file: what a core keeps of single packets, for whoever asks why. It lies beside the
// segment of the same boot, <run dir>/evidence-<boot id, 16 hex digits>, and outlives it: the core
// unlinks old ones when it starts. All integers are little endian; offsets, never pointers.
//
//   header | directory (blocks) | fields (one list a block) | records
//
// A block holds rings of records, a lane of them for each writer. Record n of a ring (from 0) lies
// at place n % records of the ring and begins with its sequence number: 2n + 2 when it is whole,
// odd while it is written, 0 when it never was. So a reader that copies a record and finds the same
// even number before and after has a whole one, and numbers that are missing between those of two
// looks are records that were overwritten unseen. A writer never waits. Record p of ring r of lane
// l lies at offset + l * lane_stride + (r * records + p) * record_stride.
//
//   block    lanes    rings of a lane             records
//   reason   1        one a drop reason           1: its name
//   vip      1        one a row of the scope      1: the latest name of the row
//   backend  1        one a row of the scope      1: the latest name of the row
//   drop     workers  one a drop reason           PS_EVIDENCE_SAMPLES
//   cell     1        one a cell of scope lcore   1: its name
//   trace    workers  1                           PS_EVIDENCE_TRACED
//   talker   workers  1                           PS_EVIDENCE_TALKERS
#pragma once

#include <assert.h>
#include <stdint.h>

#define PS_EVIDENCE_MAGIC "POPSEVID"
#define PS_EVIDENCE_LAYOUT 1
#define PS_EVIDENCE_PREFIX "evidence-"
#define PS_EVIDENCE_ALIGN 64

#define PS_EVIDENCE_SAMPLES 32  // kept of each reason, by each worker
#define PS_EVIDENCE_TRACED 256  // packets kept by each worker
#define PS_EVIDENCE_TALKERS 512 // of some windows, by each worker
#define PS_EVIDENCE_BYTES 128   // of a packet

// Begins as the header of a segment does. The magic is stored last.
struct ps_evidence_header {
	char magic[8];
	uint32_t layout;      // PS_EVIDENCE_LAYOUT
	uint32_t header_size; // sizeof(struct ps_evidence_header)
	uint64_t total_size;  // bytes of the file
	uint64_t catalogue_hash;
	uint64_t boot_id;       // that of the segment
	uint64_t start_time_ns; // CLOCK_REALTIME
	uint64_t tsc_hz;
	uint64_t directory_offset;
	uint32_t directory_count;
	uint32_t block_size; // sizeof(struct ps_evidence_block)
	uint32_t field_size; // sizeof(struct ps_evidence_field)
	uint32_t pid;
	char instance[64];
	char version[32];
};

struct ps_evidence_block {
	char name[16];
	uint64_t offset;
	uint64_t lane_stride;
	uint32_t record_stride;
	uint32_t lanes;
	uint32_t rings;   // of a lane
	uint32_t records; // of a ring
	uint64_t fields_offset;
	uint32_t field_count;
	uint32_t reserved;
};

enum ps_evidence_type {
	PS_EVIDENCE_NUMBER = 0, // unsigned, of 1, 2, 4 or 8 bytes
	PS_EVIDENCE_DATA = 1,   // bytes
	PS_EVIDENCE_TEXT = 2,   // UTF-8, ended by a NUL
};

struct ps_evidence_field {
	char name[32];
	uint32_t offset; // in the record
	uint32_t size;
	uint32_t type; // enum ps_evidence_type
	uint32_t reserved;
	char help[80];
};

// A drop reason, or a cell of the scope lcore (its field's id; a histogram is its first cell).
struct ps_evidence_reason {
	uint64_t sequence;
	uint64_t cell;
	char name[48];
};

// The name of a row, and the epoch that it got with it: a record with another epoch is of a row
// that had another name.
struct ps_evidence_name {
	uint64_t sequence;
	uint64_t epoch;
	char values[240]; // as in struct ps_segment_name
};

// A dropped packet, as it was when it was dropped.
struct ps_evidence_drop {
	uint64_t sequence;
	uint64_t time_ns; // CLOCK_REALTIME
	uint64_t dropped; // of this reason by this worker since boot, this packet included
	uint32_t length;  // of the frame
	uint16_t lcore;   // as in the names of scope lcore
	uint16_t port;    // that it came in by; 0xffff: the core made it itself
	uint16_t vip;     // the listener's row; 0xffff: none was found yet
	uint16_t vip_epoch;
	uint16_t backend; // the backend's row; 0xffff: none was chosen yet
	uint16_t backend_epoch;
	uint16_t captured; // bytes of the frame in `bytes`
	uint8_t reserved[22];
	uint8_t bytes[PS_EVIDENCE_BYTES];
};

enum ps_trace_stage {
	PS_TRACE_INGRESS,
	PS_TRACE_CLASSIFY,
	PS_TRACE_TRACK,
	PS_TRACE_FORWARD,
	PS_TRACE_TRANSMIT,
};

#define PS_TRACE_STEPS 16

// A counter of the scope lcore that the packet moved.
struct ps_trace_step {
	uint8_t stage; // enum ps_trace_stage
	uint8_t fell;  // a gauge that fell
	uint16_t cell;
};

// A packet that was traced: as it came in, and what became of it.
struct ps_evidence_trace {
	uint64_t sequence;
	uint64_t time_ns; // CLOCK_REALTIME
	uint64_t trace;   // the number that arming it gave
	uint32_t length;  // of the frame
	uint16_t lcore;   // as in the names of scope lcore
	uint16_t port;    // that it came in by
	uint16_t vip;     // the listener's row; 0xffff: none
	uint16_t vip_epoch;
	uint16_t backend; // the backend's row; 0xffff: none
	uint16_t backend_epoch;
	uint16_t out_port;         // that a packet was queued for; 0xffff: none was
	uint16_t captured;         // bytes of the frame in `bytes`
	uint8_t connection_before; // 0 none, 1 syn, 2 established, 3 fin, 4 udp
	uint8_t connection_after;
	uint16_t step_count;
	struct ps_trace_step steps[PS_TRACE_STEPS];
	uint8_t bytes[PS_EVIDENCE_BYTES];
};

// One of those that sent most in a window, as one worker saw it. In the sampled packets, the count
// is too large by `error` at most.
struct ps_evidence_talker {
	uint64_t sequence;
	uint64_t window;  // its number; `of` records have the same
	uint64_t time_ns; // CLOCK_REALTIME of its end
	uint64_t duration_ns;
	uint64_t samples; // of the window, by whomever
	uint64_t count;   // of them, of this one
	uint64_t error;
	uint64_t bytes; // of those that were counted since it was in the table
	uint32_t every; // packets a sample, on average
	uint32_t of;
	uint8_t source[16]; // IPv4 addresses as ::ffff:a.b.c.d
	uint8_t destination[16];
	uint16_t port; // of the destination; 0: none
	uint16_t lcore;
	uint8_t protocol;
	uint8_t reserved[3];
};

static_assert(sizeof(struct ps_evidence_talker) == 112, "contract");
static_assert(sizeof(struct ps_evidence_trace) == 240, "contract");
static_assert(sizeof(struct ps_evidence_header) == 176, "contract");
static_assert(sizeof(struct ps_evidence_block) == 64, "contract");
static_assert(sizeof(struct ps_evidence_field) == 128, "contract");
static_assert(sizeof(struct ps_evidence_reason) == 64, "contract");
static_assert(sizeof(struct ps_evidence_name) == 256, "contract");
static_assert(sizeof(struct ps_evidence_drop) == 192, "contract");
