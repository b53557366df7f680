// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Lines that the guest runs: early at boot (what other kinds asked for), when it has started, when
 * it ends. Each is one script of kmln's own; who runs them depends on the guest's init.
 */
#include <string.h>

#include "guest/set.h"

#define UNITS "/etc/systemd/system"
#define WANTS UNITS "/multi-user.target.wants"
#define LOCAL "/etc/local.d"
#define WHY "what it runs"

enum { BOOT, STARTUP, SHUTDOWN, SCRIPTS };

static const struct {
	const char *path, *unit, *text;
} scripts[] = {
	[BOOT] = {KMLN_SET_BOOT, "kmln-boot.service",
		"# written by kmln\n[Unit]\nDescription=kmln: before the guest's services\n"
		"Before=network.target ssh.service sshd.service\n\n"
		"[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/sh " KMLN_SET_BOOT
		"\n\n[Install]\nWantedBy=multi-user.target\n"},
	[STARTUP] = {KMLN_SET_STARTUP, "kmln-startup.service",
		"# written by kmln\n[Unit]\nDescription=kmln: startup lines\n"
		"After=network.target network-online.target remote-fs.target\n\n"
		"[Service]\nType=oneshot\nRemainAfterExit=yes\nStandardOutput=journal+console\n"
		"ExecStart=/bin/sh " KMLN_SET_STARTUP
		"\n\n[Install]\nWantedBy=multi-user.target\n"},
	[SHUTDOWN] = {KMLN_SET_SHUTDOWN, "kmln-shutdown.service",
		"# written by kmln\n[Unit]\nDescription=kmln: shutdown lines\n"
		"After=network.target remote-fs.target kmln-boot.service\n\n"
		"[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\n"
		"ExecStop=/bin/sh " KMLN_SET_SHUTDOWN
		"\n\n[Install]\nWantedBy=multi-user.target\n"},
};

#define DEPEND "/etc/init.d/.depend."
#define INIT_BOOT "/etc/init.d/kmln-boot"
#define INIT_LINES "/etc/init.d/kmln"

/* Where sysvinit's runlevels have their links; those of old guests are found through links. */
static const struct {
	const char *path, *target;
	bool boot;
} links[] = {
	{"/etc/rcS.d/S99kmln-boot", "../init.d/kmln-boot", true},
	{"/etc/rc2.d/S99kmln", "../init.d/kmln", false},
	{"/etc/rc3.d/S99kmln", "../init.d/kmln", false},
	{"/etc/rc4.d/S99kmln", "../init.d/kmln", false},
	{"/etc/rc5.d/S99kmln", "../init.d/kmln", false},
	{"/etc/rc0.d/K01kmln", "../init.d/kmln", false},
	{"/etc/rc6.d/K01kmln", "../init.d/kmln", false},
};

static void look(const struct kmln_set *set, struct kmln_strv *paths)
{
	kmln_set_look(paths, "/etc/inittab");
	kmln_set_look(paths, DEPEND "boot");
	kmln_set_look(paths, DEPEND "start");
	kmln_set_look(paths, DEPEND "stop");
	kmln_set_look(paths, INIT_BOOT);
	kmln_set_look(paths, INIT_LINES);
	kmln_set_look(paths, LOCAL "/kmln.start");
	kmln_set_look(paths, LOCAL "/kmln.stop");
	kmln_set_look(paths, "/etc/runlevels/default/local");
	for (size_t i = 0; i < SCRIPTS; i++) {
		kmln_set_look(paths, scripts[i].path);
		kmln_set_look(paths, kmln_pool_printf(set->pool, UNITS "/%s", scripts[i].unit));
		kmln_set_look(paths, kmln_pool_printf(set->pool, WANTS "/%s", scripts[i].unit));
	}
	for (size_t i = 0; i < KMLN_COUNT(links); i++)
		kmln_set_look(paths, links[i].path);
}

/* ---- by init ---- */

static int run_by_systemd(struct kmln_set *set, const bool *wanted, struct kmln_error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < SCRIPTS; i++) {
		const char *path = kmln_pool_printf(set->pool, UNITS "/%s", scripts[i].unit);
		const struct kmln_set_file unit = {
			path, scripts[i].text, strlen(scripts[i].text), 0644, 0, 0, NULL};

		if (!wanted[i])
			continue;
		r = kmln_set_own(set, &unit, WHY, err);
		if (r == 0)
			r = kmln_set_link(set,
				kmln_pool_printf(set->pool, WANTS "/%s", scripts[i].unit), path,
				WHY, err);
	}
	return r;
}

