// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * kmln doctor: what this host can run, measured, and what is missing. It changes nothing, and a
 * platform that is not there is an answer, not a failure.
 */
#include "cli/commands.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "platform/host.h"
#include "platform/platform.h"
#include "base/landlock.h"
#include "text/json.h"

struct doctor_opts {
	const char *format;
};

/* A package that would bring something. */
struct missing {
	const char *package;
	const char **uses; /* "platform uml: binary", "mmdebstrap: makes new Debian guests" */
	size_t use_count;
};

struct found {
	struct kmln_pool *pool;
	struct kmln_probe *probes; /* one for each of kmln_platforms, in its order */
	struct kmln_host host;
	struct missing *missing;
	size_t missing_count;
};

static void add_missing(struct found *found, const char *package, const char *use)
{
	struct missing *m = NULL;

	for (size_t i = 0; i < found->missing_count; i++)
		if (kmln_eq(found->missing[i].package, package))
			m = &found->missing[i];
	if (!m) {
		m = kmln_pool_append(
			found->pool, &found->missing, &found->missing_count, sizeof(*m));
		m->package = package;
	}
	*(const char **)kmln_pool_append(found->pool, &m->uses, &m->use_count, sizeof(*m->uses)) =
		use;
}

static void collect_missing(struct found *found)
{
	for (size_t i = 0; kmln_platforms[i]; i++)
		for (size_t k = 0; k < found->probes[i].count; k++) {
			const struct kmln_finding *f = &found->probes[i].findings[k];

			if (!f->value && f->package)
				add_missing(found, f->package,
					kmln_pool_printf(found->pool, "platform %s: %s",
						kmln_platforms[i]->name, f->key));
		}
	for (size_t i = 0; i < found->host.tool_count; i++) {
		const struct kmln_tool *tool = &found->host.tools[i];

		if (!tool->path)
			add_missing(found, tool->package,
				kmln_pool_printf(found->pool, "%s: %s", tool->name, tool->use));
	}
}

static int look(struct found *found, struct kmln_error *err)
{
	size_t count = 0;
	int r;

	while (kmln_platforms[count])
		count++;
	found->probes = kmln_pool_array(found->pool, count, sizeof(*found->probes));
	for (size_t i = 0; i < count; i++) {
		r = kmln_platforms[i]->probe(found->pool, &found->probes[i], err);
		if (r < 0)
			return kmln_wrap(err, "platform %s", kmln_platforms[i]->name);
	}
	r = kmln_host_look(found->pool, &found->host, err);
	if (r < 0)
		return r;
	collect_missing(found);
	return 0;
}

/* The one line that brings all that is missing, or NULL. */
static const char *install_line(struct found *found)
{
	KMLN_BUF struct kmln_buf line = {0};

	for (size_t i = 0; i < found->missing_count; i++)
		kmln_buf_printf(&line, "%s %s", i ? "" : "apt install", found->missing[i].package);
	return kmln_pool_strdup(found->pool, line.data);
}

#define WIDTH 80
#define FIRST 21 /* columns of a row: name, verdict, words */
#define SECOND 16

/* A row; the words are wrapped at blanks. */
static void row(const char *name, const char *verdict, const char *words)
{
	int column = FIRST + SECOND;

	printf("%-*s%-*s", FIRST, name, SECOND - !!*words, verdict);
	while (*words) {
		int n = (int)strcspn(words, " ");

		if (column + n >= WIDTH && column > FIRST + SECOND) {
			printf("\n%*s", FIRST + SECOND - 1, "");
			column = FIRST + SECOND;
		}
		printf(" %.*s", n, words);
		column += n + 1;
		words += n + (words[n] == ' ');
	}
	printf("\n");
}

static void print_subids(struct found *found)
{
	const struct kmln_host *h = &found->host;

	if (h->root)
		row("subordinate ids", "yes", "root needs no range of its own");
	else if (!h->subuid_count || !h->subgid_count)
		row("subordinate ids", "no",
			"none for this user: `usermod --add-subuids FIRST-LAST --add-subgids "
			"FIRST-LAST USER` as root gives some");
	else if (!h->id_maps)
		row("subordinate ids", "no", "newuidmap and newgidmap are missing");
	else
		row("subordinate ids", "yes",
			kmln_pool_printf(found->pool, "%llu from %llu",
				(unsigned long long)h->subuid_count,
				(unsigned long long)h->subuid_first));
}

