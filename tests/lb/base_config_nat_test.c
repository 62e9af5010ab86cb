// SPDX-License-Identifier: Apache-2.0
// Pools of mode "nat" in the configuration.
#include "base_config_rig.h"

#define BOTH                                                                                       \
	"'addresses':[{'port':0,'address':'10.77.1.11/24'},"                                       \
	"{'port':0,'address':'10.77.1.12/24'},{'port':0,'address':'2001:db8:77::11/64'}],"         \
	"'routes':[{'prefix':'10.0.0.0/8','via':'10.77.1.1'}]"
#define NAT(root, members, backends)                                                               \
	"{'generation':7," BOTH root ",'listeners':[" LISTENER                                     \
	"],'pools':[{'name':'web','mode':'nat'," members ",'backends':[" backends "]}]}"
#define B "{'name':'b','address':'10.77.1.21'}"
#define LOCAL "'local_addresses':['10.77.1.12']"

static void test_defaults(void **state)
{
	struct ps_config *c = parse_good(NAT("", LOCAL, B));

	(void)state;
	assert_int_equal(c->pools[0].mode, PS_POOL_NAT);
	assert_int_equal(c->pools[0].client_address, PS_CLIENT_NONE);
	assert_int_equal(c->pools[0].local_count, 1);
	assert_int_equal(c->locals[c->pools[0].first_local], 1);
	assert_int_equal(c->backends[0].port, 0);
	assert_int_equal(c->nat_first_port, 1024);
	assert_int_equal(c->nat_last_port, 65535);
	ps_config_free(c);
}

static void test_all_of_it(void **state)
{
	struct ps_config *c = parse_good(NAT(",'nat':{'first_port':40000,'last_port':40063}",
		"'client_address':'proxy_v2',"
		"'local_addresses':['10.77.1.12','2001:db8:77::11','10.77.1.11']",
		"{'name':'b','address':'10.88.1.21','port':8080}"));

	(void)state;
	assert_int_equal(c->pools[0].client_address, PS_CLIENT_PROXY_V2);
	assert_int_equal(c->pools[0].local_count, 3);
	assert_int_equal(c->locals[0], 1);
	assert_int_equal(c->locals[1], 2);
	assert_int_equal(c->locals[2], 0);
	assert_int_equal(ntohs(c->backends[0].port), 8080);
	assert_string_equal(ps_address_text(&c->backends[0].next_hop).text, "10.77.1.1");
	assert_int_equal(c->nat_first_port, 40000);
	assert_int_equal(c->nat_last_port, 40063);
	ps_config_free(c);
}

static void test_locals_of_pools_are_apart(void **state)
{
	struct ps_config *c =
		parse_good("{'generation':7," BOTH ",'listeners':[],'pools':["
			   "{'name':'a','mode':'nat'," LOCAL ",'backends':[]},"
			   "{'name':'b','backends':[" B "]},"
			   "{'name':'c','mode':'nat','local_addresses':['10.77.1.11','10.77.1.12'],"
			   "'backends':[]}]}");

	(void)state;
	assert_int_equal(c->local_count, 3);
	assert_int_equal(c->pools[1].local_count, 0);
	assert_int_equal(c->pools[2].first_local, 1);
	assert_int_equal(c->pools[2].local_count, 2);
	ps_config_free(c);
}

static void test_mistakes(void **state)
{
	(void)state;
	CHECK(NAT("", "'client_address':'proxy'", B),
		{"/pools/0/client_address", "\"toa\" or \"proxy_v2\", is \"proxy\""},
		{"/pools/0/local_addresses", "is missing"});
	CHECK(NAT("", "'local_addresses':[]", B),
		{"/pools/0/local_addresses", "must not be empty"});
	CHECK(NAT("", "'local_addresses':['10.77.1.13',7,'10.77.1','10.77.1.11','10.77.1.11']", B),
		{"/pools/0/local_addresses/0", "10.77.1.13 is not an own address"},
		{"/pools/0/local_addresses/1", "must be a string"},
		{"/pools/0/local_addresses/2", "must be an IPv4 or IPv6 address"},
		{"/pools/0/local_addresses/4", "is there twice"});
	CHECK(NAT("", LOCAL ",'gue_port':7,'tunnel_source':'10.1.1.1'", B),
		{"/pools/0/gue_port", "is for the mode \"gue\" only"},
		{"/pools/0/tunnel_source", "is for the mode \"ipip\" or \"gue\" only"});
	CHECK(NAT("", LOCAL, "{'name':'b','address':'10.77.1.21','port':65536}"),
		{"/pools/0/backends/0/port", "must be 1 to 65535"});
	CHECK("{'generation':7," BOTH ",'listeners':[],'pools':[{'name':'web','backends':["
	      "{'name':'b','address':'10.77.1.21','port':80}]," LOCAL ",'client_address':'none'}]}",
		{"/pools/0/backends/0/port", "is for the mode \"nat\" only"},
		{"/pools/0/local_addresses", "is for the mode \"nat\" only"},
		{"/pools/0/client_address", "is for the mode \"nat\" only"});
}

static void test_ports(void **state)
{
	(void)state;
	CHECK(NAT(",'nat':{'first_port':40000,'last_port':40062}", LOCAL, B),
		{"/nat", "must be 64 ports at least"});
	CHECK(NAT(",'nat':{'first_port':65473}", LOCAL, B), {"/nat", "must be 64 ports at least"});
	CHECK(NAT(",'nat':{'first_port':0,'last_port':'x','ports':1}", LOCAL, B),
		{"/nat/first_port", "must be 1 to 65535"}, {"/nat/ports", "unknown key"});
}

static void test_families(void **state)
{
	(void)state;
	CHECK(NAT("", LOCAL, "{'name':'b','address':'2001:db8:77::21'}"),
		{"/pools/0/backends/0/address", "none of its pool's local_addresses is of its"},
		{"/listeners/0/pool", "keeps the family, but backend \"b\" has another"});
}

static void test_untracked_half_open_connections(void **state)
{
	(void)state;
	CHECK("{'generation':7," BOTH ",'listeners':[{'name':'l','address':'198.51.100.1',"
	      "'port':80,'protocol':'tcp','pool':'web','max_half_open':7,"
	      "'half_open_excess':'untracked'}],'pools':[{'name':'web','mode':'nat'," LOCAL
	      ",'backends':[" B "]}]}",
		{"/listeners/0/half_open_excess", "must be \"drop\""});
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_all_of_it),
		cmocka_unit_test(test_locals_of_pools_are_apart),
		cmocka_unit_test(test_mistakes),
		cmocka_unit_test(test_ports),
		cmocka_unit_test(test_families),
		cmocka_unit_test(test_untracked_half_open_connections),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
