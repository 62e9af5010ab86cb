// SPDX-License-Identifier: Apache-2.0
// Traces: which packets they take, what they say of them, and that nothing else changes.
#include "base/trace.h"
#include "datapath_config.h"

#define BURST 6

static struct ps_trace trace;

static bool read_trace(const char *text, struct ps_errors *errors)
{
	json_t *json = json_loads(text, 0, NULL);
	bool good;

	assert_non_null(json);
	good = ps_trace_read(json, &trace, errors);
	json_decref(json);
	return good;
}

static void arm(const char *match, uint32_t count)
{
	static uint64_t id;
	struct ps_errors errors = {};
	char text[512];

	snprintf(text, sizeof text, "{\"op\":\"trace\",\"count\":%u,\"match\":[%s]}", count, match);
	if (!read_trace(text, &errors))
		fail_msg("%s: %s", errors.list[0].path, errors.list[0].message);
	trace.id = ++id;
	atomic_store(&rig.app->shared.trace, &trace);
}

static const struct ps_evidence_trace *record(uint64_t n)
{
	const struct ps_evidence_lane *lane = &rig.worker->tracer.lane;

	return (const void *)(lane->first + n % PS_EVIDENCE_TRACED * lane->stride);
}

static bool has_step(
	const struct ps_evidence_trace *r, enum ps_trace_stage stage, enum ps_lcore_cell cell)
{
	for (uint32_t i = 0; i < r->step_count; i++)
		if (r->steps[i].stage == stage && r->steps[i].cell == cell)
			return true;
	return false;
}

static void each_decision_is_named(void **state)
{
	struct frame f = client(7, 80, SYN);

	(void)state;
	arm("{\"network\":\"" CLIENT "/32\",\"side\":\"source\"}", 10);
	rig_receive(f);
	const struct ps_evidence_trace *r = record(0);
	assert_int_equal(r->sequence, 2);
	assert_int_equal(r->trace, trace.id);
	assert_int_equal(r->length, f.length);
	assert_memory_equal(r->bytes, f.bytes, f.length); // as it came in
	assert_true(has_step(r, PS_TRACE_INGRESS, PS_LCORE_RX_PACKETS));
	assert_true(has_step(r, PS_TRACE_TRACK, PS_LCORE_CREATED_CONNECTIONS));
	assert_true(has_step(r, PS_TRACE_TRANSMIT, PS_LCORE_TX_PACKETS));
	assert_int_equal(r->step_count, 3);
	assert_int_equal(r->vip, 0);
	assert_true(r->backend < 2);
	assert_int_equal(r->out_port, 0);
	assert_int_equal(r->connection_before, 0);
	assert_int_equal(r->connection_after, 1 + PS_CONN_SYN);
	rig_receive(client(7, 80, ACK));
	r = record(1);
	assert_int_equal(r->connection_before, 1 + PS_CONN_SYN);
	assert_int_equal(r->connection_after, 1 + PS_CONN_ESTABLISHED);
	assert_int_equal(r->step_count, 2);
	assert_int_equal(r->backend, record(0)->backend);
	rig_receive(client(8, 80, ACK));
	assert_true(has_step(record(2), PS_TRACE_TRACK, PS_LCORE_PICKED_UP_CONNECTIONS));
}

static void a_drop_is_named_at_its_stage(void **state)
{
	(void)state;
	arm("", 10);
	rig_receive(client(1, 82, SYN));
	assert_true(has_step(record(0), PS_TRACE_CLASSIFY, PS_LCORE_DROP_NO_LISTENER));
	assert_int_equal(record(0)->vip, PS_NO_ROW);
	rig_receive(client(1, 81, ACK));
	assert_true(has_step(record(1), PS_TRACE_TRACK, PS_LCORE_DROP_NO_CONNECTION));
	assert_int_equal(record(1)->backend, PS_NO_ROW);
	assert_int_equal(record(1)->out_port, 0xffff);
	rig.refuse = 1;
	rig_receive(client(1, 80, SYN));
	assert_true(has_step(record(2), PS_TRACE_TRANSMIT, PS_LCORE_DROP_TX_FULL));
	struct frame f = client(1, 80, SYN);
	f.length = 3;
	rig_receive(f); // without a term, malformed ones too
	assert_true(has_step(record(3), PS_TRACE_INGRESS, PS_LCORE_DROP_FRAME_TOO_SHORT));
	rig_receive(frame_arp(RTE_ARP_OP_REQUEST, "10.77.1.1", TEST_PEER, OWN));
	assert_true(has_step(record(4), PS_TRACE_INGRESS, PS_LCORE_CONSUMED_ARP_REQUEST));
	assert_int_equal(record(4)->out_port, 0);
}

static void a_packet_that_waits_says_so(void **state)
{
	(void)state;
	arm("", 1);
	rig_receive(client(1, 80, SYN));
	assert_true(has_step(record(0), PS_TRACE_FORWARD, PS_LCORE_HELD_NEIGHBOUR_QUEUE));
	assert_int_equal(record(0)->out_port, 0xffff);
}

static void without_configuration_too(void **state)
{
	(void)state;
	arm("", 1);
	rig_receive(client(1, 80, SYN));
	assert_true(has_step(record(0), PS_TRACE_INGRESS, PS_LCORE_DROP_NOT_CONFIGURED));
}

