// SPDX-License-Identifier: Apache-2.0
// Rewriting against a full computation that is not the core's: any packet, any addresses, and back.
#include "base_test.h"
#include "datapath/rewrite.h"

#include <netinet/in.h>
#include <string.h>

#define ROUNDS 200000
#define HEADER4 20
#define HEADER6 40
#define ROOM 256

static uint32_t add_16(uint32_t sum, const uint8_t *at, uint32_t length)
{
	for (uint32_t i = 0; i + 1 < length; i += 2)
		sum += (uint32_t)(at[i] << 8 | at[i + 1]);
	return length % 2 != 0 ? sum + (uint32_t)(at[length - 1] << 8) : sum;
}

static uint16_t fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static void put_16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static uint32_t checksum_at(const struct ps_wire *wire)
{
	return wire->header_length + (wire->protocol == IPPROTO_TCP ? 16u : 6u);
}

// What the packet's L4 checksum should be; the field itself does not count.
static uint16_t right_l4(const struct ps_wire *wire)
{
	uint8_t copy[ROOM];
	const uint8_t *addresses = wire->ip + (wire->ipv6 ? 8 : 12);
	uint32_t sum = wire->l4_length + wire->protocol;

	memcpy(copy, wire->ip, wire->header_length + wire->l4_length);
	put_16(copy + checksum_at(wire), 0);
	sum = add_16(sum, addresses, wire->ipv6 ? 32 : 8);
	sum = fold(add_16(sum, copy + wire->header_length, wire->l4_length));
	return sum == 0 && wire->protocol == IPPROTO_UDP ? 0xffff : (uint16_t)sum;
}

static uint16_t right_ip(const struct ps_wire *wire)
{
	uint8_t copy[HEADER4];

	memcpy(copy, wire->ip, sizeof copy);
	put_16(copy + 10, 0);
	return fold(add_16(0, copy, sizeof copy));
}

static uint16_t get_16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static void check(const struct ps_wire *wire)
{
	assert_int_equal(get_16(wire->ip + checksum_at(wire)), right_l4(wire));
	if (!wire->ipv6)
		assert_int_equal(get_16(wire->ip + 10), right_ip(wire));
}

static void fill_random(void *to, uint32_t length)
{
	for (uint32_t i = 0; i < length; i++) // zeros and ones now and then, for carries
		((uint8_t *)to)[i] = random_below(8) != 0   ? (uint8_t)random_below(256)
				     : random_below(2) != 0 ? 0xff
							    : 0;
}

static struct ps_wire random_packet(uint8_t *at)
{
	struct ps_wire wire = {
		.ip = at,
		.ipv6 = random_below(2),
		.protocol = random_below(2) ? IPPROTO_TCP : IPPROTO_UDP,
		.l4_length = 20 + random_below(100),
	};

	fill_random(at, ROOM);
	wire.header_length = wire.ipv6 ? HEADER6 : HEADER4;
	if (wire.ipv6) {
		put_16(at + 4, wire.l4_length);
		at[7] = (uint8_t)(2 + random_below(254));
	} else {
		put_16(at + 2, HEADER4 + wire.l4_length);
		at[8] = (uint8_t)(2 + random_below(254));
		at[9] = wire.protocol;
		put_16(at + 10, right_ip(&wire));
	}
	put_16(at + checksum_at(&wire), right_l4(&wire));
	return wire;
}

static struct ps_address random_address(bool ipv6)
{
	struct ps_address address;

	fill_random(&address, sizeof address);
	return ipv6 ? address : ps_address_v4(address.words[3]);
}

static struct ps_address address_at(const struct ps_wire *wire, uint32_t which)
{
	uint32_t word;

	if (wire->ipv6)
		return ps_address_v6(wire->ip + 8 + 16 * which);
	memcpy(&word, wire->ip + 12 + 4 * which, sizeof word);
	return ps_address_v4(word);
}

static void there_and_back(void **state)
{
	uint8_t packet[ROOM], before[ROOM];

	(void)state;
	for (uint32_t i = 0; i < ROUNDS; i++) {
		struct ps_wire wire = random_packet(packet);
		struct ps_address from[2] = {address_at(&wire, 0), address_at(&wire, 1)};
		struct ps_address to[2] = {random_address(wire.ipv6), random_address(wire.ipv6)};
		struct ps_ends old = {&from[0], &from[1], 0, 0}, new = {&to[0], &to[1], 0, 0};

		memcpy(&old.source_port, packet + wire.header_length, 2);
		memcpy(&old.destination_port, packet + wire.header_length + 2, 2);
		fill_random(&new.source_port, 2);
		fill_random(&new.destination_port, 2);
		memcpy(before, packet, sizeof before);
		ps_rewrite(&wire, &new);
		check(&wire);
		assert_memory_equal(packet + wire.header_length, &new.source_port, 2);
		assert_memory_equal(packet + wire.header_length + 2, &new.destination_port, 2);
		for (uint32_t n = 0; n < 2; n++) {
			struct ps_address is = address_at(&wire, n);
			assert_true(ps_address_equal(&is, &to[n]));
		}
		ps_rewrite(&wire, &old);
		assert_memory_equal(packet, before, sizeof before);
	}
}

