// SPDX-License-Identifier: Apache-2.0
// SIGKILL at any instruction: a child runs some code one instruction at a time, and after each of
// them its parent looks at the memory that they share, as a reader would after a kill there.
#pragma once

#include "base_test.h"

#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

// Returns after how many instructions the child's body was done.
static inline uint64_t run_stepped(void (*body)(void), void (*look)(void))
{
	uint64_t steps = 0;
	int status;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
			_exit(1);
		raise(SIGSTOP);
		body();
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	if (!WIFSTOPPED(status))
		fail_msg("the child cannot be traced");
	ptrace(PTRACE_SETOPTIONS, child, NULL, PTRACE_O_EXITKILL);
	while (WIFSTOPPED(status)) {
		look();
		steps++;
		assert_int_equal(ptrace(PTRACE_SINGLESTEP, child, NULL, NULL), 0);
		assert_int_equal(waitpid(child, &status, 0), child);
	}
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	return steps;
}
