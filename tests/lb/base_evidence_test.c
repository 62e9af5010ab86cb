// SPDX-License-Identifier: Apache-2.0
// The evidence file's writer: its layout, its rings, its names, and which files stay.
#include "base/evidence.h"
#include "base_test.h"
#include "counters.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define NOW 1700000000000000000ULL
#define IN_DIR(test) cmocka_unit_test_setup_teardown(test, make_dir, remove_dir)

static char dir[BASE_DIR_SIZE];

static int make_dir(void **state)
{
	(void)state;
	return base_make_dir(dir);
}

static int remove_dir(void **state)
{
	(void)state;
	return base_remove_dir(dir);
}

static struct ps_evidence_config config(uint64_t boot_id)
{
	return (struct ps_evidence_config){
		.run_dir = dir,
		.instance = "test",
		.version = "1.2.3",
		.boot_id = boot_id,
		.tsc_hz = 2000000000,
		.now_ns = NOW + boot_id,
		.worker_count = 2,
		.vip_rows = 3,
		.backend_rows = 4,
	};
}

static struct ps_evidence *create(uint64_t boot_id)
{
	const struct ps_evidence_config c = config(boot_id);
	struct ps_evidence *evidence = NULL;

	assert_int_equal(ps_evidence_create(&c, &evidence), 0);
	return evidence;
}

static const unsigned char *map(const struct ps_evidence *evidence, size_t *size)
{
	int fd = open(ps_evidence_path(evidence), O_RDONLY);
	struct stat st;

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	void *mapped = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	assert_true(mapped != MAP_FAILED);
	close(fd);
	*size = (size_t)st.st_size;
	return mapped;
}

static void the_file_describes_itself(void **state)
{
	static const char *const names[] = {"reason", "vip", "backend", "drop"};
	struct ps_evidence *evidence = create(0xabcd);
	size_t size;
	const unsigned char *at = map(evidence, &size);
	const struct ps_evidence_header *h = (const void *)at;
	const struct ps_evidence_block *blocks = (const void *)(at + h->directory_offset);
	uint64_t fields_end = h->directory_offset + h->directory_count * sizeof *blocks;

	(void)state;
	assert_memory_equal(h->magic, "POPSEVID", 8);
	assert_int_equal(h->layout, 1);
	assert_int_equal(h->total_size, size);
	assert_int_equal(h->boot_id, 0xabcd);
	assert_string_equal(strrchr(ps_evidence_path(evidence), '/'), "/evidence-000000000000abcd");
	assert_true(h->catalogue_hash == PS_CATALOGUE_HASH);
	assert_true(h->directory_count >= 4);
	for (uint32_t i = 0; i < h->directory_count; i++) {
		assert_true(blocks[i].fields_offset >= fields_end);
		fields_end = blocks[i].fields_offset +
			     blocks[i].field_count * sizeof(struct ps_evidence_field);
	}
	uint64_t end = fields_end;
	for (uint32_t i = 0; i < h->directory_count; i++) {
		const struct ps_evidence_block *b = &blocks[i];
		const struct ps_evidence_field *fields = (const void *)(at + b->fields_offset);
		if (i < 4)
			assert_string_equal(b->name, names[i]);
		assert_true(b->offset >= end && b->offset % PS_EVIDENCE_ALIGN == 0);
		assert_true(b->lane_stride >= (uint64_t)b->rings * b->records * b->record_stride);
		for (uint32_t f = 0; f < b->field_count; f++)
			assert_true(fields[f].offset + fields[f].size <= b->record_stride);
		end = b->offset + b->lanes * b->lane_stride;
	}
	assert_int_equal(end, size);
	munmap((void *)(uintptr_t)at, size);
	ps_evidence_close(evidence);
}

static void every_reason_has_its_name(void **state)
{
	static const uint16_t cells[] = PS_DROP_CELLS;
	struct ps_evidence *evidence = create(1);
	struct ps_evidence_lane lane = ps_evidence_lane(evidence, PS_EVIDENCE_REASONS, 0);

	(void)state;
	for (uint32_t i = 0; i < PS_DROP_COUNT; i++) {
		const struct ps_evidence_reason *r = (const void *)(lane.first + i * lane.stride);
		assert_int_equal(r->sequence, 2);
		assert_int_equal(r->cell, cells[i]);
		assert_true(r->name[0] != '\0');
		if (cells[i] == PS_DROP_NO_BACKEND)
			assert_string_equal(r->name, "no_backend");
	}
	ps_evidence_close(evidence);
}

