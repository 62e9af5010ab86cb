// SPDX-License-Identifier: Apache-2.0
// The paper's filling is a random search for the last free slots: half of its probes go to the last
// sqrt(size) slots. For those the next preferred free slot is computed instead: slot s is the j-th
// preference, j = (s - next) / skip in the field of integers modulo the (prime) size.
#include "base/maglev.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

// An entry that has a weight, and where it stands in its preference list.
struct cursor {
	uint32_t next;
	uint32_t skip;
	uint32_t entry;
	uint32_t weight;
};

struct builder {
	uint32_t size;
	uint32_t active; // cursors
	uint32_t free;   // slots
	uint32_t *table;
	struct cursor *cursors;
	uint32_t *order;      // cursor of turn t; NULL: t modulo active
	uint8_t *taken;       // 0 or 1 a slot, twice over: slot and slot + size are the same
	uint32_t *free_slots; // the last ones
};

bool ps_is_prime(uint32_t n)
{
	if (n < 4)
		return n >= 2;
	if (n % 2 == 0)
		return false;
	for (uint32_t d = 3; d <= n / d; d += 2)
		if (n % d == 0)
			return false;
	return true;
}

static inline uint32_t add_modulo(uint32_t a, uint32_t b, uint32_t size)
{
	uint32_t sum = a + b, wrapped = sum - size;

	// The smaller one: when there was nothing to wrap, the difference is huge. No branch.
	return wrapped < sum ? wrapped : sum;
}

// The first free slot of a preference list. It looks at four preferences at once: the loads do not
// wait for each other, and there is one unpredictable branch for the four. As the map holds every
// slot twice, the sum of two slots needs no modulo to be looked up.
static inline uint32_t search(const struct builder *b, const struct cursor *cursor)
{
	const uint32_t size = b->size, skip = cursor->skip;
	const uint32_t skip2 = add_modulo(skip, skip, size);
	const uint32_t skip3 = add_modulo(skip2, skip, size);
	const uint32_t skip4 = add_modulo(skip2, skip2, size);
	uint32_t slot = cursor->next;
	const uint8_t *at = b->taken + slot;

	while (at[0] & at[skip] & at[skip2] & at[skip3]) {
		slot = add_modulo(slot, skip4, size);
		at = b->taken + slot;
	}
	uint32_t step = at[skip2] ? skip3 : skip2;

	step = at[skip] ? step : skip;
	step = at[0] ? step : 0;
	return add_modulo(slot, step, size);
}

static inline void take(struct builder *b, struct cursor *cursor, uint32_t slot)
{
	b->taken[slot] = 1;
	b->taken[slot + b->size] = 1;
	b->table[slot] = cursor->entry;
	b->free--;
	cursor->next = add_modulo(slot, cursor->skip, b->size);
}

// --- turns ---

// The iterations in which a cursor has its turns: 1, then ceil(k * largest / weight) for k = 1, 2,
// ...
struct schedule {
	uint64_t whole, quotient;
	uint64_t rest, remainder;
	uint64_t weight;
};

static struct schedule schedule_of(uint32_t weight, uint32_t largest)
{
	return (struct schedule){
		// With the largest weight there is a turn in every iteration, so k lags by one.
		.whole = weight == largest,
		.quotient = largest / weight,
		.remainder = largest % weight,
		.weight = weight,
	};
}

static uint64_t following_turn(struct schedule *s)
{
	s->whole += s->quotient;
	s->rest += s->remainder;
	if (s->rest >= s->weight) {
		s->rest -= s->weight;
		s->whole++;
	}
	return s->whole + (s->rest > 0);
}

// Sorts the turns of all cursors by (iteration, cursor): a counting sort over the iterations.
static int order_turns(struct builder *b, uint32_t largest, uint64_t sum)
{
	// So many iterations have at least `size` turns, and at most `size` + 2 * `active`.
	uint64_t iterations = ((uint64_t)b->size * largest + sum - 1) / sum;
	uint32_t *first = calloc(iterations + 2, sizeof(*first));

	b->order = calloc((uint64_t)b->size + 2 * (uint64_t)b->active, sizeof(*b->order));
	if (!first || !b->order) {
		free(first);
		return -ENOMEM;
	}
	for (uint32_t c = 0; c < b->active; c++) {
		struct schedule s = schedule_of(b->cursors[c].weight, largest);

		for (uint64_t i = 1; i <= iterations; i = following_turn(&s))
			first[i + 1]++;
	}
	for (uint64_t i = 1; i <= iterations; i++)
		first[i + 1] += first[i];
	for (uint32_t c = 0; c < b->active; c++) {
		struct schedule s = schedule_of(b->cursors[c].weight, largest);

		for (uint64_t i = 1; i <= iterations; i = following_turn(&s))
			b->order[first[i]++] = c;
	}
	free(first);
	return 0;
}

