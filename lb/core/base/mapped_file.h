// SPDX-License-Identifier: Apache-2.0
// What the files that readers map have in common: how they come to be, and how old ones go.
#pragma once

#include <stdint.h>

// A new file of `size` zeros, mapped in: no store to it faults. Returns 0 or -errno.
int ps_map_new_file(const char *path, uint64_t size, unsigned char **map);
// Unlinks the oldest files <prefix><16 hex digits> of the folder, by the start time in a header
// that begins with `magic` as struct ps_segment_header does, beyond `keep`. Returns how many, or
// -errno.
int ps_prune_files(const char *run_dir, const char *prefix, const char *magic, uint32_t keep);
