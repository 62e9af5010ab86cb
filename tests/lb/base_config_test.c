// SPDX-License-Identifier: Apache-2.0
// The configuration: what it means, and every mistake with its place.
#include "base_config_rig.h"

static void test_what_it_means(void **state)
{
	struct ps_config *c = parse_good(
		"{'generation':7,'maglev':{'size':251},'timeouts':{'udp':5},"
		"'addresses':[{'port':0,'address':'10.0.0.1/8'},{'port':0,'address':'10.77.1.11/"
		"24'}]," POOLS ",'listeners':[" LISTENER ","
		"{'name':'dns','address':'198.51.100.9','port':53,'protocol':'udp','pool':'web'},"
		"{'name':'alt','address':'198.51.100.1','port':8080,'protocol':'tcp','pool':'web',"
		"'tcp_sloppy':false}]}");

	(void)state;
	assert_int_equal(c->generation, 7);
	assert_int_equal(c->maglev_size, 251);
	assert_int_equal(c->timeouts.udp, 5);
	assert_int_equal(c->timeouts.tcp_syn, 30);
	assert_int_equal(c->address_count, 2);
	assert_string_equal(ps_address_text(&c->addresses[1].address).text, "10.77.1.11");
	assert_string_equal(ps_address_text(&c->addresses[1].on_link.network).text, "10.77.1.0");
	assert_int_equal(c->addresses[1].on_link.length, 96 + 24);
	assert_int_equal(c->pool_count, 1);
	assert_int_equal(c->pools[0].backend_count, 2);
	assert_string_equal(c->backends[1].name, "b2");
	assert_int_equal(c->backends[0].weight, 7);
	assert_int_equal(c->backends[1].weight, 100);
	assert_int_equal(c->backends[1].own, 1); // the longest prefix
	assert_int_equal(c->listener_count, 3);
	assert_int_equal(c->listeners[1].protocol, IPPROTO_UDP);
	assert_int_equal(c->listeners[1].port, htons(53));
	assert_true(c->listeners[0].tcp_sloppy);
	assert_false(c->listeners[2].tcp_sloppy);
	assert_int_equal(c->vip_count, 2);
	assert_string_equal(ps_address_text(&c->vips[1]).text, "198.51.100.9");
	assert_int_equal(json_integer_value(json_object_get(c->json, "generation")), 7);
	ps_config_free(c);
}

static void test_empty_is_allowed(void **state)
{
	struct ps_config *c =
		parse_good("{'generation':7,'addresses':[],'pools':[],'listeners':[]}");

	(void)state;
	assert_int_equal(c->maglev_size, 65537);
	assert_int_equal(c->vip_count, 0);
	ps_config_free(c);
	ps_config_free(parse_good("{'generation':7,'addresses':[],'listeners':[],"
				  "'pools':[{'name':'empty','backends':[]}]}"));
}

static void test_not_json(void **state)
{
	(void)state;
	CHECK("", {"", "line 1, column 0"});
	CHECK("{'generation':\n7,,}", {"", "line 2, column 3"});
	CHECK("{'generation':7,'generation':8}", {"", "duplicate"});
	CHECK("[]", {"", "must be an object, is an array"});
	CHECK(GOOD "x", {"", "line 1"});
}

static void test_root(void **state)
{
	(void)state;
	CHECK("{}", {"/generation", "is missing"}, {"/addresses", "is missing"},
		{"/pools", "is missing"}, {"/listeners", "is missing"});
	CHECK("{'generation':6,'addresses':{},'pools':7,'listeners':null,'a/b~c':1}",
		{"/generation", "above 6"}, {"/addresses", "must be an array, is an object"},
		{"/pools", "is an integer"}, {"/listeners", "is null"},
		{"/a~1b~0c", "unknown key"});
	CHECK("{'generation':7.5,'addresses':[],'pools':[],'listeners':[]}",
		{"/generation", "with a fraction"});
	CHECK("{'generation':-1,'addresses':[],'pools':[],'listeners':[]}",
		{"/generation", "is -1"});
	CHECK("{'generation':7,'addresses':[],'pools':[],'listeners':[],'maglev':{'size':65536},"
	      "'timeouts':{'udp':0,'tcp_syn':'1','tcp_fin':86401,'x':1}}",
		{"/maglev/size", "the next one is 65537"}, {"/timeouts/udp", "must be 1 to 86400"},
		{"/timeouts/tcp_syn", "is a string"}, {"/timeouts/tcp_fin", "is 86401"},
		{"/timeouts/x", "unknown key"});
	CHECK("{'generation':7,'addresses':[],'pools':[],'listeners':[],'maglev':3,'timeouts':[]}",
		{"/maglev", "must be an object"}, {"/timeouts", "must be an object"});
	CHECK("{'generation':7,'addresses':[],'pools':[],'listeners':[],'maglev':{'size':16777259}"
	      "}",
		{"/maglev/size", "must be 3 to 16777213"});
}

