// SPDX-License-Identifier: Apache-2.0
// What the ledger's random configurations have beside addresses, pools and listeners.
#pragma once

#include "datapath_rig.h"

#define NAT_FIRST_PORT 2000

static inline void choose_nat(json_t *config)
{
	static const char *const clients[] = {"none", "toa", "proxy_v2"};
	json_t *pool = json_array_get(json_object_get(config, "pools"), 0);

	json_object_set_new(config, "nat",
		json_pack("{s:i, s:i}", "first_port", NAT_FIRST_PORT, "last_port",
			NAT_FIRST_PORT + 63));
	json_object_set_new(
		pool, "local_addresses", json_pack("[s, s]", "10.77.1.11", "2001:db8:77::11"));
	json_object_set_new(pool, "client_address", json_string(clients[random_below(3)]));
}

// Any scheduler, and QUIC now and then for UDP.
static inline void choose_schedule(json_t *config)
{
	static const char *const schedulers[] = {"maglev", "maglev_source", "maglev_source_port",
		"weighted_round_robin", "weighted_least_connections"};
	json_t *pool = json_array_get(json_object_get(config, "pools"), 0), *element;
	bool quic = random_below(2);
	char id[24];
	size_t i;

	json_object_set_new(pool, "scheduler", json_string(schedulers[random_below(5)]));
	json_array_foreach(json_object_get(pool, "backends"), i, element)
	{
		snprintf(id, sizeof id, "00%02zu", i);
		if (quic)
			json_object_set_new(element, "server_id", json_string(id));
	}
	json_array_foreach(json_object_get(pool, "backends"), i, element)
	{
		if (i % 2)
			json_object_set_new(element, "drain",
				json_pack("{s:i, s:s}", "deadline_s", 1, "then",
					random_below(2) ? "reset" : "leave"));
	}
	json_array_foreach(json_object_get(config, "listeners"), i, element)
	{
		if (i == 0 && random_below(2))
			json_object_set_new(element, "max_half_open", json_integer(2));
		const char *protocol = json_string_value(json_object_get(element, "protocol"));
		if (quic && strcmp(protocol, "udp") == 0)
			json_object_set_new(
				element, "quic", json_pack("{s:i}", "server_id_length", 2));
	}
}

// Limits that random traffic reaches.
static inline json_t *random_limits(void)
{
	static const char *const names[] = {
		"new_connections_per_s", "connections", "packets_per_s", "bits_per_s"};
	static const int values[] = {40, 3, 200, 1};
	json_t *limits = json_object();

	if (random_below(2) == 0) // alone: no other is reached before it
		json_object_set_new(limits, names[3], json_integer(values[3]));
	if (json_object_size(limits) > 0)
		return limits;
	for (uint32_t i = 0; i < 4; i++)
		if (random_below(3) == 0)
			json_object_set_new(limits, names[i], json_integer(values[i]));
	return limits;
}

// Lists and limits in half of the configurations.
static inline void choose_guards(json_t *config)
{
	json_t *pool = json_array_get(json_object_get(config, "pools"), 0), *element;
	size_t i;

	if (random_below(2))
		return;
	json_object_set_new(config, "lists",
		json_pack("[{s:s, s:[s, s]}, {s:s, s:s, s:[s, s, s], s:[s]}]", "name", "bad",
			"deny", "192.0.2.8/30", "2001:db8::8/125", "name", "strict", "default",
			"deny", "allow", "192.0.2.0/24", "2001:db8::/64", "198.51.100.0/24", "deny",
			"192.0.2.16/28"));
	if (random_below(2))
		json_object_set_new(config, "list", json_string("bad"));
	json_array_foreach(json_object_get(config, "listeners"), i, element)
	{
		if (random_below(2))
			json_object_set_new(element, "list", json_string("strict"));
		if (random_below(2))
			json_object_set_new(element, "limits", random_limits());
	}
	json_array_foreach(json_object_get(pool, "backends"), i, element)
	{
		if (random_below(2))
			json_object_set_new(element, "limits", random_limits());
	}
}
