// SPDX-License-Identifier: Apache-2.0
// cmocka, which needs others' headers before its own, and what the tests of the base share.
#pragma once

// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
// clang-format on

#define BASE_DIR_SIZE 256

// The same sequence in every run.
static inline uint32_t random_below(uint32_t bound)
{
	static uint64_t state = 42;

	state = state * 6364136223846793005 + 1442695040888963407;
	return (uint32_t)((state >> 33) % bound);
}

// A new folder below $TMPDIR. Returns 0 or -1.
static inline int base_make_dir(char path[BASE_DIR_SIZE])
{
	const char *parent = getenv("TMPDIR");

	snprintf(path, BASE_DIR_SIZE, "%s/ps-base-XXXXXX", parent ? parent : P_tmpdir);
	return mkdtemp(path) ? 0 : -1;
}

static inline unsigned base_count_files(const char *path, bool unlink_them)
{
	DIR *dir = opendir(path);
	unsigned count = 0;

	for (const struct dirent *entry; dir && (entry = readdir(dir));) {
		if (entry->d_name[0] == '.')
			continue;
		count++;
		if (unlink_them)
			unlinkat(dirfd(dir), entry->d_name, 0);
	}
	if (dir)
		closedir(dir);
	return count;
}

static inline int base_remove_dir(const char *path)
{
	base_count_files(path, true);
	return rmdir(path);
}
