// SPDX-License-Identifier: Apache-2.0
// Single values of the configuration: names, addresses, prefixes, protocols.
#include "base/config_private.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

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

// A unicast address: not of 0.0.0.0/8, 127.0.0.0/8, multicast, reserved or broadcast.
static bool read_address_text(
	const struct ps_object *object, const char *text, const char *form, uint32_t *out)
{
	uint32_t address;

	if (inet_pton(AF_INET, text, &address) != 1) {
		ps_object_error(object, "address", "must be an IPv4 address such as %s", form);
		return false;
	}
	uint32_t first = ntohl(address) >> 24;
	if (first == 0 || first == 127 || first >= 224) {
		ps_object_error(object, "address", "%.40s is not a unicast address", text);
		return false;
	}
	*out = address;
	return true;
}

bool ps_read_address(const struct ps_object *object, const char *form, uint32_t *out)
{
	const char *text;

	return ps_object_string(object, "address", true, &text) &&
	       read_address_text(object, text, form, out);
}

static bool read_prefix_length(const char *text, uint8_t *out)
{
	size_t digits = strspn(text, "0123456789");

	if (digits < 1 || digits > 2 || text[digits] || (digits == 2 && text[0] == '0'))
		return false;
	int length = atoi(text);
	if (length < 1 || length > 32)
		return false;
	*out = (uint8_t)length;
	return true;
}

bool ps_read_prefix(const struct ps_object *object, struct ps_config_address *out)
{
	static const char *form = "10.77.1.11/24";
	char address[INET_ADDRSTRLEN];
	const char *text;

	if (!ps_object_string(object, "address", true, &text))
		return false;
	const char *slash = strchr(text, '/');
	if (!slash || (size_t)(slash - text) >= sizeof(address) ||
		!read_prefix_length(slash + 1, &out->prefix_length)) {
		ps_object_error(object, "address",
			"must be an address with the length of its prefix (1 to 32), such as %s",
			form);
		return false;
	}
	memcpy(address, text, (size_t)(slash - text));
	address[slash - text] = '\0';
	if (!read_address_text(object, address, form, &out->address))
		return false;
	out->mask = htonl(UINT32_MAX << (32 - out->prefix_length));
	uint32_t host = out->address & ~out->mask;
	if (out->prefix_length < 31 && (host == 0 || host == ~out->mask)) {
		ps_object_error(
			object, "address", "is the network or broadcast address of its prefix");
		return false;
	}
	return true;
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
