// SPDX-License-Identifier: Apache-2.0
// A control server and its clients. One thread: the test is the client and the main loop in turn.
#pragma once

#include "base/control_private.h"
#include "base_test.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

struct core {
	char dir[BASE_DIR_SIZE];
	struct ps_control *control;
	int applied;
	int stopped;
	int progress;
	void (*on_apply)(void);
	size_t padding; // bytes in the answer to show
};

static inline int apply(void *user, json_t *config, uint64_t *generation, struct ps_errors *errors)
{
	struct core *core = user;

	if (!json_is_object(config)) {
		ps_errors_add(errors, "", "must be an object");
		ps_errors_add(errors, "/generation", "is missing");
		return -EINVAL;
	}
	if (json_object_get(config, "busy"))
		return -EBUSY;
	if (core->on_apply)
		core->on_apply();
	core->applied++;
	*generation = (uint64_t)json_integer_value(json_object_get(config, "generation"));
	return 0;
}

static inline json_t *show(void *user)
{
	const struct core *core = user;
	char *padding = malloc(core->padding + 1);

	memset(padding, 'x', core->padding);
	padding[core->padding] = '\0';
	json_t *members = json_pack("{s:s, s:s}", "instance", "test", "padding", padding);
	free(padding);
	return members;
}

static inline void stop(void *user)
{
	((struct core *)user)->stopped++;
}

static inline void progress(void *user)
{
	((struct core *)user)->progress++;
}

static inline struct ps_control_callbacks callbacks_of(struct core *core)
{
	return (struct ps_control_callbacks){
		.apply = apply, .show = show, .stop = stop, .user = core, .progress = progress};
}

static inline int start(void **state)
{
	struct core *core = calloc(1, sizeof(*core));
	const struct ps_control_callbacks callbacks = callbacks_of(core);

	*state = core;
	if (base_make_dir(core->dir))
		return -1;
	return ps_control_open(core->dir, &callbacks, &core->control);
}

static inline int finish(void **state)
{
	struct core *core = *state;

	ps_control_close(core->control);
	int left = (int)base_count_files(core->dir, false);
	int rc = base_remove_dir(core->dir);
	free(core);
	return rc || left;
}

static inline int client(const struct core *core)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%.90s/control.sock", core->dir);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static inline void turn(struct core *core, int times)
{
	while (times-- > 0)
		assert_int_equal(ps_control_poll(core->control, 0), 0);
}

static inline void say(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

// The answer, read to its end while the core's loop turns. Closes the client.
static inline json_t *hear(struct core *core, int fd)
{
	size_t length = 0, room = 1 << 16;
	char *text = malloc(room);
	ssize_t n = -1;

	for (int turns = 0; n != 0 && turns < 100000; turns++) {
		turn(core, 1);
		n = recv(fd, text + length, room - length, 0);
		length += n > 0 ? (size_t)n : 0;
		if (length == room)
			text = realloc(text, room *= 2);
	}
	close(fd);
	assert_int_equal(n, 0);
	assert_true(length > 0 && text[length - 1] == '\n');
	assert_null(memchr(text, '\n', length - 1));
	json_t *json = json_loadb(text, length, 0, NULL);
	assert_non_null(json);
	free(text);
	return json;
}

static inline json_t *ask(struct core *core, const char *request)
{
	int fd = client(core);

	say(fd, request);
	return hear(core, fd);
}

static inline void assert_refused(
	struct core *core, const char *request, const char *path, const char *message)
{
	json_t *answer = ask(core, request);
	const json_t *first = json_array_get(json_object_get(answer, "errors"), 0);

	assert_true(json_is_false(json_object_get(answer, "ok")));
	assert_string_equal(json_string_value(json_object_get(first, "path")), path);
	if (!strstr(json_string_value(json_object_get(first, "message")), message))
		fail_msg("%s", json_string_value(json_object_get(first, "message")));
	json_decref(answer);
}

#define WITH_CORE(test) cmocka_unit_test_setup_teardown(test, start, finish)
