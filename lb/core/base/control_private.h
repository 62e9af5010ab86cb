// SPDX-License-Identifier: Apache-2.0
// What the files of the control server share.
#pragma once

#include "base/control.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#define PS_CONTROL_SOCKET "control.sock"

struct ps_client {
	int fd;
	bool answering;
	int64_t deadline_ms;
	char *data; // the request so far, then the answer
	size_t length;
	size_t capacity;
	size_t sent;
};

struct ps_control {
	int fd;
	bool bound;
	int64_t accept_ms; // do not accept before
	uint32_t client_count;
	struct ps_client clients[PS_CONTROL_CLIENTS];
	struct ps_control_callbacks callbacks;
	struct ps_control_stats stats;
	char path[PATH_MAX];
};

struct ps_text {
	char *data; // NULL: out of memory
	size_t length;
};

// Does what the request asks for. The answer is one JSON object and a newline.
struct ps_text ps_control_answer(struct ps_control *control, const char *request, size_t length);
