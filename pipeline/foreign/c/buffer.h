// SPDX-License-Identifier: Apache-2.0
// A column that grows; all columns of a batch share one allowance of bytes.
#pragma once

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct fm_buffer {
	uint8_t *data;
	size_t size, room;
};

// Room for `more` bytes. -ENOMEM.
static inline int fm_reserve(struct fm_buffer *buffer, size_t more)
{
	if (buffer->room - buffer->size >= more)
		return 0;
	size_t room =
		buffer->room * 2 > buffer->size + more ? buffer->room * 2 : buffer->size + more;
	room = room < 4096 ? 4096 : room;
	uint8_t *data = realloc(buffer->data, room);
	if (!data)
		return -ENOMEM;
	buffer->data = data;
	buffer->room = room;
	return 0;
}

// After fm_reserve.
static inline void fm_put(struct fm_buffer *buffer, const void *data, size_t size)
{
	if (size)
		memcpy(buffer->data + buffer->size, data, size);
	buffer->size += size;
}

static inline void fm_put64(struct fm_buffer *buffer, uint64_t word)
{
	memcpy(buffer->data + buffer->size, &word, sizeof(word));
	buffer->size += sizeof(word);
}

static inline int fm_append(struct fm_buffer *buffer, const void *data, size_t size)
{
	int rc = fm_reserve(buffer, size);

	if (!rc)
		fm_put(buffer, data, size);
	return rc;
}

static inline void fm_release(struct fm_buffer *buffer)
{
	free(buffer->data);
	*buffer = (struct fm_buffer){0};
}
