// SPDX-License-Identifier: Apache-2.0
// The command line of the core: its own options, then "--", then those of DPDK's EAL.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define PS_IDLE_AUTO UINT32_MAX

struct ps_options {
	const char *instance;
	const char *run_dir;
	const char *config;  // may be NULL
	uint32_t idle_polls; // 0: never sleep; PS_IDLE_AUTO: sleep when lcores share a CPU
	uint32_t idle_sleep_us;
	uint32_t max_connections; // a worker
	uint32_t extra_buffers;   // of packets, for devices that keep some
	int eal_argc;
	char **eal_argv;
};

enum ps_options_result {
	PS_OPTIONS_RUN,
	PS_OPTIONS_DONE, // --help or --version was served
	PS_OPTIONS_BAD,  // said so on stderr
};

enum ps_options_result ps_options_parse(int argc, char **argv, struct ps_options *options);
