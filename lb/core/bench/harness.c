// SPDX-License-Identifier: Apache-2.0
#include "bench/harness.h"

#include "tables/build.h"

#include <pthread.h>
#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define POOL_SIZE 4095

static char run_dir[] = "/tmp/popscope-harness-XXXXXX";

static _Noreturn void fail(const char *what, int error)
{
	fprintf(stderr, "harness: %s: %s\n", what, rte_strerror(error < 0 ? -error : error));
	exit(1);
}

static uint32_t free_hugepages_mb(void)
{
	FILE *file = fopen("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "r");
	unsigned pages = 0;

	if (file == NULL)
		return 0;
	if (fscanf(file, "%u", &pages) != 1)
		pages = 0;
	fclose(file);
	return pages * 2;
}

// Lcores 0 to `workers`, free to run on every CPU.
static bool start_eal(uint32_t memory_mb, bool hugepages, uint32_t workers, const char *device)
{
	bool huge = hugepages && free_hugepages_mb() >= memory_mb + 64;
	char megabytes[16], lcores[48], prefix[48];
	const char *argv[] = {"harness", "--no-pci", "--no-telemetry", "--log-level=4", "--lcores",
		lcores, "--file-prefix", prefix, "-m", megabytes,
		huge ? "--in-memory" : "--no-huge", "--vdev", device, NULL};
	int argc = RTE_DIM(argv) - (device != NULL ? 1 : 3);

	snprintf(megabytes, sizeof megabytes, "%u", memory_mb);
	snprintf(lcores, sizeof lcores, "(0-%u)@(0-%ld)", workers,
		sysconf(_SC_NPROCESSORS_CONF) - 1);
	snprintf(prefix, sizeof prefix, "popscope-harness-%d", getpid());
	if (rte_eal_init(argc, (char **)argv) < 0)
		fail("EAL", rte_errno);
	// Nothing is left behind, however the process ends.
	ps_eal_remove_folder();
	atexit(ps_eal_end);
	return huge;
}

bool ps_harness_eal(uint32_t memory_mb, bool hugepages)
{
	return start_eal(memory_mb, hugepages, 0, NULL);
}

bool ps_harness_eal_workers(uint32_t memory_mb, uint32_t workers, const char *device)
{
	return start_eal(memory_mb, true, workers, device);
}

static uint16_t free_all(uint16_t port, uint16_t queue, struct rte_mbuf **packets, uint16_t count)
{
	(void)port;
	(void)queue;
	rte_pktmbuf_free_bulk(packets, count);
	return count;
}

static void create_segment(struct ps_app *app)
{
	const struct ps_segment_config config = {
		.run_dir = mkdtemp(run_dir),
		.instance = "harness",
		.version = PS_VERSION,
		.tsc_hz = rte_get_tsc_hz(),
		.now_ns = (uint64_t)time(NULL) * 1000000000,
		.worker_count = app->worker_count,
		.worker_lcores = app->lcores,
		.port_count = app->port_count,
		.queue_count = app->worker_count,
		.vip_rows = PS_VIP_ROWS,
		.backend_rows = PS_BACKEND_ROWS,
	};
	int ret = config.run_dir != NULL ? ps_segment_create(&config, &app->segment) : -errno;

	if (ret != 0)
		fail("segment", ret);
	if (ps_evidence_start(app, config.run_dir, config.instance) != 0)
		exit(1);
	// Nobody else opens it: nothing is left behind, however the process ends.
	unlink(ps_segment_path(app->segment));
	unlink(ps_evidence_path(app->evidence));
	rmdir(run_dir);
}

struct job {
	struct ps_app *app;
	const char *text;
	int result;
	uint64_t cpu_ns;
	atomic_bool done;
};

static void *apply(void *argument)
{
	struct job *job = argument;
	struct ps_config_limits limits = ps_apply_limits(job->app);
	struct ps_errors errors = {};
	struct ps_config *config;
	struct timespec cpu;
	int ret = ps_config_parse(job->text, strlen(job->text), &limits, &config, &errors);

	if (ret == 0) {
		ret = ps_apply(job->app, config, &errors);
		if (ret != 0)
			ps_config_free(config);
	}
	for (size_t i = 0; i < errors.count; i++)
		fprintf(stderr, "harness: %s: %s\n", errors.list[i].path, errors.list[i].message);
	ps_errors_clear(&errors);
	job->result = ret;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &cpu); // the thread has done nothing else
	job->cpu_ns = (uint64_t)cpu.tv_sec * 1000000000 + (uint64_t)cpu.tv_nsec;
	atomic_store(&job->done, true);
	return NULL;
}

