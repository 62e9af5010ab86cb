// SPDX-License-Identifier: Apache-2.0
// The core as a program that does not come to run: it says why, and leaves nothing behind. The
// argument is the program.
#include "base_test.h"

#include <string.h>
#include <sys/wait.h>

#define EAL "--no-pci --no-huge -m 64 --no-telemetry --file-prefix=%s "

static const char *program;
static char dir[BASE_DIR_SIZE];
static char output[65536];

// Returns the exit code; what it said is in `output`.
static int run(const char *instance, const char *options, const char *eal)
{
	char command[2048], arguments[512], prefix[64];

	snprintf(prefix, sizeof prefix, "popscope-start-%d", getpid());
	snprintf(arguments, sizeof arguments, eal, prefix);
	snprintf(command, sizeof command,
		"XDG_RUNTIME_DIR=%s exec %s --instance '%s' --run-dir %s/run %s -- %s 2>&1", dir,
		program, instance, dir, options, arguments);
	FILE *pipe = popen(command, "r");
	assert_non_null(pipe);
	output[fread(output, 1, sizeof output - 1, pipe)] = '\0';
	int status = pclose(pipe);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void says(const char *text)
{
	if (strstr(output, text) == NULL)
		fail_msg("no \"%s\" in: %s", text, output);
}

static void nothing_is_left(void)
{
	char path[BASE_DIR_SIZE + 64];

	snprintf(path, sizeof path, "/var/run/dpdk/popscope-start-%d", getpid());
	assert_int_equal(access(path, F_OK), -1);
	snprintf(path, sizeof path, "%s/dpdk/popscope-start-%d", dir, getpid());
	assert_int_equal(access(path, F_OK), -1);
	snprintf(path, sizeof path, "%s/run", dir);
	assert_true(base_count_files(path, true) <= 1); // the lock
}

static void an_instance_has_a_name(void **state)
{
	(void)state;
	assert_int_equal(run("a b", "", EAL "--lcores 0@0,1@0"), 2);
	says("letters, digits");
	assert_int_equal(run("\xff", "", EAL "--lcores 0@0,1@0"), 2);
	nothing_is_left();
}

static void there_must_be_a_worker(void **state)
{
	(void)state;
	assert_int_equal(run("t", "", EAL "--lcores 0@0 --vdev=net_null0"), 1);
	says("no worker lcore");
	nothing_is_left();
}

static void an_eal_that_fails_is_cleaned_up(void **state)
{
	(void)state;
	assert_int_equal(run("t", "", EAL "--lcores 0@0,1@0 --vdev=net_nothing0"), 1);
	says("the EAL does not start");
	nothing_is_left();
	assert_int_equal(run("t", "", EAL "--lcores 0@0,1@0 -m 99999999"), 1);
	says("the EAL does not start");
	nothing_is_left();
}

static void a_bad_configuration_is_named(void **state)
{
	(void)state;
	assert_int_equal(run("t", "--config /nonexistent.json --max-connections 64",
				 EAL "--lcores 0@0,1@0 --vdev=net_null0 -m 128"),
		2);
	says("popscope-core: /nonexistent.json: cannot be read: No such file or directory");
	nothing_is_left();
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_instance_has_a_name),
		cmocka_unit_test(there_must_be_a_worker),
		cmocka_unit_test(an_eal_that_fails_is_cleaned_up),
		cmocka_unit_test(a_bad_configuration_is_named),
	};

	if (argc != 2 || base_make_dir(dir) != 0)
		return 2;
	program = argv[1];
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	if (snprintf(output, sizeof output, "rm -r %s", dir) < 0 || system(output) != 0)
		return 2;
	return failed;
}
