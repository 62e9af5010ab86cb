// SPDX-License-Identifier: Apache-2.0
// The control server against good, slow, silent, huge and broken clients. One thread: the test is
// the client and the main loop in turn.
#include "base/control_private.h"
#include "base_test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

struct core {
	char dir[BASE_DIR_SIZE];
	struct ps_control *control;
	int applied;
	int stopped;
	size_t padding; // bytes in the answer to show
};

static int apply(void *user, json_t *config, uint64_t *generation, struct ps_errors *errors)
{
	struct core *core = user;

	if (!json_is_object(config)) {
		ps_errors_add(errors, "", "must be an object");
		ps_errors_add(errors, "/generation", "is missing");
		return -EINVAL;
	}
	if (json_object_get(config, "busy"))
		return -EBUSY;
	core->applied++;
	*generation = (uint64_t)json_integer_value(json_object_get(config, "generation"));
	return 0;
}

static json_t *show(void *user)
{
	const struct core *core = user;
	char *padding = malloc(core->padding + 1);

	memset(padding, 'x', core->padding);
	padding[core->padding] = '\0';
	json_t *members = json_pack("{s:s, s:s}", "instance", "test", "padding", padding);
	free(padding);
	return members;
}

static void stop(void *user)
{
	((struct core *)user)->stopped++;
}

static int start(void **state)
{
	struct core *core = calloc(1, sizeof(*core));
	const struct ps_control_callbacks callbacks = {apply, show, stop, core};

	*state = core;
	if (base_make_dir(core->dir))
		return -1;
	return ps_control_open(core->dir, &callbacks, &core->control);
}

static int finish(void **state)
{
	struct core *core = *state;

	ps_control_close(core->control);
	int left = (int)base_count_files(core->dir, false);
	int rc = base_remove_dir(core->dir);
	free(core);
	return rc || left;
}

static int client(const struct core *core)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%.90s/control.sock", core->dir);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static void turn(struct core *core, int times)
{
	while (times-- > 0)
		assert_int_equal(ps_control_poll(core->control, 0), 0);
}

