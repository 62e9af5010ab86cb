// SPDX-License-Identifier: Apache-2.0
// Telling a backend behind address translation who the client is: by a TCP option, or by the
// PROXY protocol's header (version 2), which shifts the client's sequence numbers.
#pragma once

#include "datapath/rewrite.h"
#include "datapath/worker.h"

// A TCP packet of the client, whose addresses are still its own. It may become larger, or a packet
// of our own may go ahead of it. Returns why it is to be dropped, or PS_NO_DROP.
enum ps_drop ps_client_tell(struct ps_worker *w, struct ps_packet *packet);
// A TCP packet of the backend: its acknowledgements become those of what the client has sent.
void ps_client_answer(struct ps_session *session, const struct ps_wire *wire);
// The sequence number in a packet to the backend that an ICMP error quotes becomes the client's.
void ps_client_quoted(const struct ps_session *session, const struct ps_wire *wire);
