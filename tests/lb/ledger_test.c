// SPDX-License-Identifier: Apache-2.0
// The ledger law over random traffic: valid and malformed packets in bursts of any size, while
// configurations change, neighbours come and go, queues refuse and time jumps. After every
// iteration the shared rows balance, exactly.
#include "ledger_config.h"

#define ITERATIONS 60000
#define VIPS 4 // the last one of IPv6
#define BACKENDS 6

static uint64_t generation;
static struct ps_trace traces[] = {
	{.id = 2, .count = 200}, {.id = 1,
					 .count = 256,
					 .term_count = 1,
					 .terms = {{.kind = PS_TRACE_PROTOCOL, .number = 6}}}};
static bool answers_seen;
static uint32_t quic_seen; // a bit each: routed, fallen back, malformed

static const char *const modes[] = {"dsr", "ipip", "gue", "nat"};

// Of tunnels, every third is beyond the link.
static void backend_address(uint32_t i, bool tunnel, char *out, size_t size)
{
	if (tunnel && i % 3 == 2)
		snprintf(out, size, i % 2 ? "2001:db8:99::%u" : "10.99.0.%u", 21 + i);
	else
		snprintf(out, size, i % 2 ? "2001:db8:77::%u" : "10.77.1.%u", 21 + i);
}

// Any subset of listeners and backends, any weights, any mode.
static char *random_config(void)
{
	const char *mode = modes[random_below(4)];
	bool nat = mode == modes[3], v6 = random_below(3) == 0;
	json_t *backends = json_array(), *listeners = json_array();
	char name[16], address[32];

	for (uint32_t i = 0; i < BACKENDS; i++) {
		snprintf(name, sizeof name, "b%u", i);
		backend_address(i, mode != modes[0], address, sizeof address);
		if (nat && (i % 2 != 0) != v6)
			continue; // it keeps the family
		if (i == 0 || random_below(4) != 0)
			json_array_append_new(
				backends, json_pack("{s:s, s:s, s:i}", "name", name, "address",
						  address, "weight", (int)(random_below(3) * 50)));
	}
	for (uint32_t i = 0; i < VIPS; i++) {
		snprintf(name, sizeof name, "l%u", i);
		if (nat && (i == 3) != v6)
			continue;
		if (i == 0 || random_below(3) != 0)
			json_array_append_new(listeners,
				json_pack("{s:s, s:s, s:i, s:s, s:s}", "name", name, "address",
					i == 3 ? "2001:db8:5::1" : "198.51.100.1", "port",
					80 + (int)i, "protocol", i == 2 ? "udp" : "tcp", "pool",
					"p"));
		if (random_below(2) && json_array_size(listeners) > 0)
			json_object_set_new(json_array_get(listeners, 0), "icmp_echo", json_true());
		if (i == 1 && !nat && json_array_size(listeners) == 2)
			json_object_set_new(
				json_array_get(listeners, 1), "tcp_sloppy", json_false());
	}
	json_t *config = json_pack("{s:I, s:[{s:i, s:s}, {s:i, s:i, s:s}], s:{s:i, s:i, s:i, s:i}, "
				   "s:[{s:s, s:s, s:o}], s:o, s:{s:i}, s:[{s:s, s:s}, {s:s, s:s}]}",
		"generation", (json_int_t)++generation, "addresses", "port", 0, "address",
		"10.77.1.11/24", "port", 0, "vlan", 7, "address", "2001:db8:77::11/64", "timeouts",
		"tcp_syn", 3, "tcp_established", 20, "tcp_fin", 2, "udp", 5, "pools", "name", "p",
		"mode", mode, "backends", backends, "listeners", listeners, "maglev", "size", 251,
		"routes", "prefix", "10.99.0.0/16", "via", "10.77.1.1", "prefix", "::/0", "via",
		"2001:db8:77::1");
	if (nat)
		choose_nat(config);
	choose_schedule(config);
	choose_guards(config);
	char *text = json_dumps(config, 0);

	json_decref(config);
	return text;
}

static const uint8_t flags[] = {RTE_TCP_SYN_FLAG, RTE_TCP_ACK_FLAG, RTE_TCP_ACK_FLAG,
	RTE_TCP_ACK_FLAG | RTE_TCP_FIN_FLAG, RTE_TCP_RST_FLAG, 0};

