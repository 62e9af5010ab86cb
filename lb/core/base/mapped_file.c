// SPDX-License-Identifier: Apache-2.0
#include "base/mapped_file.h"

#include "api/segment.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

// What is read of a header: up to its start time.
#define START_END (offsetof(struct ps_segment_header, start_time_ns) + 8)
#define DIGITS 16
#define PREFIX_MAX 32

struct leftover {
	uint64_t start_ns;
	char name[PREFIX_MAX + DIGITS];
};

// Files of one kind.
struct kind {
	const char *prefix;
	const char *magic;
};

// posix_fallocate takes the memory now: a full tmpfs is an error here, not a SIGBUS in a worker.
int ps_map_new_file(const char *path, uint64_t size, unsigned char **map)
{
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	if (fd < 0)
		return -errno;
	int rc = -posix_fallocate(fd, 0, (off_t)size);
	if (rc == 0) {
		void *mapped =
			mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
		if (mapped == MAP_FAILED)
			rc = -errno;
		else
			*map = mapped;
	}
	close(fd);
	if (rc)
		unlink(path);
	return rc;
}

static bool is_of_kind(const char *name, const struct kind *kind)
{
	size_t prefix = strlen(kind->prefix);

	return strncmp(name, kind->prefix, prefix) == 0 && strlen(name) == prefix + DIGITS &&
	       strspn(name + prefix, "0123456789abcdef") == DIGITS;
}

// From the header; from the file's time when the core died before it had written one.
static uint64_t start_of(int dir, const char *name, const struct kind *kind)
{
	struct ps_segment_header header;
	struct stat st;
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return 0;
	ssize_t got = pread(fd, &header, sizeof(header), 0);
	bool whole = got >= (ssize_t)START_END && memcmp(header.magic, kind->magic, 8) == 0;
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

static int list(DIR *dir, const struct kind *kind, struct leftover **out, size_t *count)
{
	size_t room = 0;

	for (;;) {
		errno = 0;
		const struct dirent *entry = readdir(dir);
		if (!entry)
			return -errno;
		if (!is_of_kind(entry->d_name, kind))
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
		leftover->start_ns = start_of(dirfd(dir), entry->d_name, kind);
	}
}

int ps_prune_files(const char *run_dir, const char *prefix, const char *magic, uint32_t keep)
{
	const struct kind kind = {prefix, magic};
	struct leftover *leftovers = NULL;
	size_t count = 0;
	DIR *dir = opendir(run_dir);

	if (!dir)
		return -errno;
	int rc = list(dir, &kind, &leftovers, &count);
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
