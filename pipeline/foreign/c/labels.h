// SPDX-License-Identifier: Apache-2.0
// A label set and its one canonical form, the key of a series: the labels in the order of their
// names, each as remote write 1.0 has it on the wire, without those whose value is empty.
#pragma once

#include "wire.h"

#define FM_MAX_LABELS 128
#define FM_MAX_KEY 16384

struct fm_label {
	struct fm_text name, value;
};

struct fm_labels {
	struct fm_label items[FM_MAX_LABELS];
	uint32_t count;
	bool overflow;
};

static inline void fm_labels_add(
	struct fm_labels *labels, struct fm_text name, struct fm_text value)
{
	if (labels->count < FM_MAX_LABELS)
		labels->items[labels->count++] = (struct fm_label){name, value};
	else
		labels->overflow = true;
}

// Read the labels of a key or of a message with nothing but labels (field 1). -EBADMSG.
int fm_labels_read(struct fm_wire wire, struct fm_labels *labels);
int fm_label_read(struct fm_text message, struct fm_label *label);

// Sort, check and write the key. Returns NULL, or why these labels cannot be a series.
// A name that is there twice is an error, or with `first_wins` the later one is left out.
// Exemplars are without a metric name: `nameless`.
struct fm_key_rules {
	bool first_wins, nameless;
};
const char *fm_labels_key(
	struct fm_labels *labels, struct fm_key_rules rules, uint8_t key[FM_MAX_KEY], size_t *size);

bool fm_is_utf8(struct fm_text text);
struct fm_text fm_metric_name(const struct fm_labels *labels);

// `name="value", ...` for people, cut to `size` with its end.
void fm_labels_show(const struct fm_labels *labels, char *text, size_t size);
