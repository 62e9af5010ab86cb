// SPDX-License-Identifier: Apache-2.0
// What the tests of tunnels share: configurations, packets of clients, and frames that are expected
// byte by byte, with an Internet checksum that is not the core's.
#pragma once

#include "datapath_rig.h"

#define VIP4 "198.51.100.1"
#define VIP6 "2001:db8:5::1"
#define CLIENT4 "192.0.2.1"
#define CLIENT6 "2001:db8:c::1"
// MAC addresses as numbers, low byte first on the wire.
#define ROUTER_MAC 0xa10000000002ULL   // 10.77.1.1
#define ROUTER2_MAC 0xa20000000002ULL  // 10.77.1.2
#define ROUTER6_MAC 0xa60000000002ULL  // 2001:db8:77::1
#define BACKEND2_MAC 0xb20000000002ULL // 10.77.1.22
#define BACKEND_MAC 0xb00000000002ULL  // any other neighbour

#define INNER 40 // bytes of the packets that clients send below: TCP over IPv4
#define INNER6 60

static uint64_t generation;
static uint16_t client_port;
static const char *listener_members, *listener_members6; // of the first listener of each family
static struct frame sent_by_client; // the last frame that receive4() and receive6() sent

static inline void configure_unresolved(const char *mode, const char *backend)
{
	char text[2048];

	snprintf(text, sizeof text,
		"{\"generation\":%u,\"addresses\":["
		"{\"port\":0,\"address\":\"10.77.1.11/24\"},"
		"{\"port\":0,\"address\":\"2001:db8:77::11/64\"},"
		"{\"port\":0,\"vlan\":7,\"address\":\"10.88.1.11/24\"}],"
		"\"routes\":[{\"prefix\":\"0.0.0.0/0\",\"via\":\"10.77.1.1\"},"
		"{\"prefix\":\"172.16.0.0/12\",\"via\":\"10.77.1.2\"},"
		"{\"prefix\":\"172.16.9.0/24\",\"via\":\"10.77.1.1\"},"
		"{\"prefix\":\"::/0\",\"via\":\"2001:db8:77::1\"}],"
		"\"maglev\":{\"size\":251},"
		"\"pools\":[{\"name\":\"p\",%s,\"backends\":["
		"{\"name\":\"b\",\"address\":\"%s\"}]}],"
		"\"listeners\":["
		"{\"name\":\"v4\",\"address\":\"" VIP4
		"\",\"port\":80,\"protocol\":\"tcp\",\"pool\":\"p\"%s},"
		"{\"name\":\"v4b\",\"address\":\"" VIP4
		"\",\"port\":8080,\"protocol\":\"tcp\",\"pool\":\"p\"},"
		"{\"name\":\"v6\",\"address\":\"" VIP6
		"\",\"port\":80,\"protocol\":\"tcp\",\"pool\":\"p\"%s}]}",
		(unsigned)++generation, mode, backend, listener_members, listener_members6);
	rig_apply(text);
	ps_adopt_runtime(rig.worker);
}

static inline uint64_t mac_of(const struct ps_address *address)
{
	const struct ps_address_text text = ps_address_text(address);

	if (strcmp(text.text, "10.77.1.1") == 0)
		return ROUTER_MAC;
	if (strcmp(text.text, "10.77.1.2") == 0)
		return ROUTER2_MAC;
	if (strcmp(text.text, "10.77.1.22") == 0)
		return BACKEND2_MAC;
	return strcmp(text.text, "2001:db8:77::1") == 0 ? ROUTER6_MAC : BACKEND_MAC;
}

static inline void resolve(void)
{
	struct ps_neighbours *list = rig.app->neighbours;

	for (uint32_t i = 0; i < list->high; i++)
		if (list->entries[i].used)
			ps_neighbour_learn(list, i, mac_of(&list->entries[i].address), rte_rdtsc());
}

static inline void configure(const char *mode, const char *backend)
{
	configure_unresolved(mode, backend);
	resolve();
}

static inline uint32_t neighbours_in_use(void)
{
	uint32_t used = 0;

	for (uint32_t i = 0; i < rig.app->neighbours->high; i++)
		used += rig.app->neighbours->entries[i].used;
	return used;
}

static inline uint16_t backend_row(void)
{
	for (uint16_t row = 0; row < PS_BACKEND_ROWS; row++)
		if (rig.worker->runtime->backends[row].epoch != 0)
			return row;
	fail_msg("there is no backend");
	return 0;
}

static inline const struct frame *last_sent(void)
{
	assert_true(rig.sent_count > 0);
	return &rig.sent[(rig.sent_count - 1) % RIG_SENT_MAX];
}

static inline uint64_t last_mac(void)
{
	uint64_t mac = 0;

	memcpy(&mac, last_sent()->bytes, 6);
	return mac;
}

static inline uint32_t read_16(const uint8_t *at)
{
	return (uint32_t)(at[0] << 8 | at[1]);
}

