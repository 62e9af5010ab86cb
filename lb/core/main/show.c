// SPDX-License-Identifier: Apache-2.0
// The answer to "show": the configuration in force and what the core made of it.
#include "base/maglev.h"
#include "main/app.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <rte_ether.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static json_t *show_neighbour(const struct ps_neighbour *n)
{
	char address[INET_ADDRSTRLEN], text[RTE_ETHER_ADDR_FMT_SIZE] = "";
	uint64_t mac = ps_neighbour_mac(n);
	struct rte_ether_addr bytes;

	inet_ntop(AF_INET, &n->address, address, sizeof address);
	memcpy(&bytes, &mac, sizeof bytes);
	if (mac != 0)
		rte_ether_format_addr(text, sizeof text, &bytes);
	return json_pack("{s:s, s:s, s:s, s:i}", "address", address, "mac", text, "state",
		mac != 0 ? "resolved" : "unresolved", "port", (int)n->port);
}

static json_t *show_neighbours(const struct ps_neighbours *neighbours)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < neighbours->high; i++)
		if (neighbours->entries[i].used)
			json_array_append_new(list, show_neighbour(&neighbours->entries[i]));
	return list;
}

// The runtime's table as ps_maglev_digest() wants it, the slots of each backend counted.
struct table_view {
	uint32_t *slots;      // row of the backend
	uint32_t *identities; // address by row
	uint32_t *counts;     // slots by row
};

static void view_pool(struct table_view *view, const struct ps_app *app,
	const struct ps_config_pool *from, const struct ps_pool *pool, const uint16_t *rows)
{
	for (uint32_t i = 0; i < from->backend_count; i++) {
		uint16_t row = rows[from->first_backend + i];
		view->identities[row] =
			ntohl(app->config->backends[from->first_backend + i].address);
		view->counts[row] = 0;
	}
	for (uint32_t slot = 0; slot < pool->size; slot++) {
		view->slots[slot] = pool->table[slot];
		view->counts[pool->table[slot]]++;
	}
}

static json_t *show_pool(
	struct table_view *view, const struct ps_app *app, uint32_t index, const uint16_t *rows)
{
	const struct ps_config_pool *from = &app->config->pools[index];
	const struct ps_pool *pool = &app->runtime->pools[index];
	json_t *slots = json_object();
	char digest[20] = "";

	if (pool->table != NULL) {
		view_pool(view, app, from, pool, rows);
		snprintf(digest, sizeof digest, "%016" PRIx64,
			ps_maglev_digest(pool->size, view->slots, view->identities));
	}
	for (uint32_t i = 0; i < from->backend_count; i++) {
		uint32_t b = from->first_backend + i;
		json_object_set_new(slots, app->config->backends[b].name,
			json_integer(pool->table != NULL ? view->counts[rows[b]] : 0));
	}
	return json_pack("{s:s, s:i, s:s, s:o}", "pool", from->name, "size", (int)pool->size,
		"digest", digest, "slots", slots);
}

static json_t *show_maglev(const struct ps_app *app)
{
	struct table_view view = {
		.slots = calloc(app->config->maglev_size, sizeof *view.slots),
		.identities = calloc(PS_BACKEND_ROWS, sizeof *view.identities),
		.counts = calloc(PS_BACKEND_ROWS, sizeof *view.counts),
	};
	json_t *list = json_array();

	if (view.slots != NULL && view.identities != NULL && view.counts != NULL)
		for (uint32_t i = 0; i < app->config->pool_count; i++)
			json_array_append_new(list, show_pool(&view, app, i, app->backend_rows));
	free(view.slots);
	free(view.identities);
	free(view.counts);
	return list;
}

json_t *ps_show(void *user)
{
	const struct ps_app *app = user;
	char boot[20];

	snprintf(boot, sizeof boot, "%016" PRIx64, ps_segment_boot_id(app->segment));
	json_t *config = app->config != NULL ? json_incref(app->config->json) : json_null();
	json_t *maglev = app->config != NULL ? show_maglev(app) : json_array();
	return json_pack("{s:o, s:I, s:s, s:s, s:o, s:o}", "config", config, "generation",
		(json_int_t)(app->config != NULL ? app->config->generation : 0), "instance",
		app->options.instance, "boot_id", boot, "neighbours",
		show_neighbours(app->neighbours), "maglev", maglev);
}
