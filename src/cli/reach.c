// SPDX-License-Identifier: GPL-2.0-or-later
/* From words of the command line to a node that runs; see reach.h. */
#include "cli/reach.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/nearest.h"
#include "cli/project.h"
#include "text/json.h"

#define LAST_MAX (64u << 10) /* bytes */

void kmln_reach_fini(struct kmln_reach *reach)
{
	reach->pool = kmln_pool_free(reach->pool);
}

int kmln_reach_open(struct kmln_reach *reach, const char *file, const char *project,
	bool allow_include, struct kmln_error *err)
{
	KMLN_LOADED struct kmln_loaded loaded = {0};
	int r = 0;

	if (file && project)
		return kmln_fail(err, KMLN_EUSAGE, "-f and -p both name a project");
	reach->pool = kmln_pool_new();
	if (!project) {
		r = kmln_project_load_named(&loaded, file, allow_include, err);
		project = r == 0 ? loaded.model->project : NULL;
	}
	if (r == 0)
		r = kmln_store_init(&reach->store, reach->pool, project, err);
	if (r == 0 && loaded.model)
		r = kmln_project_own(&reach->store, &loaded, err);
	if (r == 0 && !kmln_store_exists(&reach->store))
		r = kmln_fail(
			err, KMLN_ENO, "project %s is not built here (kmln up does it)", project);
	return r;
}

static int no_host(struct kmln_reach *reach, const struct kmln_strv *hosts, const char *name,
	struct kmln_error *err)
{
	const char *near = NULL;
	size_t best = SIZE_MAX;

	for (size_t i = 0; i < hosts->count; i++) {
		size_t distance = kmln_distance(name, hosts->items[i]);

		if (distance < best) {
			best = distance;
			near = hosts->items[i];
		}
	}
	if (!near)
		return kmln_fail(err, KMLN_EUSAGE, "project %s has no host '%s'",
			reach->store.project, name);
	return kmln_fail(err, KMLN_EUSAGE, "project %s has no host '%s'; did you mean %s?",
		reach->store.project, name, near);
}

static size_t position(const struct kmln_strv *hosts, const char *name)
{
	size_t i = 0;

	while (i < hosts->count && strcasecmp(hosts->items[i], name) != 0)
		i++;
	return i;
}

int kmln_reach_host(
	struct kmln_reach *reach, const char *name, const char **host, struct kmln_error *err)
{
	KMLN_STRV struct kmln_strv hosts = {0};
	int r = kmln_store_hosts(&reach->store, &hosts, err);
	size_t at = position(&hosts, name);

	if (r < 0)
		return r;
	if (at == hosts.count)
		return no_host(reach, &hosts, name, err);
	*host = kmln_pool_strdup(reach->pool, hosts.items[at]);
	return 0;
}

/* The hosts that are built, in the order of the file; those that it has no more are last. */
static int in_order(struct kmln_reach *reach, struct kmln_strv *hosts, struct kmln_error *err)
{
	KMLN_FREE char *path = kmln_printf("%s/resolved.xml", reach->store.folder);
	KMLN_LOADED struct kmln_loaded loaded = {0};
	KMLN_STRV struct kmln_strv built = {0};
	struct kmln_error unread;
	int r = kmln_store_hosts(&reach->store, &built, err);

	if (r < 0)
		return r;
	if (kmln_project_load(&loaded, path, NULL, false, false, &unread) == 0 && loaded.model)
		for (size_t i = 0; i < loaded.model->host_count; i++) {
			const char *name = loaded.model->hosts[i]->name.text;

			if (position(&built, name) < built.count)
				kmln_strv_add(hosts, name);
		}
	for (size_t i = 0; i < built.count; i++)
		if (position(hosts, built.items[i]) == hosts->count)
			kmln_strv_add(hosts, built.items[i]);
	return 0;
}

int kmln_reach_hosts(struct kmln_reach *reach, char *const *names, size_t count, bool all,
	struct kmln_strv *hosts, struct kmln_error *err)
{
	KMLN_STRV struct kmln_strv ordered = {0};
	KMLN_FREE bool *wanted = NULL;
	const char *only;
	int r;

