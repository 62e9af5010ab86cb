// SPDX-License-Identifier: Apache-2.0
// What the files of the configuration's parser share.
#pragma once

#include "base/config.h"
#include "base/json_reader.h"

// A value that must be unique in its list, or is looked up in it, with where it stands.
struct ps_key {
	const char *text; // NULL: the number alone counts
	uint64_t number;
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
	struct ps_keys own;               // addresses
	struct ps_keys pool_names;        // text
	struct ps_keys backend_names;     // text, number = pool
	struct ps_keys backend_addresses; // number = pool << 32 | address
	struct ps_keys listener_names;    // text
	struct ps_keys listener_sockets;  // number = address, port, protocol
	struct ps_keys listener_pools;    // text
	bool out_of_memory;
};

// The members "name", "address" and "protocol" of an object; config_values.c. False, with an error,
// when one is missing or wrong. `form` is an example of an address.
bool ps_read_name(const struct ps_object *object, char out[PS_NAME_SIZE]);
bool ps_read_address(const struct ps_object *object, const char *form, uint32_t *out);
bool ps_read_prefix(const struct ps_object *object, struct ps_config_address *out);
bool ps_read_protocol(const struct ps_object *object, uint8_t *out);

bool ps_keys_push(struct ps_parser *parser, struct ps_keys *keys, const struct ps_key *key);
// The key of the member `name` of the object at `place`.
void ps_keys_add(struct ps_parser *parser, struct ps_keys *keys, const char *text, uint64_t number,
	uint32_t index, const struct ps_place *place, const char *name);
void ps_keys_sort(struct ps_keys *keys);
// In sorted keys; NULL when it is not there. `text` may be NULL.
const struct ps_key *ps_keys_find(const struct ps_keys *keys, const char *text, uint64_t number);

// Everything that takes more than one element to see; config_check.c.
void ps_config_check(struct ps_parser *parser);

// Dotted quad of an address in network byte order.
struct ps_address_text {
	char text[16];
};
struct ps_address_text ps_address_text(uint32_t address);
