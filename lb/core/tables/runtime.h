// SPDX-License-Identifier: Apache-2.0
// A configuration as the packet path reads it: immutable, swapped as a whole under RCU. The main
// lcore builds it beside the one in force; a worker sees it until its next quiescent state.
#pragma once

#include "base/address.h"
#include "base/ranges.h"
#include "base/schedule.h"
#include "tables/conn_state.h"
#include "tables/locals.h"

#include <assert.h>
#include <rte_hash_crc.h>
#include <stdbool.h>
#include <stdint.h>

#define PS_VIP_ROWS 16384
#define PS_BACKEND_ROWS 32768
#define PS_NO_ROW 0xffffu
#define PS_MAX_PORTS 16
#define PS_NO_INTERFACE 0xffffu

// Rows have epochs: a row that gets another name gets another epoch. 0: not in this configuration.
enum ps_drained {
	PS_NOT_DRAINED,
	PS_DRAINED_LEAVE, // its connections go to other backends
	PS_DRAINED_RESET,
};

struct ps_backend {
	uint16_t epoch;
	uint8_t port;    // DPDK port that it is reached by
	uint8_t way : 2; // enum ps_way
	// enum ps_drained: the one thing that the main lcore changes while workers look.
	uint8_t drained : 2;
	uint16_t vlan;      // in network byte order; 0: untagged
	uint16_t neighbour; // the backend, or the router on the way to it
};

enum ps_way {
	PS_WAY_MAC,    // as they are, by its MAC address
	PS_WAY_TUNNEL, // in what stands in ps_runtime.tunnels
	PS_WAY_NAT,    // rewritten, to what stands in ps_runtime.nat_backends
};

#define PS_TUNNEL_HEADERS_MAX 52 // IPv6, UDP, GUE

// What is put in front of packets for a backend: the headers as they are sent, but for what each
// packet decides.
struct ps_tunnel {
	uint8_t headers[PS_TUNNEL_HEADERS_MAX];
	uint8_t length;     // of them
	bool ipv6;          // the outer packet
	bool gue;           // UDP and GUE are behind the outer IP header; the inner one, otherwise
	bool checksum;      // UDP's is to be computed
	uint64_t flow_bits; // of the last 8 bytes of the source: those that the flow decides
} __attribute__((aligned(64)));

static_assert(sizeof(struct ps_tunnel) == 64, "one cache line");

// An interface is a network that the core is attached to: a port, or a VLAN on it. The first
// PS_MAX_PORTS numbers are the ports themselves, untagged.
struct ps_own {
	struct ps_address address;
	uint16_t interface;
	struct ps_local *tcp; // what pools send from this address; NULL: nothing
	struct ps_local *udp;
};

struct ps_candidate {
	uint16_t row;
	uint16_t weight;
};

// What a pool chooses from. Runtimes share it while the backends, their weights and rows and the
// scheduler stay the same. The arrays that the scheduler needs lie behind the Maglev table.
struct ps_table {
	uint32_t users;  // runtimes; the main lcore's affair
	uint64_t digest; // ps_maglev_digest()
	uint32_t turn_count;
	uint32_t candidate_count;
	const uint16_t *turns;                 // round robin: rows in the order of their turns
	const struct ps_candidate *candidates; // least connections
	uint16_t rows[];                       // slot to row of the backend
};

// Which backend a server id of QUIC names: a hash table.
struct ps_server {
	uint8_t id[PS_SERVER_ID_MAX]; // zeros behind its end
	bool used;
	uint16_t row;
};

struct ps_servers {
	uint32_t mask; // entries - 1
	struct ps_server entries[];
};

struct ps_pool {
	uint32_t size; // of the Maglev table
	uint32_t scheduler;
	struct ps_table *table;     // NULL: no backend with a weight
	struct ps_servers *servers; // NULL: none has a server id
	struct ps_nat *nat;         // NULL: its mode is another
};

// What is not asked of most listeners: one test tells that none of it is.
#define PS_FEATURE_QUIC 1u
#define PS_FEATURE_NAT 4u
#define PS_FEATURE_GUARD 2u // lists, limits of its own or of its backends

enum ps_rate {
	PS_RATE_NEW_CONNECTIONS,
	PS_RATE_PACKETS,
	PS_RATE_BITS,
	PS_RATES,
};

// One worker's share of the limits of a listener or backend.
struct ps_limits {
	double rate[PS_RATES]; // a cycle; 0: no limit
	double burst[PS_RATES];
	uint64_t connections; // UINT64_MAX: no limit
};

struct ps_listener {
	const struct ps_pool *pool;
	uint16_t row;
	uint16_t epoch;
	bool tcp_sloppy;
	uint8_t features; // PS_FEATURE_...
	uint8_t quic_rotation;
	uint8_t server_id_length;
	bool half_open_untracked;
	const struct ps_ranges *list;      // NULL: none
	const struct ps_limits *limits;    // NULL: none
	uint32_t max_half_open;            // of one worker; 0: no limit
	uint32_t timeouts[PS_CONN_STATES]; // ticks
};

