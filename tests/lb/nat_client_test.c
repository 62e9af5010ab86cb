// SPDX-License-Identifier: Apache-2.0
// How a backend behind address translation learns who the client is.
#include "nat_rig.h"

#define ISN 0xfffffff0u // of the client: it wraps at once
#define BACKEND_ISN 7000u
#define HEADER(v6) ((v6) ? 52u : 28u)

static const char header4[] = "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x01\xc6\x33\x64\x01"
			      "\x04\xd2\0\x50"; // 192.0.2.1:1234 to 198.51.100.1:80

static int start_with(const char *pool)
{
	generation = 0;
	rig_start(nat_config("nat", pool, ""), 256);
	ps_adopt_runtime(rig.worker);
	rig_resolve_all();
	return 0;
}

static int start_proxy(void **state)
{
	(void)state;
	return start_with(",\"client_address\":\"proxy_v2\"");
}

static int start_toa(void **state)
{
	(void)state;
	return start_with(",\"client_address\":\"toa\"");
}

static struct packet segment(bool v6, uint8_t flags, uint32_t sequence, uint32_t data)
{
	struct packet p = of_client(v6, 1234, flags);

	p.sequence = ISN + sequence;
	p.acknowledged = flags & ACK ? BACKEND_ISN + 1 : 0;
	p.data = data;
	return p;
}

// The SYN and its answer; returns the local port.
static uint16_t shake_hands(bool v6)
{
	send_client(segment(v6, SYN, 0, 0));
	struct seen s = last();
	assert_int_equal(s.sequence, ISN);
	struct packet p = of_backend(v6, s.from_port, SYN | ACK);
	p.sequence = BACKEND_ISN;
	p.acknowledged = ISN + 1;
	send_backend(p);
	assert_int_equal(last().acknowledged, ISN + 1);
	return s.from_port;
}

static void acknowledge(bool v6, uint16_t local, uint32_t beyond_isn)
{
	struct packet p = of_backend(v6, local, ACK);

	p.sequence = BACKEND_ISN + 1;
	p.acknowledged = ISN + beyond_isn;
	send_backend(p);
}

static void check_header(const struct seen *s, bool v6)
{
	uint8_t address[16];

	assert_int_equal(s->data_size, HEADER(v6));
	assert_int_equal(s->sequence, ISN + 1);
	assert_int_equal(s->flags & (ACK | RTE_TCP_PSH_FLAG), ACK | RTE_TCP_PSH_FLAG);
	if (!v6) {
		assert_memory_equal(s->data, header4, sizeof header4 - 1);
		return;
	}
	assert_memory_equal(s->data, header4, 12);
	assert_memory_equal(s->data + 12, "\x21\x21\0\x24", 4);
	inet_pton(AF_INET6, CLIENT6, address);
	assert_memory_equal(s->data + 16, address, 16);
	inet_pton(AF_INET6, VIP6, address);
	assert_memory_equal(s->data + 32, address, 16);
	assert_memory_equal(s->data + 48, "\x04\xd2\0\x50", 4);
}

static void talk_by_proxy(bool v6)
{
	uint16_t local = shake_hands(v6);

	send_client(segment(v6, ACK, 1, 0)); // the header takes its place
	struct seen s = last();
	check_header(&s, v6);
	acknowledge(v6, local, 1 + HEADER(v6));
	assert_int_equal(last().acknowledged, ISN + 1);
	send_client(segment(v6, ACK, 1, 50));
	s = last();
	assert_int_equal(s.sequence, ISN + 1 + HEADER(v6));
	assert_int_equal(s.data_size, 50);
	assert_int_equal(s.data[1], 8);
	acknowledge(v6, local, 51 + HEADER(v6));
	assert_int_equal(last().acknowledged, ISN + 51);
	send_client(segment(v6, ACK, 1, 50)); // a retransmission, late: without the header
	assert_int_equal(last().sequence, ISN + 1 + HEADER(v6));
	assert_int_equal(last().data_size, 50);
	send_client(segment(v6, FIN, 51, 0));
	assert_int_equal(last().sequence, ISN + 51 + HEADER(v6));
	acknowledge(v6, local, 52 + HEADER(v6));
	assert_int_equal(last().acknowledged, ISN + 52);
}

