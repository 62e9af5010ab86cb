// SPDX-License-Identifier: Apache-2.0
#include "base/evidence.h"

#include "api/segment.h"
#include "base/mapped_file.h"
#include "counters.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MAX_WORKERS 1024
#define MAX_ROWS (1u << 20)
#define DIRECTORY_OFFSET                                                                           \
	((sizeof(struct ps_evidence_header) + PS_EVIDENCE_ALIGN - 1) / PS_EVIDENCE_ALIGN *         \
		PS_EVIDENCE_ALIGN)

struct ps_evidence {
	unsigned char *map;
	uint64_t size;
	struct ps_evidence_block *blocks; // by enum ps_evidence_kind
	char path[PATH_MAX];
};

#define FIELD(record_, member_, type_, help_)                                                      \
	{                                                                                          \
		.name = #member_, .offset = offsetof(struct record_, member_),                     \
		.size = sizeof(((struct record_ *)0)->member_), .type = type_, .help = help_,      \
	}
#define NUMBER(record, member, help) FIELD(record, member, PS_EVIDENCE_NUMBER, help)
#define SEQUENCE(record) NUMBER(record, sequence, "2n + 2 of record n; odd while it is written")

static const struct ps_evidence_field reason_fields[] = {
	SEQUENCE(ps_evidence_reason),
	NUMBER(ps_evidence_reason, cell, "of the scope lcore, that counts it"),
	FIELD(ps_evidence_reason, name, PS_EVIDENCE_TEXT, "the label reason"),
};
static const struct ps_evidence_field name_fields[] = {
	SEQUENCE(ps_evidence_name),
	NUMBER(ps_evidence_name, epoch, "of the row, with this name"),
	FIELD(ps_evidence_name, values, PS_EVIDENCE_TEXT, "label values, tab separated"),
};
static const struct ps_evidence_field drop_fields[] = {
	SEQUENCE(ps_evidence_drop),
	NUMBER(ps_evidence_drop, time_ns, "since the epoch"),
	NUMBER(ps_evidence_drop, dropped, "of the reason by the worker since boot, with this one"),
	NUMBER(ps_evidence_drop, length, "of the frame"),
	NUMBER(ps_evidence_drop, lcore, "as in the names of scope lcore"),
	NUMBER(ps_evidence_drop, port, "that it came in by; 65535: made by the core"),
	NUMBER(ps_evidence_drop, vip, "row of the listener; 65535: none"),
	NUMBER(ps_evidence_drop, vip_epoch, "of that row"),
	NUMBER(ps_evidence_drop, backend, "row of the backend; 65535: none"),
	NUMBER(ps_evidence_drop, backend_epoch, "of that row"),
	NUMBER(ps_evidence_drop, captured, "bytes of the frame that are here"),
	FIELD(ps_evidence_drop, bytes, PS_EVIDENCE_DATA, "the frame's first bytes"),
};

static const struct ps_evidence_field trace_fields[] = {
	SEQUENCE(ps_evidence_trace),
	NUMBER(ps_evidence_trace, time_ns, "since the epoch"),
	NUMBER(ps_evidence_trace, trace, "the number that arming it gave"),
	NUMBER(ps_evidence_trace, length, "of the frame"),
	NUMBER(ps_evidence_trace, lcore, "as in the names of scope lcore"),
	NUMBER(ps_evidence_trace, port, "that it came in by"),
	NUMBER(ps_evidence_trace, vip, "row of the listener; 65535: none"),
	NUMBER(ps_evidence_trace, vip_epoch, "of that row"),
	NUMBER(ps_evidence_trace, backend, "row of the backend; 65535: none"),
	NUMBER(ps_evidence_trace, backend_epoch, "of that row"),
	NUMBER(ps_evidence_trace, out_port, "that a packet was queued for; 65535: none"),
	NUMBER(ps_evidence_trace, captured, "bytes of the frame that are here"),
	NUMBER(ps_evidence_trace, connection_before, "0 none, 1 syn, 2 established, 3 fin, 4 udp"),
	NUMBER(ps_evidence_trace, connection_after, "the same, when it was tracked"),
	NUMBER(ps_evidence_trace, step_count, "of steps"),
	FIELD(ps_evidence_trace, steps, PS_EVIDENCE_DATA, "u8 stage, u8 fell, u16 cell, each"),
	FIELD(ps_evidence_trace, bytes, PS_EVIDENCE_DATA, "the frame's first bytes"),
};

static const struct ps_evidence_field talker_fields[] = {
	SEQUENCE(ps_evidence_talker),
	NUMBER(ps_evidence_talker, window, "its number; `of` records have the same"),
	NUMBER(ps_evidence_talker, time_ns, "of its end, since the epoch"),
	NUMBER(ps_evidence_talker, duration_ns, "of the window"),
	NUMBER(ps_evidence_talker, samples, "of the window, by whomever"),
	NUMBER(ps_evidence_talker, count, "of them, of this one; too large by `error` at most"),
	NUMBER(ps_evidence_talker, error, "of the count"),
	NUMBER(ps_evidence_talker, bytes, "of those counted since it was in the table"),
	NUMBER(ps_evidence_talker, every, "packets a sample, on average"),
	NUMBER(ps_evidence_talker, of, "records of the window"),
	FIELD(ps_evidence_talker, source, PS_EVIDENCE_DATA, "IPv6, or IPv4 mapped"),
	FIELD(ps_evidence_talker, destination, PS_EVIDENCE_DATA, "IPv6, or IPv4 mapped"),
	NUMBER(ps_evidence_talker, port, "of the destination; 0: none"),
	NUMBER(ps_evidence_talker, lcore, "as in the names of scope lcore"),
	NUMBER(ps_evidence_talker, protocol, "behind the IP headers"),
};

