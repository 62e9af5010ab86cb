// SPDX-License-Identifier: Apache-2.0
#include "datapath/talkers.h"

#include "datapath/count.h"

#include <rte_hash_crc.h>

#define NONE PS_TALKERS

static_assert(PS_TALKERS < UINT8_MAX, "indexes are 8 bits");
static_assert(2 * PS_TALKERS <= PS_EVIDENCE_TALKERS, "a reader has a window's time to read one");

static void begin_window(struct ps_talkers *t)
{
	t->used = 0;
	t->samples = 0;
	memset(t->heads, NONE, sizeof t->heads);
}

void ps_talkers_init(struct ps_talkers *t, struct ps_evidence_lane lane, uint64_t seed)
{
	*t = (struct ps_talkers){.lane = lane, .random = seed | 1};
	begin_window(t);
}

static uint8_t head_of(const struct ps_talker *who)
{
	uint32_t crc = who->service;

	for (uint32_t i = 0; i < 2; i++) {
		crc = rte_hash_crc_8byte(who->source.halves[i], crc);
		crc = rte_hash_crc_8byte(who->destination.halves[i], crc);
	}
	return (uint8_t)(crc ^ crc >> 8 ^ crc >> 16 ^ crc >> 24);
}

static uint8_t find(const struct ps_talkers *t, const struct ps_talker *who, uint8_t head)
{
	uint8_t i = t->heads[head];

	while (i != NONE &&
		!(t->entries[i].service == who->service &&
			ps_address_equal(&t->entries[i].source, &who->source) &&
			ps_address_equal(&t->entries[i].destination, &who->destination)))
		i = t->entries[i].next;
	return i;
}

static void place(struct ps_talkers *t, uint32_t at, uint8_t entry)
{
	t->heap[at] = entry;
	t->entries[entry].place = (uint8_t)at;
}

// Its count has grown: what is smaller moves up.
static void sink(struct ps_talkers *t, uint8_t entry)
{
	uint64_t count = t->entries[entry].count;
	uint32_t at = t->entries[entry].place;

	for (;;) {
		uint32_t child = 2 * at + 1;
		if (child >= t->used)
			break;
		if (child + 1 < t->used &&
			t->entries[t->heap[child + 1]].count < t->entries[t->heap[child]].count)
			child++;
		if (t->entries[t->heap[child]].count >= count)
			break;
		place(t, at, t->heap[child]);
		at = child;
	}
	place(t, at, entry);
}

// A new one has the count 0, no more than any other.
static void rise(struct ps_talkers *t, uint8_t entry)
{
	uint32_t at = t->used - 1;

	for (; at > 0; at = (at - 1) / 2)
		place(t, at, t->heap[(at - 1) / 2]);
	place(t, 0, entry);
}

static void unchain(struct ps_talkers *t, uint8_t entry)
{
	uint8_t *link = &t->heads[t->entries[entry].head];

	while (*link != entry)
		link = &t->entries[*link].next;
	*link = t->entries[entry].next;
}

// A free counter, or that of whoever has the smallest count, which goes over as an error.
static uint8_t take(struct ps_talkers *t, const struct ps_talker *who, uint8_t head)
{
	uint8_t entry = t->used < PS_TALKERS ? (uint8_t)t->used : t->heap[0];
	struct ps_talker *talker = &t->entries[entry];
	bool is_new = t->used < PS_TALKERS;

	if (!is_new)
		unchain(t, entry);
	uint8_t at = talker->place;
	uint64_t count = is_new ? 0 : talker->count;
	*talker = *who;
	talker->place = at;
	talker->count = count;
	talker->error = count;
	talker->bytes = 0;
	talker->head = head;
	talker->next = t->heads[head];
	t->heads[head] = entry;
	if (is_new) {
		t->used++;
		rise(t, entry);
	}
	return entry;
}

void ps_talkers_add(struct ps_talkers *t, const struct ps_talker *who, uint32_t bytes)
{
	uint8_t head = head_of(who), entry = find(t, who, head);

	if (entry == NONE)
		entry = take(t, who, head);
	t->entries[entry].count++;
	t->entries[entry].bytes += bytes;
	t->samples++;
	sink(t, entry);
}

// 1 to 2 * PS_TALKERS_EVERY - 1, all alike: no rhythm of the traffic stays in step with it.
static int32_t gap(struct ps_talkers *t)
{
	t->random ^= t->random << 13;
	t->random ^= t->random >> 7;
	t->random ^= t->random << 17;
	return (int32_t)(1 + (t->random >> 32) % (2 * PS_TALKERS_EVERY - 1));
}

static void add_packet(struct ps_talkers *t, const struct ps_packet *packet)
{
	struct ps_talker who = {
		.service = (uint32_t)packet->protocol << 16 | packet->destination_port};

	if (packet->ipv6) {
		who.source = ps_address_v6(packet->addresses6->source);
		who.destination = ps_address_v6(packet->addresses6->destination);
	} else {
		who.source = ps_address_v4(packet->source);
		who.destination = ps_address_v4(packet->destination);
	}
	ps_talkers_add(t, &who, packet->frame_length);
}

void ps_talkers_sample(struct ps_worker *w, const struct ps_packet *packets, uint16_t count)
{
	struct ps_talkers *t = &w->talkers;

	for (; t->skip < 0; t->skip += gap(t))
		add_packet(t, &packets[count + t->skip]);
}

static void write_out(struct ps_worker *w, uint64_t end_ns)
{
	struct ps_talkers *t = &w->talkers;

	for (uint32_t i = 0; i < t->used; i++) {
		const struct ps_talker *talker = &t->entries[i];
		uint64_t n = t->written++;
		struct ps_evidence_talker *record = ps_evidence_begin(&t->lane, 0, n);
		record->window = t->windows;
		record->time_ns = end_ns;
		record->duration_ns = end_ns - t->start_ns;
		record->samples = t->samples;
		record->every = PS_TALKERS_EVERY;
		record->of = t->used;
		record->count = talker->count;
		record->error = talker->error;
		record->bytes = talker->bytes;
		memcpy(record->source, talker->source.bytes, sizeof record->source);
		memcpy(record->destination, talker->destination.bytes, sizeof record->destination);
		record->port = ntohs(talker->service & 0xffff);
		record->protocol = (uint8_t)(talker->service >> 16);
		record->lcore = w->sampler.lcore;
		ps_evidence_end(record, n);
	}
}

void ps_talkers_tick(struct ps_worker *w)
{
	struct ps_talkers *t = &w->talkers;

	if (w->tick % (PS_TALKERS_SECONDS * PS_TICKS_PER_SECOND) != 0)
		return;
	uint64_t now_ns = ps_realtime_of(w);
	if (t->start_ns != 0)
		write_out(w, now_ns);
	begin_window(t);
	t->windows++;
	t->start_ns = now_ns;
}