// Random bytes somewhere, and now and then the wrong length; the checksum is right mostly.
static struct frame damage(struct frame f, uint32_t from, void checksum(struct frame *f))
{
	for (uint32_t n = random_below(4); n > 2; n--)
		f.bytes[from + random_below(f.length - from)] = (uint8_t)random_below(256);
	if (random_below(10) != 0)
		checksum(&f);
	return f;
}

static void icmp_checksum(struct frame *f)
{
	uint16_t *sum = (void *)(f->bytes + L4_AT + 2);

	*sum = 0;
	*sum = (uint16_t)~rte_raw_cksum(f->bytes + L4_AT, f->length - L4_AT);
}

// Errors from the path, about packets that may be a backend's.
static struct frame random_error4(uint16_t client_port, uint16_t vip_port)
{
	struct frame f, sent = frame_tcp("198.51.100.1", vip_port, "192.0.2.7", client_port,
				RTE_TCP_ACK_FLAG);

	frame_ipv4(&f, "203.0.113.1", "198.51.100.1", IPPROTO_ICMP, 8 + 28);
	f.bytes[L4_AT] = random_below(3) ? 3 : 11;
	f.bytes[L4_AT + 1] = 4;
	memcpy(f.bytes + L4_AT + 8, sent.bytes + IP_AT, 28);
	return damage(f, L4_AT, icmp_checksum);
}

// From the way to a backend, about an IPIP packet.
static struct frame random_tunnel_error(uint16_t client_port, uint16_t vip_port)
{
	struct frame f, sent = frame_tcp("192.0.2.7", client_port, "198.51.100.1", vip_port,
				RTE_TCP_ACK_FLAG);

	frame_ipv4(&f, "10.77.1.1", "10.77.1.11", IPPROTO_ICMP, 8 + 20 + 28);
	f.bytes[L4_AT] = 3;
	f.bytes[L4_AT + 1] = 4;
	f.bytes[L4_AT + 8] = 0x45;
	f.bytes[L4_AT + 8 + 9] = IPPROTO_IPIP;
	memcpy(f.bytes + L4_AT + 8 + 20, sent.bytes + IP_AT, 28);
	return damage(f, L4_AT, icmp_checksum);
}

static struct frame random_error6(uint16_t client_port, uint16_t vip_port)
{
	struct frame f, sent = frame_tcp6("2001:db8:5::1", vip_port, "2001:db8::7", client_port,
				RTE_TCP_ACK_FLAG);

	frame_ipv6(&f, "2001:db8:f::1", "2001:db8:5::1", IPPROTO_ICMPV6, 8 + 48);
	f.bytes[L4_AT6] = (uint8_t)(1 + random_below(4));
	memcpy(f.bytes + L4_AT6 + 8, sent.bytes + IP_AT, 48);
	return damage(f, L4_AT6, frame_checksum6);
}

// What a backend may answer, to any of its own addresses.
static struct frame random_answer(bool v6, const char *backend, uint16_t from)
{
	uint16_t local = (uint16_t)(NAT_FIRST_PORT - 1 + random_below(66));
	struct frame f;

	if (random_below(4) == 0)
		return v6 ? frame_udp6(backend, from, "2001:db8:77::11", local)
			  : frame_udp(backend, from, "10.77.1.11", local);
	uint8_t flag = flags[random_below(sizeof flags)];
	f = v6 ? frame_tcp6(backend, from, "2001:db8:77::11", local, flag)
	       : frame_tcp(backend, from, "10.77.1.11", local, flag);
	f.bytes[(v6 ? L4_AT6 : L4_AT) + 11] = (uint8_t)random_below(60); // acknowledges
	return f;
}

// About what a backend was sent.
static struct frame random_nat_error(const char *backend, uint16_t to)
{
	uint16_t local = (uint16_t)(NAT_FIRST_PORT + random_below(64));
	struct frame f, sent = frame_tcp("10.77.1.11", local, backend, to, RTE_TCP_ACK_FLAG);

	frame_ipv4(&f, backend, "10.77.1.11", IPPROTO_ICMP, 8 + 28);
	f.bytes[L4_AT] = 3;
	f.bytes[L4_AT + 1] = (uint8_t)(1 + random_below(4));
	memcpy(f.bytes + L4_AT + 8, sent.bytes + IP_AT, 28);
	return damage(f, L4_AT, icmp_checksum);
}

