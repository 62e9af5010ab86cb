// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define PS_DEVICE_WORKERS 8
#define PS_DEVICE_PACKETS 1000000

struct ps_device_bench {
	const char *name;
	const char *device; // as the EAL's --vdev takes it
	const char *config; // a file
	uint32_t workers;
	uint32_t packets; // that the device holds buffers for, of all queues
	bool quick;
};

// Runs it and prints the result as JSON: a case a worker. Exits on failure.
void ps_bench_device(const struct ps_device_bench *bench);
