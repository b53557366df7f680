// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A login on the platform's console. systemd makes one from console= by itself; inittab needs a
 * line, which is added at its end; securetty, where it is used, must name the terminal.
 */
#include "guest/steps.h"
#include "guest/vouch.h"

#include <string.h>

static bool has_login(const struct kmln_facts *facts, const char *tty)
{
	for (size_t i = 0; i < facts->login_count; i++)
		if (kmln_eq(facts->logins[i].tty, tty) || kmln_eq(facts->logins[i].tty, "console"))
			return true;
	return false;
}

/* True where the text has a line that begins with these words. */
static bool has_line(const char *text, const char *start)
{
	for (const char *line = text; line && *line;) {
		if (kmln_starts(line, start))
			return true;
		line = strchrnul(line, '\n');
		line += *line == '\n';
	}
	return false;
}

/* Adds a line at the end of the text, which gets a last newline first where it lacks one. */
static void append_line(struct kmln_buf *text, const char *line)
{
	if (text->size && text->data[text->size - 1] != '\n')
		kmln_buf_str(text, "\n");
	kmln_buf_printf(text, "%s\n", line);
}

static int want_text(struct kmln_planning *planning, const char *path, const char *why,
	const struct kmln_buf *text, struct kmln_error *err)
{
	return kmln_want_file(planning, "login", why, path,
		kmln_pool_memdup(planning->edits->pool, text->data, text->size), text->size, 0644,
		true, err);
}

/*
 * Xen's console is there under Xen only, and a getty without its terminal ends at once and is
 * started again for ever: elsewhere it sleeps.
 */
static char *getty(struct kmln_pool *pool, const char *tty)
{
	if (!kmln_starts(tty, "hvc"))
		return kmln_pool_printf(pool, "/sbin/getty -L %s 115200 vt100", tty);
	return kmln_pool_printf(pool,
		"/bin/sh -c '[ -c /dev/%s ] || exec sleep 86400; exec /sbin/getty -L %s 115200 vt100'",
		tty, tty);
}

/* inittab's first field is at most two to four letters and must not be taken. */
static char *inittab_line(struct kmln_planning *planning, const char *text, const char *tty)
{
	struct kmln_pool *pool = planning->edits->pool;

	/* busybox opens the terminal that the field names, whatever the process does then */
	if (planning->facts->init == KMLN_INIT_BUSYBOX)
		return kmln_pool_printf(pool, "%s::respawn:%s", kmln_starts(tty, "hvc") ? "" : tty,
			getty(pool, tty));
	for (unsigned i = 0;; i++) {
		KMLN_FREE char *id = kmln_printf("T%u:", i);

		if (!has_line(text, id))
			return kmln_pool_printf(pool, "%s2345:respawn:%s", id, getty(pool, tty));
	}
}

static int plan_inittab(
	struct kmln_planning *planning, const char *const *ttys, struct kmln_error *err)
{
	const struct kmln_known_file *file = kmln_facts_file(planning->facts, "/etc/inittab");
	KMLN_BUF struct kmln_buf text = {0};
	bool added = false;

	kmln_buf_str(&text, file->data ? file->data : "");
	for (; *ttys; ttys++) {
		if (has_login(planning->facts, *ttys))
			continue;
		kmln_missing(planning, "a login on %s in /etc/inittab", *ttys);
		added = true;
		if (planning->edits)
			append_line(&text, inittab_line(planning, text.data, *ttys));
	}
	return added && planning->edits ? want_text(planning, "/etc/inittab",
						  "a login on the serial console", &text, err)
					: 0;
}

static int plan_securetty(
	struct kmln_planning *planning, const char *const *ttys, struct kmln_error *err)
{
	const struct kmln_known_file *file = kmln_facts_file(planning->facts, "/etc/securetty");
	KMLN_BUF struct kmln_buf text = {0};
	bool added = false;

	if (!file->data)
		return 0;
	kmln_buf_str(&text, file->data);
	for (; *ttys; ttys++) {
		if (has_line(file->data, *ttys))
			continue;
		kmln_missing(planning, "%s in /etc/securetty", *ttys);
		added = true;
		append_line(&text, *ttys);
	}
	return added && planning->edits
		       ? want_text(planning, "/etc/securetty",
				 "root may log in on the serial console", &text, err)
		       : 0;
}

static int plan(struct kmln_planning *planning, struct kmln_error *err)
{
	const struct kmln_facts *facts = planning->facts;
	const char *const ttys[] = {
		planning->platform->console, planning->platform->second_console, NULL};
	int r = 0;

	if (!*ttys || facts->init == KMLN_INIT_NONE)
		return 0;
	if (facts->init == KMLN_INIT_SYSVINIT || facts->init == KMLN_INIT_BUSYBOX ||
		facts->init == KMLN_INIT_OPENRC)
		r = plan_inittab(planning, ttys, err);
	return r < 0 ? r : plan_securetty(planning, ttys, err);
}

/* True where the text is "T0:2345:respawn:" or, for busybox, "ttyS0::respawn:", and our getty. */
static bool is_line_for(const char *text, size_t size, const char *tty, struct kmln_pool *pool)
{
	static const char levels[] = ":2345:respawn:", none[] = "::respawn:";
	const char *process = getty(pool, tty);
	size_t length = strlen(process), head;

	if (size < length || memcmp(text + size - length, process, length) != 0)
		return false;
	head = size - length;
	if (head > strlen(levels) && text[0] == 'T' &&
		memcmp(text + head - strlen(levels), levels, strlen(levels)) == 0)
		return kmln_is_small_number(text + 1, head - strlen(levels) - 1);
	if (!kmln_starts(tty, "hvc")) {
		if (head < strlen(tty) || memcmp(text, tty, strlen(tty)) != 0)
			return false;
		text += strlen(tty);
		head -= strlen(tty);
	}
	return head == strlen(none) && memcmp(text, none, head) == 0;
}

static bool is_inittab_line(const char *text, size_t size)
{
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();

	for (const struct kmln_platform *const *p = kmln_platforms; *p; p++)
		if ((*p)->console && is_line_for(text, size, (*p)->console, pool))
			return true;
	return false;
}

static bool could_write(const struct kmln_facts *facts, const struct kmln_record_item *item)
{
	const char *text = kmln_added_lines(item);
	const bool inittab = kmln_is_place(facts, "/etc/inittab", item->path);

	if (!text || (!inittab && (!kmln_is_place(facts, "/etc/securetty", item->path) ||
					  item->was != KMLN_WAS_KEPT)))
		return false;
	for (size_t n; *text; text += n + 1) {
		n = strcspn(text, "\n");
		if (!(inittab ? is_inittab_line(text, n) : kmln_is_console(text, n)))
			return false;
	}
	return true;
}

const struct kmln_step kmln_step_login = {
	.name = "login",
	.summary = "offer a login on the platform's console",
	.plan = plan,
	.could_write = could_write,
};
