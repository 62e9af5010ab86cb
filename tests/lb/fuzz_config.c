// SPDX-License-Identifier: Apache-2.0
// libFuzzer target of the configuration's parser; lb/devtools/fuzz runs it.
#include "base/config.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct ps_config_limits limits = {
		.ports = 2, .max_listeners = 16, .max_backends = 16};
	struct ps_config *config = NULL;
	struct ps_errors errors = {0};
	int rc = ps_config_parse((const char *)data, size, &limits, &config, &errors);

	if ((rc == 0) != (errors.count == 0))
		abort();
	json_decref(ps_errors_json(&errors));
	ps_config_free(config);
	ps_errors_clear(&errors);
	return 0;
}
