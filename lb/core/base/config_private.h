// SPDX-License-Identifier: Apache-2.0
// What the files of the configuration's parser share.
#pragma once

#include "base/config.h"
#include "base/json_reader.h"

// A value that must be unique in its list, or is looked up in it, with where it stands.
struct ps_key {
	const char *text; // NULL: the number and the address alone count
	uint64_t number;
	struct ps_address address;
	uint32_t index; // of the element in the configuration's array
	char path[56];
};

struct ps_keys {
	struct ps_key *list;
	size_t count;
};

// Elements that are wrong in themselves are not in the lists below: one mistake, one error.
struct ps_parser {
	struct ps_config *config;
	const struct ps_config_limits *limits;
	struct ps_errors *errors;
	struct ps_keys own;               // address
	struct ps_keys routes;            // number = length of the prefix, address
	struct ps_keys pool_names;        // text
	struct ps_keys backend_names;     // text, number = pool
	struct ps_keys backend_addresses; // number = pool, address
	struct ps_keys listener_names;    // text
	struct ps_keys listener_sockets;  // number = port, protocol; address
	struct ps_keys listener_pools;    // text
	struct ps_keys list_names;        // text
	struct ps_keys listener_lists;    // text; index UINT32_MAX: the global one
	struct ps_keys pool_locals;       // address; index = pool
	bool out_of_memory;
};

bool ps_keys_push(struct ps_parser *parser, struct ps_keys *keys, const struct ps_key *key);
// The key, whose place is the member `name` of the object at `place`.
void ps_keys_add(struct ps_parser *parser, struct ps_keys *keys, struct ps_key key,
	const struct ps_place *place, const char *name);
void ps_keys_sort(struct ps_keys *keys);
// In sorted keys; NULL when it is not there. Of *wanted, what identifies a key counts.
const struct ps_key *ps_keys_find(const struct ps_keys *keys, const struct ps_key *wanted);

// --- config_values.c: members that several elements have; false after adding an error ---
bool ps_read_name(const struct ps_object *object, char out[PS_NAME_SIZE]);
bool ps_check_unicast(const struct ps_object *object, const char *key, const char *text,
	const struct ps_address *address);
// A unicast address that is not link-local.
bool ps_read_address(const struct ps_object *object, const char *key, struct ps_address *out);
// The same of a text that stands at the member, or is the object itself when key is NULL.
bool ps_read_address_text(
	const struct ps_object *object, const char *key, const char *text, struct ps_address *out);
// An error when the object has a member that is for pools of these modes only.
void ps_only_for(const struct ps_object *object, const char *key, const char *modes);
// A network: "10.0.0.0/8", "::/0".
bool ps_read_network(const struct ps_object *object, const char *key, struct ps_prefix *out);
// Such an address with the length of its prefix: "10.77.1.11/24", "2001:db8::1/64".
bool ps_read_on_link(const struct ps_object *object, struct ps_config_address *out);
bool ps_read_protocol(const struct ps_object *object, uint8_t *out);
// What an address is that no host of the prefix has; NULL: a host may have it.
const char *ps_prefix_end(const struct ps_prefix *prefix, const struct ps_address *address);

// --- config_route.c ---
void ps_parse_route(struct ps_parser *parser, struct ps_object *object, uint32_t index);
// Finds the next hops, of routes and of backends. The lists of own addresses, routes and backend
// addresses are sorted.
void ps_check_next_hops(struct ps_parser *parser);

// --- config_tunnel.c: members of a pool that only tunnels have ---
#define PS_TUNNEL_KEYS "tunnel_source", "gue_port", "gue_checksum"
void ps_parse_tunnel(const struct ps_object *object, struct ps_config_pool *pool);
// `backends`: their addresses, sorted.
void ps_check_tunnels(struct ps_parser *parser, const struct ps_keys *backends);

// --- config_nat.c: members of a pool that only mode "nat" has ---
#define PS_NAT_KEYS "local_addresses", "client_address"
void ps_parse_nat_ports(struct ps_parser *parser, const struct ps_object *root);
void ps_parse_nat(struct ps_parser *parser, const struct ps_object *object, uint32_t pool);
// Of a backend, whose pool is known.
void ps_parse_backend_port(const struct ps_parser *parser, const struct ps_object *object,
	struct ps_config_backend *backend);
// Finds the local addresses. The own addresses are sorted, the pools of listeners known.
void ps_check_nat(struct ps_parser *parser);

// --- config_pool.c ---
void ps_parse_pool(struct ps_parser *parser, struct ps_object *object, uint32_t index);
void ps_parse_listener(struct ps_parser *parser, struct ps_object *object, uint32_t index);

// At the member, or at the object itself when key is NULL.
bool ps_read_network_text(
	const struct ps_object *object, const char *key, const char *text, struct ps_prefix *out);

// --- config_limits.c: lists of prefixes, and limits ---
void ps_parse_list(struct ps_parser *parser, struct ps_object *object, uint32_t index);
// The member "list" of a listener, or (index UINT32_MAX) of the configuration.
void ps_parse_list_name(struct ps_parser *parser, const struct ps_object *object, uint32_t index);
void ps_parse_limits(const struct ps_object *object, struct ps_config_rates *limits);
void ps_check_lists(struct ps_parser *parser);

// --- config_tcp.c: the life of connections ---
void ps_parse_timeouts(struct ps_parser *parser, const struct ps_object *root);
void ps_parse_drain(const struct ps_object *object, struct ps_config_backend *backend);
// Its protocol is known.
void ps_parse_life(const struct ps_parser *parser, const struct ps_object *object,
	struct ps_config_listener *listener);

// --- config_schedule.c: how backends are chosen ---
void ps_parse_scheduler(const struct ps_object *object, enum ps_scheduler *scheduler);
void ps_parse_server_id(const struct ps_object *object, struct ps_config_backend *backend);
// False: the listener has no such member.
bool ps_parse_quic(const struct ps_object *object, struct ps_config_listener *listener);
// Backends of QUIC listeners have distinct server ids of the listener's length.
void ps_check_server_ids(struct ps_parser *parser);

// Everything that takes more than one element to see; config_check.c.
void ps_config_check(struct ps_parser *parser);