static void print_sandbox(struct found *found)
{
	const struct kmln_host *h = &found->host;
	int landlock = kmln_landlock_abi();

	printf("\nSANDBOX\n");
	row("namespaces", h->namespaces ? "yes" : "no",
		h->namespaces ? "user, mount and PID namespaces were entered" : h->namespaces_why);
	row("bubblewrap", h->bwrap ? "yes" : "no",
		h->bwrap ? "a program ran with everything unshared"
			 : kmln_pool_printf(found->pool,
				   "%s; machines start only with --unconfined", h->bwrap_why));
	row("landlock", landlock ? "yes" : "no",
		landlock ? kmln_pool_printf(found->pool, "ABI %d", landlock)
			 : "the kernel has none, or it is not switched on");
	print_subids(found);
	if (h->apparmor_restricts)
		row("apparmor", "restricts",
			"only programs with a profile of their own, like bwrap, get user "
			"namespaces");
}

static void print_tool(struct found *found, const struct kmln_tool *tool)
{
	if (tool->path)
		row(tool->name, tool->version ? tool->version : "yes", tool->path);
	else
		row(tool->name, "missing",
			kmln_pool_printf(found->pool, "%s (package %s)", tool->use, tool->package));
}

static void print_missing(struct found *found)
{
	if (!found->missing_count)
		return;
	printf("\nMISSING\n");
	for (size_t i = 0; i < found->missing_count; i++) {
		const struct missing *m = &found->missing[i];
		KMLN_BUF struct kmln_buf uses = {0};

		for (size_t k = 0; k < m->use_count; k++)
			kmln_buf_printf(&uses, "%s%s", k ? "; " : "", m->uses[k]);
		row(m->package, "", uses.data);
	}
	printf("\nThis brings all of it:\n  %s\n", install_line(found));
}

static int print_text(struct found *found)
{
	const struct kmln_host *h = &found->host;

	printf("kmln %s on Linux %s, %s%s\n\nPLATFORMS\n", KMLN_VERSION, h->kernel, h->machine,
		h->root ? ", as root" : "");
	for (size_t i = 0; kmln_platforms[i]; i++) {
		const struct kmln_probe *p = &found->probes[i];

		row(kmln_platforms[i]->name, p->state,
			p->usable && !kmln_platforms[i]->launch
				? kmln_pool_printf(found->pool,
					  "%s; kmln starts no machines there yet", p->reason)
				: p->reason);
	}
	print_sandbox(found);
	printf("\nNETWORKS\n");
	print_tool(found, kmln_host_tool(h, "vde_switch"));
	printf("\nTOOLS\n");
	for (size_t i = 0; i < h->tool_count; i++)
		if (!kmln_eq(h->tools[i].name, "vde_switch"))
			print_tool(found, &h->tools[i]);
	print_missing(found);
	return 0;
}

static struct kmln_json *verdict(bool usable, const char *reason)
{
	struct kmln_json *o = kmln_json_object();

	kmln_json_set(o, "usable", kmln_json_bool(usable));
	kmln_json_set(o, "reason", kmln_json_text(reason));
	return o;
}

static struct kmln_json *range(uint64_t first, uint64_t count)
{
	struct kmln_json *o = kmln_json_object();

	kmln_json_set(o, "first", kmln_json_number(first));
	kmln_json_set(o, "count", kmln_json_number(count));
	return o;
}

