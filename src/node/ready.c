// SPDX-License-Identifier: GPL-2.0-or-later
/* Readiness; see ready.h. */
#include "node/ready.h"

#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/file.h"
#include "node/node.h"

/* Milliseconds between two looks. */
#define SOCKET_EACH 20
#define SOCKET_LATER 500
#define SOCKET_OFTEN_FOR 5000
#define GUEST_EACH 500

/* A text as a regex that matches nothing else. */
static void quote(const char *text, struct kmln_buf *out)
{
	kmln_buf_str(out, "");
	for (; *text; text++) {
		if (strchr("\\^$.[]|()*+?{}", *text))
			kmln_buf_str(out, "\\");
		kmln_buf_add(out, text, 1);
	}
}

static bool by_regex(const struct kmln_node *node)
{
	return node->options->ready == KMLN_NODE_READY_CONSOLE ||
	       node->options->ready == KMLN_NODE_READY_WORDS;
}

int kmln_ready_init(struct kmln_node *node, struct kmln_error *err)
{
	KMLN_BUF struct kmln_buf text = {0};

	if (!by_regex(node))
		return 0;
	if (node->options->ready == KMLN_NODE_READY_WORDS)
		quote(node->options->ready_text, &text);
	else
		kmln_buf_str(&text, node->options->ready_text);
	return regcomp(&node->ready_regex, text.data, REG_EXTENDED)
		       ? kmln_fail(err, KMLN_EUSAGE, "--ready %s", node->options->waits_for)
		       : 0;
}

void kmln_ready_fini(struct kmln_node *node)
{
	if (by_regex(node))
		regfree(&node->ready_regex);
}

void kmln_ready_restart(struct kmln_node *node)
{
	node->ready = false;
	node->ready_next = 0;
	node->guest_says_yes = false;
}

static bool can_connect(const char *path)
{
	KMLN_FREE char *copy = kmln_strdup(path), *other = kmln_strdup(path);
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct kmln_error ignored;
	KMLN_FD int folder = kmln_open(dirname(copy), O_PATH | O_DIRECTORY, 0, &ignored);
	KMLN_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (folder < 0 || fd < 0)
		return false;
	snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/%s", folder,
		basename(other));
	return connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
}

static bool look_at_socket(struct kmln_node *node)
{
	if (node->now >= node->ready_next) {
		if (can_connect(node->options->ready_text))
			return true;
		node->ready_next =
			node->now +
			(node->now - node->started < SOCKET_OFTEN_FOR ? SOCKET_EACH : SOCKET_LATER);
	}
	kmln_node_wake(node, node->ready_next);
	return false;
}

static void got_nothing(void *owner, const struct kmln_frame *frame)
{
	(void)owner;
	(void)frame;
}

/* Yes is true, or the status of a program but 1; a guest without a shell is not asked twice. */
static bool is_yes(const struct kmln_json *answer)
{
	const struct kmln_json *said = kmln_json_member(answer, "return");

	if (kmln_json_member(said, "status"))
		return kmln_json_integer(said, "status", 0) != 1;
	return kmln_json_true(answer, "return") || kmln_eq(kmln_json_get(answer, "code"), "ENOENT");
}

static void answered(void *owner, const char *answer, size_t size)
{
	KMLN_JSON struct kmln_json *object = NULL;
	struct kmln_node *node = owner;
	struct kmln_error ignored;

	node->ready_lane = NULL;
	node->ready_next = node->now + GUEST_EACH;
	if (kmln_json_parse(answer, size, &object, &ignored) == 0)
		node->guest_says_yes = is_yes(object);
}

/* An agent that never answers keeps the node from being ready, and that is the truth. */
static bool ask_guest(struct kmln_node *node, const char *request)
{
	static const struct kmln_lane_ops ops = {.got = got_nothing, .closed = answered};

	if (node->guest_says_yes || node->ready_lane || !kmln_agent_kind(&node->agent))
		return node->guest_says_yes;
	if (node->now >= node->ready_next)
		kmln_agent_open(
			&node->agent, &node->ready_lane, request, strlen(request), &ops, node);
	if (!node->ready_lane)
		kmln_node_wake(node, node->ready_next);
	return node->guest_says_yes;
}

static bool look_at_port(struct kmln_node *node)
{
	char request[128];

	snprintf(request, sizeof(request),
		"{\"do\":\"call\",\"execute\":\"kmln-port\",\"arguments\":{\"port\":%u}}",
		node->options->ready_port);
	return ask_guest(node, request);
}

/* The agent is there long before the network is, where systemd starts it. Other inits start it when
 * all else has been started. */
static bool look_at_boot(struct kmln_node *node)
{
	return ask_guest(node,
		"{\"do\":\"exec\",\"argv\":[\"/bin/sh\",\"-c\","
		"\"[ -d /run/systemd/system ] || exit 0; case $(systemctl is-system-running) in "
		"running|degraded|maintenance|stopping) exit 0;; esac; exit 1\"]}");
}

static bool look(struct kmln_node *node)
{
	switch (node->options->ready) {
	case KMLN_NODE_READY_AGENT:
		return look_at_boot(node);
	case KMLN_NODE_READY_PORT:
		return look_at_port(node);
	case KMLN_NODE_READY_CONSOLE:
		return kmln_console_match(&node->screen.text, &node->ready_regex);
	case KMLN_NODE_READY_WORDS:
		return kmln_console_match(&node->screen.text, &node->ready_regex) ||
		       kmln_console_match(&node->words, &node->ready_regex);
	case KMLN_NODE_READY_SOCKET:
		return look_at_socket(node);
	case KMLN_NODE_READY_NONE:
		break;
	}
	return true;
}

void kmln_ready_work(struct kmln_node *node)
{
	const bool by_agent = node->options->ready == KMLN_NODE_READY_AGENT ||
			      node->options->ready == KMLN_NODE_READY_PORT;

	if (!node->runs)
		return;
	/* a guest that starts itself again is not ready meanwhile */
	if (node->ready && by_agent && !kmln_agent_kind(&node->agent)) {
		node->ready = node->guest_says_yes = false;
		kmln_node_changed(node);
	}
	if (!node->ready && node->state != KMLN_NODE_ENDING && look(node)) {
		node->ready = true;
		kmln_node_changed(node);
	}
}
