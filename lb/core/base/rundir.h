// SPDX-License-Identifier: Apache-2.0
// The run directory of a core instance, and the lock that makes the instance the only one.
#pragma once

// Makes the directory where it is missing (its parent must exist or be makeable as well) and takes
// the flock on its file `lock`. Returns the file descriptor, which holds the lock until it is
// closed or the process ends; -EWOULDBLOCK when another core runs there; or another -errno.
int ps_rundir_lock(const char *path);
