// SPDX-License-Identifier: Apache-2.0
// libFuzzer target of the frame parser: exact-size buffers, so that a read past the end is seen.
#include "datapath/parse.h"
#include "datapath/quote.h"

#include <stdlib.h>
#include <string.h>

#define MAC 0x000000000002ULL // 02:00:00:00:00:00

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// The same bytes as what an ICMP error quotes.
static void read_quotes(const uint8_t *quote, uint32_t length)
{
	struct ps_addresses6 addresses;
	struct ps_packet flow;
	bool v6;

	for (int ipv6 = 0; ipv6 < 2; ipv6++) {
		uint32_t inner = ps_unwrap_quote(quote, length, ipv6, &v6);

		if (inner > length)
			abort();
		ps_read_quote(quote, length, ipv6, &flow, &addresses);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ps_packet packet;
	uint8_t *exact = malloc(size != 0 ? size : 1);

	if (exact == NULL)
		return 0;
	memcpy(exact, data, size);
	enum ps_drop drop = ps_parse(exact, (uint32_t)size, MAC, &packet);
	read_quotes(exact, (uint32_t)size);
	free(exact);
	if (drop != PS_NO_DROP)
		return 0;
	if (packet.kind == PS_PACKET_ARP)
		return 0;
	if (packet.header_length < (packet.ipv6 ? 40 : 20) ||
		packet.header_length > packet.l3_length ||
		(size_t)packet.ether_length + packet.l3_length > size)
		abort();
	return 0;
}
