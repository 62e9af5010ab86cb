// SPDX-License-Identifier: Apache-2.0
// What the main lcore owns. It is the only thread that uses struct ps_app.
#pragma once

#include "base/config.h"
#include "base/control.h"
#include "base/evidence.h"
#include "base/segment.h"
#include "datapath/worker.h"
#include "main/options.h"
#include "tables/neighbours.h"
#include "tables/runtime.h"

struct ps_app_port {
	struct rte_ether_addr mac;
	uint16_t mtu;
	bool started;
	bool all_groups; // it was told to take every multicast group
	char name[64];
};

struct ps_app {
	struct ps_options options;
	struct ps_shared shared;
	struct ps_segment *segment;
	struct ps_evidence *evidence;
	struct ps_control *control;
	struct ps_neighbours *neighbours;
	int lock; // of the run directory; -1: not held

	uint32_t worker_count;
	uint32_t lcores[PS_MAX_WORKERS];
	struct ps_worker *workers[PS_MAX_WORKERS];
	bool ready; // said so
	uint16_t port_count;
	struct ps_app_port ports[PS_MAX_PORTS];

	struct ps_config *config;   // in force; NULL: none
	struct ps_runtime *runtime; // made of it
	uint16_t *backend_rows;     // of its backends
	struct ps_trace *trace;     // armed; NULL: none
	uint64_t trace_end_ns;      // of the monotonic clock
	uint64_t last_trace;        // its id
	bool monitor_due;           // do not wait for the next 100 ms
	uint16_t vip_epochs[PS_VIP_ROWS];
	uint16_t backend_epochs[PS_BACKEND_ROWS];
	uint64_t drain_since[PS_BACKEND_ROWS]; // TSC; 0: it has a weight
	uint16_t drain_epochs[PS_BACKEND_ROWS];
	uint64_t node[PS_NODE_CELLS];
};

// --- eal.c ---
// rte_eal_cleanup(), and the folder that it leaves.
void ps_eal_end(void);
// What an EAL that did not start leaves, or one that no other process is to find.
void ps_eal_remove_folder(void);

// --- ports.c ---
// All ports, with a queue pair a worker, and the buffers. 0, or -errno after saying why on stderr.
int ps_ports_start(struct ps_app *app);
void ps_ports_stop(struct ps_app *app);

// --- groups.c ---
// Groups of a port, distinct. `groups` has room for one an address. Returns how many.
uint32_t ps_port_groups(
	const struct ps_config *config, uint32_t port, struct rte_ether_addr groups[]);
// Makes all ports take the groups of this configuration, and no others.
void ps_ports_join(struct ps_app *app, const struct ps_config *config);

// --- workers.c ---
// Memory of all workers, rows in place. 0, or -errno after saying why on stderr.
int ps_workers_create(struct ps_app *app);
int ps_workers_launch(struct ps_app *app);
void ps_workers_stop(struct ps_app *app);
void ps_workers_free(struct ps_app *app);

// --- apply.c ---
// Puts the configuration in force (and owns it then) and returns 0; or -errno with errors added,
// nothing changed, and the configuration still the caller's.
int ps_apply(struct ps_app *app, struct ps_config *config, struct ps_errors *errors);
// The control socket's callback.
int ps_apply_json(void *app, json_t *document, uint64_t *generation, struct ps_errors *errors);
// Until every worker has passed a quiescent state.
void ps_wait_for_workers(struct ps_app *app);
struct ps_config_limits ps_apply_limits(const struct ps_app *app);

// --- evidence.c ---
// The evidence file of the segment's boot. 0, or -errno after saying why on stderr.
int ps_evidence_start(struct ps_app *app, const char *run_dir, const char *instance);
// Tells the workers what time it is. Call it every 100 ms or so.
void ps_evidence_clock(struct ps_app *app);

// --- drain.c ---
// Notes since when backends have had the weight 0.
void ps_drain_start(
	struct ps_app *app, const struct ps_config *config, const uint16_t *backend_rows);
// Marks the backends of the runtime whose time to drain is over.
void ps_drain_mark(const struct ps_app *app, struct ps_runtime *runtime,
	const struct ps_config *config, const uint16_t *backend_rows);

// --- trace.c ---
// The control socket's callback: arms or ends a trace.
json_t *ps_trace_json(void *app, json_t *request, struct ps_errors *errors);
// Ends a trace whose time is over.
void ps_trace_expire(struct ps_app *app);

// --- monitor.c ---
void ps_beat(void *app);
// Heartbeat, neighbours, rows of ports and node. Call it every 100 ms or so.
void ps_monitor(struct ps_app *app);

// --- show.c ---
json_t *ps_show(void *app);
