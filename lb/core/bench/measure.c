// SPDX-License-Identifier: Apache-2.0
#include "bench/measure.h"

#include "datapath/count.h"

#include <rte_cycles.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

uint64_t ps_thread_cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static double timed(uint32_t (*window)(void *), void *user, uint64_t *packets)
{
	uint64_t start = ps_thread_cpu_ns();
	uint32_t count = window(user);
	double ns = (double)(ps_thread_cpu_ns() - start);

	*packets += count;
	return ns / count;
}

// Every second pair is the other way round: the first of a pair fetches what both read.
void ps_measure_pair(struct ps_measured *measured, uint32_t (*floor)(void *user),
	uint32_t (*total)(void *user), void *user)
{
	struct ps_sample sample;
	uint64_t not_counted = 0;

	if (measured->count == PS_MAX_WINDOWS)
		return;
	if (measured->count & 1) {
		sample.floor = timed(floor, user, &not_counted);
		sample.total = timed(total, user, &measured->packets);
	} else {
		sample.total = timed(total, user, &measured->packets);
		sample.floor = timed(floor, user, &not_counted);
	}
	measured->samples[measured->count++] = sample;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double quantile(double *values, uint32_t count, uint32_t tenths)
{
	qsort(values, count, sizeof *values, by_value);
	return values[count * tenths / 10];
}

void ps_report_machine(bool hugepages)
{
	printf("{\"machine\": {\"tsc_hz\": %lu, \"memory\": \"%s\", \"counters\": %s, "
	       "\"burst\": %u",
		rte_get_tsc_hz(), hugepages ? "hugepages" : "4k pages",
		PS_COUNTERS ? "true" : "false", PS_BURST);
}

void ps_report_case(const char *name, struct ps_measured *measured)
{
	double floor[PS_MAX_WINDOWS], total[PS_MAX_WINDOWS], net[PS_MAX_WINDOWS];
	uint32_t count = measured->count;

	for (uint32_t i = 0; i < count; i++) {
		floor[i] = measured->samples[i].floor;
		total[i] = measured->samples[i].total;
		net[i] = total[i] - floor[i];
	}
	printf("  {\"name\": \"%s\", \"ns_per_packet\": %.3f, \"ns_floor\": %.3f, \"ns_net\": "
	       "%.3f, "
	       "\"ns_net_p10\": %.3f, \"ns_net_p90\": %.3f, \"packets\": %lu, \"windows\": %u",
		name, quantile(total, count, 5), quantile(floor, count, 5), quantile(net, count, 5),
		quantile(net, count, 1), quantile(net, count, 9), measured->packets, count);
}

static void report_cell(const struct ps_worker *w, const char *id, uint32_t slot, const char *term,
	const char *wanted, bool *first)
{
	uint64_t value = w->image[slot + 1];

	if (strcmp(term, wanted) != 0 || value == 0)
		return;
	printf("%s\"%s\": %lu", *first ? "" : ", ", id, value);
	*first = false;
}

#define CELL(id, slot, kind, bound_count, bounds, metric, unit, labels, ledger, help)              \
	report_cell(w, id, slot, ledger, wanted, &first);

static void report_term(const struct ps_worker *w, const char *name, const char *wanted)
{
	bool first = true;

	printf(", \"%s\": {", name);
	PS_LCORE_FIELDS(CELL)
	putchar('}');
}

void ps_report_fate(const struct ps_worker *w)
{
	printf(", \"received\": %lu, \"sent\": %lu", w->image[PS_LCORE_RX_PACKETS + 1],
		w->image[PS_LCORE_TX_PACKETS + 1]);
	report_term(w, "dropped", "drop");
	report_term(w, "consumed", "consumed");
}
