// SPDX-License-Identifier: Apache-2.0
// Local addresses: what pools of mode "nat" send from. A port of one, of TCP or UDP, belongs to one
// worker and to one connection at a time: so the destination of what a backend answers tells the
// worker and the connection, and nothing is searched.
#pragma once

#include "base/address.h"
#include "base/config.h"
#include "tables/conn_state.h"

#include <assert.h>
#include <netinet/in.h>
#include <rte_byteorder.h>
#include <stdbool.h>
#include <stdint.h>

// Own addresses for TCP and for UDP, of a configuration and of the one before it.
#define PS_LOCALS 1024

// A connection as address translation sees it. Ports in network byte order.
struct ps_session {
	uint64_t key; // of its entry in the connection table; 0: free
	struct ps_address client;
	struct ps_address vip;
	struct ps_address backend;
	uint16_t client_port;
	uint16_t vip_port;
	uint16_t backend_port;
	uint16_t local_port;
	struct ps_address local;
	uint64_t client_mac;               // where the client's last packet came from
	uint32_t timeouts[PS_CONN_STATES]; // ticks that an answer keeps the connection for
	uint32_t client_isn;               // initial sequence number of the client
	uint32_t backend_isn;              // and of the backend
	uint16_t client_vlan;              // network byte order; 0: untagged
	uint8_t client_port_id;
	uint8_t flags;          // PS_SESSION_...
	uint8_t shift;          // bytes of the header in front of the client's first one
	uint8_t client_address; // enum ps_client_address
} __attribute__((aligned(64)));

static_assert(sizeof(struct ps_session) == 128, "two cache lines");

#define PS_SESSION_ANSWERED 1u // backend_isn is known
#define PS_SESSION_HEADER_SENT 2u
#define PS_SESSION_HEADER_TAKEN 4u // the backend has acknowledged it

// What one worker has of a local address. Ports are used in the order in which they became free, so
// that one rests as long as can be.
struct ps_local_share {
	uint16_t *queue; // of free ports, as indices; `size` of them
	struct ps_session *sessions;
	uint32_t head;
	uint32_t free;
} __attribute__((aligned(64)));

struct ps_local {
	struct ps_address address;
	uint32_t users;  // runtimes; the main lcore's affair
	uint32_t serial; // no other has had it
	uint16_t slot;   // in ps_runtime.locals, as long as it lives
	uint16_t first;  // port, host byte order
	uint16_t last;
	uint8_t protocol;
	uint32_t size; // ports of a worker
	uint32_t workers;
	struct ps_local_share shares[];
};

// The worker that a port (network byte order) belongs to; UINT32_MAX: none.
static inline uint32_t ps_local_owner(const struct ps_local *local, uint16_t port)
{
	uint32_t number = rte_be_to_cpu_16(port);
	uint32_t owner = number < local->first ? UINT32_MAX : (number - local->first) / local->size;

	return owner < local->workers ? owner : UINT32_MAX;
}

// The session of a port that belongs to this worker.
static inline struct ps_session *ps_local_session(
	const struct ps_local *local, uint32_t worker, uint16_t port)
{
	uint32_t index = rte_be_to_cpu_16(port) - local->first - worker * local->size;

	return &local->shares[worker].sessions[index];
}

// A free port of the worker, or NULL. The session is empty but for its local address and port.
static inline struct ps_session *ps_local_take(struct ps_local *local, uint32_t worker)
{
	struct ps_local_share *share = &local->shares[worker];

	if (share->free == 0)
		return NULL;
	uint32_t index = share->queue[share->head];
	share->head = share->head + 1 == local->size ? 0 : share->head + 1;
	share->free--;
	struct ps_session *session = &share->sessions[index];
	*session = (struct ps_session){
		.local = local->address,
		.local_port =
			rte_cpu_to_be_16((uint16_t)(local->first + worker * local->size + index)),
	};
	return session;
}

static inline void ps_local_give(
	struct ps_local *local, uint32_t worker, struct ps_session *session)
{
	struct ps_local_share *share = &local->shares[worker];
	uint32_t tail = share->head + share->free;

	session->key = 0;
	share->queue[tail >= local->size ? tail - local->size : tail] =
		(uint16_t)(session - share->sessions);
	share->free++;
}

// How a pool translates. Which backend it is stands in ps_runtime.nat_backends.
struct ps_nat {
	uint8_t client_address; // enum ps_client_address
	uint32_t count;
	struct ps_local **tcp; // `count` each; NULL: no listener of the pool needs them
	struct ps_local **udp;
};

struct ps_nat_backend {
	struct ps_address address;
	uint16_t port; // network byte order; 0: the listener's
};

struct ps_runtime;
struct ps_build_places;

// Local addresses, pools and backends of mode "nat"; what the runtime in force has is shared.
// Returns as ps_runtime_build(); then ps_locals_release() all the same.
int ps_locals_build(struct ps_runtime *runtime, const struct ps_config *config,
	const struct ps_build_places *places);
void ps_locals_release(struct ps_runtime *runtime);
