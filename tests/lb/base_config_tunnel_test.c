// SPDX-License-Identifier: Apache-2.0
// Routes and tunnels in the configuration.
#include "base_config_rig.h"

#define BOTH                                                                                       \
	"'addresses':[{'port':0,'address':'10.77.1.11/24'},"                                       \
	"{'port':0,'address':'2001:db8:77::11/64'}]"
#define ROUTES                                                                                     \
	"'routes':[{'prefix':'0.0.0.0/0','via':'10.77.1.1'},"                                      \
	"{'prefix':'172.16.0.0/12','via':'10.77.1.2'},"                                            \
	"{'prefix':'172.16.9.0/24','via':'10.77.1.3'},"                                            \
	"{'prefix':'::/0','via':'2001:db8:77::1'},"                                                \
	"{'prefix':'2001:db8:8000::/33','via':'2001:db8:77::2'}]"
#define TUNNEL(members, address)                                                                   \
	"{'generation':7," BOTH "," ROUTES ",'listeners':[" LISTENER                               \
	"],'pools':[{'name':'web'," members ",'backends':[{'name':'b','address':'" address         \
	"'}]}]}"

static void check_next_hop(const char *document, const char *hop, uint32_t own)
{
	struct ps_config *c = parse_good(document);

	assert_string_equal(ps_address_text(&c->backends[0].next_hop).text, hop);
	assert_int_equal(c->backends[0].own, own);
	ps_config_free(c);
}

static void test_next_hops(void **state)
{
	(void)state;
	check_next_hop(TUNNEL("'mode':'ipip'", "10.77.1.21"), "10.77.1.21", 0);
	check_next_hop(TUNNEL("'mode':'ipip'", "10.77.2.21"), "10.77.1.1", 0);
	check_next_hop(TUNNEL("'mode':'ipip'", "172.31.255.255"), "10.77.1.2", 0);
	check_next_hop(TUNNEL("'mode':'ipip'", "172.32.0.0"), "10.77.1.1", 0);
	check_next_hop(TUNNEL("'mode':'gue'", "172.16.9.255"), "10.77.1.3", 0);
	check_next_hop(TUNNEL("'mode':'gue'", "2001:db8:77::21"), "2001:db8:77::21", 1);
	check_next_hop(TUNNEL("'mode':'gue'", "2001:db8:78::21"), "2001:db8:77::1", 1);
	check_next_hop(TUNNEL("'mode':'gue'", "2001:db8:8000::1"), "2001:db8:77::2", 1);
}

// ::/0 is no route for IPv4, whose addresses are mapped into it.
static void test_families_are_apart(void **state)
{
	(void)state;
	CHECK("{'generation':7," BOTH ",'routes':[{'prefix':'::/0','via':'2001:db8:77::1'}],"
	      "'listeners':[],'pools':[{'name':'web','mode':'ipip','backends':["
	      "{'name':'b','address':'10.78.0.1'}]}]}",
		{"/pools/0/backends/0/address", "no prefix of /routes holds it"});
	CHECK("{'generation':7,'addresses':[{'port':0,'address':'2001:db8::1/1'}],'listeners':[],"
	      "'pools':[{'name':'web','backends':[{'name':'b','address':'10.78.0.1'}]}]}",
		{"/pools/0/backends/0/address", "is not on-link"});
}

static void test_routes(void **state)
{
	(void)state;
	CHECK("{'generation':7," BOTH ",'listeners':[],'pools':[],'routes':["
	      "{'prefix':'0.0.0.0/0','via':'10.78.0.1'},{'prefix':'0.0.0.0/0','via':'10.77.1.1'},"
	      "{'prefix':'10.1.2.3/8','via':'10.77.1.1'},{'prefix':'10.0.0.0','via':'10.77.1.1'},"
	      "{'prefix':'10.0.0.0/33','via':'10.77.1.1'},{'prefix':'10.0.0.0/8','via':'::7:1'},"
	      "{'prefix':'11.0.0.0/8','via':'10.77.1.11'},{'prefix':'2001::/16','via':'10.77.1.1'},"
	      "{'prefix':'12.0.0.0/8','via':'10.77.1.255'},{'prefix':7,'via':'224.0.0.1'},"
	      "{'via':'10.77.1.1','metric':1},7]}",
		{"/routes/0/via", "is not on-link: no prefix of /addresses"},
		{"/routes/1/prefix", "the prefix is taken by /routes/0/prefix"},
		{"/routes/2/prefix", "has bits behind its length; the network is 10.0.0.0/8"},
		{"/routes/3/prefix", "must be a network such as"},
		{"/routes/4/prefix", "must be a network such as"},
		{"/routes/5/via", "not a unicast"},
		{"/routes/6/via", "is an own address, /addresses/0/address"},
		{"/routes/7/via", "is not of the family of its prefix"},
		{"/routes/8/via", "is the network or broadcast address"},
		{"/routes/9/prefix", "must be a string"}, {"/routes/9/via", "not a unicast"},
		{"/routes/10/prefix", "is missing"}, {"/routes/10/metric", "unknown key"},
		{"/routes/11", "must be an object"});
	CHECK("{'generation':7,'addresses':[],'listeners':[],'pools':[],'routes':{}}",
		{"/routes", "must be an array"});
}

