// SPDX-License-Identifier: Apache-2.0
#include "main/options.h"

#include "base/config.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_CONNECTIONS (1u << 30)

static const char usage[] =
	"Usage: popscope-core --instance NAME --run-dir DIR [options] -- [EAL arguments]\n"
	"\n"
	"The packet path of a Popscope director. Its workers are the EAL's worker lcores (all but\n"
	"the main lcore); each serves one receive and one transmit queue of every port.\n"
	"\n"
	"  --instance NAME       name of this core, unique on the node\n"
	"  --run-dir DIR         its own folder: statistics segments, control socket, lock\n"
	"  --config FILE         JSON configuration to start with; others come by the control "
	"socket\n"
	"  --max-connections N   size of a worker's connection table (default 262144; 32 bytes "
	"each)\n"
	"  --idle-polls N        empty polls before a worker sleeps; 0: never (default: 200 when\n"
	"                        lcores of this core share a CPU, else 0)\n"
	"  --idle-sleep-us N     how long it sleeps then, 1 to 1000 (default 50)\n"
	"  --version, --help\n"
	"\n"
	"Prints \"popscope-core: ready\" when its rows are live and the workers poll. SIGTERM and\n"
	"SIGINT end it in order. Exit codes: 0 ended in order, 1 failed, 2 bad usage or "
	"configuration.\n"
	"\n"
	"Example, in a network namespace with a veth d0, two workers, hugepages:\n"
	"  popscope-core --instance d1 --run-dir /run/popscope/d1 --config d1.json -- \\\n"
	"    --no-pci --in-memory --file-prefix=d1 --lcores 0@0,1@0,2@1 \\\n"
	"    --vdev=net_af_packet0,iface=d0,qpairs=2,blocksz=65536,framesz=2048,framecnt=4096\n";

enum option_id {
	OPTION_INSTANCE = 256,
	OPTION_RUN_DIR,
	OPTION_CONFIG,
	OPTION_IDLE_POLLS,
	OPTION_IDLE_SLEEP,
	OPTION_MAX_CONNECTIONS,
	OPTION_VERSION,
	OPTION_HELP,
};

static const struct option long_options[] = {
	{"instance", required_argument, NULL, OPTION_INSTANCE},
	{"run-dir", required_argument, NULL, OPTION_RUN_DIR},
	{"config", required_argument, NULL, OPTION_CONFIG},
	{"idle-polls", required_argument, NULL, OPTION_IDLE_POLLS},
	{"idle-sleep-us", required_argument, NULL, OPTION_IDLE_SLEEP},
	{"max-connections", required_argument, NULL, OPTION_MAX_CONNECTIONS},
	{"version", no_argument, NULL, OPTION_VERSION},
	{"help", no_argument, NULL, OPTION_HELP},
	{},
};

static bool number(const char *name, const char *text, uint32_t low, uint32_t high, uint32_t *out)
{
	char *end;

	errno = 0;
	unsigned long value = strtoul(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || text[0] == '-' || value < low ||
		value > high) {
		fprintf(stderr, "popscope-core: %s is \"%s\", but must be %u to %u\n", name, text,
			low, high);
		return false;
	}
	*out = (uint32_t)value;
	return true;
}

static enum ps_options_result take(int id, struct ps_options *o)
{
	bool good = true;

	switch (id) {
	case OPTION_INSTANCE:
		o->instance = optarg;
		break;
	case OPTION_RUN_DIR:
		o->run_dir = optarg;
		break;
	case OPTION_CONFIG:
		o->config = optarg;
		break;
	case OPTION_IDLE_POLLS:
		good = number("--idle-polls", optarg, 0, PS_IDLE_AUTO - 1, &o->idle_polls);
		break;
	case OPTION_IDLE_SLEEP:
		good = number("--idle-sleep-us", optarg, 1, 1000, &o->idle_sleep_us);
		break;
	case OPTION_MAX_CONNECTIONS:
		good = number("--max-connections", optarg, 1, MAX_CONNECTIONS, &o->max_connections);
		break;
	case OPTION_VERSION:
		puts("popscope-core " PS_VERSION);
		return PS_OPTIONS_DONE;
	case OPTION_HELP:
		fputs(usage, stdout);
		return PS_OPTIONS_DONE;
	default:
		good = false; // getopt has said why
	}
	return good ? PS_OPTIONS_RUN : PS_OPTIONS_BAD;
}

static bool complete(const struct ps_options *o)
{
	// It becomes a label of every metric, and a string of JSON.
	if (o->instance == NULL || !ps_is_name(o->instance))
		fputs("popscope-core: --instance NAME is required: 1 to 63 letters, digits, dots, "
		      "underscores or hyphens\n",
			stderr);
	else if (o->run_dir == NULL)
		fputs("popscope-core: --run-dir DIR is required\n", stderr);
	else
		return true;
	fputs("Try popscope-core --help.\n", stderr);
	return false;
}

enum ps_options_result ps_options_parse(int argc, char **argv, struct ps_options *options)
{
	enum ps_options_result result = PS_OPTIONS_RUN;
	int id;

	*options = (struct ps_options){
		.idle_polls = PS_IDLE_AUTO,
		.idle_sleep_us = 50,
		.max_connections = 262144,
	};
	while (result == PS_OPTIONS_RUN &&
		(id = getopt_long(argc, argv, "+", long_options, NULL)) != -1)
		result = take(id, options);
	if (result != PS_OPTIONS_RUN)
		return result;
	if (optind < argc && strcmp(argv[optind - 1], "--") != 0) {
		fprintf(stderr,
			"popscope-core: unexpected argument \"%s\"; EAL arguments follow \"--\"\n",
			argv[optind]);
		return PS_OPTIONS_BAD;
	}
	// The EAL wants a program name in front of its arguments.
	options->eal_argc = argc - optind + 1;
	options->eal_argv = argv + optind - 1;
	options->eal_argv[0] = argv[0];
	return complete(options) ? PS_OPTIONS_RUN : PS_OPTIONS_BAD;
}
