// SPDX-License-Identifier: Apache-2.0
// The Ethernet groups that ports take: those that neighbours ask for our IPv6 addresses in.
#include "datapath/icmp6.h"
#include "main/app.h"

#include <errno.h>
#include <rte_ethdev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

uint32_t ps_port_groups(
	const struct ps_config *config, uint32_t port, struct rte_ether_addr groups[])
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < config->address_count; i++) {
		const struct ps_config_address *own = &config->addresses[i];
		struct rte_ether_addr group;
		uint8_t node[16];
		uint32_t n = 0;

		if (own->port != port || ps_address_is_v4(&own->address))
			continue;
		ps_solicited_node(&own->address, node);
		uint64_t mac = ps_multicast_mac(node);
		memcpy(&group, &mac, sizeof group);
		while (n < count && !rte_is_same_ether_addr(&groups[n], &group))
			n++;
		groups[n] = group;
		count += n == count; // addresses with the same end share a group
	}
	return count;
}

// A device without filters for groups takes all of them, or none: then it must be promiscuous.
static void take_all(struct ps_app_port *port, uint16_t id)
{
	if (port->all_groups)
		return;
	port->all_groups = true; // asked for once
	int ret = rte_eth_allmulticast_enable(id);
	if (ret != 0 && ret != -ENOTSUP)
		fprintf(stderr, "popscope-core: port %u (%s) takes no multicast: %s\n", id,
			port->name, strerror(-ret));
}

void ps_ports_join(struct ps_app *app, const struct ps_config *config)
{
	struct rte_ether_addr *groups = calloc(config->address_count + 1, sizeof *groups);

	for (uint16_t id = 0; groups != NULL && id < app->port_count; id++) {
		uint32_t count = ps_port_groups(config, id, groups);
		if (!app->ports[id].started)
			continue; // a test's own
		if (rte_eth_dev_set_mc_addr_list(id, groups, count) != 0 && count > 0)
			take_all(&app->ports[id], id);
	}
	free(groups);
}