static const struct {
	const char *name;
	const struct ps_evidence_field *fields;
	uint32_t field_count;
	uint32_t record_size;
	uint32_t records;
} kinds[PS_EVIDENCE_KINDS] = {
#define KIND(name_, fields_, record_, records_)                                                    \
	{                                                                                          \
		name_, fields_, sizeof(fields_) / sizeof(fields_[0]), sizeof(struct record_),      \
			records_,                                                                  \
	}
	[PS_EVIDENCE_REASONS] = KIND("reason", reason_fields, ps_evidence_reason, 1),
	[PS_EVIDENCE_VIPS] = KIND("vip", name_fields, ps_evidence_name, 1),
	[PS_EVIDENCE_BACKENDS] = KIND("backend", name_fields, ps_evidence_name, 1),
	[PS_EVIDENCE_DROPS] = KIND("drop", drop_fields, ps_evidence_drop, PS_EVIDENCE_SAMPLES),
	[PS_EVIDENCE_CELLS] = KIND("cell", reason_fields, ps_evidence_reason, 1),
	[PS_EVIDENCE_TRACES] = KIND("trace", trace_fields, ps_evidence_trace, PS_EVIDENCE_TRACED),
	[PS_EVIDENCE_TALKS] =
		KIND("talker", talker_fields, ps_evidence_talker, PS_EVIDENCE_TALKERS),
};

static_assert(offsetof(struct ps_evidence_header, start_time_ns) ==
		      offsetof(struct ps_segment_header, start_time_ns),
	"both headers begin alike, see mapped_file.h");

static uint64_t align(uint64_t offset)
{
	return (offset + PS_EVIDENCE_ALIGN - 1) / PS_EVIDENCE_ALIGN * PS_EVIDENCE_ALIGN;
}

static uint32_t rings_of(const struct ps_evidence_config *config, enum ps_evidence_kind kind)
{
	switch (kind) {
	case PS_EVIDENCE_VIPS:
		return config->vip_rows;
	case PS_EVIDENCE_BACKENDS:
		return config->backend_rows;
	case PS_EVIDENCE_CELLS:
		return PS_LCORE_CELLS;
	case PS_EVIDENCE_TRACES:
	case PS_EVIDENCE_TALKS:
		return 1;
	default:
		return PS_DROP_COUNT;
	}
}

static void shape(const struct ps_evidence_config *config, enum ps_evidence_kind kind,
	struct ps_evidence_block *block)
{
	bool per_worker = kind == PS_EVIDENCE_DROPS || kind == PS_EVIDENCE_TRACES ||
			  kind == PS_EVIDENCE_TALKS;

	block->lanes = per_worker ? config->worker_count : 1;
	block->records = kinds[kind].records;
	block->record_stride = (uint32_t)align(kinds[kind].record_size);
	block->rings = rings_of(config, kind);
	block->lane_stride = (uint64_t)block->rings * block->records * block->record_stride;
	block->field_count = kinds[kind].field_count;
	snprintf(block->name, sizeof block->name, "%s", kinds[kind].name);
}

// The offsets of everything, and the blocks' directory. Returns the file's size.
static uint64_t plan(
	const struct ps_evidence_config *config, struct ps_evidence_block blocks[PS_EVIDENCE_KINDS])
{
	uint64_t end = DIRECTORY_OFFSET + PS_EVIDENCE_KINDS * sizeof *blocks;

	memset(blocks, 0, PS_EVIDENCE_KINDS * sizeof *blocks);
	for (int k = 0; k < PS_EVIDENCE_KINDS; k++) {
		shape(config, k, &blocks[k]);
		blocks[k].fields_offset = end;
		end += kinds[k].field_count * sizeof(struct ps_evidence_field);
	}
	for (int k = 0; k < PS_EVIDENCE_KINDS; k++) {
		blocks[k].offset = align(end);
		end = blocks[k].offset + blocks[k].lanes * blocks[k].lane_stride;
	}
	return end;
}

static void name_cell(struct ps_evidence *evidence, enum ps_evidence_kind kind, uint32_t ring,
	uint32_t cell, const char *text)
{
	struct ps_evidence_lane lane = ps_evidence_lane(evidence, kind, 0);
	struct ps_evidence_reason *reason = ps_evidence_begin(&lane, ring, 0);

	reason->cell = cell;
	snprintf(reason->name, sizeof reason->name, "%s", text);
	ps_evidence_end(reason, 0);
}

