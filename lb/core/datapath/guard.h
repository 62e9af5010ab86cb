// SPDX-License-Identifier: Apache-2.0
// Lists and limits, for listeners that have any (PS_FEATURE_GUARD).
#pragma once

#include "datapath/worker.h"

// May the packet come in? Asked once for each packet.
enum ps_drop ps_guard_packet(struct ps_worker *w, const struct ps_packet *packet);
// May the packet open a connection to the listener? To packet->backend?
enum ps_drop ps_guard_connection(struct ps_worker *w, const struct ps_packet *packet);
enum ps_drop ps_guard_backend_connection(struct ps_worker *w, const struct ps_packet *packet);
// May the packet go to packet->backend?
enum ps_drop ps_guard_backend(struct ps_worker *w, const struct ps_packet *packet);
