// SPDX-License-Identifier: Apache-2.0
// What schedulers other than Maglev need of a pool, and the server ids of QUIC.
#pragma once

#include "base/config.h"
#include "tables/runtime.h"

// Bytes behind the Maglev table.
size_t ps_schedule_size(
	const struct ps_config_pool *pool, const struct ps_config_backend *backends);
// Fills them in; `rows` are the backends'. Returns 0 or -ENOMEM.
int ps_schedule_fill(struct ps_table *table, const struct ps_config_pool *pool,
	const struct ps_config_backend *backends, const uint16_t *rows, void *room);
// NULL and 0 when no backend has an id; -ENOMEM.
int ps_servers_build(const struct ps_config_pool *pool, const struct ps_config_backend *backends,
	const uint16_t *rows, struct ps_servers **out);
