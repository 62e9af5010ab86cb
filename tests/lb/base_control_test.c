// SPDX-License-Identifier: Apache-2.0
// What is asked of the control server, and what it answers.
#include "base_control_rig.h"

#include <sys/stat.h>

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

// Small in bytes, but a tree of many values.
static void test_too_many_values(void **state)
{
	struct core *core = *state;
	size_t size = 3 * (size_t)PS_CONTROL_VALUES_MAX, sent = 0;
	char *many = malloc(size);
	int fd = client(core);

	for (size_t i = 0; i < size; i++)
		many[i] = "[],"[i % 3];
	while (sent < size) {
		ssize_t n = send(fd, many + sent, size - sent, MSG_NOSIGNAL);

		sent += n > 0 ? (size_t)n : 0;
		turn(core, 1);
	}
	free(many);
	shutdown(fd, SHUT_WR);
	json_t *answer = hear(core, fd);
	const json_t *error = json_array_get(json_object_get(answer, "errors"), 0);
	assert_non_null(strstr(
		json_string_value(json_object_get(error, "message")), "more than 1000000 values"));
	json_decref(answer);
	assert_int_equal(ps_control_stats(core->control).oversized, 1);
	assert_int_equal(core->progress, 0);
}

static void test_a_long_request_makes_progress(void **state)
{
	struct core *core = *state;
	size_t size = 1 << 16;
	char *request = malloc(size + 1);

	memset(request, ' ', size);
	memcpy(request, "{\"op\":\"show\"", 12);
	strcpy(request + size - 2, "}\n");
	json_t *answer = ask(core, request);
	free(request);
	assert_true(json_is_true(json_object_get(answer, "ok")));
	json_decref(answer);
	assert_true(core->progress >= 16);
}

static void test_socket_file(void **state)
{
	struct core *core = *state;
	const struct ps_control_callbacks callbacks = callbacks_of(core);
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
	const struct CMUnitTest tests[] = {
		WITH_CORE(test_apply),
		WITH_CORE(test_show_and_stop),
		WITH_CORE(test_bad_requests),
		WITH_CORE(test_request_in_pieces),
		WITH_CORE(test_end_of_stream_ends_a_request),
		WITH_CORE(test_oversized_request),
		WITH_CORE(test_too_many_values),
		WITH_CORE(test_a_long_request_makes_progress),
		WITH_CORE(test_socket_file),
		WITH_CORE(test_close_gives_the_answer_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
