// SPDX-License-Identifier: Apache-2.0
#include "main/app.h"

#include <dirent.h>
#include <fcntl.h>
#include <rte_eal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

// The folder is named after --file-prefix, which is this process's alone.
static void remove_folder(const char *path)
{
	DIR *folder = opendir(path);
	struct dirent *entry;

	if (folder == NULL)
		return;
	while ((entry = readdir(folder)) != NULL)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			unlinkat(dirfd(folder), entry->d_name, 0);
	closedir(folder);
	rmdir(path);
}

void ps_eal_end(void)
{
	char path[256];

	snprintf(path, sizeof path, "%s", rte_eal_get_runtime_dir());
	rte_eal_cleanup();
	remove_folder(path);
}