static void lengths_words_and_ttl(void **state)
{
	uint8_t packet[ROOM];

	(void)state;
	for (uint32_t i = 0; i < ROUNDS; i++) {
		struct ps_wire wire = random_packet(packet);
		int32_t by = (int32_t)random_below(9) * 2;
		uint32_t word;

		assert_true(ps_decrement_ttl(packet, wire.ipv6));
		check(&wire);
		if (wire.protocol != IPPROTO_TCP)
			continue;
		fill_random(&word, sizeof word);
		ps_change_tcp_word(&wire, random_below(2) ? 4 : 8, word);
		check(&wire);
		ps_change_tcp_word(&wire, 12, word);
		check(&wire);
		memset(packet + wire.header_length + wire.l4_length, 0, 16);
		if (wire.l4_length % 2 != 0)
			continue;
		ps_change_length(&wire, by);
		wire.l4_length += (uint32_t)by;
		check(&wire);
		ps_change_length(&wire, -by);
		wire.l4_length -= (uint32_t)by;
		check(&wire);
		if (wire.l4_length >= 29) { // an option at an odd place
			ps_change_tcp_word(&wire, 25, word);
			check(&wire);
		}
	}
}

static void the_last_hop(void **state)
{
	uint8_t packet[ROOM], before[ROOM];

	(void)state;
	for (uint32_t i = 0; i < 100; i++) {
		struct ps_wire wire = random_packet(packet);

		packet[wire.ipv6 ? 7 : 8] = (uint8_t)random_below(2);
		memcpy(before, packet, sizeof before);
		assert_false(ps_decrement_ttl(packet, wire.ipv6));
		assert_memory_equal(packet, before, sizeof before);
	}
}

// RFC 768: no checksum stays none. What was wrong stays wrong.
static void checksums_are_not_made_up(void **state)
{
	uint8_t packet[ROOM];

	(void)state;
	for (uint32_t i = 0; i < ROUNDS / 10; i++) {
		struct ps_wire wire = random_packet(packet);
		struct ps_address a = random_address(wire.ipv6), b = random_address(wire.ipv6);
		const struct ps_ends ends = {&a, &b, 1, 2};
		uint32_t wrong = 1 + random_below(0xfffe);

		if (wire.protocol == IPPROTO_UDP)
			put_16(packet + checksum_at(&wire), 0);
		else
			put_16(packet + checksum_at(&wire), right_l4(&wire) ^ wrong);
		bool other_zero =
			get_16(packet + checksum_at(&wire)) == 0xffff && right_l4(&wire) == 0;
		ps_rewrite(&wire, &ends);
		if (wire.protocol == IPPROTO_UDP)
			assert_int_equal(get_16(packet + checksum_at(&wire)), 0);
		else if (!other_zero)
			assert_int_not_equal(get_16(packet + checksum_at(&wire)), right_l4(&wire));
	}
}

// Of what an error quotes, 8 bytes of TCP are there at least: no checksum, and nothing behind it.
static void cut_quotes(void **state)
{
	uint8_t packet[ROOM], before[ROOM];

	(void)state;
	for (uint32_t i = 0; i < ROUNDS / 10; i++) {
		struct ps_wire wire = random_packet(packet);
		struct ps_address a = random_address(wire.ipv6), b = random_address(wire.ipv6);
		const struct ps_ends ends = {&a, &b, 1, 2};

		wire.protocol = IPPROTO_TCP;
		wire.l4_length = 8;
		memcpy(before, packet, sizeof before);
		ps_rewrite(&wire, &ends);
		ps_change_tcp_word(&wire, 4, 0x01020304);
		assert_memory_equal(packet + wire.header_length + 8,
			before + wire.header_length + 8, ROOM - wire.header_length - 8);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(there_and_back),
		cmocka_unit_test(lengths_words_and_ttl),
		cmocka_unit_test(the_last_hop),
		cmocka_unit_test(checksums_are_not_made_up),
		cmocka_unit_test(cut_quotes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
