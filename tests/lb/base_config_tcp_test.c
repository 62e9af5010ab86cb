// SPDX-License-Identifier: Apache-2.0
// Timeouts of listeners, half-open connections and draining, as configurations have them.
#include "base_config_rig.h"

#define ONE(backend, protocol, listener)                                                           \
	"{'generation':7," ADDRESSES                                                               \
	",'timeouts':{'tcp_fin':9},'pools':[{'name':'web','backends':[{'name':'b1','address':"     \
	"'10.77.1.21'" backend "}]}],'listeners':[{'name':'q','address':'198.51.100.1','port':80," \
	"'protocol':'" protocol "','pool':'web'" listener "}]}"

static void test_timeouts(void **state)
{
	(void)state;
	struct ps_config *config =
		parse_good(ONE("", "tcp", ",'timeouts':{'tcp_established':5,'tcp_syn':6}"));
	assert_int_equal(config->listeners[0].timeouts.tcp_established, 5);
	assert_int_equal(config->listeners[0].timeouts.tcp_syn, 6);
	assert_int_equal(config->listeners[0].timeouts.tcp_fin, 9);
	assert_int_equal(config->timeouts.tcp_established, 900);
	ps_config_free(config);
	config = parse_good(ONE("", "udp", ",'timeouts':{'udp':5}"));
	assert_int_equal(config->listeners[0].timeouts.udp, 5);
	ps_config_free(config);
	CHECK(ONE("", "tcp", ",'timeouts':{'udp':5}"),
		{"/listeners/0/timeouts/udp", "unknown key"});
	CHECK(ONE("", "udp", ",'timeouts':{'tcp_fin':5}"),
		{"/listeners/0/timeouts/tcp_fin", "unknown key"});
	CHECK(ONE("", "tcp", ",'timeouts':{'tcp_fin':0}"),
		{"/listeners/0/timeouts/tcp_fin", "1 to 86400"});
	CHECK(ONE("", "tcp", ",'timeouts':[]"), {"/listeners/0/timeouts", "must be an object"});
}

static void test_half_open(void **state)
{
	(void)state;
	struct ps_config *config =
		parse_good(ONE("", "tcp", ",'max_half_open':100,'half_open_excess':'untracked'"));
	assert_int_equal(config->listeners[0].max_half_open, 100);
	assert_true(config->listeners[0].half_open_untracked);
	ps_config_free(config);
	CHECK(ONE("", "tcp", ",'max_half_open':0"),
		{"/listeners/0/max_half_open", "1 to 16777216"});
	CHECK(ONE("", "udp", ",'max_half_open':5"), {"/listeners/0/max_half_open", "\"tcp\" only"});
	CHECK(ONE("", "tcp", ",'max_half_open':5,'half_open_excess':'queue'"),
		{"/listeners/0/half_open_excess", "is \"queue\""});
	CHECK(ONE("", "tcp", ",'half_open_excess':'drop'"),
		{"/listeners/0/half_open_excess", "needs max_half_open"});
	CHECK(ONE("", "tcp",
		      ",'tcp_sloppy':false,'max_half_open':5,'half_open_excess':'untracked'"),
		{"/listeners/0/half_open_excess", "needs tcp_sloppy"});
}

static void test_drain(void **state)
{
	(void)state;
	struct ps_config *config =
		parse_good(ONE(",'drain':{'deadline_s':60,'then':'reset'}", "tcp", ""));
	assert_int_equal(config->backends[0].drain_deadline_s, 60);
	assert_true(config->backends[0].drain_reset);
	ps_config_free(config);
	CHECK(ONE(",'drain':{}", "tcp", ""), {"/pools/0/backends/0/drain/deadline_s", "is missing"},
		{"/pools/0/backends/0/drain/then", "is missing"});
	CHECK(ONE(",'drain':{'deadline_s':0,'then':'wait'}", "tcp", ""),
		{"/pools/0/backends/0/drain/deadline_s", "1 to 86400"},
		{"/pools/0/backends/0/drain/then", "is \"wait\""});
	CHECK(ONE(",'drain':60", "tcp", ""), {"/pools/0/backends/0/drain", "must be an object"});
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_timeouts),
		cmocka_unit_test(test_half_open),
		cmocka_unit_test(test_drain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
