// SPDX-License-Identifier: Apache-2.0
#include "base/ranges.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define INDEX_SIZE 65537
#define INDEXED_FROM 64 // ranges
#define DEPTH 130       // of prefixes in each other

__extension__ typedef unsigned __int128 number; // an IPv4 address in the highest bits

struct span {
	number first;
	number last;
	bool deny;
};

struct edge {
	number at;
	bool deny; // from there on
};

static number number_of(const struct ps_address *address)
{
	number n = 0;

	if (ps_address_is_v4(address))
		return (number)ntohl(address->words[3]) << 96;
	for (int i = 0; i < 4; i++)
		n = n << 32 | ntohl(address->words[i]);
	return n;
}

static struct span span_of(const struct ps_rule *rule)
{
	bool v4 = ps_address_is_v4(&rule->prefix.network);
	unsigned length = rule->prefix.length - (v4 ? PS_V4_PREFIX : 0);
	number hosts = length == 0 ? ~(number)0 : length == 128 ? 0 : ~(number)0 >> length;
	number first = number_of(&rule->prefix.network);

	return (struct span){first, first | hosts, rule->deny};
}

// Whoever holds others comes before them.
static int by_place(const void *a, const void *b)
{
	const struct span *x = a, *y = b;

	if (x->first != y->first)
		return x->first < y->first ? -1 : 1;
	return (x->last < y->last) - (x->last > y->last);
}

static uint32_t add_edge(struct edge *edges, uint32_t count, number at, bool deny)
{
	if (count > 0 && edges[count - 1].at == at)
		count--;
	edges[count] = (struct edge){at, deny};
	return count + 1;
}

// Keeps the edges where the answer changes.
static uint32_t only_changes(struct edge *edges, uint32_t count, bool deny)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < count; i++) {
		if (edges[i].deny == deny)
			continue;
		deny = edges[i].deny;
		edges[kept++] = edges[i];
	}
	return kept;
}

// Edges of sorted spans: two a span at most.
static uint32_t find_edges(const struct span *spans, uint32_t count, bool deny, struct edge *edges)
{
	const struct span *open[DEPTH];
	uint32_t depth = 0, found = 0;

	for (uint32_t i = 0; i <= count; i++) {
		while (depth > 0 && (i == count || open[depth - 1]->last < spans[i].first)) {
			number last = open[--depth]->last;
			if (last != ~(number)0)
				found = add_edge(edges, found, last + 1,
					depth > 0 ? open[depth - 1]->deny : deny);
		}
		if (i == count)
			break;
		found = add_edge(edges, found, spans[i].first, spans[i].deny);
		open[depth++] = &spans[i];
	}
	return only_changes(edges, found, deny);
}

static int make_index(const struct edge *edges, uint32_t count, uint32_t **out)
{
	if (count < INDEXED_FROM)
		return 0;
	uint32_t *index = calloc(INDEX_SIZE, sizeof(*index));
	if (!index)
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++)
		index[(uint32_t)(edges[i].at >> 112) + 1]++;
	for (uint32_t i = 1; i < INDEX_SIZE; i++)
		index[i] += index[i - 1];
	*out = index;
	return 0;
}

static int build_v4(
	struct ps_ranges *ranges, struct span *spans, uint32_t count, struct edge *edges)
{
	qsort(spans, count, sizeof(*spans), by_place);
	ranges->v4_count = find_edges(spans, count, ranges->deny, edges);
	ranges->v4 = calloc(ranges->v4_count + 1, sizeof(*ranges->v4));
	if (!ranges->v4)
		return -ENOMEM;
	for (uint32_t i = 0; i < ranges->v4_count; i++)
		ranges->v4[i] = (uint32_t)(edges[i].at >> 96);
	return make_index(edges, ranges->v4_count, &ranges->v4_index);
}

static int build_v6(
	struct ps_ranges *ranges, struct span *spans, uint32_t count, struct edge *edges)
{
	qsort(spans, count, sizeof(*spans), by_place);
	ranges->v6_count = find_edges(spans, count, ranges->deny, edges);
	ranges->v6 = calloc(ranges->v6_count + 1, sizeof(*ranges->v6));
	if (!ranges->v6)
		return -ENOMEM;
	for (uint32_t i = 0; i < ranges->v6_count; i++) {
		ranges->v6[i][0] = (uint64_t)(edges[i].at >> 64);
		ranges->v6[i][1] = (uint64_t)edges[i].at;
	}
	return make_index(edges, ranges->v6_count, &ranges->v6_index);
}

int ps_ranges_build(
	struct ps_ranges *ranges, uint32_t count, const struct ps_rule rules[], bool deny)
{
	struct span *spans = calloc(count + 1, sizeof(*spans));
	struct edge *edges = calloc(2 * (size_t)count + 1, sizeof(*edges));
	int rc = -ENOMEM;

	*ranges = (struct ps_ranges){.deny = deny};
	if (!spans || !edges)
		goto out;
	for (int family = 0; family < 2; family++) {
		uint32_t n = 0;
		for (uint32_t i = 0; i < count; i++)
			if (ps_address_is_v4(&rules[i].prefix.network) == (family == 0))
				spans[n++] = span_of(&rules[i]);
		rc = family == 0 ? build_v4(ranges, spans, n, edges)
				 : build_v6(ranges, spans, n, edges);
		if (rc)
			goto out;
	}
out:
	free(edges);
	free(spans);
	return rc;
}

void ps_ranges_free(struct ps_ranges *ranges)
{
	free(ranges->v4);
	free(ranges->v6);
	free(ranges->v4_index);
	free(ranges->v6_index);
}

bool ps_ranges_deny_v4(const struct ps_ranges *ranges, uint32_t address)
{
	uint32_t n = ntohl(address), low = 0, high = ranges->v4_count;

	if (ranges->v4_index) {
		low = ranges->v4_index[n >> 16];
		high = ranges->v4_index[(n >> 16) + 1];
	}
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (ranges->v4[middle] <= n)
			low = middle + 1;
		else
			high = middle;
	}
	return ranges->deny != (low & 1);
}

bool ps_ranges_deny_v6(const struct ps_ranges *ranges, const uint8_t address[16])
{
	uint32_t low = 0, high = ranges->v6_count;
	uint64_t a, b;

	memcpy(&a, address, sizeof(a));
	memcpy(&b, address + 8, sizeof(b));
	a = __builtin_bswap64(a);
	b = __builtin_bswap64(b);
	if (ranges->v6_index) {
		low = ranges->v6_index[a >> 48];
		high = ranges->v6_index[(a >> 48) + 1];
	}
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		const uint64_t *at = ranges->v6[middle];
		if (at[0] < a || (at[0] == a && at[1] <= b))
			low = middle + 1;
		else
			high = middle;
	}
	return ranges->deny != (low & 1);
}
