// SPDX-License-Identifier: Apache-2.0
// A configuration as the packet path reads it: immutable, swapped as a whole under RCU. The main
// lcore builds it beside the one in force; a worker sees it until its next quiescent state.
#pragma once

#include <rte_hash_crc.h>
#include <stdbool.h>
#include <stdint.h>

#define PS_VIP_ROWS 4096
#define PS_BACKEND_ROWS 16384
#define PS_NO_ROW 0xffffu

// Rows have epochs: a row that gets another name gets another epoch. 0: not in this configuration.
struct ps_backend {
	uint16_t epoch;
	uint16_t port; // DPDK port that it is reached by
	uint16_t neighbour;
};

// A Maglev table. Runtimes share it while the backends, their weights and rows stay the same.
struct ps_table {
	uint32_t users;  // runtimes; the main lcore's affair
	uint64_t digest; // ps_maglev_digest()
	uint16_t rows[]; // slot to row of the backend
};

struct ps_pool {
	uint32_t size;          // of the table
	struct ps_table *table; // NULL: no backend with a weight
};

struct ps_listener {
	const struct ps_pool *pool;
	uint16_t row;
	uint16_t epoch;
	bool tcp_sloppy;
};

enum ps_timeout {
	PS_TIMEOUT_TCP_SYN,
	PS_TIMEOUT_TCP_ESTABLISHED,
	PS_TIMEOUT_TCP_FIN,
	PS_TIMEOUT_UDP,
	PS_TIMEOUTS,
};

// What a destination is. A listener is found by address, port and protocol; the others by address
// alone, under protocols that no packet can have a TCP or UDP port with.
enum ps_target {
	PS_TARGET_NONE,
	PS_TARGET_LISTENER,
	PS_TARGET_VIP,       // an address with listeners
	PS_TARGET_OWN,       // the director's own address, `index` is its DPDK port
	PS_TARGET_NEIGHBOUR, // on the port `port` of the key, `index` is the neighbour's
};

struct ps_runtime_entry {
	uint64_t key; // 0: free
	uint32_t index;
	uint32_t target;
};

struct ps_runtime {
	uint64_t generation;
	uint32_t timeouts[PS_TIMEOUTS]; // ticks, by enum ps_conn_state
	uint32_t mask;                  // entries - 1
	uint32_t listener_count;
	uint32_t pool_count;
	struct ps_runtime_entry *entries;
	struct ps_listener *listeners;
	struct ps_pool *pools;
	uint16_t vip_epochs[PS_VIP_ROWS];
	struct ps_backend backends[PS_BACKEND_ROWS]; // by row
};

// `address` and `port` in network byte order.
static inline uint64_t ps_target_key(uint32_t address, uint16_t port, uint8_t protocol)
{
	return (uint64_t)address << 32 | (uint64_t)port << 16 | protocol;
}

#define PS_KEY_ADDRESS 0xff   // "protocol" of VIPs and own addresses, with port 0
#define PS_KEY_NEIGHBOUR 0xfe // "protocol" of neighbours, with the DPDK port as port

static inline const struct ps_runtime_entry *ps_runtime_find(
	const struct ps_runtime *runtime, uint64_t key)
{
	uint32_t i = rte_hash_crc_8byte(key, 0) & runtime->mask;

	while (runtime->entries[i].key != key && runtime->entries[i].key != 0)
		i = (i + 1) & runtime->mask;
	return &runtime->entries[i]; // a free entry has PS_TARGET_NONE
}
