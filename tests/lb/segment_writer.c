// SPDX-License-Identifier: Apache-2.0
// Writes a segment with known values: the contract test of every reader.
//
//   segment-writer DIR [--state writing|ready|stopped] [--seconds N | --drive] [--torn]
//
// Built by meson, or without meson and DPDK from the repository's root (one command line):
//   python3 lb/devtools/gen_counters.py --c-header >OUT/counters.h
//   cc -std=gnu2x -O2 -D_GNU_SOURCE -Ilb -Ilb/core -IOUT -o OUT/segment-writer
//      tests/lb/segment_writer.c lb/core/base/segment*.c lb/core/base/mapped_file.c
//
// It prints the path of the segment, flushed, once its values are there. What the segment holds:
//
//   instance "contract", version "0.0-contract", tsc_hz 2500000000,
//   start_time_ns and heartbeat_ns 1700000000123456789, boot_id as in the file's name,
//   state READY (--state changes it)
//
//   scope       lanes  rows  names (generation: values), in the order of the rows
//   lcore       1      3     1: "1"   2: "2"   3: "5"
//   port        1      2     4: "0"   8: "1"
//   port_queue  1      6     5: "0\t0"   6: "0\t1"   7: "0\t2"
//                            9: "1\t0"  10: "1\t1"  11: "1\t2"
//   vip         3      4     see below
//   backend     3      5     see below
//   node        1      1     12: ""
//
//   vip row 0      13: "web-80\t198.51.100.1\t80\ttcp"    active
//   vip row 1      14: "dns-53\t198.51.100.2\t53\tudp"    retired: active 0, its cells final
//   vip row 2      15: "web-443\t198.51.100.1\t443\ttcp"  active
//   vip row 3      never named: generation 0, all cells 0
//   backend row 0  16: "web\tb1\t10.77.1.21"              active
//   backend row 1  17: "web\tb2\t10.77.1.22"              active
//   backend row 2  18: "dns\tb1\t10.77.1.21"              active
//   backend row 3  20: "new\tb9\t10.77.1.29"              active
//                  (before its quarantine 19: "old\tb0\t10.77.1.20")
//   backend row 4  never named
//
//   Cell c of lane l, row r of the scope at place s of the order above (lcore 0, ... node 5) holds,
//   in every named row,
//       1000000 * s + 10000 * l + 1000 * r + c
//   except that
//     in lcore row 2 every counter and gauge holds 2^63 + c: unsigned, and no float holds it;
//     in lcore row 0 the terms of the ledger are such that the law holds: every drop 1, every
//     consumed 2, every originated 3, every held 4, tx_packets 1000000, and rx_packets what
//     follows.
//   Rows 1 and 2 break the law on purpose.
//
//   The draft of an lcore row holds what the row holds.
//
//   --torn     leaves lcore row 1 with an odd sequence number and its cells 0, as a worker that was
//              killed while it wrote; its draft holds the cells as above
//   --seconds  then goes on for N seconds. One thread a worker w publishes, without a pause, lcore
//              row w, and vip row 0 and backend row 0 of lane w. All cells of a publication hold
//              one number, so a torn copy shows; the numbers of a row grow by 1 from 1. The main
//              thread beats the heart with CLOCK_REALTIME every 50 ms. At the end the state is
//              STOPPED, and "last: N0 N1 N2" is printed, the last number of each worker.
//   --drive    then lives until the end of its input. Each line "CELL N" adds N to that cell of
//   lcore
//              row 0 and to its rx_packets, so that N packets met the fate that the cell counts.

#include "api/segment.h"
#include "base/segment.h"
#include "counters.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define WORKERS 3
#define PORTS 2
#define QUEUES 3
#define VIPS 4
#define BACKENDS 5
#define START_NS 1700000000123456789ULL

static const uint32_t cells[PS_SCOPE_COUNT] = {PS_LCORE_CELLS, PS_PORT_CELLS, PS_PORT_QUEUE_CELLS,
	PS_VIP_CELLS, PS_BACKEND_CELLS, PS_NODE_CELLS};
static atomic_bool stopping;

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static void die(const char *what, int rc)
{
	fprintf(stderr, "segment-writer: %s: %s\n", what, strerror(-rc));
	exit(1);
}

static void fill_row(struct ps_segment *segment, enum ps_scope scope, uint32_t lane, uint32_t r)
{
	struct ps_row *row = ps_segment_row(segment, scope, lane, r);

	if (!row)
		return;
	ps_row_begin(row);
	for (uint32_t c = 0; c < cells[scope]; c++)
		ps_row_store(row, c, 1000000ULL * scope + 10000ULL * lane + 1000ULL * r + c);
	ps_row_end(row);
}

static void fill_lanes(struct ps_segment *segment, enum ps_scope scope, uint32_t row)
{
	for (uint32_t lane = 0; ps_segment_row(segment, scope, lane, row); lane++)
		fill_row(segment, scope, lane, row);
}