static inline void put_16(uint8_t *at, uint16_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static inline void receive4(uint8_t tos, bool df)
{
	struct frame *f = &sent_by_client;

	*f = frame_tcp(CLIENT4, client_port, VIP4, 80, RTE_TCP_ACK_FLAG);
	f->bytes[IP_AT + 1] = tos;
	f->bytes[IP_AT + 6] = df ? 0x40 : 0;
	frame_checksum(f);
	rig_receive(*f);
}

// With so many bytes of IP packet.
static inline void receive_long4(bool df, uint32_t length)
{
	struct frame *f = &sent_by_client;

	*f = frame_tcp(CLIENT4, client_port, VIP4, 80, RTE_TCP_ACK_FLAG);
	put_16(f->bytes + IP_AT + 2, (uint16_t)length);
	f->bytes[IP_AT + 6] = df ? 0x40 : 0;
	f->length = (uint32_t)ETHER_SIZE + length;
	frame_checksum(f);
	rig_receive(*f);
}

static inline void receive6(uint8_t traffic_class)
{
	struct frame *f = &sent_by_client;

	*f = frame_tcp6(CLIENT6, client_port, VIP6, 80, RTE_TCP_ACK_FLAG);
	f->bytes[IP_AT] = 0x60 | traffic_class >> 4;
	f->bytes[IP_AT + 1] = (uint8_t)(traffic_class << 4);
	rig_receive(*f);
}

// --- checksums, in the plainest way: 16 bits at a time, the carry at once ---

static inline uint32_t ones_add(uint32_t a, uint32_t b)
{
	uint32_t sum = a + b;

	return sum > 0xffff ? sum - 0xffff : sum;
}

static inline uint32_t ones_sum(const uint8_t *bytes, uint32_t length, uint32_t sum)
{
	for (uint32_t i = 0; i < length; i++)
		sum = ones_add(sum, i % 2 ? bytes[i] : (uint32_t)bytes[i] << 8);
	return sum;
}

// --- a frame that is expected, from its first byte on ---

struct expected {
	uint8_t bytes[FRAME_MAX];
	uint32_t length;
};

static inline void expect_byte(struct expected *e, uint32_t value)
{
	e->bytes[e->length++] = (uint8_t)value;
}

static inline void expect_16(struct expected *e, uint32_t value)
{
	put_16(e->bytes + e->length, (uint16_t)value);
	e->length += 2;
}

static inline void expect_bytes(struct expected *e, const void *bytes, uint32_t length)
{
	memcpy(e->bytes + e->length, bytes, length);
	e->length += length;
}

static inline void expect_begin(struct expected *e, uint64_t mac, uint16_t type)
{
	uint64_t own = TEST_MAC;

	memset(e, 0, sizeof *e);
	expect_bytes(e, &mac, 6);
	expect_bytes(e, &own, 6);
	expect_16(e, type);
}

static inline void expect_ipv4(
	struct expected *e, uint8_t tos, uint32_t payload, bool df, uint8_t protocol)
{
	static const uint8_t addresses[] = {10, 77, 1, 11, 10, 99, 0, 5};
	const uint8_t *sent = last_sent()->bytes + ETHER_SIZE;

	expect_byte(e, 0x45);
	expect_byte(e, tos);
	expect_16(e, 20 + payload);
	expect_16(e, df ? 0 : (uint32_t)(sent[4] << 8 | sent[5]));
	expect_16(e, df ? 0x4000 : 0);
	expect_byte(e, 64);
	expect_byte(e, protocol);
	expect_16(e, 0); // the checksum, below
	expect_bytes(e, addresses, sizeof addresses);
	put_16(e->bytes + ETHER_SIZE + 10, (uint16_t)~ones_sum(e->bytes + ETHER_SIZE, 20, 0));
}

static inline void expect_ipv6(struct expected *e, uint8_t tc, uint32_t payload, uint8_t next)
{
	const uint8_t *sent = last_sent()->bytes + ETHER_SIZE;
	uint8_t address[16];

	expect_byte(e, 0x60 | tc >> 4);
	expect_byte(e, (uint8_t)(tc << 4) | (sent[1] & 15)); // and the flow label
	expect_bytes(e, sent + 2, 2);
	expect_16(e, payload);
	expect_byte(e, next);
	expect_byte(e, 64);
	inet_pton(AF_INET6, "2001:db8:77::11", address);
	expect_bytes(e, address, 16);
	inet_pton(AF_INET6, "2001:db8:99::5", address);
	expect_bytes(e, address, 16);
}

// The checksum of UDP over IPv6 behind the Ethernet header, over what follows and the payload.
static inline void expect_udp6_checksum(struct expected *e, const struct frame *inner)
{
	uint8_t *ip = e->bytes + ETHER_SIZE, *udp = ip + 40;
	uint32_t sum = ones_sum(ip + 8, 32, 0);

	sum = ones_add(sum, read_16(ip + 4)); // the length
	sum = ones_add(sum, 17);
	sum = ones_sum(udp, 8 + 4, sum);
	sum = ones_sum(inner->bytes + ETHER_SIZE, inner->length - ETHER_SIZE, sum);
	put_16(udp + 6, (uint16_t)(sum == 0xffff ? 0xffff : ~sum));
}

// Then comes the client's packet as it was; and that was the frame.
static inline void expect_end(struct expected *e, const struct frame *inner)
{
	const struct frame *sent = last_sent();

	expect_bytes(e, inner->bytes + ETHER_SIZE, inner->length - ETHER_SIZE);
	assert_int_equal(sent->length, e->length);
	assert_memory_equal(sent->bytes, e->bytes, e->length);
}

static inline int tunnel_start(void **state)
{
	(void)state;
	generation = 0;
	listener_members = listener_members6 = "";
	client_port = 4000;
	rig_start(NULL, 256);
	return 0;
}

static inline int tunnel_end(void **state)
{
	(void)state;
	rig_end();
	return 0;
}

#define TUNNEL_TEST(name) cmocka_unit_test_setup_teardown(name, tunnel_start, tunnel_end)
