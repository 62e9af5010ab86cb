// SPDX-License-Identifier: Apache-2.0
#include "datapath/nat.h"
#include "main/app.h"

#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_lcore.h>
#include <stdio.h>
#include <string.h>

#define DESCRIPTORS 1024
#define POOL_CACHE 256

// Buffers for full queues, full caches, all that a worker may hold, and what was asked for beyond.
static uint32_t pool_size(const struct ps_app *app)
{
	uint32_t queue_pairs = app->worker_count * app->port_count;

	return app->options.extra_buffers + queue_pairs * (2 * DESCRIPTORS + PS_TX_BUFFER) +
	       (app->worker_count + 1) *
		       (2 * POOL_CACHE + PS_HELD_MAX + PS_HANDOVER_RING + PS_BURST);
}

static int make_pool(struct ps_app *app)
{
	uint32_t size = pool_size(app);

	app->shared.pool = rte_pktmbuf_pool_create(
		"popscope", size, POOL_CACHE, 0, RTE_MBUF_DEFAULT_BUF_SIZE, (int)rte_socket_id());
	if (app->shared.pool != NULL)
		return 0;
	fprintf(stderr,
		"popscope-core: no memory for %u packet buffers (about %u MB): %s; give the "
		"EAL more (-m MB) or use fewer workers\n",
		size, size / 420, rte_strerror(rte_errno));
	return -rte_errno;
}

static int check_queues(const struct ps_app *app, uint16_t id, const struct rte_eth_dev_info *info)
{
	uint16_t queues = RTE_MIN(info->max_rx_queues, info->max_tx_queues);

	if (queues >= app->worker_count)
		return 0;
	fprintf(stderr,
		"popscope-core: port %u (%s) has %u queue pair%s, but there are %u workers, and "
		"each needs one: give the device more queues (net_af_packet: qpairs=%u) or the "
		"EAL fewer worker lcores\n",
		id, app->ports[id].name, queues, queues == 1 ? "" : "s", app->worker_count,
		app->worker_count);
	return -EINVAL;
}

static struct rte_eth_conf port_conf(const struct ps_app *app, const struct rte_eth_dev_info *info)
{
	uint64_t hash =
		info->flow_type_rss_offloads & (RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP | RTE_ETH_RSS_UDP);
	struct rte_eth_conf conf = {
		// One pool, and no buffer is ever shared.
		.txmode.offloads = info->tx_offload_capa & RTE_ETH_TX_OFFLOAD_MBUF_FAST_FREE,
	};

	if (app->worker_count > 1 && hash != 0) {
		conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
		conf.rx_adv_conf.rss_conf.rss_hf = hash;
	}
	return conf;
}

static int setup_queues(struct ps_app *app, uint16_t id, const struct rte_eth_dev_info *info)
{
	uint16_t rx = DESCRIPTORS, tx = DESCRIPTORS;
	struct rte_eth_txconf tx_conf = info->default_txconf;
	struct rte_eth_conf conf = port_conf(app, info);
	int socket = rte_eth_dev_socket_id(id);
	int ret = rte_eth_dev_configure(id, app->worker_count, app->worker_count, &conf);

	if (ret == 0)
		ret = rte_eth_dev_adjust_nb_rx_tx_desc(id, &rx, &tx);
	tx_conf.offloads = conf.txmode.offloads;
	for (uint16_t q = 0; ret == 0 && q < app->worker_count; q++) {
		ret = rte_eth_rx_queue_setup(
			id, q, rx, (unsigned)socket, &info->default_rxconf, app->shared.pool);
		if (ret == 0)
			ret = rte_eth_tx_queue_setup(id, q, tx, (unsigned)socket, &tx_conf);
	}
	return ret;
}

static int start_port(struct ps_app *app, uint16_t id)
{
	struct ps_app_port *port = &app->ports[id];
	struct rte_eth_dev_info info;
	int ret = rte_eth_dev_info_get(id, &info);

	if (ret == 0)
		ret = rte_eth_dev_get_name_by_port(id, port->name);
	if (ret == 0 && (ret = check_queues(app, id, &info)) != 0)
		return ret;
	if (ret == 0)
		ret = setup_queues(app, id, &info);
	if (ret == 0)
		ret = rte_eth_dev_start(id);
	port->started = ret == 0;
	if (ret == 0)
		ret = rte_eth_macaddr_get(id, &port->mac);
	if (ret == 0)
		ret = rte_eth_dev_get_mtu(id, &port->mtu);
	if (ret != 0)
		fprintf(stderr, "popscope-core: cannot start port %u (%s): %s\n", id, port->name,
			strerror(-ret));
	else
		rte_eth_stats_reset(id); // not all devices can; then their counters go on
	return ret;
}

int ps_ports_start(struct ps_app *app)
{
	uint16_t id;
	int ret;

	app->port_count = rte_eth_dev_count_avail();
	if (app->port_count == 0 || app->port_count > PS_MAX_PORTS) {
		fprintf(stderr,
			"popscope-core: %u ports, but 1 to %u are needed (EAL: --vdev or -a)\n",
			app->port_count, PS_MAX_PORTS);
		return -ENODEV;
	}
	ret = make_pool(app);
	if (ret != 0)
		return ret;
	RTE_ETH_FOREACH_DEV(id)
	{
		if (id >= app->port_count) {
			fputs("popscope-core: port numbers have gaps\n", stderr);
			return -ENODEV;
		}
		ret = start_port(app, id);
		if (ret != 0)
			return ret;
	}
	return 0;
}

void ps_ports_stop(struct ps_app *app)
{
	for (uint16_t id = 0; id < app->port_count; id++) {
		if (!app->ports[id].started)
			continue;
		int ret = rte_eth_dev_stop(id);
		if (ret != 0)
			fprintf(stderr, "popscope-core: port %u does not stop: %s\n", id,
				strerror(-ret));
		rte_eth_dev_close(id);
	}
	rte_mempool_free(app->shared.pool);
}