static void set_platforms(struct kmln_json *to, const struct found *found)
{
	for (size_t i = 0; kmln_platforms[i]; i++) {
		const struct kmln_probe *p = &found->probes[i];
		struct kmln_json *o =
			kmln_json_set(to, kmln_platforms[i]->name, kmln_json_object());
		struct kmln_json *findings;

		kmln_json_set(o, "usable", kmln_json_bool(p->usable));
		kmln_json_set(o, "state", kmln_json_text(p->state));
		kmln_json_set(o, "reason", kmln_json_text(p->reason));
		kmln_json_set(o, "starts", kmln_json_bool(kmln_platforms[i]->launch));
		findings = kmln_json_set(o, "findings", kmln_json_object());
		for (size_t k = 0; k < p->count; k++)
			kmln_json_set(
				findings, p->findings[k].key, kmln_json_text(p->findings[k].value));
	}
}

static void set_host(struct kmln_json *o, const struct kmln_host *h)
{
	kmln_json_set(o, "kernel", kmln_json_text(h->kernel));
	kmln_json_set(o, "machine", kmln_json_text(h->machine));
	kmln_json_set(o, "root", kmln_json_bool(h->root));
	kmln_json_set(o, "namespaces", verdict(h->namespaces, h->namespaces_why));
	kmln_json_set(o, "bubblewrap", verdict(h->bwrap, h->bwrap_why));
	kmln_json_set(o, "max_user_namespaces", kmln_json_number(h->max_user_namespaces));
	kmln_json_set(o, "apparmor_restricts", kmln_json_bool(h->apparmor_restricts));
	kmln_json_set(o, "landlock_abi", kmln_json_number((uint64_t)kmln_landlock_abi()));
	kmln_json_set(o, "subuid", range(h->subuid_first, h->subuid_count));
	kmln_json_set(o, "subgid", range(h->subgid_first, h->subgid_count));
	kmln_json_set(o, "id_maps", kmln_json_bool(h->id_maps));
}

static void set_tools(struct kmln_json *to, const struct kmln_host *h)
{
	for (size_t i = 0; i < h->tool_count; i++) {
		const struct kmln_tool *tool = &h->tools[i];
		struct kmln_json *o = kmln_json_set(to, tool->name, kmln_json_object());

		kmln_json_set(o, "path", kmln_json_text(tool->path));
		kmln_json_set(o, "version", kmln_json_text(tool->version));
		kmln_json_set(o, "package", kmln_json_text(tool->package));
		kmln_json_set(o, "use", kmln_json_text(tool->use));
	}
}

static int print_json(struct found *found, struct kmln_error *err)
{
	struct kmln_json *root = kmln_json_object(), *missing;

	set_platforms(kmln_json_set(root, "platforms", kmln_json_object()), found);
	set_host(kmln_json_set(root, "host", kmln_json_object()), &found->host);
	set_tools(kmln_json_set(root, "tools", kmln_json_object()), &found->host);
	missing = kmln_json_set(root, "missing", kmln_json_array());
	for (size_t i = 0; i < found->missing_count; i++) {
		const struct missing *m = &found->missing[i];
		struct kmln_json *o = kmln_json_add(missing, kmln_json_object()), *uses;

		kmln_json_set(o, "package", kmln_json_text(m->package));
		uses = kmln_json_set(o, "uses", kmln_json_array());
		for (size_t k = 0; k < m->use_count; k++)
			kmln_json_add(uses, kmln_json_text(m->uses[k]));
	}
	kmln_json_set(root, "install", kmln_json_text(install_line(found)));
	return kmln_json_print_free(root, stdout, err);
}

static int run(const void *options, int argc, char **argv, struct kmln_error *err)
{
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	const struct doctor_opts *opts = options;
	struct found found = {.pool = pool};
	int r = look(&found, err);

	(void)argc;
	(void)argv;
	if (r < 0)
		return r;
	return kmln_eq(opts->format, "json") ? print_json(&found, err) : print_text(&found);
}

static const struct kmln_opt opts[] = {
	KMLN_OPT_FORMAT(struct doctor_opts),
	KMLN_OPT_END,
};

const struct kmln_command kmln_command_doctor = {
	.name = "doctor",
	.args = "",
	.summary = "Show what this host can run, and what is missing",
	.details =
		"Tries each platform, the sandbox and the helper programs, and changes nothing.\n"
		"What is missing is listed with the Debian packages that bring it.",
	.opts = opts,
	.opts_size = sizeof(struct doctor_opts),
	.run = run,
};