// A burst in which every second packet matches: the packets leave in their order, and the limit
// holds.
static void a_burst_keeps_its_order(void **state)
{
	struct rte_mbuf *mbufs[BURST];

	(void)state;
	arm("{\"port\":80,\"side\":\"destination\"},{\"protocol\":6}", 2);
	for (uint16_t i = 0; i < BURST; i++) {
		const struct frame f =
			i % 2 ? frame_udp(CLIENT, 100 + i, VIP, 53) : client(100 + i, 80, SYN);
		mbufs[i] = rig_mbuf(&f);
	}
	ps_burst(rig.worker, &rig.worker->ports[0], mbufs, BURST);
	rig_turn(BURST);
	rig_check_law();
	assert_int_equal(rig.sent_count, BURST);
	for (uint32_t i = 0; i < BURST; i++)
		assert_int_equal(rig.sent[i].bytes[L4_AT + 1], 100 + i);
	assert_int_equal(rig.worker->tracer.taken, 2);
	assert_int_equal(record(1)->bytes[L4_AT + 1], 102);
	assert_int_equal(rig_lcore(PS_LCORE_RX_BURSTS), 1);
	atomic_store(&rig.app->shared.trace, NULL);
	rig_receive(client(9, 80, SYN));
	assert_int_equal(rig.worker->tracer.taken, 2);
	arm("{\"port\":80}", 1); // another trace counts anew
	rig_receive(client(9, 80, ACK));
	assert_int_equal(rig.worker->tracer.taken, 3);
	assert_int_equal(record(2)->trace, trace.id);
}

static bool matches(const char *match, struct frame f)
{
	arm(match, 1);
	return ps_trace_matches(&trace, f.bytes, f.length);
}

static void terms_hold_or_do_not(void **state)
{
	struct frame tcp = client(7, 80, SYN),
		     udp6 = frame_udp6("2001:db8::1", 7, "2001:db8:5::1", 53);
	struct frame tagged = frame_tagged(tcp, 7), extended = udp6, cut = tcp;

	(void)state;
	frame_extend6(&extended, IPPROTO_HOPOPTS, 8);
	cut.length = L4_AT + 3;
	assert_true(matches("", tcp));
	assert_true(matches("{\"ethertype\":2048}", tagged));
	assert_false(matches("{\"ethertype\":34525}", tcp));
	assert_true(matches("{\"protocol\":17},{\"ethertype\":34525}", udp6));
	assert_true(matches("{\"protocol\":17},{\"port\":53}", extended));
	assert_false(matches("{\"protocol\":6}", udp6));
	assert_true(matches("{\"network\":\"192.0.2.0/24\"}", tcp));
	assert_true(matches("{\"network\":\"198.51.100.0/24\"}", tcp));
	assert_false(matches("{\"network\":\"198.51.100.0/24\",\"side\":\"source\"}", tcp));
	assert_false(matches("{\"network\":\"0.0.0.0/0\"}", udp6));
	assert_true(matches("{\"network\":\"2001:db8:5::/48\",\"side\":\"destination\"}", udp6));
	assert_true(matches("{\"port\":7}", tcp));
	assert_false(matches("{\"port\":7,\"side\":\"destination\"}", tcp));
	assert_true(matches("{\"protocol\":6}", cut));
	assert_false(matches("{\"port\":80}", cut));
	for (uint32_t length = 0; length <= extended.length; length++) {
		cut = extended;
		cut.length = length;
		matches("{\"port\":53},{\"network\":\"2001:db8::/32\"}", cut); // stays inside
	}
}

static void a_wrong_request_is_refused(const char *text, const char *path, const char *message)
{
	struct ps_errors errors = {};

	assert_false(read_trace(text, &errors));
	assert_true(errors.count > 0);
	assert_string_equal(errors.list[0].path, path);
	if (strstr(errors.list[0].message, message) == NULL)
		fail_msg("%s: %s", text, errors.list[0].message);
	ps_errors_clear(&errors);
}

static void wrong_requests_are_refused(void **state)
{
	(void)state;
	a_wrong_request_is_refused("{\"op\":\"trace\"}", "/count", "missing");
	a_wrong_request_is_refused("{\"count\":257}", "/count", "256");
	a_wrong_request_is_refused("{\"count\":1,\"seconds\":0}", "/seconds", "1");
	a_wrong_request_is_refused("{\"count\":1,\"mtach\":[]}", "/mtach", "");
	a_wrong_request_is_refused("{\"count\":1,\"match\":[{}]}", "/match/0", "must have one of");
	a_wrong_request_is_refused(
		"{\"count\":1,\"match\":[{\"port\":1,\"protocol\":6}]}", "/match/0", "one of");
	a_wrong_request_is_refused(
		"{\"count\":1,\"match\":[{\"port\":65536}]}", "/match/0/port", "65535");
	a_wrong_request_is_refused("{\"count\":1,\"match\":[{\"port\":1,\"side\":\"left\"}]}",
		"/match/0/side", "source");
	a_wrong_request_is_refused(
		"{\"count\":1,\"match\":[{\"network\":\"192.0.2.1/24\"}]}", "/match/0/network", "");
	a_wrong_request_is_refused(
		"{\"count\":1,\"match\":[{\"protocol\":6},7]}", "/match/1", "object");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_decision_is_named),
		TEST(a_drop_is_named_at_its_stage),
		TEST_AFTER(a_packet_that_waits_says_so, start_unresolved),
		TEST_AFTER(without_configuration_too, start_unconfigured),
		TEST(a_burst_keeps_its_order),
		TEST(terms_hold_or_do_not),
		TEST(wrong_requests_are_refused),
	};

	ps_harness_eal(RIG_MEMORY_MB, false);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
