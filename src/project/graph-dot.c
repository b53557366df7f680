// SPDX-License-Identifier: GPL-2.0-or-later
/* The cluster for Graphviz. Nodes have numbers for names, so that no text of a project is one. */
#include "project/graph.h"

#include <string.h>

/* Between double quotes; in labels a backslash would begin an escape of Graphviz's. */
static void quoted(struct kmln_buf *out, const char *text)
{
	kmln_buf_str(out, "\"");
	for (const char *p = text; *p; p++) {
		if (*p == '"' || *p == '\\')
			kmln_buf_str(out, "\\");
		kmln_buf_add(out, p, 1);
	}
	kmln_buf_str(out, "\"");
}

/* A label of lines; those that are empty are left out. */
static void label(struct kmln_buf *out, const char *const *lines, size_t count)
{
	bool any = false;

	kmln_buf_str(out, "label=");
	for (size_t i = 0; i < count; i++) {
		if (!*lines[i])
			continue;
		kmln_buf_str(out, any ? " + \"\\n\" + " : "");
		quoted(out, lines[i]);
		any = true;
	}
	kmln_buf_str(out, any ? "" : "\"\"");
}

static size_t number_of(const struct kmln_model *model, const struct kmln_switch *s)
{
	size_t i = 0;

	while (model->switches[i] != s)
		i++;
	return i;
}

static void print_switch(
	struct kmln_buf *out, struct kmln_pool *pool, const struct kmln_switch *s, size_t number)
{
	const char *const lines[] = {s->name.text, kmln_graph_switch(pool, s),
		kmln_graph_impairment(pool, &s->impairment, NULL)};

	kmln_buf_printf(
		out, "\ts%zu [shape=box, style=\"filled,rounded\", fillcolor=lightblue, ", number);
	label(out, lines, KMLN_COUNT(lines));
	kmln_buf_str(out, "];\n");
}

static void print_host(struct kmln_buf *out, struct kmln_pool *pool, const struct kmln_model *model,
	const struct kmln_host *host)
{
	const char *const lines[] = {host->name.text, kmln_graph_platform(host)};

	kmln_buf_printf(out, "\th%zu [shape=box, ", host->number);
	label(out, lines, KMLN_COUNT(lines));
	kmln_buf_str(out, "];\n");
	for (size_t i = 0; i < host->interface_count; i++) {
		const struct kmln_interface *n = &host->interfaces[i];
		const char *const link[] = {n->name.text, kmln_graph_addresses(pool, n),
			kmln_graph_elsewhere(pool, n),
			kmln_graph_impairment(
				pool, &n->impairment, n->on ? &n->on->impairment : NULL)};

		if (n->on) {
			kmln_buf_printf(
				out, "\ts%zu -- h%zu [", number_of(model, n->on), host->number);
		} else {
			kmln_buf_printf(out, "\tx%zu_%zu [shape=point];\n\tx%zu_%zu -- h%zu [",
				host->number, i, host->number, i, host->number);
		}
		label(out, link, KMLN_COUNT(link));
		kmln_buf_str(out, "];\n");
	}
}

void kmln_graph_dot(struct kmln_buf *out, const struct kmln_model *model)
{
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();

	kmln_buf_str(out, "graph ");
	quoted(out, model->project);
	kmln_buf_str(out, " {\n\toverlap=false;\n\tsplines=true;\n"
			  "\tnode [fontname=\"sans-serif\"];\n"
			  "\tedge [fontname=\"sans-serif\", fontsize=10];\n");
	for (size_t i = 0; i < model->switch_count; i++)
		print_switch(out, pool, model->switches[i], i);
	for (size_t i = 0; i < model->host_count; i++)
		print_host(out, pool, model, model->hosts[i]);
	kmln_buf_str(out, "}\n");
}