static struct frame random_frame6(uint16_t port, uint16_t to)
{
	static const uint8_t extensions[] = {
		IPPROTO_HOPOPTS, IPPROTO_DSTOPTS, IPPROTO_ROUTING, IPPROTO_FRAGMENT};
	static const char own[] = "2001:db8:77::11", vip[] = "2001:db8:5::1";
	char client[32], backend[32];
	struct frame f;

	snprintf(client, sizeof client, "2001:db8::%u", 1 + random_below(24));
	snprintf(backend, sizeof backend, "2001:db8:77::%u", 20 + random_below(BACKENDS + 2));
	switch (random_below(10)) {
	case 9:
		return random_answer(true, backend, to);
	case 4:
		return random_error6(port, to);
	case 0:
		return frame_udp6(client, port, vip, to);
	case 1:
		return frame_echo6(client, random_below(2) ? own : vip);
	case 2:
		f = frame_nd(135, random_below(8) ? backend : "::", "ff02::1:ff00:11",
			random_below(3) ? own : vip, random_below(4) ? 0xbb0000000002ULL : 0);
		break;
	case 3:
		f = frame_nd(136, backend, own, backend, 0xbb0000000002ULL);
		break;
	default:
		f = frame_tcp6(random_below(50) ? client : "::1", port,
			random_below(20) ? vip : "2001:db8:5::2", to,
			flags[random_below(sizeof flags)]);
		f.bytes[L4_AT6 + 7] = (uint8_t)random_below(3); // sequence number
		for (uint32_t n = random_below(12); n > 8; n--) {
			frame_extend6(&f, extensions[random_below(sizeof extensions)], 8);
			if (random_below(20) == 0)
				f.bytes[L4_AT6 + 3] =
					(uint8_t)random_below(256); // segments left, offset
		}
	}
	if (random_below(8) == 0)
		f.bytes[IP_AT + random_below(40)] = (uint8_t)random_below(256);
	else if (random_below(100) == 0)
		f.bytes[IP_AT + 7] = 0; // hop limit
	return f;
}

static struct frame random_frame4(uint16_t port, uint16_t to)
{
	char client[20], backend[20];
	struct frame f;

	snprintf(client, sizeof client, "192.0.2.%u", 1 + random_below(24));
	snprintf(backend, sizeof backend, "10.77.1.%u", 20 + random_below(BACKENDS + 2));
	switch (random_below(13)) {
	case 11:
		return random_answer(false, backend, to);
	case 12:
		return random_nat_error(backend, to);
	case 4:
		return random_below(2) ? random_error4(port, to) : random_tunnel_error(port, to);
	case 0:
		f = frame_udp(client, port, "198.51.100.1", to);
		f.bytes[L4_AT + 8] = (uint8_t)(random_below(8) * 32); // of QUIC, its first bits
		f.bytes[L4_AT + 11] = (uint8_t)random_below(8);       // and a server id's end
		return f;
	case 1:
		return frame_echo(client, random_below(2) ? "10.77.1.11" : "198.51.100.1");
	case 2:
		return frame_arp(random_below(2) ? RTE_ARP_OP_REPLY : RTE_ARP_OP_REQUEST, backend,
			0xbb0000000002ULL, random_below(3) ? "10.77.1.11" : "198.51.100.1");
	case 3:
		f = frame_tcp(client, port, "198.51.100.1", to, RTE_TCP_ACK_FLAG);
		for (uint32_t n = 1 + random_below(3); n > 0; n--)
			f.bytes[random_below(f.length)] = (uint8_t)random_below(256);
		f.length = random_below(2) ? f.length : random_below(f.length + 1);
		return f;
	default:
		f = frame_tcp(client, port, random_below(20) ? "198.51.100.1" : "203.0.113.1", to,
			flags[random_below(sizeof flags)]);
		f.bytes[L4_AT + 7] = (uint8_t)random_below(3);   // sequence number
		f.bytes[IP_AT + 6] = random_below(2) ? 0x40 : 0; // DF
		f.bytes[IP_AT + 8] = random_below(30) ? 64 : 1;  // TTL
		if (random_below(3) == 0) {
			f.bytes[IP_AT + 3] = 200;
			f.length = (uint32_t)ETHER_SIZE + 200;
		}
		frame_checksum(&f);
		return f;
	}
}

static struct frame random_frame(void)
{
	uint16_t port = (uint16_t)(1000 + random_below(4));
	uint16_t to = (uint16_t)(80 + random_below(VIPS + 1));
	struct frame f = random_below(2) ? random_frame4(port, to) : random_frame6(port, to);