static int add_init_script(struct kmln_set *set, const char *path, const char *start,
	const char *stop, const char *levels, struct kmln_error *err)
{
	const char *name = strrchr(path, '/') + 1;
	const char *text = kmln_pool_printf(set->pool,
		"#!/bin/sh\n# written by kmln\n### BEGIN INIT INFO\n# Provides:          %s\n%s"
		"# Short-Description: kmln's settings of this guest\n### END INIT INFO\n"
		"case \"$1\" in\nstart) %s ;;\nstop) %s ;;\nesac\nexit 0\n",
		name, levels, start, stop);
	const struct kmln_set_file file = {path, text, strlen(text), 0755, 0, 0, NULL};

	return kmln_set_own(set, &file, WHY, err);
}

/*
 * insserv's orders, by which Debian starts scripts side by side: what they do not name is not run.
 * A script is added to the names, and behind (or before) what is to be done first.
 */
static int add_to_line(struct kmln_set *set, const char *path, const char *head, const char *word,
	struct kmln_error *err)
{
	struct kmln_set_text *text = kmln_set_text_there(set, path);
	const char *at = text ? text->text.data : NULL;

	while (at && *at && !kmln_starts(at, head)) {
		at += strcspn(at, "\n");
		at += *at == '\n';
	}
	if (!at || !*at)
		return 0;
	return kmln_set_line(set, path, head,
		kmln_pool_printf(set->pool, "%.*s %s", (int)strcspn(at, "\n"), at, word), WHY, err);
}

/* The same where the script may have waited for nothing so far, and has no line. */
static int put_first(struct kmln_set *set, const char *path, const char *head, const char *word,
	struct kmln_error *err)
{
	const struct kmln_set_text *text = kmln_set_text_there(set, path);

	if (text && strstr(text->text.data, kmln_pool_printf(set->pool, "\n%s", head)))
		return add_to_line(set, path, head, word, err);
	return kmln_set_line(
		set, path, head, kmln_pool_printf(set->pool, "%s %s", head, word), WHY, err);
}

static int order(struct kmln_set *set, const bool *wanted, struct kmln_error *err)
{
	bool lines = wanted[STARTUP] || wanted[SHUTDOWN];
	int r = 0;

	if (wanted[BOOT] && kmln_set_there(set, DEPEND "boot")) {
		r = add_to_line(set, DEPEND "boot", "TARGETS =", "kmln-boot", err);
		if (r == 0)
			r = add_to_line(set, DEPEND "boot", "networking:", "kmln-boot", err);
		if (r == 0)
			r = kmln_set_line(set, DEPEND "boot",
				"kmln-boot:", "kmln-boot: mountall.sh mountall-bootclean.sh", WHY,
				err);
	}
	if (r == 0 && lines && kmln_set_there(set, DEPEND "start")) {
		r = add_to_line(set, DEPEND "start", "TARGETS =", "kmln", err);
		if (r == 0)
			r = kmln_set_line(set, DEPEND "start",
				"kmln:", "kmln: bootlogs rmnologin rc.local", WHY, err);
	}
	if (r == 0 && lines && kmln_set_there(set, DEPEND "stop")) {
		r = add_to_line(set, DEPEND "stop", "TARGETS =", "kmln", err);
		if (r == 0)
			r = put_first(set, DEPEND "stop", "sendsigs:", "kmln", err);
	}
	return r;
}

static int run_by_sysvinit(struct kmln_set *set, const bool *wanted, struct kmln_error *err)
{
	static const char early[] = "# Required-Start:    $local_fs\n# Required-Stop:\n"
				    "# X-Start-Before:    networking\n"
				    "# Default-Start:     S\n# Default-Stop:\n";
	static const char late[] = "# Required-Start:    $all\n# Required-Stop:     $all\n"
				   "# Default-Start:     2 3 4 5\n# Default-Stop:      0 1 6\n";
	bool lines = wanted[STARTUP] || wanted[SHUTDOWN];
	int r = 0;

	if (wanted[BOOT])
		r = add_init_script(set, INIT_BOOT, "/bin/sh " KMLN_SET_BOOT, ":", early, err);
	if (r == 0 && lines)
		r = add_init_script(set, INIT_LINES,
			wanted[STARTUP] ? "/bin/sh " KMLN_SET_STARTUP : ":",
			wanted[SHUTDOWN] ? "/bin/sh " KMLN_SET_SHUTDOWN : ":", late, err);
	for (size_t i = 0; r == 0 && i < KMLN_COUNT(links); i++)
		if (links[i].boot ? wanted[BOOT] : lines)
			r = kmln_set_link(set, links[i].path, links[i].target, WHY, err);
	return r < 0 ? r : order(set, wanted, err);
}