static uint32_t name(
	struct ps_segment *segment, enum ps_scope scope, const char *values, uint64_t at)
{
	uint32_t row;
	int rc = ps_segment_name_find_or_add(segment, scope, values, at, &row, NULL);

	if (rc)
		die(values, rc);
	return row;
}

static void fill_term(struct ps_row *row, uint32_t count, const uint16_t term[], uint64_t value)
{
	for (uint32_t i = 0; i < count; i++)
		ps_row_store(row, term[i], value);
}

static void keep_the_law(struct ps_row *row)
{
	ps_row_begin(row);
	fill_term(row, PS_DROP_COUNT, (const uint16_t[])PS_DROP_CELLS, 1);
	fill_term(row, PS_CONSUMED_COUNT, (const uint16_t[])PS_CONSUMED_CELLS, 2);
	fill_term(row, PS_ORIGINATED_COUNT, (const uint16_t[])PS_ORIGINATED_CELLS, 3);
	fill_term(row, PS_HELD_COUNT, (const uint16_t[])PS_HELD_CELLS, 4);
	ps_row_store(row, PS_LCORE_TX_PACKETS, 1000000);
	ps_row_store(row, PS_LCORE_RX_PACKETS,
		1000000 + PS_DROP_COUNT + 2 * PS_CONSUMED_COUNT + 4 * PS_HELD_COUNT -
			3 * PS_ORIGINATED_COUNT);
	ps_row_end(row);
}

// Only the cells that are one counter or gauge each: see the top.
#define USE_ALL_BITS(id, cell, kind, ...)                                                          \
	if ((kind) != PS_KIND_HISTOGRAM)                                                           \
		ps_row_store(row, cell, (1ULL << 63) + (cell));

static void use_all_bits(struct ps_row *row)
{
	ps_row_begin(row);
	PS_LCORE_FIELDS(USE_ALL_BITS)
	ps_row_end(row);
}

static void fill_names(struct ps_segment *segment)
{
	uint32_t row;

	name(segment, PS_SCOPE_VIP, "web-80\t198.51.100.1\t80\ttcp", START_NS);
	row = name(segment, PS_SCOPE_VIP, "dns-53\t198.51.100.2\t53\tudp", START_NS);
	name(segment, PS_SCOPE_VIP, "web-443\t198.51.100.1\t443\ttcp", START_NS);
	ps_segment_name_retire(segment, PS_SCOPE_VIP, row, START_NS);
	name(segment, PS_SCOPE_BACKEND, "web\tb1\t10.77.1.21", START_NS);
	name(segment, PS_SCOPE_BACKEND, "web\tb2\t10.77.1.22", START_NS);
	name(segment, PS_SCOPE_BACKEND, "dns\tb1\t10.77.1.21", START_NS);
	row = name(segment, PS_SCOPE_BACKEND, "old\tb0\t10.77.1.20", START_NS);
	fill_lanes(segment, PS_SCOPE_BACKEND, row);
	ps_segment_name_retire(segment, PS_SCOPE_BACKEND, row, START_NS);
	name(segment, PS_SCOPE_BACKEND, "new\tb9\t10.77.1.29", START_NS + PS_QUARANTINE_NS);
}

static void fill(struct ps_segment *segment)
{
	static const uint32_t named_rows[PS_SCOPE_COUNT] = {
		WORKERS, PORTS, PORTS * QUEUES, 3, 4, 1};

	fill_names(segment);
	for (int scope = 0; scope < PS_SCOPE_COUNT; scope++)
		for (uint32_t row = 0; row < named_rows[scope]; row++)
			fill_lanes(segment, scope, row);
	keep_the_law(ps_segment_row(segment, PS_SCOPE_LCORE, 0, 0));
	use_all_bits(ps_segment_row(segment, PS_SCOPE_LCORE, 0, 2));
	for (uint32_t row = 0; row < WORKERS; row++)
		for (uint32_t c = 0; c < PS_LCORE_CELLS; c++)
			ps_segment_draft(segment, PS_SCOPE_LCORE, 0, row)[1 + c] =
				ps_row_load(ps_segment_row(segment, PS_SCOPE_LCORE, 0, row), c);
}

static void tear(struct ps_row *row)
{
	ps_row_begin(row);
	for (uint32_t c = 0; c < PS_LCORE_CELLS; c++)
		ps_row_store(row, c, 0);
}

struct worker {
	pthread_t thread;
	struct ps_segment *segment;
	uint32_t index;
	uint64_t last;
};

