// SPDX-License-Identifier: Apache-2.0
// Paired windows: the floor (packets come and go) and the whole (and a worker's iteration around
// it), in alternation, in CPU time of the thread. A figure is the median over the windows.
#pragma once

#include "datapath/worker.h"

#include <stdbool.h>
#include <stdint.h>

#define PS_WINDOW 8192 // packets
#define PS_MAX_WINDOWS 1024

struct ps_sample {
	double floor; // ns a packet
	double total;
};

struct ps_measured {
	uint32_t count;
	uint64_t packets; // that the samples are of, floors not counted
	struct ps_sample samples[PS_MAX_WINDOWS];
};

uint64_t ps_thread_cpu_ns(void);
// Adds a pair. A window handles PS_WINDOW packets or a few more, and returns how many.
void ps_measure_pair(struct ps_measured *measured, uint32_t (*floor)(void *user),
	uint32_t (*total)(void *user), void *user);
// What the benchmark ran with, as the JSON object "machine" without its end.
void ps_report_machine(bool hugepages);
// A JSON object without its end, for more members to be appended.
void ps_report_case(const char *name, struct ps_measured *measured);
// What became of the packets of the worker's whole life, as members of that object.
void ps_report_fate(const struct ps_worker *worker);