static void the_header_is_the_first_data(void **state)
{
	(void)state;
	talk_by_proxy(false);
	talk_by_proxy(true);
	assert_int_equal(rig_lcore(PS_LCORE_ORIGINATED_PROXY_HEADER), 0); // none was needed
	assert_int_equal(RIG_SUM(DROP), 0);
}

// The ACK was lost on its way here, or came with data: the header goes ahead in a packet of its
// own, and again until the backend has acknowledged it.
static void retransmissions_bring_it_again(void **state)
{
	(void)state;
	for (uint32_t v6 = 0; v6 < 2; v6++) {
		uint16_t local = shake_hands(v6);
		for (uint32_t i = 0; i < 3; i++) {
			uint32_t sent = rig.sent_count;
			send_client(segment(v6, ACK | RTE_TCP_PSH_FLAG, 1, 51));
			assert_int_equal(rig.sent_count, sent + 2);
			struct seen header = read_frame(frame_sent(1)), data = last();
			check_header(&header, v6);
			assert_int_equal(header.mac, data.mac);
			assert_int_equal(header.vlan, data.vlan);
			assert_int_equal(data.sequence, ISN + 1 + HEADER(v6));
			assert_int_equal(data.data_size, 51);
		}
		acknowledge(v6, local, 1); // it has nothing yet
		assert_int_equal(last().acknowledged, ISN + 1);
		acknowledge(v6, local, 10); // a part of the header
		assert_int_equal(last().acknowledged, ISN + 1);
		send_client(segment(v6, ACK, 1, 51));
		acknowledge(v6, local, 1 + HEADER(v6));
		uint32_t sent = rig.sent_count;
		send_client(segment(v6, ACK, 1, 51));
		assert_int_equal(rig.sent_count, sent + 1);
	}
	assert_int_equal(rig_lcore(PS_LCORE_ORIGINATED_PROXY_HEADER), 8);
	assert_int_equal(RIG_SUM(DROP), 0);
}

static void data_out_of_order_is_shifted(void **state)
{
	(void)state;
	uint16_t local = shake_hands(false);
	send_client(segment(false, ACK, 101, 10));
	assert_int_equal(last().sequence, ISN + 101 + 28);
	send_client(segment(false, ACK, 1, 0));
	struct seen s = last();
	check_header(&s, false);
	acknowledge(false, local, 29);
	assert_int_equal(last().acknowledged, ISN + 1);
}

static void selective_acknowledgements_are_shifted(void **state)
{
	char options[12] = {1, 1, 5, 10};
	struct packet p;

	(void)state;
	p = of_backend(false, shake_hands(false), ACK);
	send_client(segment(false, ACK, 1, 0));
	for (uint32_t odd = 0; odd < 2; odd++) { // NOPs before it, or behind
		uint32_t at = odd ? 1 : 2, edges[2] = {htonl(ISN + 129), htonl(ISN + 229)};
		memset(options, 1, sizeof options);
		options[at] = 5;
		options[at + 1] = 10;
		memcpy(options + at + 2, edges, sizeof edges);
		p.options = options;
		p.option_size = sizeof options;
		p.acknowledged = ISN + 29;
		send_backend(p);
		struct seen s = last();
		memcpy(edges, s.options + at + 2, sizeof edges);
		assert_int_equal(ntohl(edges[0]), ISN + 101);
		assert_int_equal(ntohl(edges[1]), ISN + 201);
	}
	options[1] = 0; // no option ends
	options[0] = 5;
	send_backend(p);
	assert_memory_equal(last().options, options, sizeof options);
}

static void resets_have_the_number_that_the_backend_waits_for(void **state)
{
	(void)state;
	shake_hands(false);
	send_client(segment(false, RST, 1, 0)); // before the header
	assert_int_equal(last().sequence, ISN + 1);
	shake_hands(true);
	send_client(segment(true, ACK, 1, 0));
	send_client(segment(true, RST, 1, 0));
	assert_int_equal(last().sequence, ISN + 1 + 52);
}

// Fast open: the data comes again behind the header.
static void data_in_a_syn_is_cut(void **state)
{
	(void)state;
	send_client(segment(false, SYN, 0, 31));
	assert_int_equal(last().data_size, 0);
	assert_int_equal(last().sequence, ISN);
	send_client(segment(true, SYN, 0, 7));
	assert_int_equal(last().data_size, 0);
}