static void say(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

// The answer, read to its end while the core's loop turns. Closes the client.
static json_t *hear(struct core *core, int fd)
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

static json_t *ask(struct core *core, const char *request)
{
	int fd = client(core);

	say(fd, request);
	return hear(core, fd);
}

static void assert_refused(
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

static void test_apply(void **state)
{
	struct core *core = *state;
	json_t *answer = ask(core, "{\"op\":\"apply\",\"config\":{\"generation\":7}}\n");

	assert_true(json_is_true(json_object_get(answer, "ok")));
	assert_int_equal(json_integer_value(json_object_get(answer, "generation")), 7);
	json_decref(answer);
	assert_int_equal(core->applied, 1);
	answer = ask(core, "{\"op\":\"apply\",\"config\":7}\n");
	assert_int_equal(json_array_size(json_object_get(answer, "errors")), 2);
	json_decref(answer);
	assert_refused(core, "{\"op\":\"apply\"}\n", "/config", "is missing");
	assert_refused(core, "{\"op\":\"apply\",\"config\":{\"busy\":1}}\n", "", "busy");
	assert_int_equal(core->applied, 1);
}

static void test_show_and_stop(void **state)
{
	struct core *core = *state;
	json_t *answer = ask(core, "{\"op\":\"show\"}\n");

	assert_true(json_is_true(json_object_get(answer, "ok")));
	assert_string_equal(json_string_value(json_object_get(answer, "instance")), "test");
	json_decref(answer);
	answer = ask(core, "{\"op\":\"stop\"}\n");
	assert_true(json_is_true(json_object_get(answer, "ok")));
	json_decref(answer);
	assert_int_equal(core->stopped, 1);
}

static void test_bad_requests(void **state)
{
	struct core *core = *state;

	assert_refused(core, "{\"op\":\"dance\"}\n", "/op", "is \"dance\"");
	assert_refused(core, "{}\n", "/op", "must be");
	assert_refused(core, "{\"op\":7}\n", "/op", "must be");
	assert_refused(core, "[]\n", "", "must be an object");
	assert_refused(core, "\n", "", "line 1");
	assert_refused(core, "{\"op\" \"show\"}\n", "", "line 1, column 12");
	assert_refused(core, "{\"op\":\"show\",\"op\":\"stop\"}\n", "", "duplicate");
	assert_refused(core, "{\"op\":\"\xff\"}\n", "", "unable to decode");
	assert_int_equal(core->stopped, 0);
	assert_int_equal(ps_control_stats(core->control).requests, 8);
	assert_int_equal(ps_control_stats(core->control).bad_requests, 8);
}

static void test_request_in_pieces(void **state)
{
	struct core *core = *state;
	const char request[] = "{\"op\":\"show\"}\n";
	int fd = client(core);

	for (size_t i = 0; i < sizeof(request) - 1; i++) {
		assert_int_equal(send(fd, request + i, 1, 0), 1);
		turn(core, 2);
	}
	json_t *answer = hear(core, fd);
	assert_true(json_is_true(json_object_get(answer, "ok")));
	json_decref(answer);
}

static void test_end_of_stream_ends_a_request(void **state)
{
	struct core *core = *state;
	int fd = client(core);

	say(fd, "{\"op\":\"show\"}");
	shutdown(fd, SHUT_WR);
	json_t *answer = hear(core, fd);
	assert_true(json_is_true(json_object_get(answer, "ok")));
	json_decref(answer);
}

// Larger than any socket buffer: it goes out over many turns, others are served meanwhile.
static void test_large_answer_to_a_slow_reader(void **state)
{
	struct core *core = *state;

	core->padding = 3 << 20;
	int slow = client(core);
	say(slow, "{\"op\":\"show\"}\n");
	turn(core, 10);
	assert_refused(core, "{}\n", "/op", "must be");
	json_t *answer = hear(core, slow);
	assert_int_equal(json_string_length(json_object_get(answer, "padding")), 3 << 20);
	json_decref(answer);
}

static void test_oversized_request(void **state)
{
	struct core *core = *state;
	size_t size = PS_CONTROL_REQUEST_MAX + 100000, sent = 0;
	char *huge = malloc(size);
	int fd = client(core);

	memset(huge, ' ', size);
	for (int turns = 0; turns < 100000 && sent < size; turns++) {
		ssize_t n = send(fd, huge + sent, size - sent, MSG_NOSIGNAL);

		if (n < 0 && errno != EAGAIN)
			break;
		sent += n > 0 ? (size_t)n : 0;
		turn(core, 1);
	}
	turn(core, 5);
	assert_int_equal(ps_control_stats(core->control).oversized, 1);
	close(fd);
	free(huge);
	assert_refused(core, "{}\n", "/op", "must be");
}

static void test_vanished_clients(void **state)
{
	struct core *core = *state;
	int silent = client(core);

	turn(core, 2);
	close(silent);
	turn(core, 2);
	assert_int_equal(ps_control_stats(core->control).broken, 1);
	core->padding = 3 << 20;
	int rude = client(core);
	say(rude, "{\"op\":\"show\"}\n");
	turn(core, 3);
	close(rude);
	turn(core, 3);
	assert_int_equal(ps_control_stats(core->control).broken, 2);
	json_t *answer = ask(core, "{\"op\":\"show\"}\n");
	json_decref(answer);
}

// A client that says nothing, and one that does not read its answer, each after its time is over.
static void test_slow_clients(void **state)
{
	struct core *core = *state;
	int silent = client(core);

	turn(core, 2);
	assert_int_equal(core->control->client_count, 1);
	core->control->clients[0].deadline_ms = 0;
	assert_int_equal(ps_control_poll(core->control, -1), 0); // the deadline ends the wait
	assert_int_equal(core->control->client_count, 0);
	core->padding = 3 << 20;
	int deaf = client(core);
	say(deaf, "{\"op\":\"show\"}\n");
	turn(core, 3);
	assert_true(core->control->clients[0].answering);
	core->control->clients[0].deadline_ms = 0;
	turn(core, 1);
	assert_int_equal(core->control->client_count, 0);
	assert_int_equal(ps_control_stats(core->control).timed_out, 2);
	close(silent);
	close(deaf);
}

// More clients than places: the others wait in the backlog, and are served when a place is free.
static void test_more_clients_than_places(void **state)
{
	struct core *core = *state;
	int silent[PS_CONTROL_CLIENTS], waiting;
	struct pollfd fds[PS_CONTROL_FDS];

	for (int i = 0; i < PS_CONTROL_CLIENTS; i++)
		silent[i] = client(core);
	turn(core, 3);
	waiting = client(core);
	say(waiting, "{\"op\":\"show\"}\n");
	turn(core, 3);
	assert_int_equal(ps_control_fds(core->control, fds), PS_CONTROL_FDS);
	assert_int_equal(fds[0].events, 0); // no busy loop while it is full
	close(silent[3]);
	json_t *answer = hear(core, waiting);
	assert_true(json_is_true(json_object_get(answer, "ok")));
	json_decref(answer);
	for (int i = 0; i < PS_CONTROL_CLIENTS; i++)
		if (i != 3)
			close(silent[i]);
}

static void test_pollable_from_outside(void **state)
{
	struct core *core = *state;
	struct pollfd fds[PS_CONTROL_FDS];

	assert_int_equal(ps_control_fds(core->control, fds), 1);
	assert_int_equal(poll(fds, 1, 0), 0);
	int fd = client(core);
	assert_int_equal(poll(fds, 1, 0), 1);
	turn(core, 1);
	assert_int_equal(ps_control_fds(core->control, fds), 2);
	assert_int_equal(fds[1].events, POLLIN);
	close(fd);
}

static void on_alarm(int number)
{
	(void)number;
}

static void test_a_signal_ends_the_wait(void **state)
{
	struct core *core = *state;
	const struct sigaction action = {.sa_handler = on_alarm};

	sigaction(SIGALRM, &action, NULL);
	alarm(1);
	assert_int_equal(ps_control_poll(core->control, -1), 0);
}

static void test_socket_file(void **state)
{
	struct core *core = *state;
	const struct ps_control_callbacks callbacks = {apply, show, stop, core};
	char path[BASE_DIR_SIZE + 16];
	struct ps_control *second;
	struct stat st;

	snprintf(path, sizeof(path), "%s/control.sock", core->dir);
	assert_int_equal(stat(path, &st), 0);
	assert_true(S_ISSOCK(st.st_mode) && (st.st_mode & 0777) == 0660);
	// As after SIGKILL: the file is there, and is replaced.
	assert_int_equal(ps_control_open(core->dir, &callbacks, &second), 0);
	ps_control_close(core->control);
	core->control = second;
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(ps_control_open("/nonexistent", &callbacks, &second), -ENOENT);
}

static void test_close_gives_the_answer_out(void **state)
{
	struct core *core = *state;
	char text[64] = "";
	int fd = client(core);

	say(fd, "{\"op\":\"stop\"}\n");
	turn(core, 2);
	ps_control_close(core->control);
	core->control = NULL;
	assert_true(recv(fd, text, sizeof(text) - 1, 0) > 0);
	assert_string_equal(text, "{\"ok\":true}\n");
	close(fd);
}

int main(void)
{
#define WITH_CORE(test) cmocka_unit_test_setup_teardown(test, start, finish)
	const struct CMUnitTest tests[] = {
		WITH_CORE(test_apply),
		WITH_CORE(test_show_and_stop),
		WITH_CORE(test_bad_requests),
		WITH_CORE(test_request_in_pieces),
		WITH_CORE(test_end_of_stream_ends_a_request),
		WITH_CORE(test_large_answer_to_a_slow_reader),
		WITH_CORE(test_oversized_request),
		WITH_CORE(test_vanished_clients),
		WITH_CORE(test_slow_clients),
		WITH_CORE(test_more_clients_than_places),
		WITH_CORE(test_pollable_from_outside),
		WITH_CORE(test_a_signal_ends_the_wait),
		WITH_CORE(test_socket_file),
		WITH_CORE(test_close_gives_the_answer_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
