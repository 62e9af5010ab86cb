// SPDX-License-Identifier: Apache-2.0
// A traced packet goes through the stages by itself. What each of them decided is read off the
// counters that it changed: so the stages know nothing of traces, and a trace cannot say anything
// else than what is counted.
#include "datapath/trace.h"

#include "datapath/count.h"
#include "datapath/stages.h"

#include <string.h>

static bool is_decision(uint32_t cell)
{
	return cell != PS_LCORE_RX_BYTES && cell != PS_LCORE_TX_BYTES;
}

static void note(struct ps_worker *w, struct ps_evidence_trace *record, enum ps_trace_stage stage)
{
	const uint64_t *now = w->image + 1;
	uint64_t *before = w->tracer.before;

	for (uint32_t cell = 0; cell < PS_LCORE_CELLS; cell++) {
		if (now[cell] == before[cell])
			continue;
		bool fell = (int64_t)(now[cell] - before[cell]) < 0;
		before[cell] = now[cell];
		if (!is_decision(cell) || record->step_count == PS_TRACE_STEPS)
			continue;
		record->steps[record->step_count++] = (struct ps_trace_step){
			.stage = (uint8_t)stage,
			.fell = fell,
			.cell = (uint16_t)cell,
		};
	}
}

static uint8_t state_of(struct ps_worker *w, const struct ps_packet *packet)
{
	const struct ps_conn *conn = ps_conn_find(&w->table, packet->key, packet->hash);

	return conn == NULL || ps_conn_expired(conn, w->tick) ? 0 : (uint8_t)(conn->state + 1);
}

static void note_track(
	struct ps_worker *w, struct ps_evidence_trace *record, struct ps_packet *packet)
{
	uint16_t row = packet->listener->row;

	record->vip = row;
	record->vip_epoch = packet->listener->epoch;
	record->connection_before = state_of(w, packet);
}

static void note_backend(
	struct ps_worker *w, struct ps_evidence_trace *record, const struct ps_packet *packet)
{
	record->backend = packet->backend;
	record->backend_epoch = w->runtime->backends[packet->backend].epoch;
	record->connection_after = state_of(w, packet);
}

static void run_stages(struct ps_worker *w, struct ps_port *port, struct rte_mbuf *mbuf,
	struct ps_evidence_trace *record)
{
	struct ps_packet packet;

	uint16_t left = ps_stage_ingress(w, port, &mbuf, 1, &packet);
	note(w, record, PS_TRACE_INGRESS);
	left = ps_stage_classify(w, port, &packet, left);
	note(w, record, PS_TRACE_CLASSIFY);
	if (left > 0)
		note_track(w, record, &packet);
	left = ps_stage_track(w, port, &packet, left);
	note(w, record, PS_TRACE_TRACK);
	if (left > 0)
		note_backend(w, record, &packet);
	ps_stage_forward(w, port, &packet, left);
	note(w, record, PS_TRACE_FORWARD);
}

static uint16_t port_with_packets(const struct ps_worker *w)
{
	for (uint16_t i = 0; i < w->port_count; i++)
		if (w->ports[i].pending > 0)
			return w->ports[i].id;
	return UINT16_MAX;
}

static void trace_one(struct ps_worker *w, struct ps_port *port, struct rte_mbuf *mbuf)
{
	struct ps_tracer *tracer = &w->tracer;
	uint64_t n = tracer->taken++;
	struct ps_evidence_trace *record = ps_evidence_begin(&tracer->lane, 0, n);

	memset(&record->time_ns, 0, sizeof *record - offsetof(struct ps_evidence_trace, time_ns));
	record->time_ns = ps_realtime_of(w);
	record->trace = tracer->id;
	record->length = mbuf->pkt_len;
	record->lcore = w->sampler.lcore;
	record->port = port->id;
	record->vip = PS_NO_ROW;
	record->backend = PS_NO_ROW;
	record->captured = RTE_MIN(mbuf->data_len, (uint16_t)PS_EVIDENCE_BYTES);
	memcpy(record->bytes, rte_pktmbuf_mtod(mbuf, const void *), record->captured);
	ps_transmit_all(w); // what left before it is not its affair
	memcpy(tracer->before, w->image + 1, sizeof tracer->before);
	if (w->runtime == NULL) {
		ps_stages(w, port, &mbuf, 1);
		note(w, record, PS_TRACE_INGRESS);
	} else {
		run_stages(w, port, mbuf, record);
	}
	record->out_port = port_with_packets(w);
	ps_transmit_all(w);
	note(w, record, PS_TRACE_TRANSMIT);
	ps_evidence_end(record, n);
}

void ps_trace_burst(struct ps_worker *w, const struct ps_trace *trace, struct ps_port *port,
	struct rte_mbuf **mbufs, uint16_t count)
{
	struct ps_tracer *tracer = &w->tracer;
	uint16_t done = 0;

	if (tracer->id != trace->id) {
		tracer->id = trace->id;
		tracer->left = trace->count;
	}
	for (uint16_t i = 0; i < count && tracer->left > 0; i++) {
		const uint8_t *frame = rte_pktmbuf_mtod(mbufs[i], const uint8_t *);
		if (!ps_trace_matches(trace, frame, mbufs[i]->data_len))
			continue;
		if (i > done)
			ps_stages(w, port, mbufs + done, i - done);
		tracer->left--;
		trace_one(w, port, mbufs[i]);
		done = i + 1;
	}
	if (count > done)
		ps_stages(w, port, mbufs + done, count - done);
}