	if (random_below(4) == 0 && f.length >= ETHER_SIZE)
		f = frame_tagged(f, random_below(8) ? 7 : 9);
	if (random_below(300) == 0 && f.length >= ETHER_SIZE)
		f = frame_tagged(f, 7);
	if (random_below(4) == 0 && f.length >= 60) // cut off
		f.length = ETHER_SIZE + random_below(f.length - ETHER_SIZE);
	return f;
}

static void random_event(void)
{
	struct ps_neighbours *neighbours = rig.app->neighbours;
	uint32_t any = neighbours->high > 0 ? random_below(neighbours->high) : 0;
	char *config;

	switch (random_below(11)) {
	case 0:
		if (random_below(2)) // long enough for limits to be reached
			break;
		config = random_config();
		if (ps_harness_apply(rig.app, config) != 0)
			fail_msg("refused: %s", config);
		free(config);
		break;
	case 9: // a trace of everything, of some, or none
		atomic_store(
			&rig.app->shared.trace, random_below(3) ? &traces[random_below(2)] : NULL);
		traces[0].id += 2;
		break;
	case 1:
		atomic_store(&neighbours->entries[any].mac, 0);
		break;
	case 2:
		rig.worker->tick += random_below(3 * PS_TICKS_PER_SECOND);
		break;
	case 3:
		for (uint32_t i = 0; i < rig.worker->hold.count; i++)
			rig.worker->hold.packets[i].deadline = 0;
		rig.worker->hold.next_check = 0;
		break;
	case 4:
		rte_ring_enqueue(rig.app->shared.resolve_orders, (void *)(uintptr_t)any);
		break;
	case 6:
		rig.worker->icmp_paid = rig.worker->now; // no error may be sent now
		break;
	case 10:
		for (uint32_t row = 0; row < PS_BACKEND_ROWS; row++)
			if (rig.app->drain_since[row] != 0)
				rig.app->drain_since[row] = 1;
		if (rig.app->config != NULL)
			ps_drain_mark(
				rig.app, rig.app->runtime, rig.app->config, rig.app->backend_rows);
		break;
	case 5:
		rig.worker->ports[0].mtu =
			random_below(2) ? 1500 : (uint16_t)(40 + random_below(80));
		break;
	default:
		rig.refuse = random_below(8);
	}
}

// Each listener's own law, and the backends' packets against the lcore's.
static void check_rows(void)
{
	const struct ps_runtime *runtime = rig.worker->runtime;

	for (uint32_t i = 0; runtime != NULL && i < runtime->listener_count; i++) {
		uint16_t row = runtime->listeners[i].row;

		assert_int_equal(rig_vip(row, PS_VIP_RX_PACKETS),
			rig_vip(row, PS_VIP_TX_PACKETS) + rig_vip(row, PS_VIP_DROPPED_PACKETS) +
				rig_vip(row, PS_VIP_HELD_PACKETS));
		assert_in_range(rig_vip(row, PS_VIP_ACTIVE_CONNECTIONS), 0, rig.worker->table.used);
		assert_in_range(rig_vip(row, PS_VIP_HALF_OPEN_CONNECTIONS), 0,
			rig_vip(row, PS_VIP_ACTIVE_CONNECTIONS));
		assert_true(rig_vip(row, PS_VIP_TX_PACKETS) <= rig_lcore(PS_LCORE_TX_PACKETS));
		answers_seen |= rig_vip(row, PS_VIP_REPLY_BYTES) > 0;
		quic_seen |= rig_vip(row, PS_VIP_QUIC_ROUTED_PACKETS) ? 1 : 0;
		quic_seen |= rig_vip(row, PS_VIP_QUIC_FALLBACK_PACKETS) ? 2 : 0;
		quic_seen |= rig_vip(row, PS_VIP_QUIC_MALFORMED_PACKETS) ? 4 : 0;
	}
}

// Every port is free or a connection's.
static void check_sessions(void)
{
	const struct ps_runtime *runtime = rig.worker->runtime;
	uint32_t used = 0;

	for (uint32_t i = 0; runtime != NULL && i < PS_LOCALS; i++)
		if (runtime->locals[i] != NULL)
			used += runtime->locals[i]->size - runtime->locals[i]->shares[0].free;
	assert_true(used <= rig_lcore(PS_LCORE_NAT_CONNECTIONS));
	assert_true(rig_lcore(PS_LCORE_NAT_CONNECTIONS) <= rig.worker->table.used);
}

