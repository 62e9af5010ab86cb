// SPDX-License-Identifier: Apache-2.0
// Samples into the order of the store, so that the engine finds them sorted: a radix sort by series
// costs a fraction of its comparisons. Times of a series keep their order, which is nearly always
// theirs; where it is not, the engine sorts.
#include "api.h"

#define DIGIT_BITS 11
#define DIGITS (1 << DIGIT_BITS)

struct item {
	uint64_t key;
	uint64_t index;
};

static unsigned digit(uint64_t key, unsigned shift)
{
	return key >> shift & (DIGITS - 1);
}

// One pass from `from` to `to`; false when all have the same digit, and nothing was moved.
static bool pass(const struct item *from, struct item *to, uint64_t count, unsigned shift)
{
	uint64_t starts[DIGITS] = {0}, sum = 0;

	for (uint64_t i = 0; i < count; i++)
		starts[digit(from[i].key, shift)]++;
	if (starts[digit(from[0].key, shift)] == count)
		return false;
	for (unsigned d = 0; d < DIGITS; d++) {
		uint64_t size = starts[d];
		starts[d] = sum;
		sum += size;
	}
	for (uint64_t i = 0; i < count; i++)
		to[starts[digit(from[i].key, shift)]++] = from[i];
	return true;
}

static void gather(uint64_t *column, uint64_t *scratch, const struct item *order, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++)
		scratch[i] = column[order[i].index];
	memcpy(column, scratch, count * sizeof(*column));
}

int fm_sort(uint64_t *series, uint64_t *times, uint64_t *values, uint64_t count)
{
	if (count < 2)
		return 0;
	struct item *order = malloc(2 * count * sizeof(*order)), *other = order + count;
	if (!order)
		return -ENOMEM;
	struct item *memory = order;
	for (uint64_t i = 0; i < count; i++)
		order[i] = (struct item){series[i], i};
	for (unsigned shift = 0; shift < 64; shift += DIGIT_BITS) {
		if (pass(order, other, count, shift)) {
			struct item *swap = order;
			order = other;
			other = swap;
		}
	}
	for (uint64_t i = 0; i < count; i++)
		series[i] = order[i].key;
	gather(times, (uint64_t *)other, order, count);
	gather(values, (uint64_t *)other, order, count);
	free(memory);
	return 0;
}