	if (!all && count == 1) {
		r = kmln_reach_host(reach, names[0], &only, err);
		if (r == 0)
			kmln_strv_add(hosts, only);
		return r;
	}
	r = in_order(reach, &ordered, err);
	if (r < 0)
		return r;
	wanted = kmln_malloc(ordered.count + 1);
	memset(wanted, all, ordered.count + 1);
	for (size_t i = 0; i < count; i++) {
		size_t at = position(&ordered, names[i]);

		if (at == ordered.count)
			return no_host(reach, &ordered, names[i], err);
		wanted[at] = true;
	}
	for (size_t i = 0; i < ordered.count; i++)
		if (wanted[i])
			kmln_strv_add(hosts, ordered.items[i]);
	if (!hosts->count)
		return kmln_fail(err, KMLN_ENO, "project %s has no hosts", reach->store.project);
	return 0;
}

const char *kmln_reach_folder(struct kmln_reach *reach, const char *host)
{
	return kmln_store_node_folder(
		&reach->store, kmln_store_node(&reach->store, KMLN_ROLE_HOST, host));
}

/* " (it failed: kernel panic)" where its last run has left that. */
static void how_it_ended(struct kmln_reach *reach, const char *host, struct kmln_buf *out)
{
	KMLN_FREE char *path = kmln_printf("%s/last.json", kmln_reach_folder(reach, host));
	KMLN_BUF struct kmln_buf text = {0};
	KMLN_JSON struct kmln_json *last = NULL;
	const char *state, *why;
	struct kmln_error unread;

	if (kmln_read_file(path, LAST_MAX, &text, &unread) < 0 ||
		kmln_json_parse(text.data, text.size, &last, &unread) < 0)
		return;
	state = kmln_json_get(last, "state");
	why = kmln_json_get(last, "why");
	if (state)
		kmln_buf_printf(out, " (%s%s%s)",
			kmln_eq(state, "failed") ? "it has failed" : state, why ? ": " : "",
			why ? why : "");
}

int kmln_reach_connect(struct kmln_reach *reach, const char *host, struct kmln_control *control,
	struct kmln_error *err)
{
	KMLN_BUF struct kmln_buf how = {0};
	int r = kmln_control_open(control, kmln_reach_folder(reach, host), err);

	if (r != -KMLN_ENO)
		return r < 0 ? kmln_wrap(err, "%s", host) : 0;
	kmln_buf_add(&how, "", 0);
	how_it_ended(reach, host, &how);
	return kmln_fail(err, KMLN_ENO, "%s is not running%s; `kmln up` starts it", host, how.data);
}

int kmln_reach_explain(struct kmln_reach *reach, const char *host, struct kmln_error *err)
{
	KMLN_JSON struct kmln_json *status = NULL, *request = kmln_json_object();
	struct kmln_json *ask = request;
	const char *agent, *line;
	struct kmln_error silent;

	if (err->code != ENOTCONN && err->code != ENOTSUP && err->code != ETIMEDOUT)
		return kmln_wrap(err, "%s", host);
	kmln_json_set(request, "do", kmln_json_text("status"));
	request = NULL;
	if (kmln_control_call(kmln_reach_folder(reach, host), ask, 2000, &status, &silent) < 0)
		return kmln_wrap(err, "%s", host);
	agent = kmln_json_get(status, "agent");
	line = kmln_json_get(status, "last_line");
	if (err->code == ENOTSUP && kmln_eq(agent, "qemu-ga"))
		return kmln_fail(err, ENOTSUP,
			"%s: in it qemu-ga answers, which cannot do that: kmln's own agent can",
			host);
	if (agent)
		return kmln_wrap(err, "%s", host);
	return kmln_fail(err, ENOTCONN,
		"%s: its agent does not answer, %lld s after the start: it may still be on its way "
		"(kmln status), or the guest has none or hangs (kmln console %s)%s%s",
		host, (long long)kmln_json_integer(status, "up_ms", 0) / 1000, host,
		line && *line ? "; the last line there: " : "", line ? line : "");
}
