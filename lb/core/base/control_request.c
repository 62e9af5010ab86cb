// SPDX-License-Identifier: Apache-2.0
// What is asked of a core, and what it answers.
#include "base/control_private.h"

#include <errno.h>
#include <string.h>

static json_t *apply(struct ps_control *control, const json_t *request, struct ps_errors *errors)
{
	json_t *config = json_object_get(request, "config");
	uint64_t generation = 0;

	if (!config) {
		ps_errors_add(errors, "/config", "is missing");
		return NULL;
	}
	int rc = control->callbacks.apply(control->callbacks.user, config, &generation, errors);
	if (rc == 0)
		return json_pack("{s:b, s:I}", "ok", 1, "generation", (json_int_t)generation);
	if (errors->count == 0)
		ps_errors_add(errors, "", "the core cannot apply it: %s", strerror(-rc));
	return NULL;
}

// Beside "ok"; takes the reference.
static json_t *good_answer(json_t *members)
{
	json_t *reply = json_pack("{s:b}", "ok", 1);

	if (!members || !reply || json_object_update(reply, members)) {
		json_decref(reply);
		reply = NULL;
	}
	json_decref(members);
	return reply;
}

static json_t *show(struct ps_control *control)
{
	return good_answer(control->callbacks.show(control->callbacks.user));
}

static json_t *trace(struct ps_control *control, json_t *request, struct ps_errors *errors)
{
	return good_answer(control->callbacks.trace(control->callbacks.user, request, errors));
}

// The answer, or NULL: errors were added, or no memory was left.
static json_t *execute(struct ps_control *control, json_t *request, struct ps_errors *errors)
{
	const char *op = json_string_value(json_object_get(request, "op"));

	if (!json_is_object(request))
		ps_errors_add(errors, "", "the request must be an object");
	else if (!op)
		ps_errors_add(errors, "/op", "must be \"apply\", \"show\", \"trace\" or \"stop\"");
	else if (strcmp(op, "apply") == 0)
		return apply(control, request, errors);
	else if (strcmp(op, "show") == 0)
		return show(control);
	else if (strcmp(op, "trace") == 0 && control->callbacks.trace != NULL)
		return trace(control, request, errors);
	else if (strcmp(op, "stop") == 0) {
		control->callbacks.stop(control->callbacks.user);
		return json_pack("{s:b}", "ok", 1);
	} else
		ps_errors_add(errors, "/op",
			"must be \"apply\", \"show\", \"trace\" or \"stop\", is \"%.40s\"", op);
	control->stats.bad_requests++;
	return NULL;
}

static struct ps_text encode(json_t *reply)
{
	struct ps_text text = {0};

	if (!reply)
		return text;
	text.data = json_dumps(reply, JSON_COMPACT);
	if (text.data) {
		text.length = strlen(text.data);
		text.data[text.length++] = '\n'; // the end needs no NUL
	}
	return text;
}

// What a request is read from, piece by piece.
struct source {
	const struct ps_control_callbacks *callbacks;
	const char *text;
	size_t left;
};

static size_t feed(void *buffer, size_t room, void *user)
{
	struct source *source = user;
	size_t length = source->left < room ? source->left : room;

	memcpy(buffer, source->text, length);
	source->text += length;
	source->left -= length;
	if (source->callbacks->progress)
		source->callbacks->progress(source->callbacks->user);
	return length;
}

// Each value but the first of its list follows a comma, and each list opens once.
static bool has_too_many_values(const char *request, size_t length)
{
	size_t values = 0;

	for (size_t i = 0; i < length; i++)
		values += request[i] == ',' || request[i] == '[' || request[i] == '{';
	return values > PS_CONTROL_VALUES_MAX;
}

static json_t *read_request(
	struct ps_control *control, const char *request, size_t length, struct ps_errors *errors)
{
	struct source source = {&control->callbacks, request, length};
	json_error_t error;

	if (length > PS_CONTROL_REQUEST_MAX) {
		control->stats.oversized++;
		ps_errors_add(
			errors, "", "the request is longer than %u bytes", PS_CONTROL_REQUEST_MAX);
		return NULL;
	}
	if (has_too_many_values(request, length)) {
		control->stats.oversized++;
		ps_errors_add(
			errors, "", "the request has more than %u values", PS_CONTROL_VALUES_MAX);
		return NULL;
	}
	json_t *json = json_load_callback(feed, &source, JSON_REJECT_DUPLICATES, &error);
	if (!json) {
		control->stats.bad_requests++;
		ps_errors_add(
			errors, "", "line %d, column %d: %s", error.line, error.column, error.text);
	}
	return json;
}

struct ps_text ps_control_answer(struct ps_control *control, const char *request, size_t length)
{
	struct ps_errors errors = {0};
	json_t *reply = NULL;

	control->stats.requests++;
	json_t *json = read_request(control, request, length, &errors);
	if (json)
		reply = execute(control, json, &errors);
	json_decref(json);
	if (!reply && (errors.count || errors.dropped))
		reply = ps_errors_json(&errors);
	struct ps_text text = encode(reply);

	json_decref(reply);
	ps_errors_clear(&errors);
	return text;
}
