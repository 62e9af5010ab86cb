// SPDX-License-Identifier: Apache-2.0
// The sockets of the control server; what is asked and answered is in control_request.c.
#include "base/control.h"

#include "base/clock.h"
#include "base/control_private.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define CHUNK 65536
#define BACKLOG 128
#define CLOSE_GRACE_MS 200
#define ACCEPT_PAUSE_MS 100

static int64_t now_ms(void)
{
	return (int64_t)(ps_monotonic_ns() / 1000000);
}

// --- one client ---

static void drop(struct ps_control *control, struct ps_client *client)
{
	close(client->fd);
	free(client->data);
	*client = control->clients[--control->client_count];
}

static bool reserve(struct ps_client *client, size_t room)
{
	if (client->capacity - client->length >= room)
		return true;
	size_t capacity = client->capacity * 2 + room;
	char *data = realloc(client->data, capacity);
	if (!data)
		return false;
	client->data = data;
	client->capacity = capacity;
	return true;
}

// Returns false when the client is done with, for good or ill.
static bool send_answer(struct ps_control *control, struct ps_client *client)
{
	while (client->sent < client->length) {
		ssize_t n = send(client->fd, client->data + client->sent,
			client->length - client->sent, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return true;
		if (n < 0) {
			control->stats.broken++;
			return false;
		}
		client->sent += (size_t)n;
	}
	return false;
}

static bool answer(struct ps_control *control, struct ps_client *client, size_t request_length)
{
	int64_t start = now_ms();
	struct ps_text reply = ps_control_answer(control, client->data, request_length);
	int64_t end = now_ms();

	// The others could not be served meanwhile: it is not their time.
	for (uint32_t i = 0; i < control->client_count; i++)
		control->clients[i].deadline_ms += end - start;

	if (!reply.data) {
		control->stats.broken++;
		return false;
	}
	free(client->data);
	client->data = reply.data;
	client->length = client->capacity = reply.length;
	client->sent = 0;
	client->answering = true;
	client->deadline_ms = end + PS_CONTROL_CLIENT_TIMEOUT_MS;
	return send_answer(control, client);
}

// The end of the stream ends a request as well as a newline does.
static bool receive(struct ps_control *control, struct ps_client *client)
{
	if (!reserve(client, CHUNK)) {
		control->stats.broken++;
		return false;
	}
	ssize_t n = recv(client->fd, client->data + client->length, CHUNK, MSG_DONTWAIT);
	if (n < 0 && (errno == EINTR || errno == EAGAIN || errno == EWOULDBLOCK))
		return true;
	if (n < 0 || (n == 0 && client->length == 0)) {
		control->stats.broken++;
		return false;
	}
	const char *newline = memchr(client->data + client->length, '\n', (size_t)n);
	client->length += (size_t)n;
	if (newline || n == 0 || client->length > PS_CONTROL_REQUEST_MAX)
		return answer(control, client,
			newline ? (size_t)(newline - client->data) : client->length);
	return true;
}

static bool serve(struct ps_control *control, struct ps_client *client, short events)
{
	if (!client->answering)
		return receive(control, client);
	if (events & POLLOUT)
		return send_answer(control, client);
	control->stats.broken++;
	return false;
}

// --- all of them ---

static void accept_clients(struct ps_control *control)
{
	while (control->client_count < PS_CONTROL_CLIENTS) {
		int fd = accept4(control->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd < 0 && (errno == EINTR || errno == ECONNABORTED))
			continue;
		if (fd < 0) {
			if (errno != EAGAIN && errno != EWOULDBLOCK) {
				control->stats.accept_errors++;
				control->accept_ms = now_ms() + ACCEPT_PAUSE_MS;
			}
			return;
		}
		control->clients[control->client_count++] = (struct ps_client){
			.fd = fd,
			.deadline_ms = now_ms() + PS_CONTROL_CLIENT_TIMEOUT_MS,
		};
	}
}

static void drop_slow_clients(struct ps_control *control)
{
	int64_t now = now_ms();

	for (uint32_t i = control->client_count; i-- > 0;) {
		if (control->clients[i].deadline_ms <= now) {
			control->stats.timed_out++;
			drop(control, &control->clients[i]);
		}
	}
}

static bool accepts(const struct ps_control *control)
{
	return control->client_count < PS_CONTROL_CLIENTS && now_ms() >= control->accept_ms;
}

uint32_t ps_control_fds(const struct ps_control *control, struct pollfd fds[PS_CONTROL_FDS])
{
	fds[0] = (struct pollfd){.fd = control->fd, .events = accepts(control) ? POLLIN : 0};
	for (uint32_t i = 0; i < control->client_count; i++)
		fds[1 + i] = (struct pollfd){
			.fd = control->clients[i].fd,
			.events = control->clients[i].answering ? POLLOUT : POLLIN,
		};
	return 1 + control->client_count;
}

// Not past the first deadline.
static int wait_ms(const struct ps_control *control, int timeout_ms)
{
	int64_t now = now_ms(), wait = timeout_ms < 0 ? INT_MAX : timeout_ms;

	for (uint32_t i = 0; i < control->client_count; i++) {
		int64_t left = control->clients[i].deadline_ms - now;

		if (left < wait)
			wait = left > 0 ? left : 0;
	}
	if (control->accept_ms > now && control->accept_ms - now < wait)
		wait = control->accept_ms - now;
	return wait == INT_MAX ? -1 : (int)wait;
}

int ps_control_poll(struct ps_control *control, int timeout_ms)
{
	struct pollfd fds[PS_CONTROL_FDS];
	uint32_t count = ps_control_fds(control, fds);
	int ready = poll(fds, count, wait_ms(control, timeout_ms));

	if (ready < 0)
		return errno == EINTR ? 0 : -errno;
	// Backwards, as drop() puts the last client into the place of the dropped one.
	for (uint32_t i = count - 1; ready && i > 0; i--) {
		struct ps_client *client = &control->clients[i - 1];

		if (fds[i].revents && !serve(control, client, fds[i].revents))
			drop(control, client);
	}
	drop_slow_clients(control);
	if (fds[0].revents)
		accept_clients(control);
	return 0;
}

struct ps_control_stats ps_control_stats(const struct ps_control *control)
{
	return control->stats;
}

// --- opening and closing ---

// A path that is too long for a socket address is named by way of its folder's descriptor.
static int bind_socket(struct ps_control *control, const char *run_dir)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int length = snprintf(address.sun_path, sizeof(address.sun_path), "%s", control->path);
	int dir = -1, rc = 0;

	if (length >= (int)sizeof(address.sun_path)) {
		dir = open(run_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (dir < 0)
			return -errno;
		snprintf(address.sun_path, sizeof(address.sun_path),
			"/proc/self/fd/%d/" PS_CONTROL_SOCKET, dir);
	}
	mode_t mask = umask(0117);
	if (bind(control->fd, (const struct sockaddr *)&address, sizeof(address)))
		rc = -errno;
	umask(mask);
	if (dir >= 0)
		close(dir);
	return rc;
}

int ps_control_open(
	const char *run_dir, const struct ps_control_callbacks *callbacks, struct ps_control **out)
{
	struct ps_control *control = calloc(1, sizeof(*control));
	int rc = -ENAMETOOLONG;

	if (!control)
		return -ENOMEM;
	control->callbacks = *callbacks;
	control->fd = -1;
	if (snprintf(control->path, sizeof(control->path), "%s/" PS_CONTROL_SOCKET, run_dir) >=
		(int)sizeof(control->path))
		goto fail;
	control->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	rc = -errno;
	if (control->fd < 0)
		goto fail;
	rc = unlink(control->path) && errno != ENOENT ? -errno : 0;
	if (rc)
		goto fail;
	rc = bind_socket(control, run_dir);
	if (rc)
		goto fail;
	control->bound = true;
	if (listen(control->fd, BACKLOG)) {
		rc = -errno;
		goto fail;
	}
	*out = control;
	return 0;
fail:
	ps_control_close(control);
	return rc;
}

static void finish_answers(struct ps_control *control)
{
	int64_t end = now_ms() + CLOSE_GRACE_MS;

	for (uint32_t i = control->client_count; i-- > 0;)
		if (!control->clients[i].answering)
			drop(control, &control->clients[i]);
	close(control->fd);
	control->fd = -1; // poll(2) passes over it
	while (control->client_count && now_ms() < end)
		if (ps_control_poll(control, (int)(end - now_ms())))
			break;
	while (control->client_count)
		drop(control, &control->clients[0]);
}

void ps_control_close(struct ps_control *control)
{
	if (!control)
		return;
	if (control->bound)
		unlink(control->path);
	if (control->fd >= 0)
		finish_answers(control);
	free(control);
}
