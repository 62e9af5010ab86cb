// SPDX-License-Identifier: Apache-2.0
// Single values: names, addresses, protocols.
#include "base/config_private.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define FORMS "such as 10.77.1.21 or 2001:db8:77::21"
#define NETWORK_FORMS "such as 10.0.0.0/8 or 2001:db8::/32"
#define PREFIX_FORMS "such as 10.77.1.11/24 or 2001:db8:77::11/64"

bool ps_is_name(const char *text)
{
	size_t length = strlen(text);

	return length > 0 && length < PS_NAME_SIZE &&
	       strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") ==
		       length;
}

bool ps_read_name(const struct ps_object *object, char out[PS_NAME_SIZE])
{
	const char *text;

	if (!ps_object_string(object, "name", true, &text))
		return false;
	if (!ps_is_name(text)) {
		ps_object_error(object, "name",
			"must be 1 to 63 letters, digits, dots, underscores or hyphens");
		return false;
	}
	memcpy(out, text, strlen(text) + 1);
	return true;
}

static bool is_unicast_v4(const struct ps_address *address)
{
	return address->bytes[12] != 0 && address->bytes[12] != 127 && address->bytes[12] < 224;
}

// Not of ::/96 (unspecified, loopback, the old embedding of IPv4), multicast.
static bool is_unicast_v6(const struct ps_address *address)
{
	bool low = address->halves[0] == 0 && address->words[2] == 0;

	return !low && address->bytes[0] != 0xff;
}

static bool is_link_local(const struct ps_address *address)
{
	return address->bytes[0] == 0xfe && (address->bytes[1] & 0xc0) == 0x80;
}

// IPv4 in dotted quads only: an IPv6 text that maps an IPv4 address is not taken.
static bool read_text(const char *text, struct ps_address *out)
{
	uint32_t v4;

	if (inet_pton(AF_INET, text, &v4) == 1) {
		*out = ps_address_v4(v4);
		return true;
	}
	return inet_pton(AF_INET6, text, out->bytes) == 1 && !ps_address_is_v4(out);
}

bool ps_check_unicast(const struct ps_object *object, const char *key, const char *text,
	const struct ps_address *address)
{
	if (ps_address_is_v4(address) ? !is_unicast_v4(address) : !is_unicast_v6(address))
		ps_object_error(object, key, "%.45s is not a unicast address", text);
	else if (is_link_local(address))
		ps_object_error(object, key,
			"%.45s is link-local: give an address that is unique without its port",
			text);
	else
		return true;
	return false;
}

bool ps_read_address_text(
	const struct ps_object *object, const char *key, const char *text, struct ps_address *out)
{
	struct ps_address address;

	if (!read_text(text, &address)) {
		ps_object_error(object, key, "must be an IPv4 or IPv6 address " FORMS);
		return false;
	}
	if (!ps_check_unicast(object, key, text, &address))
		return false;
	*out = address;
	return true;
}

bool ps_read_address(const struct ps_object *object, const char *key, struct ps_address *out)
{
	const char *text;

	return ps_object_string(object, key, true, &text) &&
	       ps_read_address_text(object, key, text, out);
}

void ps_only_for(const struct ps_object *object, const char *key, const char *modes)
{
	if (ps_object_get(object, key, false))
		ps_object_error(object, key, "is for the mode %s only", modes);
}

static bool read_length(const char *text, unsigned max, uint8_t *out)
{
	size_t digits = strspn(text, "0123456789");

	if (digits < 1 || digits > 3 || text[digits] || (digits > 1 && text[0] == '0'))
		return false;
	int length = atoi(text);
	if (length > (int)max)
		return false;
	*out = (uint8_t)length;
	return true;
}

// Address and length, apart; the length counts from the first of the 128 bits.
static bool split_prefix(
	const char *text, char address[INET6_ADDRSTRLEN], struct ps_address *out, uint8_t *length)
{
	const char *slash = strchr(text, '/');

	if (!slash || slash - text >= INET6_ADDRSTRLEN)
		return false;
	memcpy(address, text, (size_t)(slash - text));
	address[slash - text] = '\0';
	if (!read_text(address, out))
		return false;
	if (!ps_address_is_v4(out))
		return read_length(slash + 1, 128, length);
	if (!read_length(slash + 1, 32, length))
		return false;
	*length = (uint8_t)(*length + PS_V4_PREFIX);
	return true;
}

static bool is_everything(const char *prefix)
{
	return strcmp(strchr(prefix, '/'), "/0") == 0;
}

bool ps_read_on_link(const struct ps_object *object, struct ps_config_address *out)
{
	char address[INET6_ADDRSTRLEN];
	uint8_t length;
	const char *text;

	if (!ps_object_string(object, "address", true, &text))
		return false;
	if (!split_prefix(text, address, &out->address, &length) || is_everything(text)) {
		ps_object_error(object, "address",
			"must be an address with the length of its prefix, " PREFIX_FORMS);
		return false;
	}
	if (!ps_check_unicast(object, "address", address, &out->address))
		return false;
	out->on_link = (struct ps_prefix){ps_address_masked(&out->address, length), length};
	const char *end = ps_prefix_end(&out->on_link, &out->address);
	if (end)
		ps_object_error(object, "address", "is the %s address of its prefix", end);
	return !end;
}

bool ps_read_network(const struct ps_object *object, const char *key, struct ps_prefix *out)
{
	const char *text;

	return ps_object_string(object, key, true, &text) &&
	       ps_read_network_text(object, key, text, out);
}

bool ps_read_network_text(
	const struct ps_object *object, const char *key, const char *text, struct ps_prefix *out)
{
	char address[INET6_ADDRSTRLEN];
	struct ps_address network;
	uint8_t length;

	if (!split_prefix(text, address, &network, &length)) {
		ps_object_error(object, key, "must be a network " NETWORK_FORMS);
		return false;
	}
	*out = (struct ps_prefix){ps_address_masked(&network, length), length};
	if (!ps_address_equal(&out->network, &network)) {
		const struct ps_address_text right = ps_address_text(&out->network);

		ps_object_error(object, key, "has bits behind its length; the network is %s%s",
			right.text, strchr(text, '/'));
		return false;
	}
	return true;
}

// RFC 3021 and RFC 6164: the two addresses of the smallest networks are hosts.
const char *ps_prefix_end(const struct ps_prefix *prefix, const struct ps_address *address)
{
	if (prefix->length >= 127)
		return NULL;
	bool first = ps_address_equal(&prefix->network, address);
	if (!ps_address_is_v4(address))
		return first ? "subnet-router anycast" : NULL;
	uint32_t hosts = htonl(UINT32_MAX >> (prefix->length - PS_V4_PREFIX));
	return first || (address->words[3] & hosts) == hosts ? "network or broadcast" : NULL;
}

bool ps_read_protocol(const struct ps_object *object, uint8_t *out)
{
	const char *text;

	if (!ps_object_string(object, "protocol", true, &text))
		return false;
	*out = strcmp(text, "tcp") == 0 ? IPPROTO_TCP : IPPROTO_UDP;
	if (*out == IPPROTO_TCP || strcmp(text, "udp") == 0)
		return true;
	ps_object_error(object, "protocol", "must be \"tcp\" or \"udp\", is \"%.40s\"", text);
	return false;
}
