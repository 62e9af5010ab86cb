// SPDX-License-Identifier: Apache-2.0
// Schedulers, and server ids for QUIC, as configurations have them.
#include "base_config_rig.h"

#define ONE(pool, backend, listener)                                                               \
	"{'generation':7," ADDRESSES ",'pools':[{'name':'web'," pool                               \
	"'backends':[{'name':'b1','address':'10.77.1.21'" backend                                  \
	"},{'name':'b2','address':'10.77.1.22','server_id':'00ff'}]}],'listeners':[{'name':'q',"   \
	"'address':'198.51.100.1','port':443,'protocol':'udp','pool':'web'" listener "}]}"
#define ID ",'server_id':'0aF1'"
#define QUIC ",'quic':{'server_id_length':2}"

static void test_schedulers(void **state)
{
	static const char *const names[] = {"maglev", "maglev_source", "maglev_source_port",
		"weighted_round_robin", "weighted_least_connections"};
	char text[1024];

	(void)state;
	for (uint32_t i = 0; i < 5; i++) {
		snprintf(text, sizeof(text), ONE("'scheduler':'%s',", ID, ""), names[i]);
		struct ps_config *config = parse_good(text);
		assert_int_equal(config->pools[0].scheduler, i);
		ps_config_free(config);
	}
	struct ps_config *config = parse_good(GOOD);
	assert_int_equal(config->pools[0].scheduler, PS_SCHEDULER_MAGLEV);
	ps_config_free(config);
	CHECK(ONE("'scheduler':'rr',", "", ""), {"/pools/0/scheduler", "is \"rr\""});
	CHECK(ONE("'scheduler':1,", "", ""), {"/pools/0/scheduler", "must be a string"});
}

static void test_server_ids(void **state)
{
	(void)state;
	struct ps_config *config = parse_good(ONE("", ID, QUIC));
	assert_memory_equal(config->backends[0].server_id, "\x0a\xf1\0\0", 4);
	assert_int_equal(config->backends[0].server_id_length, 2);
	assert_true(config->listeners[0].quic);
	assert_int_equal(config->listeners[0].quic_rotation, 0);
	assert_int_equal(config->listeners[0].server_id_length, 2);
	ps_config_free(config);
	ps_config_free(parse_good(ONE("", "", ""))); // without QUIC, ids need not be there
	CHECK(ONE("", ",'server_id':'0a1'", ""),
		{"/pools/0/backends/0/server_id", "1 to 15 bytes in hexadecimal"});
	CHECK(ONE("", ",'server_id':'0g'", ""), {"/pools/0/backends/0/server_id", "hexadecimal"});
	CHECK(ONE("", ",'server_id':''", ""), {"/pools/0/backends/0/server_id", "hexadecimal"});
	CHECK(ONE("", ",'server_id':'000102030405060708090a0b0c0d0e0f'", ""),
		{"/pools/0/backends/0/server_id", "hexadecimal"});
	CHECK(ONE("", "", QUIC), {"/pools/0/backends/0/server_id", "must have 2 bytes"});
	CHECK(ONE("", ",'server_id':'010203'", QUIC),
		{"/pools/0/backends/0/server_id", "must have 2 bytes"});
	CHECK(ONE("", ",'server_id':'00FF'", QUIC),
		{"/pools/0/backends/1/server_id", "is that of backend 0"});
}

static void test_quic(void **state)
{
	(void)state;
	struct ps_config *config =
		parse_good(ONE("", ID, ",'quic':{'server_id_length':2,'rotation':6}"));
	assert_int_equal(config->listeners[0].quic_rotation, 6);
	ps_config_free(config);
	CHECK(ONE("", ID, ",'quic':{}"), {"/listeners/0/quic/server_id_length", "is missing"});
	CHECK(ONE("", ID, ",'quic':true"), {"/listeners/0/quic", "must be an object"});
	CHECK(ONE("", ID, ",'quic':{'server_id_length':16}"),
		{"/listeners/0/quic/server_id_length", "1 to 15"});
	CHECK(ONE("", ID, ",'quic':{'server_id_length':2,'rotation':7}"),
		{"/listeners/0/quic/rotation", "0 to 6"});
	CHECK(ONE("", ID, ",'quic':{'server_id_length':2,'cipher':1}"),
		{"/listeners/0/quic/cipher", "unknown key"});
	CHECK(ONE("", ID,
		      QUIC "},{'name':'r','address':'198.51.100.1','port':444,'protocol':'udp',"
			   "'pool':'web','quic':{'server_id_length':3}"),
		{"/listeners/1/quic/server_id_length", "must be 2"});
	CHECK("{'generation':7," ADDRESSES "," POOLS
	      ",'listeners':[{'name':'q','address':'198.51.100.1','port':443,'protocol':'tcp',"
	      "'pool':'web','quic':{}}]}",
		{"/listeners/0/quic/server_id_length", "is missing"},
		{"/listeners/0/quic", "is for the protocol \"udp\" only"});
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_schedulers),
		cmocka_unit_test(test_server_ids),
		cmocka_unit_test(test_quic),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