static void idle_turn(void *user)
{
	struct ps_app *app = user;

	for (uint32_t i = 0; i < app->worker_count; i++)
		ps_adopt_runtime(app->workers[i]);
	sched_yield();
}

int ps_harness_apply(struct ps_app *app, const char *text)
{
	return ps_harness_apply_during(app, text, idle_turn, app, NULL);
}

int ps_harness_apply_during(struct ps_app *app, const char *text, void (*turn)(void *user),
	void *user, uint64_t *cpu_ns)
{
	struct job job = {.app = app, .text = text};
	pthread_t main_lcore; // plays its part, as this thread plays the worker's

	int error = pthread_create(&main_lcore, NULL, apply, &job);
	if (error != 0)
		fail("thread", error);
	while (!atomic_load(&job.done)) {
		turn(user);
		for (uint32_t i = 0; i < app->worker_count; i++)
			rte_rcu_qsbr_quiescent(app->shared.rcu, i);
	}
	pthread_join(main_lcore, NULL);
	if (cpu_ns != NULL)
		*cpu_ns = job.cpu_ns;
	return job.result;
}

static struct ps_app the_app;

struct ps_app *ps_harness_start_workers(uint32_t workers, uint16_t ports, uint32_t max_connections,
	ps_transmit *transmit, const char *config)
{
	struct ps_app *app = &the_app;
	int ret;

	*app = (struct ps_app){
		.options.max_connections = max_connections,
		.port_count = ports,
		.worker_count = workers,
	};
	for (uint32_t i = 0; i < workers; i++)
		app->lcores[i] = rte_get_main_lcore() + i;
	for (uint16_t i = 0; i < ports; i++)
		app->ports[i] =
			(struct ps_app_port){.mac = {{0x02, 0, 0, 0, 0, (uint8_t)i}}, .mtu = 1500};
	create_segment(app);
	app->shared.pool = rte_pktmbuf_pool_create(
		"harness", POOL_SIZE, 256, 0, RTE_MBUF_DEFAULT_BUF_SIZE, (int)rte_socket_id());
	if (app->shared.pool == NULL)
		fail("packet buffers", rte_errno);
	ret = ps_workers_create(app);
	if (ret != 0)
		fail("workers", ret);
	for (uint32_t i = 0; i < workers; i++)
		rte_rcu_qsbr_thread_online(app->shared.rcu, i);
	app->shared.transmit = transmit != NULL ? transmit : free_all;
	ret = config != NULL ? ps_harness_apply(app, config) : 0;
	if (ret != 0)
		fail("configuration", ret);
	for (uint32_t i = 0; i < workers; i++)
		ps_worker_begin(app->workers[i]);
	return app;
}

struct ps_app *ps_harness_start(
	uint16_t ports, uint32_t max_connections, ps_transmit *transmit, const char *config)
{
	return ps_harness_start_workers(1, ports, max_connections, transmit, config);
}

struct ps_app *ps_harness_start_devices(
	uint32_t max_connections, uint32_t extra_buffers, const char *config)
{
	struct ps_app *app = &the_app;
	struct job job = {.app = app, .text = config};
	uint32_t lcore;
	int ret;

	*app = (struct ps_app){
		.options.max_connections = max_connections, .options.extra_buffers = extra_buffers};
	RTE_LCORE_FOREACH_WORKER(lcore)
	app->lcores[app->worker_count++] = lcore;
	ret = ps_ports_start(app);
	if (ret != 0)
		fail("ports", ret);
	create_segment(app);
	ret = ps_workers_create(app);
	if (ret != 0)
		fail("workers", ret);
	apply(&job); // no worker is there to wait for
	if (job.result != 0)
		fail("configuration", job.result);
	return app;
}

void ps_harness_resolve(struct ps_app *app)
{
	for (uint32_t i = 0; i < app->neighbours->high; i++)
		ps_neighbour_learn(app->neighbours, i, 0x020000000002ULL + i, rte_rdtsc());
}

void ps_harness_end(struct ps_app *app)
{
	for (uint32_t i = 0; i < app->worker_count; i++)
		rte_rcu_qsbr_thread_offline(app->shared.rcu, i);
	ps_runtime_free(app->runtime);
	ps_config_free(app->config);
	free(app->backend_rows);
	ps_workers_free(app);
	ps_ports_stop(app);
	ps_segment_close(app->segment);
	ps_evidence_close(app->evidence);
	strcpy(run_dir + strlen(run_dir) - 6, "XXXXXX");
}