static void test_addresses(void **state)
{
	(void)state;
	CHECK("{'generation':7,'pools':[],'listeners':[],'addresses':["
	      "{'port':1,'address':'10.0.0.1/24'},{'port':0,'address':'10.0.0.1/16'},"
	      "{'port':0,'address':'10.1.0.0/16'},{'port':0,'address':'10.1.255.255/16'},"
	      "{'port':0,'address':'10.2.0.1'},{'port':0,'address':'10.2.0.1/33'},"
	      "{'port':0,'address':'10.2.0.1/024'},{'port':0,'address':'10.2.0.1/0'},"
	      "{'port':0,'address':'127.0.0.1/8'},{'port':0,'address':'10.2.0.256/8'},"
	      "{'address':7},7]}",
		{"/addresses/0/port", "the core has 1 port, 0"},
		{"/addresses/1/address", "taken by /addresses/0/address"},
		{"/addresses/2/address", "network or broadcast"},
		{"/addresses/3/address", "network or broadcast"},
		{"/addresses/4/address", "length of its prefix"},
		{"/addresses/5/address", "length of its prefix"},
		{"/addresses/6/address", "length of its prefix"},
		{"/addresses/7/address", "length of its prefix"},
		{"/addresses/8/address", "not a unicast"},
		{"/addresses/9/address", "must be an address with the length"},
		{"/addresses/10/port", "is missing"}, {"/addresses/10/address", "is an integer"},
		{"/addresses/11", "must be an object"});
}

static void test_prefix_on_two_ports(void **state)
{
	const struct ps_config_limits before = limits;

	(void)state;
	limits.ports = 2;
	CHECK("{'generation':7,'pools':[],'listeners':[],'addresses':["
	      "{'port':0,'address':'10.0.0.1/24'},{'port':1,'address':'10.0.0.2/24'},"
	      "{'port':1,'address':'10.0.1.2/24'}]}",
		{"/addresses/1/address", "that of /addresses/0/address, on another port"});
	limits = before;
}

static void test_pools(void **state)
{
	(void)state;
	CHECK("{'generation':7," ADDRESSES ",'listeners':[],'pools':["
	      "{'name':'web','backends':["
	      "{'name':'b1','address':'10.77.1.21'},{'name':'b1','address':'10.77.1.22'},"
	      "{'name':'b3','address':'10.77.1.21'},{'name':'b4','address':'10.77.1.11'},"
	      "{'name':'b5','address':'10.77.2.1'},{'name':'b6','address':'10.77.1.255'},"
	      "{'name':'b 7','address':'10.77.1.27','weight':1001}]},"
	      "{'name':'web','mode':'nat64','backends':[{'name':'b1','address':'10.77.1.21','x':0}]"
	      "},"
	      "{'name':'','backends':3}]}",
		{"/pools/0/backends/1/name", "taken by /pools/0/backends/0/name"},
		{"/pools/0/backends/2/address", "taken by /pools/0/backends/0/address"},
		{"/pools/0/backends/3/address", "10.77.1.11 is an own address"},
		{"/pools/0/backends/4/address", "10.77.2.1 is not on-link"},
		{"/pools/0/backends/5/address", "network or broadcast"},
		{"/pools/0/backends/6/name", "must be 1 to 63"},
		{"/pools/0/backends/6/weight", "must be 0 to 1000, is 1001"},
		{"/pools/1/name", "taken by /pools/0/name"}, {"/pools/1/mode", "must be \"dsr\""},
		{"/pools/1/backends/0/x", "unknown key"}, {"/pools/2/name", "must be 1 to 63"},
		{"/pools/2/backends", "must be an array"});
}