static void test_direct_return_needs_the_link(void **state)
{
	(void)state;
	CHECK(TUNNEL("'mode':'dsr'", "10.78.0.1"),
		{"/pools/0/backends/0/address", "mode \"dsr\" rewrites its MAC address"});
}

static void test_tunnels(void **state)
{
	struct ps_config *c = parse_good(TUNNEL("'mode':'gue'", "10.78.0.1"));

	(void)state;
	assert_int_equal(c->pools[0].mode, PS_POOL_GUE);
	assert_int_equal(c->pools[0].gue_port, htons(6080));
	assert_true(c->pools[0].gue_checksum);
	assert_false(c->pools[0].has_tunnel_source);
	ps_config_free(c);
	c = parse_good(
		TUNNEL("'mode':'gue','gue_port':1,'gue_checksum':false,'tunnel_source':'10.9.9.9'",
			"10.78.0.1"));
	assert_int_equal(c->pools[0].gue_port, htons(1));
	assert_false(c->pools[0].gue_checksum);
	assert_int_equal(c->pools[0].tunnel_source.length, 128);
	ps_config_free(c);
	c = parse_good(TUNNEL("'mode':'ipip','tunnel_source':'172.20.0.0/16'", "10.78.0.1"));
	assert_int_equal(c->pools[0].mode, PS_POOL_IPIP);
	assert_int_equal(c->pools[0].tunnel_source.length, 96 + 16);
	ps_config_free(c);
}

static void test_wrong_tunnels(void **state)
{
	(void)state;
	CHECK(TUNNEL("'tunnel_source':'10.9.9.9','gue_port':1,'gue_checksum':true", "10.77.1.21"),
		{"/pools/0/tunnel_source", "the mode \"ipip\" or \"gue\" only"},
		{"/pools/0/gue_port", "the mode \"gue\" only"},
		{"/pools/0/gue_checksum", "the mode \"gue\" only"});
	CHECK(TUNNEL("'mode':'ipip','gue_port':6080", "10.78.0.1"),
		{"/pools/0/gue_port", "the mode \"gue\" only"});
	CHECK(TUNNEL("'mode':'gue','gue_port':0,'gue_checksum':1", "10.78.0.1"),
		{"/pools/0/gue_port", "must be 1 to 65535"},
		{"/pools/0/gue_checksum", "must be true or false"});
	CHECK(TUNNEL("'mode':'gue','tunnel_source':'10.9.0.0/16'", "10.78.0.1"),
		{"/pools/0/tunnel_source", "must be an address: the flow decides the UDP source"});
	CHECK(TUNNEL("'mode':'ipip','tunnel_source':'10.9.0.1/16'", "10.78.0.1"),
		{"/pools/0/tunnel_source", "the network is 10.9.0.0/16"});
	CHECK(TUNNEL("'mode':'ipip','tunnel_source':'224.0.0.0/16'", "10.78.0.1"),
		{"/pools/0/tunnel_source", "not a unicast"});
	CHECK(TUNNEL("'mode':'ipip','tunnel_source':'10.0.0.0/7'", "10.78.0.1"),
		{"/pools/0/tunnel_source", "a length of at least 8"});
	CHECK(TUNNEL("'mode':'ipip','tunnel_source':'2000::/15'", "10.78.0.1"),
		{"/pools/0/tunnel_source", "a length of at least 16"});
	CHECK(TUNNEL("'mode':'ipip','tunnel_source':'10.78.0.1'", "10.78.0.1"),
		{"/pools/0/tunnel_source", "is a backend, /pools/0/backends/0/address"});
	CHECK(TUNNEL("'mode':'ipip','tunnel_source':'198.51.100.1'", "10.78.0.1"),
		{"/pools/0/tunnel_source", "is the address of a listener"});
	CHECK(TUNNEL("'mode':'ipip','tunnel_source':7", "10.78.0.1"),
		{"/pools/0/tunnel_source", "must be a string"});
	CHECK(TUNNEL("'mode':7", "10.77.1.21"), {"/pools/0/mode", "must be a string"});
	CHECK(TUNNEL("'mode':'gre'", "10.77.1.21"),
		{"/pools/0/mode", "must be \"dsr\", \"ipip\", \"gue\" or \"nat\", is \"gre\""});
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_next_hops),
		cmocka_unit_test(test_families_are_apart),
		cmocka_unit_test(test_routes),
		cmocka_unit_test(test_direct_return_needs_the_link),
		cmocka_unit_test(test_tunnels),
		cmocka_unit_test(test_wrong_tunnels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