// Record n lies at place n % records, its number tells which it is, and rings are apart.
static void rings_wrap_and_say_so(void **state)
{
	struct ps_evidence *evidence = create(1);
	struct ps_evidence_lane lane = ps_evidence_lane(evidence, PS_EVIDENCE_DROPS, 1);
	const struct ps_evidence_drop *drops = (const void *)lane.first;

	(void)state;
	assert_int_equal(lane.stride, sizeof *drops);
	for (uint64_t n = 0; n < PS_EVIDENCE_SAMPLES + 3; n++) {
		struct ps_evidence_drop *drop = ps_evidence_begin(&lane, 2, n);
		assert_int_equal(drop->sequence, 2 * n + 1);
		drop->dropped = n;
		ps_evidence_end(drop, n);
	}
	for (uint32_t p = 0; p < PS_EVIDENCE_SAMPLES; p++) {
		uint64_t n = p < 3 ? PS_EVIDENCE_SAMPLES + p : p;
		const struct ps_evidence_drop *drop = &drops[2 * PS_EVIDENCE_SAMPLES + p];
		assert_int_equal(drop->sequence, 2 * n + 2);
		assert_int_equal(drop->dropped, n);
		assert_int_equal(drops[PS_EVIDENCE_SAMPLES + p].sequence, 0);
		assert_int_equal(drops[3 * PS_EVIDENCE_SAMPLES + p].sequence, 0);
	}
	ps_evidence_close(evidence);
}

static void a_row_has_its_latest_name(void **state)
{
	struct ps_evidence *evidence = create(1);
	struct ps_evidence_lane lane = ps_evidence_lane(evidence, PS_EVIDENCE_BACKENDS, 0);
	const struct ps_evidence_name *name = (const void *)(lane.first + 3 * lane.stride);

	(void)state;
	assert_int_equal(name->sequence, 0);
	ps_evidence_name(evidence, PS_EVIDENCE_BACKENDS, 3, 1, "web\tb1\t10.77.1.21");
	assert_int_equal(name->sequence, 2);
	ps_evidence_name(evidence, PS_EVIDENCE_BACKENDS, 3, 2, "web\tb2\t10.77.1.22");
	assert_int_equal(name->sequence, 4);
	assert_int_equal(name->epoch, 2);
	assert_string_equal(name->values, "web\tb2\t10.77.1.22");
	ps_evidence_close(evidence);
}

static void the_oldest_files_go(void **state)
{
	char path[BASE_DIR_SIZE + 32];

	(void)state;
	for (uint64_t boot = 5; boot > 0; boot--)
		ps_evidence_close(create(boot));
	snprintf(path, sizeof path, "%s/segment-%016x", dir, 1);
	fclose(fopen(path, "w")); // another kind of file
	assert_int_equal(ps_evidence_prune(dir, 5), 0);
	assert_int_equal(ps_evidence_prune(dir, 2), 3);
	assert_int_equal(base_count_files(dir, false), 3);
	snprintf(path, sizeof path, "%s/evidence-%016x", dir, 4);
	assert_int_equal(access(path, F_OK), 0);
}

static void what_cannot_be_is_refused(void **state)
{
	struct ps_evidence_config c = config(1);
	struct ps_evidence *evidence = NULL;

	(void)state;
	c.worker_count = 0;
	assert_int_equal(ps_evidence_create(&c, &evidence), -EINVAL);
	c = config(1);
	c.version = "a version of more than thirty-one bytes";
	assert_int_equal(ps_evidence_create(&c, &evidence), -ENAMETOOLONG);
	c = config(1);
	c.run_dir = "/nonexistent";
	assert_int_equal(ps_evidence_create(&c, &evidence), -ENOENT);
	assert_null(evidence);
	ps_evidence_close(create(1));
	c = config(1);
	assert_int_equal(ps_evidence_create(&c, &evidence), -EEXIST);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_DIR(the_file_describes_itself),
		IN_DIR(every_reason_has_its_name),
		IN_DIR(rings_wrap_and_say_so),
		IN_DIR(a_row_has_its_latest_name),
		IN_DIR(the_oldest_files_go),
		IN_DIR(what_cannot_be_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
