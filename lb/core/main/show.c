// SPDX-License-Identifier: Apache-2.0
// The answer to "show": the configuration in force and what the core made of it.
#include "main/app.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <rte_ether.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static json_t *show_neighbour(const struct ps_neighbour *n)
{
	struct ps_address_text address = ps_address_text(&n->address);
	char text[RTE_ETHER_ADDR_FMT_SIZE] = "";
	uint64_t mac = ps_neighbour_mac(n);
	struct rte_ether_addr bytes;

	memcpy(&bytes, &mac, sizeof bytes);
	if (mac != 0)
		rte_ether_format_addr(text, sizeof text, &bytes);
	return json_pack("{s:s, s:s, s:s, s:i, s:i}", "address", address.text, "mac", text, "state",
		mac != 0 ? "resolved" : "unresolved", "port", (int)n->port, "vlan",
		(int)ntohs(n->vlan));
}

static json_t *show_neighbours(const struct ps_neighbours *neighbours)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < neighbours->high; i++)
		if (neighbours->entries[i].used)
			json_array_append_new(list, show_neighbour(&neighbours->entries[i]));
	return list;
}

static json_t *show_pool(const struct ps_app *app, uint32_t index, uint32_t *counts)
{
	const struct ps_config_pool *from = &app->config->pools[index];
	const struct ps_config_backend *backends = &app->config->backends[from->first_backend];
	const uint16_t *rows = &app->backend_rows[from->first_backend];
	const struct ps_pool *pool = &app->runtime->pools[index];
	json_t *slots = json_object();
	char digest[20] = "";

	for (uint32_t i = 0; i < from->backend_count; i++)
		counts[rows[i]] = 0;
	if (pool->table != NULL) {
		snprintf(digest, sizeof digest, "%016" PRIx64, pool->table->digest);
		for (uint32_t slot = 0; slot < pool->size; slot++)
			counts[pool->table->rows[slot]]++;
	}
	for (uint32_t i = 0; i < from->backend_count; i++)
		json_object_set_new(slots, backends[i].name, json_integer(counts[rows[i]]));
	return json_pack("{s:s, s:i, s:s, s:o}", "pool", from->name, "size", (int)pool->size,
		"digest", digest, "slots", slots);
}

static json_t *show_maglev(struct ps_app *app)
{
	uint32_t *counts = calloc(PS_BACKEND_ROWS, sizeof *counts); // slots by row
	json_t *list = json_array();

	for (uint32_t i = 0; counts != NULL && i < app->config->pool_count; i++) {
		json_array_append_new(list, show_pool(app, i, counts));
		ps_beat(app);
	}
	free(counts);
	return list;
}

json_t *ps_show(void *user)
{
	struct ps_app *app = user;
	char boot[20];

	snprintf(boot, sizeof boot, "%016" PRIx64, ps_segment_boot_id(app->segment));
	json_t *config = app->config != NULL ? json_incref(app->config->json) : json_null();
	json_t *maglev = app->config != NULL ? show_maglev(app) : json_array();
	return json_pack("{s:o, s:I, s:s, s:s, s:o, s:o}", "config", config, "generation",
		(json_int_t)(app->config != NULL ? app->config->generation : 0), "instance",
		app->options.instance, "boot_id", boot, "neighbours",
		show_neighbours(app->neighbours), "maglev", maglev);
}