static void *work(void *argument)
{
	struct worker *w = argument;
	struct ps_row *rows[] = {
		ps_segment_row(w->segment, PS_SCOPE_LCORE, 0, w->index),
		ps_segment_row(w->segment, PS_SCOPE_VIP, w->index, 0),
		ps_segment_row(w->segment, PS_SCOPE_BACKEND, w->index, 0),
	};
	const uint32_t counts[] = {PS_LCORE_CELLS, PS_VIP_CELLS, PS_BACKEND_CELLS};
	uint64_t *values = ps_segment_draft(w->segment, PS_SCOPE_LCORE, 0, w->index) + 1;

	while (!atomic_load_explicit(&stopping, memory_order_relaxed)) {
		w->last++;
		for (uint32_t c = 0; c < PS_LCORE_CELLS; c++)
			values[c] = w->last;
		for (int i = 0; i < 3; i++)
			ps_row_publish(rows[i], values, counts[i]);
	}
	return NULL;
}

static void keep_updating(struct ps_segment *segment, double seconds)
{
	struct worker workers[WORKERS];
	uint64_t end = now_ns() + (uint64_t)(seconds * 1e9);

	ps_segment_heartbeat(segment, now_ns());
	for (uint32_t i = 0; i < WORKERS; i++) {
		workers[i] = (struct worker){.segment = segment, .index = i};
		int rc = pthread_create(&workers[i].thread, NULL, work, &workers[i]);
		if (rc)
			die("pthread_create", -rc);
	}
	while (now_ns() < end) {
		usleep(50000);
		ps_segment_heartbeat(segment, now_ns());
	}
	atomic_store(&stopping, true);
	for (uint32_t i = 0; i < WORKERS; i++)
		pthread_join(workers[i].thread, NULL);
	ps_segment_stop(segment, now_ns());
	printf("last: %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", workers[0].last, workers[1].last,
		workers[2].last);
}

static void add(struct ps_row *row, uint32_t cell, uint64_t more)
{
	ps_row_store(row, cell, ps_row_load(row, cell) + more);
}

static void drive(struct ps_segment *segment)
{
	struct ps_row *row = ps_segment_row(segment, PS_SCOPE_LCORE, 0, 0);
	struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
	char line[64];

	setvbuf(stdin, NULL, _IONBF, 0); // what stdio holds, poll does not see
	for (;;) {
		uint32_t cell;
		uint64_t more;

		ps_segment_heartbeat(segment, now_ns());
		if (poll(&input, 1, 50) <= 0)
			continue;
		if (!fgets(line, sizeof(line), stdin))
			break;
		if (sscanf(line, "%" SCNu32 " %" SCNu64, &cell, &more) != 2 ||
			cell >= PS_LCORE_CELLS)
			die(line, -EINVAL);
		ps_row_begin(row);
		add(row, cell, more);
		add(row, PS_LCORE_RX_PACKETS, more);
		ps_row_end(row);
	}
	ps_segment_stop(segment, now_ns());
}

static struct ps_segment *create(const char *dir)
{
	static const uint32_t lcores[WORKERS] = {1, 2, 5};
	const struct ps_segment_config config = {
		.run_dir = dir,
		.instance = "contract",
		.version = "0.0-contract",
		.tsc_hz = 2500000000,
		.now_ns = START_NS,
		.worker_count = WORKERS,
		.worker_lcores = lcores,
		.port_count = PORTS,
		.queue_count = QUEUES,
		.vip_rows = VIPS,
		.backend_rows = BACKENDS,
	};
	struct ps_segment *segment;
	int rc = ps_segment_create(&config, &segment);

	if (rc)
		die(dir, rc);
	return segment;
}

struct options {
	const char *dir;
	const char *state;
	double seconds;
	bool drive;
	bool torn;
};

static int usage(void)
{
	fputs("usage: segment-writer DIR [--state writing|ready|stopped] [--seconds N | --drive] "
	      "[--torn]\n",
		stderr);
	return 2;
}

static bool parse(int argc, char *argv[], struct options *options)
{
	static const struct option known[] = {
		{"state", required_argument, NULL, 's'},
		{"seconds", required_argument, NULL, 'n'},
		{"drive", no_argument, NULL, 'd'},
		{"torn", no_argument, NULL, 't'},
		{0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
		if (option == 's')
			options->state = optarg;
		else if (option == 'n')
			options->seconds = atof(optarg);
		else if (option == 'd')
			options->drive = true;
		else if (option == 't')
			options->torn = true;
		else
			return false;
	}
	options->dir = argv[optind];
	return argc == optind + 1;
}

int main(int argc, char *argv[])
{
	struct options options = {.state = "ready"};

	if (!parse(argc, argv, &options))
		return usage();
	struct ps_segment *segment = create(options.dir);

	fill(segment);
	if (options.torn)
		tear(ps_segment_row(segment, PS_SCOPE_LCORE, 0, 1));
	if (strcmp(options.state, "writing") != 0)
		ps_segment_ready(segment);
	if (strcmp(options.state, "stopped") == 0)
		ps_segment_stop(segment, START_NS);
	puts(ps_segment_path(segment));
	fflush(stdout);
	if (options.seconds > 0)
		keep_updating(segment, options.seconds);
	if (options.drive)
		drive(segment);
	ps_segment_close(segment);
	return 0;
}
