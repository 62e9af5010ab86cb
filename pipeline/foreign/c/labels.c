// SPDX-License-Identifier: Apache-2.0
#include "labels.h"

#include <stdio.h>

static const struct fm_text metric_name = {(const uint8_t *)"__name__", 8};

int fm_label_read(struct fm_text message, struct fm_label *label)
{
	struct fm_wire wire = fm_wire_of(message);
	struct fm_field field;
	int rc;

	*label = (struct fm_label){{(const uint8_t *)"", 0}, {(const uint8_t *)"", 0}};
	while ((rc = fm_next(&wire, &field)) > 0) {
		if (field.number != 1 && field.number != 2)
			continue;
		if (field.type != FM_BYTES)
			return -EBADMSG;
		*(field.number == 1 ? &label->name : &label->value) = field.bytes;
	}
	return rc;
}

int fm_labels_read(struct fm_wire wire, struct fm_labels *labels)
{
	struct fm_field field;
	struct fm_label label;
	int rc;

	while ((rc = fm_next(&wire, &field)) > 0) {
		if (field.number != 1)
			continue;
		if (field.type != FM_BYTES || fm_label_read(field.bytes, &label))
			return -EBADMSG;
		fm_labels_add(labels, label.name, label.value);
	}
	return rc;
}

static int compare(struct fm_text a, struct fm_text b)
{
	size_t common = a.size < b.size ? a.size : b.size;
	int order = common ? memcmp(a.data, b.data, common) : 0;

	return order ? order : (a.size > b.size) - (a.size < b.size);
}

// Stable, and linear for labels that come sorted, as nearly all do.
static void sort(struct fm_labels *labels)
{
	for (uint32_t i = 1; i < labels->count; i++) {
		struct fm_label label = labels->items[i];
		uint32_t at = i;
		for (; at && compare(labels->items[at - 1].name, label.name) > 0; at--)
			labels->items[at] = labels->items[at - 1];
		labels->items[at] = label;
	}
}

static const char *check(struct fm_labels *labels, struct fm_key_rules rules)
{
	uint32_t kept = 0;
	bool named = false;

	for (uint32_t i = 0; i < labels->count; i++) {
		struct fm_label label = labels->items[i];
		if (!label.name.size)
			return "a label has no name";
		if (kept && !compare(labels->items[kept - 1].name, label.name)) {
			if (!rules.first_wins)
				return "a label is there twice";
			continue;
		}
		if (!fm_is_utf8(label.name) || !fm_is_utf8(label.value))
			return "a label is not UTF-8";
		named |= label.value.size && !compare(label.name, metric_name);
		labels->items[kept++] = label;
	}
	labels->count = kept;
	return named || rules.nameless ? NULL : "there is no metric name (the label __name__)";
}

static size_t varint_size(size_t value)
{
	size_t size = 1;

	for (; value >= 0x80; value >>= 7)
		size++;
	return size;
}

static uint8_t *write_text(uint8_t *out, uint8_t tag, size_t size, struct fm_text text)
{
	*out++ = tag;
	for (; size >= 0x80; size >>= 7)
		*out++ = (uint8_t)(size | 0x80);
	*out++ = (uint8_t)size;
	if (text.size)
		memcpy(out, text.data, text.size);
	return out + text.size;
}

const char *fm_labels_key(
	struct fm_labels *labels, struct fm_key_rules rules, uint8_t key[FM_MAX_KEY], size_t *size)
{
	uint8_t *out = key;

	if (labels->overflow)
		return "it has more than 128 labels";
	sort(labels);
	const char *why = check(labels, rules);
	if (why)
		return why;
	for (uint32_t i = 0; i < labels->count; i++) {
		struct fm_label *label = &labels->items[i];
		if (!label->value.size)
			continue;
		if (label->name.size > FM_MAX_KEY || label->value.size > FM_MAX_KEY)
			return "its labels are more than 16384 bytes";
		size_t inner = 2 + varint_size(label->name.size) + label->name.size +
			       varint_size(label->value.size) + label->value.size;
		if (1 + varint_size(inner) + inner > (size_t)(key + FM_MAX_KEY - out))
			return "its labels are more than 16384 bytes";
		out = write_text(out, 0x0a, inner, (struct fm_text){NULL, 0});
		out = write_text(out, 0x0a, label->name.size, label->name);
		out = write_text(out, 0x12, label->value.size, label->value);
	}
	*size = (size_t)(out - key);
	return NULL;
}

struct fm_text fm_metric_name(const struct fm_labels *labels)
{
	for (uint32_t i = 0; i < labels->count; i++)
		if (!compare(labels->items[i].name, metric_name))
			return labels->items[i].value;
	return (struct fm_text){(const uint8_t *)"", 0};
}

// Bytes of the character that begins here, 0 when it is none.
static size_t utf8_length(const uint8_t *at, size_t left)
{
	uint8_t first = at[0];
	size_t length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
	uint8_t low = 0x80, high = 0xbf;

	if (first < 0xc2 || first > 0xf4 || length > left)
		return 0;
	if (first == 0xe0)
		low = 0xa0; // shorter forms exist
	else if (first == 0xed)
		high = 0x9f; // surrogates
	else if (first == 0xf0)
		low = 0x90;
	else if (first == 0xf4)
		high = 0x8f; // beyond Unicode
	if (at[1] < low || at[1] > high)
		return 0;
	for (size_t i = 2; i < length; i++)
		if ((at[i] & 0xc0) != 0x80)
			return 0;
	return length;
}

bool fm_is_utf8(struct fm_text text)
{
	for (size_t at = 0; at < text.size;) {
		size_t length = 1;
		uint64_t eight;
		if (text.size - at >= sizeof(eight)) {
			memcpy(&eight, text.data + at, sizeof(eight));
			if (!(eight & 0x8080808080808080)) {
				at += sizeof(eight);
				continue;
			}
		}
		if (text.data[at] >= 0x80)
			length = utf8_length(text.data + at, text.size - at);
		if (!length)
			return false;
		at += length;
	}
	return true;
}

void fm_labels_show(const struct fm_labels *labels, char *text, size_t size)
{
	size_t used = 0;

	text[0] = '\0';
	for (uint32_t i = 0; i < labels->count && used + 1 < size; i++) {
		const struct fm_label *label = &labels->items[i];
		int name = label->name.size < 64 ? (int)label->name.size : 64;
		int value = label->value.size < 64 ? (int)label->value.size : 64;
		int length = snprintf(text + used, size - used, "%s%.*s=\"%.*s\"", i ? ", " : "",
			name, (const char *)label->name.data, value,
			(const char *)label->value.data);
		used += length > 0 ? (size_t)length : 0;
	}
}
