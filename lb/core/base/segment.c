// SPDX-License-Identifier: Apache-2.0
// Life of a segment: created, ready, beating, stopped.
#include "base/mapped_file.h"
#include "base/segment_private.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

#define MAX_LANES 1024
#define MAX_ROWS (1u << 20)

static int check(const struct ps_segment_config *config)
{
	if (config->worker_count < 1 || config->worker_count > MAX_LANES)
		return -EINVAL;
	if (config->port_count > MAX_LANES || config->queue_count > MAX_LANES)
		return -EINVAL;
	if (config->vip_rows > MAX_ROWS || config->backend_rows > MAX_ROWS)
		return -EINVAL;
	if (strlen(config->instance) >= sizeof(((struct ps_segment_header *)0)->instance))
		return -ENAMETOOLONG;
	if (strlen(config->version) >= sizeof(((struct ps_segment_header *)0)->version))
		return -ENAMETOOLONG;
	return 0;
}

static int random_boot_id(uint64_t *boot_id)
{
	do {
		if (getrandom(boot_id, sizeof(*boot_id), 0) != sizeof(*boot_id))
			return -errno;
	} while (*boot_id == 0);
	return 0;
}

int ps_segment_create(const struct ps_segment_config *config, struct ps_segment **out)
{
	struct ps_segment_block blocks[PS_SCOPE_COUNT];
	uint64_t boot_id;
	int rc = check(config);

	if (rc)
		return rc;
	rc = random_boot_id(&boot_id);
	if (rc)
		return rc;
	struct ps_segment *segment = calloc(1, sizeof(*segment));
	if (!segment)
		return -ENOMEM;
	segment->next_generation = 1;
	rc = ps_name_index_init(&segment->index[PS_SCOPE_VIP], config->vip_rows);
	if (rc == 0)
		rc = ps_name_index_init(&segment->index[PS_SCOPE_BACKEND], config->backend_rows);
	if (rc)
		goto fail;
	rc = -ENAMETOOLONG;
	if (snprintf(segment->path, sizeof(segment->path), "%s/" PS_SEGMENT_PREFIX "%016" PRIx64,
		    config->run_dir, boot_id) >= (int)sizeof(segment->path))
		goto fail;
	rc = ps_map_new_file(segment->path, ps_segment_plan(config, blocks), &segment->map);
	if (rc)
		goto fail;
	segment->header = (void *)segment->map;
	segment->blocks = (void *)(segment->map + PS_DIRECTORY_OFFSET);
	ps_segment_fill(segment, config, blocks, boot_id);
	*out = segment;
	return 0;
fail:
	ps_segment_close(segment);
	return rc;
}

static void set_state(struct ps_segment *segment, enum ps_segment_state state)
{
	__atomic_store_n(&segment->header->state, state, __ATOMIC_RELEASE);
}

void ps_segment_heartbeat(struct ps_segment *segment, uint64_t now_ns)
{
	__atomic_store_n(&segment->header->heartbeat_ns, now_ns, __ATOMIC_RELEASE);
}

void ps_segment_ready(struct ps_segment *segment)
{
	set_state(segment, PS_STATE_READY);
}

void ps_segment_stop(struct ps_segment *segment, uint64_t now_ns)
{
	ps_segment_heartbeat(segment, now_ns);
	set_state(segment, PS_STATE_STOPPED);
}

void ps_segment_close(struct ps_segment *segment)
{
	if (!segment)
		return;
	if (segment->map)
		munmap(segment->map, segment->header->total_size);
	for (int s = 0; s < PS_SCOPE_COUNT; s++)
		ps_name_index_free(&segment->index[s]);
	free(segment);
}

uint64_t ps_segment_boot_id(const struct ps_segment *segment)
{
	return segment->header->boot_id;
}

const char *ps_segment_path(const struct ps_segment *segment)
{
	return segment->path;
}

struct ps_lane ps_segment_lane(const struct ps_segment *segment, enum ps_scope scope, uint32_t lane)
{
	if (scope >= PS_SCOPE_COUNT || lane >= segment->blocks[scope].lanes)
		return (struct ps_lane){0};
	const struct ps_segment_block *block = &segment->blocks[scope];

	return (struct ps_lane){
		.first = segment->map + block->offset + lane * block->lane_stride,
		.stride = block->row_stride,
		.rows = block->rows,
	};
}

struct ps_row *ps_segment_row(
	const struct ps_segment *segment, enum ps_scope scope, uint32_t lane, uint32_t row)
{
	struct ps_lane rows = ps_segment_lane(segment, scope, lane);

	return row < rows.rows ? ps_lane_row(&rows, row) : NULL;
}

uint64_t *ps_segment_draft(
	const struct ps_segment *segment, enum ps_scope scope, uint32_t lane, uint32_t row)
{
	unsigned char *published = (void *)ps_segment_row(segment, scope, lane, row);

	if (published == NULL || segment->blocks[scope].draft_offset == 0)
		return NULL;
	published += segment->blocks[scope].draft_offset - segment->blocks[scope].offset;
	return (uint64_t *)(void *)published;
}

int ps_segment_prune(const char *run_dir, uint32_t keep)
{
	return ps_prune_files(run_dir, PS_SEGMENT_PREFIX, PS_SEGMENT_MAGIC, keep);
}
