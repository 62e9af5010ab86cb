// SPDX-License-Identifier: Apache-2.0
// The core's configuration: parsed and validated as a whole, every error found. No DPDK here.
#pragma once

#include "base/address.h"
#include "base/errors.h"
#include "base/ranges.h"
#include "base/schedule.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PS_NAME_SIZE 64
#define PS_MAX_WEIGHT 1000

// Of a core, a pool, a backend or a listener.
bool ps_is_name(const char *text);

#define PS_MAX_VLAN 4094

// A VLAN of a port that the core has an address on.
struct ps_config_interface {
	uint32_t port; // DPDK port
	uint16_t vlan;
};

struct ps_config_address {
	uint32_t port;      // DPDK port
	uint16_t vlan;      // 0: untagged
	uint32_t interface; // index into ps_config.interfaces, unless untagged
	struct ps_address address;
	struct ps_prefix on_link;
};

struct ps_config_route {
	struct ps_prefix prefix;
	struct ps_address via;
	uint32_t own; // index of the own address that `via` is on-link of
};

// Of a listener or a backend; 0: no limit.
struct ps_config_rates {
	uint64_t new_connections_per_s;
	uint64_t connections;
	uint64_t packets_per_s;
	uint64_t bits_per_s;
};

struct ps_config_backend {
	char name[PS_NAME_SIZE];
	uint8_t server_id[PS_SERVER_ID_MAX]; // in the connection ids that it gives QUIC clients
	uint8_t server_id_length;            // 0: none
	struct ps_address address;
	struct ps_address next_hop; // itself, or the router of the route to it
	uint32_t weight;
	struct ps_config_rates limits;
	uint32_t drain_deadline_s; // after the weight became 0; 0: none
	bool drain_reset;          // then its connections are reset; else they go elsewhere
	uint16_t port;             // of mode "nat", in network byte order; 0: the listener's
	uint32_t pool;
	uint32_t own; // index of the own address (longest prefix) that the next hop is on-link of
};

enum ps_pool_mode {
	PS_POOL_DSR,  // the destination MAC address is rewritten, the VIP stays in the packet
	PS_POOL_IPIP, // the packet becomes the payload of another to the backend's address
	PS_POOL_GUE,  // the same, behind UDP
	PS_POOL_NAT,  // source and destination are rewritten, and back in what the backend answers
};

// How a backend of mode "nat" learns who the client is.
enum ps_client_address {
	PS_CLIENT_NONE,
	PS_CLIENT_TOA, // a TCP option (kind 254) until the backend's first data is acknowledged
	PS_CLIENT_PROXY_V2, // the PROXY protocol's header in front of the client's first byte
};

struct ps_config_pool {
	char name[PS_NAME_SIZE];
	enum ps_scheduler scheduler;
	enum ps_pool_mode mode;
	// Of the outer packets to backends of its family; bits behind its length are the flow's.
	struct ps_prefix tunnel_source;
	bool has_tunnel_source;
	enum ps_client_address client_address;
	uint32_t first_local; // its local addresses are consecutive in ps_config.locals
	uint32_t local_count;
	bool gue_checksum;      // over IPv6
	uint16_t gue_port;      // in network byte order
	uint32_t first_backend; // its backends are consecutive in ps_config.backends
	uint32_t backend_count;
};

struct ps_config_list {
	char name[PS_NAME_SIZE];
	bool deny; // what no prefix holds
	uint32_t rule_count;
	struct ps_rule *rules;
};

#define PS_NO_LIST UINT32_MAX

struct ps_config_timeouts { // seconds
	uint32_t tcp_syn;
	uint32_t tcp_established;
	uint32_t tcp_fin;
	uint32_t udp;
	uint32_t neighbour;
};

struct ps_config_listener {
	char name[PS_NAME_SIZE];
	struct ps_address address;
	uint16_t port;            // in network byte order, as in a packet
	uint8_t protocol;         // IPPROTO_TCP or IPPROTO_UDP
	bool tcp_sloppy;          // picks up connections from a packet without SYN; default true
	bool half_open_untracked; // what exceeds max_half_open goes on without an entry
	uint32_t max_half_open;   // 0: no limit
	uint32_t list;            // index, or PS_NO_LIST
	struct ps_config_rates limits;
	struct ps_config_timeouts timeouts; // the configuration's, or its own
	bool icmp_echo;                     // its address answers echo requests
	bool quic;                          // routed by the server id in the connection id
	uint8_t quic_rotation;
	uint8_t server_id_length;
	uint32_t pool;
};

struct ps_config {
	uint64_t generation;
	uint32_t maglev_size;
	struct ps_config_timeouts timeouts;
	uint32_t address_count;
	uint32_t interface_count;
	uint32_t route_count;
	uint32_t pool_count;
	uint32_t backend_count;
	uint32_t listener_count;
	uint32_t vip_count;
	uint32_t list_count;
	uint32_t global_list; // index, or PS_NO_LIST
	uint32_t local_count;
	uint32_t *locals;        // own addresses, by index, that pools of mode "nat" send from
	uint16_t nat_first_port; // of each of them: these ports, in host byte order
	uint16_t nat_last_port;
	struct ps_config_list *lists;
	struct ps_config_address *addresses;
	struct ps_config_interface *interfaces;
	struct ps_config_route *routes;
	struct ps_config_pool *pools;
	struct ps_config_backend *backends; // grouped by pool, in the order of the document
	struct ps_config_listener *listeners;
	struct ps_address *vips; // distinct listener addresses
	json_t *json;            // the document as it was given: for `show`
};

struct ps_config_limits {
	uint64_t generation; // in force: a new one must be larger; 0 at the start
	uint32_t ports;      // of the core; 0: unknown (a check without a core), any port is taken
	uint32_t max_listeners;
	uint32_t max_backends; // over all pools
};

#define PS_CONFIG_LIMITS_DEFAULT                                                                   \
	(struct ps_config_limits)                                                                  \
	{                                                                                          \
		.max_listeners = 16384, .max_backends = 32768                                      \
	}

// Both return 0 and the configuration (free it with ps_config_free()), or -EINVAL with at least one
// error added, or -ENOMEM. The first also takes text that is not JSON: the error has line and
// column.
int ps_config_parse(const char *text, size_t length, const struct ps_config_limits *limits,
	struct ps_config **out, struct ps_errors *errors);
int ps_config_from_json(json_t *document, const struct ps_config_limits *limits,
	struct ps_config **out, struct ps_errors *errors);
int ps_config_load(const char *path, const struct ps_config_limits *limits, struct ps_config **out,
	struct ps_errors *errors);
void ps_config_free(struct ps_config *config);
