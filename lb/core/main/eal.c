// SPDX-License-Identifier: Apache-2.0
#include "main/app.h"

#include <dirent.h>
#include <fcntl.h>
#include <rte_eal.h>
#include <string.h>
#include <unistd.h>

// The folder is named after --file-prefix. It is another process's when that one holds the EAL's
// lock; and anybody's when the prefix is the EAL's default, under which some take no lock.
static bool is_ours(DIR *folder, const char *path)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	const char *slash = strrchr(path, '/');
	int config = openat(dirfd(folder), "config", O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	bool locked = config >= 0 && (fcntl(config, F_GETLK, &lock) != 0 || lock.l_type != F_UNLCK);

	if (config >= 0)
		close(config);
	return !locked && slash != NULL && strcmp(slash + 1, "rte") != 0;
}

void ps_eal_remove_folder(void)
{
	const char *path = rte_eal_get_runtime_dir();
	DIR *folder = opendir(path);
	struct dirent *entry;

	if (folder == NULL)
		return;
	if (!is_ours(folder, path)) {
		closedir(folder);
		return;
	}
	while ((entry = readdir(folder)) != NULL)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			unlinkat(dirfd(folder), entry->d_name, 0);
	closedir(folder);
	rmdir(path);
}

void ps_eal_end(void)
{
	rte_eal_cleanup();
	ps_eal_remove_folder();
}