// --- filling ---

// Inverse modulo the prime `size`, by the extended Euclidean algorithm.
static uint32_t inverse(uint32_t value, uint32_t size)
{
	int64_t r0 = size, r1 = value, t0 = 0, t1 = 1;

	while (r1) {
		int64_t q = r0 / r1, r = r0 - q * r1, t = t0 - q * t1;

		r0 = r1;
		r1 = r;
		t0 = t1;
		t1 = t;
	}
	return (uint32_t)(t0 < 0 ? t0 + size : t0);
}

// Index into free_slots of the cursor's next preferred free slot.
static uint32_t preferred(const struct builder *b, const struct cursor *cursor)
{
	const uint32_t size = b->size, next = cursor->next;
	const uint32_t factor = inverse(cursor->skip, size);
	// Shoup's multiplication modulo a constant: the quotient is right or one too small.
	const uint64_t scaled = ((uint64_t)factor << 32) / size;
	uint32_t best = UINT32_MAX, best_index = 0;

	for (uint32_t i = 0; i < b->free; i++) {
		uint32_t slot = b->free_slots[i];
		uint32_t distance = slot >= next ? slot - next : slot + size - next;
		uint32_t quotient = (uint32_t)(distance * scaled >> 32);
		uint32_t j = distance * factor - quotient * size;

		j = j >= size ? j - size : j;
		if (j < best) {
			best = j;
			best_index = i;
		}
	}
	return best_index;
}

static inline struct cursor *whose_turn(const struct builder *b, uint32_t turn, uint32_t *rotating)
{
	if (b->order)
		return &b->cursors[b->order[turn]];
	struct cursor *cursor = &b->cursors[*rotating];

	*rotating = *rotating + 1 == b->active ? 0 : *rotating + 1;
	return cursor;
}

static void collect_free_slots(struct builder *b)
{
	const uint8_t *end = b->taken + b->size, *at = b->taken;
	uint32_t count = 0;

	for (; (at = memchr(at, 0, (size_t)(end - at))); at++)
		b->free_slots[count++] = (uint32_t)(at - b->taken);
}

static void fill(struct builder *b)
{
	const uint32_t size = b->size;
	uint32_t turn = 0, rotating = 0;

	while ((uint64_t)b->free * b->free > size) {
		struct cursor *cursor = whose_turn(b, turn++, &rotating);

		take(b, cursor, search(b, cursor));
	}
	collect_free_slots(b);
	while (b->free) {
		struct cursor *cursor = whose_turn(b, turn++, &rotating);
		uint32_t index = preferred(b, cursor);

		take(b, cursor, b->free_slots[index]);
		b->free_slots[index] = b->free_slots[b->free];
	}
}

static int check(uint32_t size, uint32_t count, const struct ps_maglev_entry entries[])
{
	if (size > PS_MAGLEV_MAX_SIZE || !ps_is_prime(size))
		return -EINVAL;
	for (uint32_t i = 0; i < count; i++)
		if (entries[i].offset >= size || entries[i].skip < 1 || entries[i].skip >= size)
			return -EINVAL;
	return 0;
}

int ps_maglev_build(
	uint32_t size, uint32_t count, const struct ps_maglev_entry entries[], uint32_t table[])
{
	struct builder b = {.size = size, .free = size, .table = table};
	uint32_t largest = 0, smallest = UINT32_MAX;
	uint64_t sum = 0;
	int rc = check(size, count, entries);

	if (rc)
		return rc;
	b.cursors = calloc(count ? count : 1, sizeof(*b.cursors));
	b.taken = calloc(size, 2);
	b.free_slots = malloc(size * sizeof(*b.free_slots));
	rc = -ENOMEM;
	if (!b.cursors || !b.taken || !b.free_slots)
		goto out;
	for (uint32_t i = 0; i < count; i++) {
		const struct ps_maglev_entry *e = &entries[i];

		if (!e->weight)
			continue;
		b.cursors[b.active++] = (struct cursor){e->offset, e->skip, i, e->weight};
		largest = e->weight > largest ? e->weight : largest;
		smallest = e->weight < smallest ? e->weight : smallest;
		sum += e->weight;
	}
	rc = b.active ? 0 : -ENOENT;
	if (rc == 0 && smallest < largest)
		rc = order_turns(&b, largest, sum);
	if (rc == 0)
		fill(&b);
out:
	free(b.order);
	free(b.free_slots);
	free(b.taken);
	free(b.cursors);
	return rc;
}
