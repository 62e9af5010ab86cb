// SPDX-License-Identifier: Apache-2.0
// The control socket: one JSON object a connection in, one out. Runs inside the main lcore's loop,
// never blocks it: clients that are slow, silent or broken are dropped, and counted. No DPDK here.
#pragma once

#include "base/errors.h"

#include <jansson.h>
#include <poll.h>
#include <stdint.h>

// One more client waits in the socket's backlog until another is served; none is turned away.
#define PS_CONTROL_CLIENTS 16
#define PS_CONTROL_FDS (1 + PS_CONTROL_CLIENTS)
#define PS_CONTROL_REQUEST_MAX (16u << 20) // bytes
// JSON values in a request, about: more than the largest configuration has. Many millions of empty
// ones would fit into its bytes, and take seconds and most of a gigabyte.
#define PS_CONTROL_VALUES_MAX 1000000u
#define PS_CONTROL_CLIENT_TIMEOUT_MS 5000 // for the whole request, and again for the reply

struct ps_control_callbacks {
	// `config` is borrowed. Returns 0 and the generation now in force, or -errno with errors
	// added.
	int (*apply)(void *user, json_t *config, uint64_t *generation, struct ps_errors *errors);
	// Returns a new object (its reference is taken) with the members of the answer beside "ok";
	// NULL when out of memory.
	json_t *(*show)(void *user);
	void (*stop)(void *user);
	void *user;
	// Called again and again while a long request is read; may be NULL.
	void (*progress)(void *user);
	// Arms or ends a trace, as the request says. As show; NULL also with errors added. May be
	// NULL.
	json_t *(*trace)(void *user, json_t *request, struct ps_errors *errors);
};

struct ps_control_stats {
	uint64_t requests;
	uint64_t bad_requests;  // not JSON, unknown op, ...
	uint64_t timed_out;     // clients dropped for being slow
	uint64_t oversized;     // requests over PS_CONTROL_REQUEST_MAX
	uint64_t broken;        // connections lost before the answer was out
	uint64_t accept_errors; // no file descriptor left, ...
};

struct ps_control;

// Listens on <run dir>/control.sock (mode 0660). The caller holds ps_rundir_lock(): a socket file
// that is there belongs to a dead core and is replaced. Returns 0 or -errno.
int ps_control_open(
	const char *run_dir, const struct ps_control_callbacks *callbacks, struct ps_control **out);
// Waits up to timeout_ms (-1: for ever) for something to do, and does it. Callbacks run inside.
// Returns 0, also after a signal, or -errno when poll(2) itself fails.
int ps_control_poll(struct ps_control *control, int timeout_ms);
// For a loop with a poll(2) of its own: fills `fds`, returns how many; then ps_control_poll(c, 0).
uint32_t ps_control_fds(const struct ps_control *control, struct pollfd fds[PS_CONTROL_FDS]);
struct ps_control_stats ps_control_stats(const struct ps_control *control);
// Gives pending answers a moment (200 ms at most), closes and unlinks the socket. NULL is allowed.
void ps_control_close(struct ps_control *control);