static void the_law_holds(void **state)
{
	struct rte_mbuf *mbufs[PS_BURST];
	uint64_t injected = 0;

	(void)state;
	for (uint32_t i = 0; i < ITERATIONS; i++) {
		uint16_t count = (uint16_t)(1 + random_below(PS_BURST));
		if (random_below(4) == 0)
			random_event();
		for (uint16_t n = 0; n < count; n++) {
			struct frame f = random_frame();
			mbufs[n] = rig_mbuf(&f);
			if (random_below(200) == 0) {
				struct frame tail = random_frame();
				rte_pktmbuf_chain(mbufs[n], rig_mbuf(&tail));
			}
		}
		ps_burst(rig.worker, &rig.worker->ports[random_below(2)], mbufs, count);
		injected += count;
		rig_turn(count);
		rig_check_law();
		check_rows();
		assert_int_equal(rig_lcore(PS_LCORE_RX_PACKETS), injected);
		check_sessions();
	}
}

// The traffic above is worth something only when it went everywhere.
static void every_reason_was_seen(void **state)
{
	static const enum ps_drop elsewhere[] = {PS_DROP_VLAN_TAGGED, PS_DROP_STOPPING,
		PS_DROP_UDP_HEADER_TRUNCATED, PS_DROP_UDP_BAD_LENGTH, PS_DROP_IPV4_TTL_ZERO,
		PS_DROP_IPV4_BAD_SOURCE, PS_DROP_IPV4_FRAGMENT, PS_DROP_IPV4_BAD_TOTAL_LENGTH,
		PS_DROP_TCP_HEADER_TRUNCATED, PS_DROP_ICMP_MALFORMED, PS_DROP_ICMP_UNSUPPORTED,
		PS_DROP_ARP_MALFORMED, PS_DROP_OWN_ADDRESS, PS_DROP_NEIGHBOUR_QUEUE_FULL,
		PS_DROP_NO_HEADROOM, PS_DROP_ICMPV6_MALFORMED, PS_DROP_ICMPV6_UNSUPPORTED,
		PS_DROP_HANDOVER_FULL, PS_DROP_NAT_PORTS_EXHAUSTED};

	(void)state;
	for (uint32_t i = 0; i < PS_DROP_COUNT; i++) {
		uint16_t reason = ((const uint16_t[])PS_DROP_CELLS)[i];
		bool excused = false;
		for (size_t n = 0; n < sizeof elsewhere / sizeof *elsewhere; n++)
			excused |= reason == (uint32_t)elsewhere[n];
		if (!excused && rig_lcore((enum ps_lcore_cell)reason) == 0)
			fail_msg("cell %u was never counted", reason);
	}
	assert_true(rig_lcore(PS_LCORE_ORPHANED_CONNECTIONS) > 0);
	assert_true(rig_lcore(PS_LCORE_EXPIRED_CONNECTIONS) > 0);
	assert_true(rig_lcore(PS_LCORE_CLOSED_CONNECTIONS) > 0);
	assert_true(rig_lcore(PS_LCORE_UNTRACKED_PACKETS) > 0);
	assert_true(rig_lcore(PS_LCORE_RELAYED_ERROR_PACKETS) > 0);
	assert_true(rig_lcore(PS_LCORE_ORIGINATED_ICMP_TOO_BIG) > 0);
	assert_true(rig_lcore(PS_LCORE_CONSUMED_TUNNEL_TOO_BIG) > 0);
	assert_true(quic_seen == 7);
	assert_true(rig_lcore(PS_LCORE_ORIGINATED_TCP_RESET) > 0);
	assert_true(rig_lcore(PS_LCORE_DRAIN_RESET_CONNECTIONS) > 0);
	assert_true(rig_lcore(PS_LCORE_DRAIN_LEFT_CONNECTIONS) > 0);
	assert_true(rig_lcore(PS_LCORE_REVIVED_CONNECTIONS) > 0);
	assert_true(rig_lcore(PS_LCORE_ORIGINATED_PROXY_HEADER) > 0);
	assert_true(rig_lcore(PS_LCORE_ORIGINATED_FRAGMENT) > 0);
	assert_true(answers_seen);
	rig_end(); // and every buffer is back
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_law_holds),
		cmocka_unit_test(every_reason_was_seen),
	};

	ps_harness_eal(RIG_MEMORY_MB, false);
	rig_start(NULL, 200);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
