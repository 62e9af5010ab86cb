// SPDX-License-Identifier: Apache-2.0
// popscope-core: the start, the control loop of the main lcore, and the end.
#include "base/clock.h"
#include "base/rundir.h"
#include "main/app.h"
#include "tables/build.h"

#include <errno.h>
#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MONITOR_MS 100

enum exit_code { EXIT_ENDED, EXIT_FAILED, EXIT_BAD };

static volatile sig_atomic_t stopping;

static void on_signal(int number)
{
	(void)number;
	stopping = 1;
}

static void on_stop(void *user)
{
	(void)user;
	stopping = 1;
}

static void catch_signals(void)
{
	struct sigaction action = {.sa_handler = on_signal};

	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static int start_eal(struct ps_app *app)
{
	if (rte_eal_init(app->options.eal_argc, app->options.eal_argv) < 0) {
		fprintf(stderr, "popscope-core: the EAL does not start: %s\n",
			rte_strerror(rte_errno));
		ps_eal_remove_folder();
		return -EIO; // rte_errno is not always set
	}
	return 0;
}

static int count_workers(struct ps_app *app)
{
	uint32_t lcore;

	RTE_LCORE_FOREACH_WORKER(lcore)
	{
		if (app->worker_count == PS_MAX_WORKERS) {
			fprintf(stderr, "popscope-core: at most %u workers\n", PS_MAX_WORKERS);
			return -E2BIG;
		}
		app->lcores[app->worker_count++] = lcore;
	}
	if (app->worker_count > 0)
		return 0;
	fputs("popscope-core: no worker lcore: give the EAL two lcores at least, such as "
	      "--lcores 0@0,1@1\n",
		stderr);
	return -EINVAL;
}

static int lock_run_dir(struct ps_app *app)
{
	app->lock = ps_rundir_lock(app->options.run_dir);
	if (app->lock >= 0)
		return 0;
	if (app->lock == -EWOULDBLOCK)
		fprintf(stderr, "popscope-core: another core runs in %s\n", app->options.run_dir);
	else
		fprintf(stderr, "popscope-core: cannot use %s: %s\n", app->options.run_dir,
			strerror(-app->lock));
	return app->lock;
}

static int create_segment(struct ps_app *app)
{
	const struct ps_segment_config config = {
		.run_dir = app->options.run_dir,
		.instance = app->options.instance,
		.version = PS_VERSION,
		.tsc_hz = rte_get_tsc_hz(),
		.now_ns = ps_realtime_ns(),
		.worker_count = app->worker_count,
		.worker_lcores = app->lcores,
		.port_count = app->port_count,
		.queue_count = app->worker_count,
		.vip_rows = PS_VIP_ROWS,
		.backend_rows = PS_BACKEND_ROWS,
	};
	int removed = ps_segment_prune(app->options.run_dir, PS_SEGMENT_LEFTOVERS - 1);
	int ret = ps_segment_create(&config, &app->segment);

	if (removed > 0)
		fprintf(stderr, "popscope-core: unlinked the %d oldest segments in %s\n", removed,
			app->options.run_dir);
	if (ret != 0)
		fprintf(stderr, "popscope-core: cannot create the segment in %s: %s\n",
			app->options.run_dir, strerror(-ret));
	return ret;
}

static int open_control(struct ps_app *app)
{
	const struct ps_control_callbacks callbacks = {.apply = ps_apply_json,
		.show = ps_show,
		.trace = ps_trace_json,
		.stop = on_stop,
		.user = app,
		.progress = ps_beat};
	int ret = ps_control_open(app->options.run_dir, &callbacks, &app->control);

	if (ret != 0)
		fprintf(stderr, "popscope-core: cannot open the control socket in %s: %s\n",
			app->options.run_dir, strerror(-ret));
	return ret;
}

static int apply_first_config(struct ps_app *app)
{
	struct ps_config_limits limits = ps_apply_limits(app);
	struct ps_errors errors = {};
	struct ps_config *config;

	if (app->options.config == NULL)
		return 0;
	int ret = ps_config_load(app->options.config, &limits, &config, &errors);
	if (ret == 0) {
		ret = ps_apply(app, config, &errors);
		if (ret != 0)
			ps_config_free(config);
	}
	for (size_t i = 0; i < errors.count; i++) {
		const char *path = errors.list[i].path;
		fprintf(stderr, "popscope-core: %s: %s%s%s\n", app->options.config, path,
			*path != '\0' ? ": " : "", errors.list[i].message);
	}
	if (errors.dropped > 0)
		fprintf(stderr, "popscope-core: %s: and %zu more errors\n", app->options.config,
			errors.dropped);
	if (ret != 0 && errors.count == 0)
		fprintf(stderr, "popscope-core: %s: %s\n", app->options.config, strerror(-ret));
	ps_errors_clear(&errors);
	return ret;
}

static int control_loop(struct ps_app *app)
{
	uint64_t hz = rte_get_tsc_hz(), next = rte_rdtsc();
	int ret = 0;

	while (!stopping && ret == 0) {
		uint64_t now = rte_rdtsc();
		if (now >= next || app->monitor_due) {
			app->monitor_due = false;
			ps_monitor(app);
			next = now + hz * MONITOR_MS / 1000;
		}
		ps_beat(app); // as late as can be: a request may take a while
		ret = ps_control_poll(app->control, MONITOR_MS / 2);
	}
	if (ret != 0)
		fprintf(stderr, "popscope-core: the control socket fails: %s\n", strerror(-ret));
	return ret;
}

static enum exit_code run(struct ps_app *app)
{
	if (ps_ports_start(app) != 0 || create_segment(app) != 0 ||
		ps_evidence_start(app, app->options.run_dir, app->options.instance) != 0 ||
		ps_workers_create(app) != 0 || open_control(app) != 0)
		return EXIT_FAILED;
	if (apply_first_config(app) != 0)
		return EXIT_BAD;
	if (ps_workers_launch(app) != 0)
		return EXIT_FAILED;
	ps_monitor(app);
	ps_segment_ready(app->segment);
	app->ready = true;
	puts("popscope-core: ready");
	fflush(stdout);
	return control_loop(app) == 0 ? EXIT_ENDED : EXIT_FAILED;
}

static void end(struct ps_app *app)
{
	ps_workers_stop(app);
	ps_control_close(app->control);
	if (app->segment != NULL) {
		if (app->neighbours != NULL)
			ps_monitor(app); // the ports' last words
		ps_segment_stop(app->segment, ps_realtime_ns());
		if (!app->ready)
			unlink(ps_segment_path(app->segment)); // nothing was counted
	}
	if (app->evidence != NULL && !app->ready)
		unlink(ps_evidence_path(app->evidence));
	ps_ports_stop(app);
	ps_runtime_free(app->runtime);
	ps_config_free(app->config);
	free(app->backend_rows);
	ps_workers_free(app);
	ps_segment_close(app->segment);
	ps_evidence_close(app->evidence);
	ps_eal_end();
	if (app->lock >= 0)
		close(app->lock);
}

int main(int argc, char **argv)
{
	static struct ps_app app = {.lock = -1};
	enum exit_code code = EXIT_FAILED;

	switch (ps_options_parse(argc, argv, &app.options)) {
	case PS_OPTIONS_DONE:
		return EXIT_ENDED;
	case PS_OPTIONS_BAD:
		return EXIT_BAD;
	case PS_OPTIONS_RUN:
		break;
	}
	catch_signals();
	if (lock_run_dir(&app) != 0)
		return EXIT_FAILED;
	if (start_eal(&app) != 0)
		return EXIT_FAILED;
	code = count_workers(&app) == 0 ? run(&app) : EXIT_FAILED;
	end(&app);
	return code;
}
