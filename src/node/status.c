// SPDX-License-Identifier: GPL-2.0-or-later
/* Status and last.json; see status.h. */
#include "node/status.h"

#include "base/file.h"
#include "node/node.h"
#include "node/usage.h"

static const char *const states[] = {
	[KMLN_NODE_STARTING] = "starting",
	[KMLN_NODE_RUNNING] = "running",
	[KMLN_NODE_ENDING] = "ending",
};

static void set_last_line(const struct kmln_node *node, struct kmln_json *object)
{
	KMLN_BUF struct kmln_buf line = {0};

	kmln_screen_last_line(&node->screen, &line);
	kmln_json_set(object, "last_line", kmln_json_text(line.data ? line.data : ""));
}

struct kmln_json *kmln_node_status(const struct kmln_node *node)
{
	struct kmln_json *object = kmln_json_object();
	const struct kmln_usage usage = kmln_usage();
	const bool runs = node->process.pid != 0;

	kmln_json_set(object, "name", kmln_json_text(node->options->name));
	kmln_json_set(object, "state", kmln_json_text(states[node->state]));
	kmln_json_set(object, "ready", kmln_json_bool(node->ready));
	kmln_json_set(
		object, "waits_for", kmln_json_text(node->ready ? NULL : node->options->waits_for));
	kmln_json_set(object, "agent", kmln_json_text(kmln_agent_kind(&node->agent)));
	kmln_json_set(object, "pid", kmln_json_number((uint64_t)node->process.pid));
	kmln_json_set(object, "up_ms",
		kmln_json_number(runs ? (uint64_t)(kmln_node_now() - node->started) : 0));
	kmln_json_set(object, "memory", kmln_json_number(usage.memory));
	kmln_json_set(object, "cpu_ms", kmln_json_number(usage.cpu_ms));
	kmln_json_set(object, "restarts", kmln_json_number(node->restarts));
	set_last_line(node, object);
	kmln_json_set(object, "transfer", kmln_json_text(node->options->transfer));
	return object;
}

int kmln_node_last(const struct kmln_node *node, struct kmln_error *err)
{
	KMLN_JSON struct kmln_json *object = kmln_json_object();
	KMLN_FREE char *path = kmln_printf("%s/last.json", node->options->run);
	KMLN_BUF struct kmln_buf text = {0};

	kmln_json_set(object, "name", kmln_json_text(node->options->name));
	kmln_json_set(object, "state", kmln_json_text(node->end.state));
	kmln_json_set(object, "status", kmln_json_signed(node->end.status));
	kmln_json_set(object, "why", kmln_json_text(*node->end.why ? node->end.why : NULL));
	set_last_line(node, object);
	kmln_json_line(object, &text);
	kmln_buf_str(&text, "\n");
	return kmln_replace_file(path, text.data, text.size, 0600, err);
}
