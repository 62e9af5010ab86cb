// SPDX-License-Identifier: Apache-2.0
// Dead segments wait for a reader; a folder keeps only so many of them.
#include "base/segment_private.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct leftover {
	uint64_t start_ns;
	char name[sizeof(PS_SEGMENT_PREFIX) + 16];
};

static bool is_segment_name(const char *name)
{
	size_t prefix = strlen(PS_SEGMENT_PREFIX);

	return strncmp(name, PS_SEGMENT_PREFIX, prefix) == 0 && strlen(name) == prefix + 16 &&
	       strspn(name + prefix, "0123456789abcdef") == 16;
}

// From the header; from the file's time when the core died before it had written one.
static uint64_t start_of(int dir, const char *name)
{
	struct ps_segment_header header;
	struct stat st;
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return 0;
	ssize_t got = pread(fd, &header, sizeof(header), 0);
	bool whole = got == sizeof(header) && memcmp(header.magic, PS_SEGMENT_MAGIC, 8) == 0;
	uint64_t start_ns = whole ? header.start_time_ns : 0;
	if (!whole && fstat(fd, &st) == 0)
		start_ns = (uint64_t)st.st_mtim.tv_sec * 1000000000 + (uint64_t)st.st_mtim.tv_nsec;
	close(fd);
	return start_ns;
}

static int by_age(const void *a, const void *b)
{
	const struct leftover *x = a, *y = b;

	if (x->start_ns != y->start_ns)
		return x->start_ns < y->start_ns ? -1 : 1;
	return strcmp(x->name, y->name);
}

static int list(DIR *dir, struct leftover **out, size_t *count)
{
	size_t room = 0;

	for (;;) {
		errno = 0;
		const struct dirent *entry = readdir(dir);
		if (!entry)
			return -errno;
		if (!is_segment_name(entry->d_name))
			continue;
		if (*count == room) {
			room = room ? room * 2 : 64;
			struct leftover *grown = reallocarray(*out, room, sizeof(*grown));
			if (!grown)
				return -ENOMEM;
			*out = grown;
		}
		struct leftover *leftover = &(*out)[(*count)++];
		memcpy(leftover->name, entry->d_name, strlen(entry->d_name) + 1);
		leftover->start_ns = start_of(dirfd(dir), entry->d_name);
	}
}

int ps_segment_prune(const char *run_dir, uint32_t keep)
{
	struct leftover *leftovers = NULL;
	size_t count = 0;
	DIR *dir = opendir(run_dir);

	if (!dir)
		return -errno;
	int rc = list(dir, &leftovers, &count);
	if (rc)
		goto out;
	if (count > 0) // qsort(3) does not take NULL
		qsort(leftovers, count, sizeof(*leftovers), by_age);
	for (size_t i = 0; i + keep < count; i++) {
		if (unlinkat(dirfd(dir), leftovers[i].name, 0) == 0)
			rc++;
		else if (errno != ENOENT) { // a reader may have been quicker
			rc = -errno;
			goto out;
		}
	}
out:
	free(leftovers);
	closedir(dir);
	return rc;
}
