// SPDX-License-Identifier: Apache-2.0
// Packets of many flows, ready to be copied into buffers, and the configuration that they are for.
#pragma once

#include <stdint.h>

#define PS_TEMPLATE_BACKENDS 100

enum ps_family {
	PS_FAMILY_TCP4,
	PS_FAMILY_UDP4,
	PS_FAMILY_TCP6,
	PS_FAMILY_IPIP4, // TCP over IPv4 to a VIP whose backends are behind tunnels
	PS_FAMILIES,
};

struct ps_templates {
	uint8_t *frames; // `stride` bytes each
	uint32_t flows;
	uint16_t stride; // 64 or 128
	uint16_t length; // of a frame
	uint16_t flags_at;
};

// Memory for as many bytes of frames; exits when there is none.
void ps_templates_create(struct ps_templates *templates, uint32_t bytes);
// Fills it with a frame a flow, without flags.
void ps_templates_fill(struct ps_templates *templates, enum ps_family family, uint32_t flows);
// Sets the TCP flags of all of them; without effect on UDP.
void ps_templates_set_flags(struct ps_templates *templates, uint8_t flags);
void ps_templates_free(struct ps_templates *templates);

// The configuration as JSON; the caller frees it.
char *ps_templates_config(void);
