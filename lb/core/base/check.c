// SPDX-License-Identifier: Apache-2.0
// popscope-core-check: validates a configuration as a core would, without one.
//
//   popscope-core-check FILE [GENERATION-IN-FORCE [PORTS]]
//
// One JSON object on stdout, as the control socket answers (exit 0: valid, 1: not, 2: usage):
//   {"ok": false, "errors": [{"path": ..., "message": ...}]}
//   {"ok": true, "generation": ..., "maglev_size": ..., "pools": [{"name": ..., "backends":
//     [{"name": ..., "address": ..., "weight": ...}]}]}, with every default filled in
#include "base/config.h"

#include <stdio.h>
#include <stdlib.h>

static json_t *backend_json(const struct ps_config_backend *backend)
{
	const struct ps_address_text address = ps_address_text(&backend->address);

	return json_pack("{s:s, s:s, s:I}", "name", backend->name, "address", address.text,
		"weight", (json_int_t)backend->weight);
}

static json_t *pool_json(const struct ps_config *config, const struct ps_config_pool *pool)
{
	json_t *backends = json_array();

	for (uint32_t i = 0; i < pool->backend_count; i++)
		json_array_append_new(
			backends, backend_json(&config->backends[pool->first_backend + i]));
	return json_pack("{s:s, s:o}", "name", pool->name, "backends", backends);
}

static json_t *valid(const struct ps_config *config)
{
	json_t *pools = json_array();

	for (uint32_t i = 0; i < config->pool_count; i++)
		json_array_append_new(pools, pool_json(config, &config->pools[i]));
	return json_pack("{s:b, s:I, s:I, s:o}", "ok", 1, "generation",
		(json_int_t)config->generation, "maglev_size", (json_int_t)config->maglev_size,
		"pools", pools);
}

int main(int argc, char *argv[])
{
	struct ps_config_limits limits = PS_CONFIG_LIMITS_DEFAULT;
	struct ps_config *config = NULL;
	struct ps_errors errors = {0};

	if (argc < 2 || argc > 4 || argv[1][0] == '-') {
		fputs("usage: popscope-core-check FILE [GENERATION-IN-FORCE [PORTS]]\n", stderr);
		return 2;
	}
	if (argc > 2)
		limits.generation = strtoull(argv[2], NULL, 10);
	if (argc > 3)
		limits.ports = (uint32_t)strtoul(argv[3], NULL, 10);
	int rc = ps_config_load(argv[1], &limits, &config, &errors);
	json_t *reply = rc ? ps_errors_json(&errors) : valid(config);
	int failed = !reply || json_dumpf(reply, stdout, JSON_COMPACT) || puts("") < 0;

	json_decref(reply);
	ps_config_free(config);
	ps_errors_clear(&errors);
	return failed ? 2 : rc != 0;
}