static void test_listeners(void **state)
{
	(void)state;
	CHECK("{'generation':7," ADDRESSES "," POOLS ",'listeners':[" LISTENER ","
	      "{'name':'web-80','address':'198.51.100.1','port':80,'protocol':'tcp','pool':'web'},"
	      "{'name':'own','address':'10.77.1.11','port':80,'protocol':'tcp','pool':'none'},"
	      "{'name':'backend','address':'10.77.1.22','port':80,'protocol':'tcp','pool':'web'},"
	      "{'name':'udp','address':'198.51.100.2','port':80,'protocol':'udp','pool':'web',"
	      "'tcp_sloppy':true},"
	      "{'name':'bad','address':'224.0.0.1','port':0,'protocol':'sctp','pool':7,"
	      "'tcp_sloppy':1}]}",
		{"/listeners/1/name", "taken by /listeners/0/name"},
		{"/listeners/1/address", "address, port and protocol is taken by /listeners/0"},
		{"/listeners/2/address", "is an own address"},
		{"/listeners/2/pool", "there is no pool \"none\""},
		{"/listeners/3/address", "is a backend, /pools/0/backends/1/address"},
		{"/listeners/4/tcp_sloppy", "\"tcp\" only"},
		{"/listeners/5/address", "not a unicast"},
		{"/listeners/5/port", "must be 1 to 65535, is 0"},
		{"/listeners/5/protocol", "is \"sctp\""}, {"/listeners/5/pool", "must be a string"},
		{"/listeners/5/tcp_sloppy", "must be true or false"});
	// Same address and port, another protocol: two listeners, one VIP.
	struct ps_config *c =
		parse_good("{'generation':7," ADDRESSES "," POOLS ",'listeners':[" LISTENER
			   ",{'name':'u','address':'198.51.100.1','port':80,'protocol':'udp',"
			   "'pool':'web'}]}");
	assert_int_equal(c->vip_count, 1);
	ps_config_free(c);
}

static void test_limits(void **state)
{
	const struct ps_config_limits before = limits;

	(void)state;
	limits.max_backends = 1;
	CHECK(GOOD, {"/pools/0/backends", "at most 1"});
	limits.max_backends = 3;
	CHECK("{'generation':7," ADDRESSES
	      ",'listeners':[],'pools':[{'name':'a','backends':" BACKENDS
	      "},{'name':'b','backends':" BACKENDS "}]}",
		{"/pools/1/backends", "more than 3 backends"});
	limits.max_listeners = 0;
	CHECK(GOOD, {"/listeners", "at most 0"}, {"/pools", "at most 0"});
	limits = before;
	CHECK("{'generation':7,'maglev':{'size':3}," ADDRESSES
	      ",'listeners':[],'pools':[{'name':'a',"
	      "'backends':[{'name':'1','address':'10.77.1.21'},{'name':'2','address':'10.77.1.22'},"
	      "{'name':'3','address':'10.77.1.23'}]}]}",
		{"/pools/0/backends", "3 backends need a larger /maglev/size than 3"});
}

// A message that quotes a character cut in half must still be valid JSON.
static void test_errors_as_json(void **state)
{
	struct ps_config *config = NULL;
	struct ps_errors errors = {0};
	char text[512];

	(void)state;
	snprintf(text, sizeof(text),
		"{'generation':7,'addresses':[],'listeners':[],'pools':[{'name':"
		"'a','backends':[],'mode':'123456789012345678901234567890123456789\xc3\xa4'}]}");
	assert_int_equal(parse(text, &config, &errors), -EINVAL);
	json_t *json = ps_errors_json(&errors);
	const json_t *first = json_array_get(json_object_get(json, "errors"), 0);

	assert_true(json_is_false(json_object_get(json, "ok")));
	assert_string_equal(json_string_value(json_object_get(first, "path")), "/pools/0/mode");
	assert_non_null(strchr(json_string_value(json_object_get(first, "message")), '?'));
	json_decref(json);
	ps_errors_clear(&errors);
}

static void test_files(void **state)
{
	struct ps_config *config = NULL;
	struct ps_errors errors = {0};

	(void)state;
	assert_int_equal(ps_config_load("/nonexistent.json", &limits, &config, &errors), -ENOENT);
	assert_int_equal(errors.count, 1);
	assert_non_null(strstr(errors.list[0].message, "cannot be read: No such file"));
	ps_errors_clear(&errors);
	assert_int_equal(ps_config_load("/dev/zero", &limits, &config, &errors), -EFBIG);
	assert_int_equal(errors.count, 1);
	ps_errors_clear(&errors);
}

static void test_many_errors_are_bounded(void **state)
{
	struct ps_errors errors = {0};

	(void)state;
	for (int i = 0; i < PS_ERRORS_MAX + 5; i++)
		ps_errors_add(&errors, "/x", "error %d", i);
	assert_int_equal(errors.count, PS_ERRORS_MAX);
	assert_int_equal(errors.dropped, 5);
	json_t *json = ps_errors_json(&errors);
	assert_int_equal(json_array_size(json_object_get(json, "errors")), PS_ERRORS_MAX + 1);
	json_decref(json);
	ps_errors_clear(&errors);
	assert_int_equal(errors.dropped, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_it_means),
		cmocka_unit_test(test_empty_is_allowed),
		cmocka_unit_test(test_not_json),
		cmocka_unit_test(test_root),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_prefix_on_two_ports),
		cmocka_unit_test(test_pools),
		cmocka_unit_test(test_listeners),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_errors_as_json),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_many_errors_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
