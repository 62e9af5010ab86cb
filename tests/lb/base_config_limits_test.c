// SPDX-License-Identifier: Apache-2.0
// Lists and limits, as configurations have them.
#include "base_config_rig.h"

#define ONE(root, backend, listener)                                                               \
	"{'generation':7," ADDRESSES root ",'pools':[{'name':'web','backends':[{'name':'b1',"      \
	"'address':'10.77.1.21'" backend "}]}],'listeners':[{'name':'q','address':"                \
	"'198.51.100.1','port':80,'protocol':'tcp','pool':'web'" listener "}]}"
#define LISTS(list) ",'lists':[{'name':'l'" list "}]"

static void test_lists(void **state)
{
	(void)state;
	struct ps_config *config =
		parse_good(ONE(LISTS(",'default':'deny','allow':['10.0.0.0/8','::/"
				     "0'],'deny':['10.1.0.0/16']") ",'list':'l'",
			"", ",'list':'l'"));
	assert_int_equal(config->global_list, 0);
	assert_int_equal(config->listeners[0].list, 0);
	assert_true(config->lists[0].deny);
	assert_int_equal(config->lists[0].rule_count, 3);
	ps_config_free(config);
	config = parse_good(GOOD);
	assert_int_equal(config->global_list, PS_NO_LIST);
	assert_int_equal(config->listeners[0].list, PS_NO_LIST);
	ps_config_free(config);
	CHECK(ONE(",'list':'x'", "", ",'list':'y'"), {"/list", "there is no list \"x\""},
		{"/listeners/0/list", "there is no list \"y\""});
	CHECK(ONE(LISTS(",'deny':['10.0.0.1/8',7,'ten']"), "", ""),
		{"/lists/0/deny/0", "has bits behind its length"},
		{"/lists/0/deny/1", "must be a string"}, {"/lists/0/deny/2", "must be a network"});
	CHECK(ONE(LISTS(",'allow':['10.0.0.0/8'],'deny':['10.0.0.0/8']"), "", ""),
		{"/lists/0", "has 10.0.0.0/8 twice"});
	CHECK(ONE(LISTS(",'default':'no'"), "", ""), {"/lists/0/default", "is \"no\""});
	CHECK(ONE(",'lists':[{'name':'l'},{'name':'l'}]", "", ""),
		{"/lists/1/name", "is taken by /lists/0/name"});
	CHECK(ONE(LISTS(",'deny':5"), "", ""), {"/lists/0/deny", "must be an array"});
}

static void test_limits(void **state)
{
	(void)state;
	struct ps_config *config = parse_good(ONE("", ",'limits':{'packets_per_s':5}",
		",'limits':{'new_connections_per_s':1,'connections':2,'bits_per_s':"
		"1000000000000}"));
	assert_int_equal(config->backends[0].limits.packets_per_s, 5);
	assert_int_equal(config->listeners[0].limits.new_connections_per_s, 1);
	assert_int_equal(config->listeners[0].limits.connections, 2);
	assert_int_equal(config->listeners[0].limits.bits_per_s, 1000000000000);
	ps_config_free(config);
	CHECK(ONE("", ",'limits':{'packets_per_s':0}", ",'limits':{'pps':1}"),
		{"/pools/0/backends/0/limits/packets_per_s", "must be 1 to"},
		{"/listeners/0/limits/pps", "unknown key"});
	CHECK(ONE("", "", ",'limits':[]"), {"/listeners/0/limits", "must be an object"});
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
