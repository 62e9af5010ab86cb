// SPDX-License-Identifier: Apache-2.0
// A core without ports and without a thread of its own, for benchmarks and tests: one worker or
// more, imagined ports, the real tables, rows and packet path. Bring packets with ps_burst(). Or
// one with devices, whose workers the caller launches.
#pragma once

#include "main/app.h"

// Starts the EAL on the calling thread's CPUs, with hugepages when `memory_mb` of them are free and
// `hugepages` allows it, else without. Returns true when it got hugepages; exits on failure.
bool ps_harness_eal(uint32_t memory_mb, bool hugepages);

// The same with a virtual device, as --vdev takes it, and as many lcores beside this one; hugepages
// if they can be had.
bool ps_harness_eal_workers(uint32_t memory_mb, uint32_t workers, const char *device);

// The worker (app->workers[0]) sends with `transmit` (NULL: frees everything). Port i has the MAC
// address 02:00:00:00:00:<i> and MTU 1500. `config` is JSON. Exits on failure.
struct ps_app *ps_harness_start(
	uint16_t ports, uint32_t max_connections, ps_transmit *transmit, const char *config);
struct ps_app *ps_harness_start_workers(uint32_t workers, uint16_t ports, uint32_t max_connections,
	ps_transmit *transmit, const char *config);
// Takes another configuration into force, between two iterations: another thread plays the main
// lcore while the caller reports quiescent states as a worker does. Returns 0 or -errno, errors
// printed.
int ps_harness_apply(struct ps_app *app, const char *config);
// The same, with whole iterations of the caller's meanwhile: `turn` must call ps_adopt_runtime().
// `cpu_ns` (may be NULL): CPU time that the main lcore's part took.
int ps_harness_apply_during(struct ps_app *app, const char *config, void (*turn)(void *user),
	void *user, uint64_t *cpu_ns);
// A core on the EAL's devices, a worker for each of its lcores but this one, none of them running,
// with packet buffers beyond what queues need. Exits on failure.
struct ps_app *ps_harness_start_devices(
	uint32_t max_connections, uint32_t extra_buffers, const char *config);
// All neighbours have MAC addresses.
void ps_harness_resolve(struct ps_app *app);
void ps_harness_end(struct ps_app *app);
