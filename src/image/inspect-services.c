// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the guest starts by itself: systemd's units that are wanted by /etc, and those that are
 * masked; OpenRC's runlevels; upstart's jobs; sysvinit's links.
 */
#include <ctype.h>
#include <string.h>

#include "image/inspect-parts.h"
#include "image/inspect.h"

#define UNITS "/etc/systemd/system"

static void add_service(struct kmln_facts *facts, const char *name, const char *by, bool masked)
{
	struct kmln_service *s = kmln_list_add(
		facts, &facts->services, &facts->service_count, sizeof(*s), "services");

	if (s)
		*s = (struct kmln_service){kmln_pool_strdup(facts->pool, name),
			kmln_pool_strdup(facts->pool, by), masked};
}

/* ---- systemd ---- */

static char *link_of(struct kmln_look *look, const char *path)
{
	KMLN_BUF struct kmln_buf target = {0};
	struct kmln_error ignored;

	if (kmln_tree_readlink(look->tree, path, &target, &ignored) < 0)
		return NULL;
	return kmln_strdup(target.data);
}

static void find_default_target(struct kmln_look *look)
{
	static const char *const places[] = {UNITS "/default.target",
		"/usr/lib/systemd/system/default.target", "/lib/systemd/system/default.target"};

	for (size_t i = 0; i < KMLN_COUNT(places) && !look->facts->default_target; i++) {
		KMLN_FREE char *target = link_of(look, places[i]);
		const char *slash = target ? strrchr(target, '/') : NULL;

		if (target)
			look->facts->default_target =
				kmln_pool_strdup(look->facts->pool, slash ? slash + 1 : target);
	}
}

static void read_wants(struct kmln_look *look, const char *folder, const char *by)
{
	KMLN_STRV struct kmln_strv names = {0};

	kmln_look_names(look, folder, &names);
	for (size_t i = 0; i < names.count; i++)
		add_service(look->facts, names.items[i], by, false);
}

static void read_units(struct kmln_look *look)
{
	KMLN_STRV struct kmln_strv names = {0};
	KMLN_BUF struct kmln_buf folder = {0};
	struct kmln_error ignored;

	find_default_target(look);
	if (kmln_tree_resolve(look->tree, UNITS, &folder, &ignored) < 0)
		return;
	kmln_look_names(look, folder.data, &names);
	for (size_t i = 0; i < names.count; i++) {
		const char *name = names.items[i], *dot = strrchr(name, '.');
		KMLN_FREE char *path = kmln_printf("%s/%s", folder.data, name);
		KMLN_FREE char *target = NULL;

		if (kmln_eq(dot, ".wants") || kmln_eq(dot, ".requires")) {
			KMLN_FREE char *by = strndup(name, (size_t)(dot - name));

			read_wants(look, path, by);
			continue;
		}
		target = link_of(look, path);
		if (kmln_eq(target, "/dev/null"))
			add_service(look->facts, name, NULL, true);
	}
}

/* ---- OpenRC ---- */

static void read_runlevels(struct kmln_look *look)
{
	KMLN_STRV struct kmln_strv levels = {0};

	kmln_look_names(look, "/etc/runlevels", &levels);
	for (size_t i = 0; i < levels.count; i++) {
		KMLN_FREE char *folder = kmln_printf("/etc/runlevels/%s", levels.items[i]);

		if (kmln_look_type(look, folder) == S_IFDIR)
			read_wants(look, folder, levels.items[i]);
	}
}

/* ---- upstart ---- */

/* "start on EVENTS" makes a job start by itself; "exec /sbin/getty ... tty1" is a login. */
void kmln_parse_upstart(struct kmln_facts *facts, const char *path, const char *text)
{
	KMLN_FREE char *copy = kmln_strdup(text), *name = NULL;
	const char *base = strrchr(path, '/');
	char *rest = copy, *line;
	bool started = false;

	name = kmln_strdup(base ? base + 1 : path);
	if (kmln_ends(name, ".conf"))
		name[strlen(name) - 5] = '\0';
	while (kmln_next_line(&rest, &line)) {
		line = kmln_trim(line);
		if (!started && kmln_starts(line, "start on ")) {
			started = true;
			add_service(facts, name, kmln_trim(line + 9), false);
		} else if (kmln_starts(line, "exec ") && strstr(line, "getty")) {
			for (char *word; (word = kmln_next_word(&line));) {
				struct kmln_login *l;

				if (!kmln_starts(word, "tty") && !kmln_starts(word, "hvc") &&
					!kmln_starts(word, "/dev/"))
					continue;
				l = kmln_list_add(facts, &facts->logins, &facts->login_count,
					sizeof(*l), "logins");
				if (l)
					*l = (struct kmln_login){
						kmln_pool_strdup(facts->pool,
							word + (kmln_starts(word, "/dev/") ? 5
											   : 0)),
						kmln_pool_strdup(facts->pool, path)};
			}
		}
	}
}

/* ---- sysvinit ---- */

/* "id:2:initdefault:" */
static char default_runlevel(const struct kmln_facts *facts)
{
	const char *data = kmln_facts_file(facts, "/etc/inittab")->data;
	KMLN_FREE char *copy = kmln_strdup(data ? data : "");
	char *rest = copy, *line;

	while (kmln_next_line(&rest, &line)) {
		const char *id = strsep(&line, ":"), *level = strsep(&line, ":");

		if (*id != '#' && level && isalnum((unsigned char)*level) &&
			kmln_eq(strsep(&line, ":"), "initdefault"))
			return *level;
	}
	return '2';
}

/* "S02ssh", in the folder of a runlevel */
static void read_rc(struct kmln_look *look, char level)
{
	static const char *const above[] = {"/etc", "/etc/rc.d"};

	for (size_t f = 0; f < KMLN_COUNT(above); f++) {
		KMLN_STRV struct kmln_strv names = {0};
		KMLN_FREE char *folder = kmln_printf("%s/rc%c.d", above[f], level);

		kmln_look_names(look, folder, &names);
		for (size_t i = 0; i < names.count; i++) {
			const char *n = names.items[i];

			if (n[0] == 'S' && isdigit((unsigned char)n[1]) &&
				isdigit((unsigned char)n[2]) && n[3])
				add_service(look->facts, n + 3, strrchr(folder, '/') + 1, false);
		}
		if (names.count)
			return; /* on Red Hat one is a link to the other */
	}
}

void kmln_inspect_services(struct kmln_look *look)
{
	struct kmln_facts *facts = look->facts;
	char level[2] = {0};

	if (facts->init == KMLN_INIT_SYSTEMD) {
		facts->service_manager = "systemd";
		read_units(look);
	} else if (facts->init == KMLN_INIT_UPSTART) {
		facts->service_manager = "upstart";
		kmln_look_folder(look, "/etc/init", ".conf", kmln_parse_upstart);
	} else if (kmln_look_type(look, "/etc/runlevels") == S_IFDIR) {
		/* under busybox's init, sysvinit, or its own */
		facts->service_manager = "openrc";
		read_runlevels(look);
	} else if (facts->init == KMLN_INIT_SYSVINIT) {
		facts->service_manager = "sysvinit";
		level[0] = default_runlevel(facts);
		facts->default_target = kmln_pool_strdup(facts->pool, level);
		read_rc(look, 'S');
		read_rc(look, level[0]);
	}
}