// A drop reason is known by the label of its field.
static void name_reason(struct ps_evidence *evidence, const char *labels, uint32_t cell)
{
	static const uint16_t cells[] = PS_DROP_CELLS;

	for (uint32_t i = 0; i < PS_DROP_COUNT; i++)
		if (cells[i] == cell)
			name_cell(evidence, PS_EVIDENCE_REASONS, i, cell, strchr(labels, '=') + 1);
}

static void name_cells(struct ps_evidence *evidence)
{
#define NAME(id, cell, kind, count, bounds, metric, unit, labels, ledger, help)                    \
	name_cell(evidence, PS_EVIDENCE_CELLS, cell, cell, id);                                    \
	if (strcmp(ledger, "drop") == 0)                                                           \
		name_reason(evidence, labels, cell);
	PS_LCORE_FIELDS(NAME)
}

static void fill(struct ps_evidence *evidence, const struct ps_evidence_config *config)
{
	struct ps_evidence_header *header = (void *)evidence->map;

	header->layout = PS_EVIDENCE_LAYOUT;
	header->header_size = sizeof *header;
	header->total_size = evidence->size;
	header->catalogue_hash = PS_CATALOGUE_HASH;
	header->boot_id = config->boot_id;
	header->start_time_ns = config->now_ns;
	header->tsc_hz = config->tsc_hz;
	header->directory_offset = DIRECTORY_OFFSET;
	header->directory_count = PS_EVIDENCE_KINDS;
	header->block_size = sizeof(struct ps_evidence_block);
	header->field_size = sizeof(struct ps_evidence_field);
	header->pid = (uint32_t)getpid();
	snprintf(header->instance, sizeof header->instance, "%s", config->instance);
	snprintf(header->version, sizeof header->version, "%s", config->version);
	for (int k = 0; k < PS_EVIDENCE_KINDS; k++)
		memcpy(evidence->map + evidence->blocks[k].fields_offset, kinds[k].fields,
			kinds[k].field_count * sizeof(struct ps_evidence_field));
	name_cells(evidence);
	atomic_thread_fence(memory_order_release);
	memcpy(header->magic, PS_EVIDENCE_MAGIC, sizeof header->magic);
}

int ps_evidence_create(const struct ps_evidence_config *config, struct ps_evidence **out)
{
	struct ps_evidence_block blocks[PS_EVIDENCE_KINDS];
	const struct ps_evidence_header *header = NULL;

	if (config->worker_count < 1 || config->worker_count > MAX_WORKERS ||
		config->vip_rows > MAX_ROWS || config->backend_rows > MAX_ROWS)
		return -EINVAL;
	if (strlen(config->instance) >= sizeof header->instance ||
		strlen(config->version) >= sizeof header->version)
		return -ENAMETOOLONG;
	struct ps_evidence *evidence = calloc(1, sizeof *evidence);
	if (!evidence)
		return -ENOMEM;
	int rc = -ENAMETOOLONG;
	if (snprintf(evidence->path, sizeof evidence->path, "%s/" PS_EVIDENCE_PREFIX "%016" PRIx64,
		    config->run_dir, config->boot_id) >= (int)sizeof evidence->path)
		goto fail;
	evidence->size = plan(config, blocks);
	rc = ps_map_new_file(evidence->path, evidence->size, &evidence->map);
	if (rc)
		goto fail;
	evidence->blocks = (void *)(evidence->map + DIRECTORY_OFFSET);
	memcpy(evidence->blocks, blocks, sizeof blocks);
	fill(evidence, config);
	*out = evidence;
	return 0;
fail:
	ps_evidence_close(evidence);
	return rc;
}

void ps_evidence_close(struct ps_evidence *evidence)
{
	if (!evidence)
		return;
	if (evidence->map)
		munmap(evidence->map, evidence->size);
	free(evidence);
}

const char *ps_evidence_path(const struct ps_evidence *evidence)
{
	return evidence->path;
}

struct ps_evidence_lane ps_evidence_lane(
	const struct ps_evidence *evidence, enum ps_evidence_kind kind, uint32_t lane)
{
	const struct ps_evidence_block *block = &evidence->blocks[kind];

	return (struct ps_evidence_lane){
		.first = evidence->map + block->offset + lane * block->lane_stride,
		.stride = block->record_stride,
		.records = block->records,
	};
}

void ps_evidence_name(struct ps_evidence *evidence, enum ps_evidence_kind kind, uint32_t row,
	uint16_t epoch, const char *values)
{
	struct ps_evidence_lane lane = ps_evidence_lane(evidence, kind, 0);
	const struct ps_evidence_name *before = (void *)(lane.first + (uint64_t)row * lane.stride);
	uint64_t n = before->sequence / 2;
	struct ps_evidence_name *name = ps_evidence_begin(&lane, row, n);

	name->epoch = epoch;
	snprintf(name->values, sizeof name->values, "%s", values);
	ps_evidence_end(name, n);
}

int ps_evidence_prune(const char *run_dir, uint32_t keep)
{
	return ps_prune_files(run_dir, PS_EVIDENCE_PREFIX, PS_EVIDENCE_MAGIC, keep);
}
