// SPDX-License-Identifier: Apache-2.0
// libFuzzer target of the decoders: meson setup -Dfuzz=true with CC=clang, then
//   fuzz-foreign -max_len=4096 -max_total_time=60
// The first byte says which format it is. What is refused must leave the table as it was, and what
// is taken must agree with itself: each sample has a series that is known.
#include "c/api.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// Bodies that gave a sample or a histogram.
extern uint64_t fuzz_taken;
uint64_t fuzz_taken;

static void check_samples(struct fm_table *table, const struct fm_batch *batch)
{
	uint64_t size, times;
	const uint8_t *ids = fm_batch_column(batch, FM_SAMPLE_SERIES, &size);

	fm_batch_column(batch, FM_SAMPLE_TIME, &times);
	if (size != times)
		abort();
	for (uint64_t i = 0; i < size; i += 8) {
		uint64_t id;
		memcpy(&id, ids + i, 8);
		if (!fm_series_of_id(table, id))
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct fm_batch *batch;
	static struct fm_table *table;
	uint64_t bytes;

	if (!table) {
		batch = fm_batch_new();
		table = fm_table_new(1000, 1 << 20, 1, 2);
		fm_tenant_add(table, "t", 1, 500);
	}
	if (!size)
		return 0;
	struct fm_request request = {
		.format = FM_RW1 + data[0] % 4,
		.now = 1000,
		.oldest = INT64_MIN,
		.newest = INT64_MAX,
		.columns_limit = 1 << 20,
	};
	uint32_t before = fm_table_count(table, &bytes);
	// A copy of its own, so that a read beyond the end is seen.
	uint8_t *body = malloc(size);
	memcpy(body, data + 1, size - 1);
	int rc = fm_take(table, batch, &request, body, size - 1);
	free(body);
	if (rc && fm_table_count(table, &bytes) != before)
		abort();
	if (!rc)
		check_samples(table, batch);
	fuzz_taken +=
		!rc && batch->columns[FM_SAMPLE_TIME].size + batch->columns[FM_HISTOGRAM_TIME].size;
	if (before > 400 && fm_series_forget(table, UINT32_MAX) < 0)
		abort();
	return 0;
}
