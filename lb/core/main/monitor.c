// SPDX-License-Identifier: Apache-2.0
// What the main lcore does ten times a second: heartbeat, neighbours, the rows that it writes.
#include "base/clock.h"
#include "main/app.h"

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_mempool.h>

static bool order_request(void *user, uint32_t index)
{
	struct ps_app *app = user;

	return rte_ring_sp_enqueue(app->shared.resolve_orders, (void *)(uintptr_t)index) == 0;
}

static void publish_port(struct ps_app *app, uint16_t id)
{
	struct ps_row *row = ps_segment_row(app->segment, PS_SCOPE_PORT, 0, id);
	struct rte_eth_stats stats;
	struct rte_eth_link link = {};
	uint64_t cells[PS_PORT_CELLS] = {};

	if (rte_eth_stats_get(id, &stats) != 0)
		return; // the row keeps the last values
	rte_eth_link_get_nowait(id, &link);
	cells[PS_PORT_RX_PACKETS] = stats.ipackets;
	cells[PS_PORT_TX_PACKETS] = stats.opackets;
	cells[PS_PORT_RX_BYTES] = stats.ibytes;
	cells[PS_PORT_TX_BYTES] = stats.obytes;
	cells[PS_PORT_RX_MISSED_PACKETS] = stats.imissed;
	cells[PS_PORT_RX_ERROR_PACKETS] = stats.ierrors;
	cells[PS_PORT_RX_NO_MBUF_FAILURES] = stats.rx_nombuf;
	cells[PS_PORT_TX_ERROR_PACKETS] = stats.oerrors;
	cells[PS_PORT_LINK_UP] = link.link_status == RTE_ETH_LINK_UP;
	cells[PS_PORT_MTU_BYTES] = app->ports[id].mtu;
	ps_row_publish(row, cells, PS_PORT_CELLS);
}

static void publish_node(struct ps_app *app)
{
	struct ps_neighbour_counts counts = ps_neighbours_count(app->neighbours, rte_rdtsc());
	uint64_t now_ns = ps_monotonic_ns();

	if (app->config != NULL) {
		app->node[PS_NODE_CONFIG_GENERATION] = app->config->generation;
		app->node[PS_NODE_LISTENERS] = app->config->listener_count;
		app->node[PS_NODE_BACKENDS] = app->config->backend_count;
	}
	app->node[PS_NODE_NEIGHBOURS] = counts.known;
	app->node[PS_NODE_RESOLVED_NEIGHBOURS] = counts.resolved;
	app->node[PS_NODE_STALE_NEIGHBOURS] = counts.stale;
	app->node[PS_NODE_AGED_NEIGHBOURS] = app->neighbours->aged;
	app->node[PS_NODE_MAX_NEIGHBOURS] = PS_NEIGHBOURS;
	app->node[PS_NODE_LISTENER_ROWS] =
		ps_segment_names_used(app->segment, PS_SCOPE_VIP, now_ns);
	app->node[PS_NODE_MAX_LISTENER_ROWS] = PS_VIP_ROWS;
	app->node[PS_NODE_BACKEND_ROWS] =
		ps_segment_names_used(app->segment, PS_SCOPE_BACKEND, now_ns);
	app->node[PS_NODE_MAX_BACKEND_ROWS] = PS_BACKEND_ROWS;
	app->node[PS_NODE_MAX_MBUFS] = app->shared.pool->size;
	app->node[PS_NODE_USED_MBUFS] = rte_mempool_in_use_count(app->shared.pool);
	ps_row_publish(ps_segment_row(app->segment, PS_SCOPE_NODE, 0, 0), app->node, PS_NODE_CELLS);
}

void ps_beat(void *user)
{
	const struct ps_app *app = user;

	ps_segment_heartbeat(app->segment, ps_realtime_ns());
}

void ps_monitor(struct ps_app *app)
{
	if (app->config != NULL)
		ps_drain_mark(app, app->runtime, app->config, app->backend_rows);
	ps_evidence_clock(app);
	ps_trace_expire(app);
	ps_neighbours_tick(app->neighbours, rte_rdtsc(), order_request, app);
	for (uint16_t id = 0; id < app->port_count; id++)
		publish_port(app, id);
	publish_node(app);
	ps_beat(app);
}
