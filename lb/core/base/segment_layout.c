// SPDX-License-Identifier: Apache-2.0
// Where things lie in a segment, and its description of itself, from the counter catalogue.
#include "base/segment_private.h"
#include "counters.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define FIELD(id_, cell_, kind_, count_, bounds_, metric_, unit_, labels_, ledger_, help_)         \
	{                                                                                          \
		.id = id_,                                                                         \
		.cell = cell_,                                                                     \
		.kind = kind_,                                                                     \
		.bound_count = count_,                                                             \
		.bounds = bounds_,                                                                 \
		.metric = metric_,                                                                 \
		.unit = unit_,                                                                     \
		.labels = labels_,                                                                 \
		.ledger = ledger_,                                                                 \
		.help = help_,                                                                     \
	},
// The list is a macro's arguments and one X() follows the other without a separator.
#define SCOPE(name_, NAME)                                                                         \
	static const struct ps_segment_field name_##_fields[] = {PS_##NAME##_FIELDS(FIELD)};
SCOPE(lcore, LCORE)
SCOPE(port, PORT)
SCOPE(port_queue, PORT_QUEUE)
SCOPE(vip, VIP)
SCOPE(backend, BACKEND)
SCOPE(node, NODE)

#define DESCRIPTION(name_, NAME)                                                                   \
	{                                                                                          \
#name_, PS_##NAME##_LABELS, name_##_fields,                                        \
			sizeof(name_##_fields) / sizeof(name_##_fields[0]), PS_##NAME##_CELLS,     \
	}
static const struct {
	const char *name;
	const char *label_keys;
	const struct ps_segment_field *fields;
	uint32_t field_count;
	uint32_t cells;
} scopes[PS_SCOPE_COUNT] = {
	[PS_SCOPE_LCORE] = DESCRIPTION(lcore, LCORE),
	[PS_SCOPE_PORT] = DESCRIPTION(port, PORT),
	[PS_SCOPE_PORT_QUEUE] = DESCRIPTION(port_queue, PORT_QUEUE),
	[PS_SCOPE_VIP] = DESCRIPTION(vip, VIP),
	[PS_SCOPE_BACKEND] = DESCRIPTION(backend, BACKEND),
	[PS_SCOPE_NODE] = DESCRIPTION(node, NODE),
};

static uint64_t align(uint64_t offset, uint64_t to)
{
	return (offset + to - 1) / to * to;
}

static uint32_t rows_of(const struct ps_segment_config *config, enum ps_scope scope)
{
	switch (scope) {
	case PS_SCOPE_LCORE:
		return config->worker_count;
	case PS_SCOPE_PORT:
		return config->port_count;
	case PS_SCOPE_PORT_QUEUE:
		return config->port_count * config->queue_count;
	case PS_SCOPE_VIP:
		return config->vip_rows;
	case PS_SCOPE_BACKEND:
		return config->backend_rows;
	default:
		return 1;
	}
}

static uint32_t lanes_of(const struct ps_segment_config *config, enum ps_scope scope)
{
	bool per_worker = scope == PS_SCOPE_VIP || scope == PS_SCOPE_BACKEND;

	return per_worker ? config->worker_count : 1;
}

uint64_t ps_segment_plan(const struct ps_segment_config *config, struct ps_segment_block *blocks)
{
	uint64_t end = PS_DIRECTORY_OFFSET + PS_SCOPE_COUNT * sizeof(*blocks);

	for (int s = 0; s < PS_SCOPE_COUNT; s++) {
		struct ps_segment_block *b = &blocks[s];

		*b = (struct ps_segment_block){
			.row_stride = PS_ROW_SIZE(scopes[s].cells),
			.lanes = lanes_of(config, s),
			.rows = rows_of(config, s),
			.cells = scopes[s].cells,
			.fields_offset = align(end, PS_ROW_ALIGN),
			.field_count = scopes[s].field_count,
		};
		snprintf(b->scope, sizeof(b->scope), "%s", scopes[s].name);
		snprintf(b->label_keys, sizeof(b->label_keys), "%s", scopes[s].label_keys);
		b->names_offset =
			b->fields_offset + b->field_count * sizeof(struct ps_segment_field);
		end = b->names_offset + b->rows * sizeof(struct ps_segment_name);
	}
	for (int s = 0; s < PS_SCOPE_COUNT; s++) {
		struct ps_segment_block *b = &blocks[s];

		b->offset = align(end, PS_LANE_ALIGN);
		b->lane_stride = align((uint64_t)b->rows * b->row_stride, PS_LANE_ALIGN);
		end = b->offset + b->lanes * b->lane_stride;
		if (s == PS_SCOPE_LCORE) {
			b->draft_offset = end;
			end += b->lanes * b->lane_stride;
		}
	}
	return end;
}

static void name_row(
	struct ps_segment *segment, enum ps_scope scope, uint32_t row, const char *values)
{
	struct ps_segment_name *name = &ps_segment_name_table(segment, scope)[row];

	name->generation = segment->next_generation++;
	name->active = 1;
	snprintf(name->values, sizeof(name->values), "%s", values);
}

static void name_fixed_rows(struct ps_segment *segment, const struct ps_segment_config *config)
{
	char values[32];

	for (uint32_t w = 0; w < config->worker_count; w++) {
		snprintf(values, sizeof(values), "%u", config->worker_lcores[w]);
		name_row(segment, PS_SCOPE_LCORE, w, values);
	}
	for (uint32_t p = 0; p < config->port_count; p++) {
		snprintf(values, sizeof(values), "%u", p);
		name_row(segment, PS_SCOPE_PORT, p, values);
		for (uint32_t q = 0; q < config->queue_count; q++) {
			snprintf(values, sizeof(values), "%u\t%u", p, q);
			name_row(segment, PS_SCOPE_PORT_QUEUE, p * config->queue_count + q, values);
		}
	}
	name_row(segment, PS_SCOPE_NODE, 0, "");
}

static void fill_header(struct ps_segment_header *header, const struct ps_segment_config *config,
	uint64_t size, uint64_t boot_id)
{
	*header = (struct ps_segment_header){
		.magic = PS_SEGMENT_MAGIC,
		.layout = PS_SEGMENT_LAYOUT,
		.header_size = sizeof(*header),
		.total_size = size,
		.catalogue_hash = PS_CATALOGUE_HASH,
		.boot_id = boot_id,
		.start_time_ns = config->now_ns,
		.tsc_hz = config->tsc_hz,
		.state = PS_STATE_WRITING,
		.heartbeat_ns = config->now_ns,
		.directory_offset = PS_DIRECTORY_OFFSET,
		.directory_count = PS_SCOPE_COUNT,
		.block_size = sizeof(struct ps_segment_block),
		.field_size = sizeof(struct ps_segment_field),
		.name_size = sizeof(struct ps_segment_name),
		.pid = (uint32_t)getpid(),
	};
	snprintf(header->instance, sizeof(header->instance), "%s", config->instance);
	snprintf(header->version, sizeof(header->version), "%s", config->version);
}

void ps_segment_fill(struct ps_segment *segment, const struct ps_segment_config *config,
	const struct ps_segment_block *blocks, uint64_t boot_id)
{
	const struct ps_segment_block *last = &blocks[PS_SCOPE_COUNT - 1];

	fill_header(
		segment->header, config, last->offset + last->lanes * last->lane_stride, boot_id);
	memcpy(segment->blocks, blocks, PS_SCOPE_COUNT * sizeof(*blocks));
	for (int s = 0; s < PS_SCOPE_COUNT; s++)
		memcpy(segment->map + blocks[s].fields_offset, scopes[s].fields,
			scopes[s].field_count * sizeof(struct ps_segment_field));
	name_fixed_rows(segment, config);
}