static void a_header_that_does_not_fit(void **state)
{
	(void)state;
	shake_hands(false);
	rig.worker->ports[0].mtu = 67;
	send_client(segment(false, ACK, 1, 0));
	assert_int_equal(rig_lcore(PS_LCORE_DROP_EXCEEDS_MTU), 1);
	rig.worker->ports[0].mtu = 68;
	send_client(segment(false, ACK, 1, 0));
	struct seen s = last();
	check_header(&s, false);
}

static void check_toa(const struct seen *s, bool v6, uint32_t before)
{
	uint8_t address[16];

	assert_int_equal(s->option_size, before + (v6 ? 20 : 8));
	assert_int_equal(s->options[0], 254);
	assert_int_equal(s->options[1], v6 ? 20 : 8);
	assert_memory_equal(s->options + 2, "\x04\xd2", 2);
	inet_pton(v6 ? AF_INET6 : AF_INET, v6 ? CLIENT6 : CLIENT4, address);
	assert_memory_equal(s->options + 4, address, v6 ? 16 : 4);
}

static void talk_by_option(bool v6)
{
	struct packet p = segment(v6, ACK, 1, 0);
	uint16_t local = shake_hands(v6);
	struct seen s;

	p.options = "\1\1\1\1";
	p.option_size = 4;
	send_client(p);
	s = last();
	check_toa(&s, v6, 4);
	assert_memory_equal(s.options + (v6 ? 20 : 8), "\1\1\1\1", 4);
	assert_int_equal(s.sequence, ISN + 1);
	send_client(segment(v6, ACK, 1, 33)); // nothing has been answered: again
	s = last();
	check_toa(&s, v6, 0);
	assert_int_equal(s.data_size, 33);
	assert_int_equal(s.data[32], 32 * 7 + 1);
	p = of_backend(v6, local, ACK);
	p.acknowledged = ISN + 34;
	send_backend(p);
	assert_int_equal(last().acknowledged, ISN + 34);
	p = segment(v6, ACK, 34, 1);
	p.acknowledged = BACKEND_ISN + 100;
	send_client(p);
	assert_int_equal(last().option_size, 0);
	assert_int_equal(last().sequence, ISN + 34);
}

static void the_option_is_there_until_an_answer_is_acknowledged(void **state)
{
	(void)state;
	talk_by_option(false);
	talk_by_option(true);
	assert_int_equal(rig_lcore(PS_LCORE_TOA_SKIPPED_PACKETS), 0);
}

static void an_option_without_room_is_skipped(void **state)
{
	struct packet p = segment(true, ACK, 1, 0);
	char options[24];

	(void)state;
	memset(options, 1, sizeof options);
	shake_hands(true);
	p.options = options;
	p.option_size = 24; // 20 more are too many for 60
	send_client(p);
	assert_int_equal(last().option_size, 24);
	rig.worker->ports[0].mtu = 60 + 19;
	send_client(segment(true, ACK, 1, 0));
	assert_int_equal(last().option_size, 0);
	assert_int_equal(rig_lcore(PS_LCORE_TOA_SKIPPED_PACKETS), 2);
	rig.worker->ports[0].mtu = 60 + 20;
	send_client(segment(true, ACK, 1, 0));
	assert_int_equal(last().option_size, 20);
	send_client(as_udp(of_client(true, 1, 0), 5)); // there is none in UDP
	assert_int_equal(last().data_size, 5);
	assert_int_equal(RIG_SUM(DROP), 0);
}

#define TEST_PROXY(name) cmocka_unit_test_setup_teardown(name, start_proxy, nat_end)
#define TEST_TOA(name) cmocka_unit_test_setup_teardown(name, start_toa, nat_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_PROXY(the_header_is_the_first_data),
		TEST_PROXY(retransmissions_bring_it_again),
		TEST_PROXY(data_out_of_order_is_shifted),
		TEST_PROXY(selective_acknowledgements_are_shifted),
		TEST_PROXY(resets_have_the_number_that_the_backend_waits_for),
		TEST_PROXY(data_in_a_syn_is_cut),
		TEST_PROXY(a_header_that_does_not_fit),
		TEST_TOA(the_option_is_there_until_an_answer_is_acknowledged),
		TEST_TOA(an_option_without_room_is_skipped),
	};

	ps_harness_eal(RIG_MEMORY_MB, false);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