// What a destination is. A listener is found by address, port and protocol; the others by address
// alone, under protocols that no packet can have a TCP or UDP port with.
enum ps_target {
	PS_TARGET_NONE,
	PS_TARGET_LISTENER,
	PS_TARGET_VIP,       // an address with listeners; its index: PS_VIP_ANSWERS_ECHO or 0
	PS_TARGET_OWN,       // the director's own address
	PS_TARGET_NEIGHBOUR, // on the interface of the key
	PS_TARGET_INTERFACE, // the VLAN of the key
};

#define PS_VIP_ANSWERS_ECHO 1

struct ps_runtime_entry {
	uint64_t key; // 0: free
	uint32_t index;
	uint32_t target;
};

struct ps_runtime {
	uint64_t generation;
	uint32_t mask; // entries - 1
	uint32_t listener_count;
	uint32_t pool_count;
	struct ps_runtime_entry *entries;
	struct ps_address *addresses; // of the entries; only those of IPv6 are filled in
	struct ps_own *own;
	struct ps_listener *listeners;
	struct ps_pool *pools;
	struct ps_tunnel *tunnels; // by row of the backend
	struct ps_nat_backend *nat_backends;
	struct ps_local *locals[PS_LOCALS]; // NULL: free
	uint32_t list_count;
	struct ps_ranges *lists;
	const struct ps_ranges *global_list;     // NULL: none
	struct ps_limits *limits;                // of listeners, then of backends
	const struct ps_limits **backend_limits; // by row; NULL: none has any
	uint16_t vip_epochs[PS_VIP_ROWS];
	struct ps_backend backends[PS_BACKEND_ROWS]; // by row
};

// "Protocols" of keys that are not a listener's.
#define PS_KEY_ADDRESS 0xff   // VIPs and own addresses, with port 0
#define PS_KEY_NEIGHBOUR 0xfe // with the interface as port
#define PS_KEY_INTERFACE 0xfd // the DPDK port as address, the VLAN (network byte order) as port

#define PS_KEY_IPV6 0x100u

// The key of an IPv4 address is exact. `address` and `port` in network byte order.
static inline uint64_t ps_target_key(uint32_t address, uint16_t port, uint8_t protocol)
{
	return (uint64_t)address << 32 | (uint64_t)port << 16 | protocol;
}

// That of an IPv6 address holds a hash of it: the address itself is compared as well.
static inline uint64_t ps_target_key6(
	const struct ps_address *address, uint16_t port, uint8_t protocol)
{
	uint32_t hash =
		rte_hash_crc_8byte(address->halves[1], rte_hash_crc_8byte(address->halves[0], 0));

	return ps_target_key(hash, port, protocol) | PS_KEY_IPV6;
}

// True when packets that were made ready for the backend under one may be sent under the other.
static inline bool ps_same_way(
	const struct ps_runtime *a, const struct ps_runtime *b, uint16_t backend_row)
{
	const struct ps_backend *x = &a->backends[backend_row], *y = &b->backends[backend_row];

	return x->neighbour == y->neighbour && x->way == y->way &&
	       (x->way != PS_WAY_TUNNEL ||
		       memcmp(&a->tunnels[backend_row], &b->tunnels[backend_row],
			       sizeof *a->tunnels) == 0);
}

// `id` has zeros behind its end.
static inline uint32_t ps_server_hash(const uint8_t id[PS_SERVER_ID_MAX])
{
	uint64_t low, high = 0;

	memcpy(&low, id, sizeof low);
	memcpy(&high, id + sizeof low, PS_SERVER_ID_MAX - sizeof low);
	return rte_hash_crc_8byte(high, rte_hash_crc_8byte(low, 0));
}

// What is not there is found as an unused entry.
static inline const struct ps_server *ps_server_find(
	const struct ps_servers *servers, const uint8_t id[PS_SERVER_ID_MAX])
{
	uint32_t i = ps_server_hash(id) & servers->mask;

	while (servers->entries[i].used &&
		memcmp(servers->entries[i].id, id, PS_SERVER_ID_MAX) != 0)
		i = (i + 1) & servers->mask;
	return &servers->entries[i];
}

// What is not there is found as a free entry, with PS_TARGET_NONE.
static inline const struct ps_runtime_entry *ps_runtime_find(
	const struct ps_runtime *runtime, uint64_t key)
{
	uint32_t i = rte_hash_crc_8byte(key, 0) & runtime->mask;

	while (runtime->entries[i].key != key && runtime->entries[i].key != 0)
		i = (i + 1) & runtime->mask;
	return &runtime->entries[i];
}

static inline const struct ps_runtime_entry *ps_runtime_find6(const struct ps_runtime *runtime,
	const struct ps_address *address, uint16_t port, uint8_t protocol)
{
	uint64_t key = ps_target_key6(address, port, protocol);
	uint32_t i = rte_hash_crc_8byte(key, 0) & runtime->mask;

	while (runtime->entries[i].key != 0 &&
		!(runtime->entries[i].key == key &&
			ps_address_equal(&runtime->addresses[i], address)))
		i = (i + 1) & runtime->mask;
	return &runtime->entries[i];
}

// Of either family.
static inline const struct ps_runtime_entry *ps_runtime_find_address(
	const struct ps_runtime *runtime, const struct ps_address *address, uint16_t port,
	uint8_t protocol)
{
	if (ps_address_is_v4(address))
		return ps_runtime_find(runtime, ps_target_key(address->words[3], port, protocol));
	return ps_runtime_find6(runtime, address, port, protocol);
}
