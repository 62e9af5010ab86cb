// SPDX-License-Identifier: Apache-2.0
// A configuration for tests of the packet path, packets for it, and the start and end of a test.
#pragma once

#include "datapath_rig.h"

#define OWN "10.77.1.11"
#define VIP "198.51.100.1"
#define CLIENT "192.0.2.1"
#define SYN RTE_TCP_SYN_FLAG
#define ACK RTE_TCP_ACK_FLAG
#define FIN (RTE_TCP_FIN_FLAG | RTE_TCP_ACK_FLAG)
#define RST RTE_TCP_RST_FLAG

#define B1(weight) "{\"name\":\"b1\",\"address\":\"10.77.1.21\",\"weight\":" weight "}"
#define B2(weight) "{\"name\":\"b2\",\"address\":\"10.77.1.22\",\"weight\":" weight "}"
#define LISTENERS                                                                                  \
	"{\"name\":\"web\",\"address\":\"" VIP                                                     \
	"\",\"port\":80,\"protocol\":\"tcp\",\"pool\":\"p\"},"                                     \
	"{\"name\":\"strict\",\"address\":\"" VIP                                                  \
	"\",\"port\":81,\"protocol\":\"tcp\",\"pool\":\"p\",\"tcp_sloppy\":false},"                \
	"{\"name\":\"dns\",\"address\":\"" VIP                                                     \
	"\",\"port\":53,\"protocol\":\"udp\",\"pool\":\"p\"}"
#define CONFIG(generation, backends, listeners)                                                    \
	"{\"generation\":" generation                                                              \
	",\"addresses\":[{\"port\":0,\"address\":\"10.77.1.11/24\"},"                              \
	"{\"port\":1,\"address\":\"10.78.1.11/24\"}],"                                             \
	"\"timeouts\":{\"tcp_syn\":10,\"tcp_established\":100,\"tcp_fin\":5,\"udp\":20},"          \
	"\"pools\":[{\"name\":\"p\",\"mode\":\"dsr\",\"backends\":[" backends                      \
	"]}],\"listeners\":[" listeners "]}"

static inline struct frame client(uint16_t port, uint16_t to, uint8_t flags)
{
	return frame_tcp(CLIENT, port, VIP, to, flags);
}

static inline uint8_t last_backend(void) // last byte of the MAC address that the last frame went to
{
	assert_true(rig.sent_count > 0);
	return rig.sent[(rig.sent_count - 1) % RIG_SENT_MAX].bytes[5];
}

static inline int start(void **state)
{
	(void)state;
	rig_start(CONFIG("1", B1("100") "," B2("100"), LISTENERS), 256);
	rig_resolve_all();
	return 0;
}

static inline int start_unresolved(void **state)
{
	(void)state;
	rig_start(CONFIG("1", B1("100"), LISTENERS), 256);
	return 0;
}

static inline int start_unconfigured(void **state)
{
	(void)state;
	rig_start(NULL, 256);
	return 0;
}

static inline int end(void **state)
{
	(void)state;
	rig_end();
	return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, end)
#define TEST_AFTER(name, setup) cmocka_unit_test_setup_teardown(name, setup, end)
