// SPDX-License-Identifier: Apache-2.0
// The lock of a run directory: one core, and free again whatever ended it.
#include "base/rundir.h"
#include "base_test.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

static char dir[BASE_DIR_SIZE];

static int make_dir(void **state)
{
	(void)state;
	return base_make_dir(dir);
}

static int remove_dir(void **state)
{
	(void)state;
	return base_remove_dir(dir);
}

static void test_one_holder(void **state)
{
	int first = ps_rundir_lock(dir);

	(void)state;
	assert_true(first >= 0);
	assert_int_equal(ps_rundir_lock(dir), -EWOULDBLOCK);
	close(first);
	int second = ps_rundir_lock(dir);
	assert_true(second >= 0);
	close(second);
}

static void test_free_after_kill(void **state)
{
	int pipes[2];
	char ready;

	(void)state;
	assert_int_equal(pipe(pipes), 0);
	pid_t child = fork();
	if (child == 0) {
		if (ps_rundir_lock(dir) >= 0 && write(pipes[1], "x", 1) == 1)
			pause();
		_exit(1);
	}
	assert_int_equal(read(pipes[0], &ready, 1), 1);
	assert_int_equal(ps_rundir_lock(dir), -EWOULDBLOCK);
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, NULL, 0), child);
	int fd = ps_rundir_lock(dir);
	assert_true(fd >= 0);
	close(fd);
	close(pipes[0]);
	close(pipes[1]);
}

static void test_makes_parents(void **state)
{
	char path[BASE_DIR_SIZE + 16], lock[BASE_DIR_SIZE + 32];

	(void)state;
	snprintf(path, sizeof(path), "%s/a/b/", dir);
	int fd = ps_rundir_lock(path);
	assert_true(fd >= 0);
	close(fd);
	snprintf(lock, sizeof(lock), "%s/a/b/lock", dir);
	assert_int_equal(unlink(lock), 0);
	assert_int_equal(rmdir(path), 0);
	snprintf(path, sizeof(path), "%s/a", dir);
	assert_int_equal(rmdir(path), 0);
}

static void test_errors(void **state)
{
	char path[BASE_DIR_SIZE + 16], longest[5000];

	(void)state;
	assert_int_equal(ps_rundir_lock(""), -ENOENT);
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	assert_int_equal(ps_rundir_lock(longest), -ENAMETOOLONG);
	int fd = ps_rundir_lock(dir);
	close(fd);
	snprintf(path, sizeof(path), "%s/lock/below", dir);
	assert_int_equal(ps_rundir_lock(path), -ENOTDIR);
}

int main(void)
{
#define IN_DIR(test) cmocka_unit_test_setup_teardown(test, make_dir, remove_dir)
	const struct CMUnitTest tests[] = {
		IN_DIR(test_one_holder),
		IN_DIR(test_free_after_kill),
		IN_DIR(test_makes_parents),
		IN_DIR(test_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