static int run_by_busybox(struct kmln_set *set, const bool *wanted, struct kmln_error *err)
{
	KMLN_BUF struct kmln_buf body = {0};

	/* its defaults hold only where there is no inittab at all */
	if (!kmln_set_there(set, "/etc/inittab") &&
		(wanted[BOOT] || wanted[STARTUP] || wanted[SHUTDOWN]))
		return kmln_fail(
			err, KMLN_EINVALID, "the guest has no /etc/inittab to start lines at boot");
	if (wanted[BOOT])
		kmln_buf_str(&body, "::wait:/bin/sh " KMLN_SET_BOOT "\n");
	if (wanted[STARTUP])
		kmln_buf_str(&body, "::once:/bin/sh " KMLN_SET_STARTUP "\n");
	if (wanted[SHUTDOWN])
		kmln_buf_str(&body, "::shutdown:/bin/sh " KMLN_SET_SHUTDOWN "\n");
	/* first: what is shut down later in the list unmounts everything */
	return kmln_set_block(set, "/etc/inittab", "scripts", &body, true, WHY, err);
}

static int run_by_openrc(struct kmln_set *set, const bool *wanted, struct kmln_error *err)
{
	KMLN_BUF struct kmln_buf start = {0}, stop = {0};
	int r = 0;

	if (wanted[BOOT])
		kmln_buf_str(&start, "/bin/sh " KMLN_SET_BOOT "\n");
	if (wanted[STARTUP])
		kmln_buf_str(&start, "/bin/sh " KMLN_SET_STARTUP "\n");
	if (wanted[SHUTDOWN])
		kmln_buf_str(&stop, "# written by kmln\n/bin/sh " KMLN_SET_SHUTDOWN "\n");
	if (start.size) {
		kmln_text_splice(&start, 0, 0, "# written by kmln\n", 18);
		r = kmln_set_own_text(set, LOCAL "/kmln.start", &start, 0755, WHY, err);
	}
	if (r == 0 && stop.size)
		r = kmln_set_own_text(set, LOCAL "/kmln.stop", &stop, 0755, WHY, err);
	if (r == 0 && (start.size || stop.size))
		r = kmln_set_link(
			set, "/etc/runlevels/default/local", "/etc/init.d/local", WHY, err);
	return r;
}

static int run_them(struct kmln_set *set, const bool *wanted, struct kmln_error *err)
{
	switch (set->facts->init) {
	case KMLN_INIT_SYSTEMD:
		return run_by_systemd(set, wanted, err);
	case KMLN_INIT_SYSVINIT:
	case KMLN_INIT_UPSTART:
		return run_by_sysvinit(set, wanted, err);
	case KMLN_INIT_BUSYBOX:
		return run_by_busybox(set, wanted, err);
	case KMLN_INIT_OPENRC:
		return run_by_openrc(set, wanted, err);
	default:
		if (!wanted[BOOT] && !wanted[STARTUP] && !wanted[SHUTDOWN])
			return 0;
		return kmln_fail(err, KMLN_EINVALID,
			"the guest's init (%s) has no place for lines to be run",
			kmln_init_name(set->facts->init));
	}
}

static int plan(struct kmln_set *set, struct kmln_error *err)
{
	const char *const *lines[SCRIPTS] = {NULL, set->settings->startup, set->settings->shutdown};
	const struct kmln_buf *before[SCRIPTS] = {[BOOT] = &set->boot, [STARTUP] = &set->start};
	bool wanted[SCRIPTS];
	int r = 0;

	for (size_t i = 0; r == 0 && i < SCRIPTS; i++) {
		KMLN_BUF struct kmln_buf text = {0};

		wanted[i] = (before[i] && before[i]->size) || (lines[i] && *lines[i]);
		if (!wanted[i])
			continue;
		kmln_buf_str(&text, "# written by kmln\n");
		if (before[i] && before[i]->size)
			kmln_buf_add(&text, before[i]->data, before[i]->size);
		for (const char *const *l = lines[i]; l && *l; l++)
			kmln_buf_printf(&text, "%s\n", *l);
		r = kmln_set_own_text(set, scripts[i].path, &text, 0700, WHY, err);
	}
	return r < 0 ? r : run_them(set, wanted, err);
}

const struct kmln_setting kmln_set_scripts = {.name = "scripts", .look = look, .plan = plan};
