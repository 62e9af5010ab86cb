// SPDX-License-Identifier: Apache-2.0
// Time to build a Maglev table, as {"cases": [...]} on stdout. Median and minimum of the rounds.
#include "base/maglev.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ROUNDS 201

struct bench {
	const char *weights;
	uint32_t size;
	uint32_t backends;
};

static const struct bench benches[] = {
	{"equal", 65537, 10},
	{"equal", 65537, 100},
	{"equal", 65537, 1000},
	{"1..100", 65537, 1000},
	{"one 1000, others 1", 65537, 1000},
	{"equal", 655373, 1000},
};

static double now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static uint32_t weight_of(const struct bench *bench, uint32_t i)
{
	if (bench->weights[0] == 'e')
		return 100;
	if (bench->weights[0] == 'o')
		return i ? 1 : 1000;
	return 1 + i * 37 % 100;
}

// Microseconds of each round, ascending. Returns 0 or -errno.
static int measure(const struct bench *bench, double us[ROUNDS])
{
	struct ps_maglev_backend *backends = calloc(bench->backends, sizeof(*backends));
	uint32_t *table = calloc(bench->size, sizeof(*table));
	int rc = backends && table ? 0 : -ENOMEM;

	for (int round = 0; round < ROUNDS && rc == 0; round++) {
		// Other addresses each round: a table costs more or less by luck.
		for (uint32_t i = 0; i < bench->backends; i++)
			backends[i] = (struct ps_maglev_backend){
				.identity = 0x0a000000 + (uint32_t)round * 65536 + i,
				.weight = weight_of(bench, i),
			};
		double start = now_us();
		rc = ps_maglev_build_pool(bench->size, bench->backends, backends, table);
		us[round] = now_us() - start;
	}
	qsort(us, ROUNDS, sizeof(*us), ascending);
	free(table);
	free(backends);
	return rc;
}

int main(void)
{
	const size_t count = sizeof(benches) / sizeof(benches[0]);
	double us[ROUNDS];

	printf("{\"cases\": [");
	for (size_t i = 0; i < count; i++) {
		int rc = measure(&benches[i], us);

		if (rc) {
			fprintf(stderr, "maglev_bench: %s\n", strerror(-rc));
			return 1;
		}
		printf("%s\n {\"case\": \"%u slots, %u backends, weights %s\", \"slots\": %u, "
		       "\"backends\": %u, \"median_us\": %.1f, \"min_us\": %.1f, \"p95_us\": %.1f}",
			i ? "," : "", benches[i].size, benches[i].backends, benches[i].weights,
			benches[i].size, benches[i].backends, us[ROUNDS / 2], us[0],
			us[ROUNDS * 95 / 100]);
	}
	printf("\n]}\n");
	return 0;
}
