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

static int append_line(struct kmln_planning *planning, const char *path, const char *why,
	const char *line, struct kmln_error *err)
{
	const struct kmln_known_file *file = kmln_facts_file(planning->facts, path);
	KMLN_BUF struct kmln_buf text = {0};

	if (file->data)
		kmln_buf_str(&text, file->data);
	if (text.size && text.data[text.size - 1] != '\n')
		kmln_buf_str(&text, "\n");
	kmln_buf_printf(&text, "%s\n", line);
	return kmln_want_file(planning, "login", why, path,
		kmln_pool_memdup(planning->edits->pool, text.data, text.size), text.size, 0644,
		true, err);
}

/* inittab's first field is at most two to four letters and must not be taken. */
static char *inittab_line(struct kmln_planning *planning, const char *tty)
{
	const char *text = kmln_facts_file(planning->facts, "/etc/inittab")->data;
	struct kmln_pool *pool = planning->edits->pool;

	if (planning->facts->init == KMLN_INIT_BUSYBOX)
		return kmln_pool_printf(
			pool, "%s::respawn:/sbin/getty -L %s 115200 vt100", tty, tty);
	for (unsigned i = 0;; i++) {
		KMLN_FREE char *id = kmln_printf("T%u:", i);

		if (!has_line(text, id))
			return kmln_pool_printf(
				pool, "%s2345:respawn:/sbin/getty -L %s 115200 vt100", id, tty);
	}
}

static int plan(struct kmln_planning *planning, struct kmln_error *err)
{
	const struct kmln_facts *facts = planning->facts;
	const char *tty = planning->platform->console;
	const struct kmln_known_file *securetty = kmln_facts_file(facts, "/etc/securetty");
	bool inittab = facts->init == KMLN_INIT_SYSVINIT || facts->init == KMLN_INIT_BUSYBOX ||
		       facts->init == KMLN_INIT_OPENRC;
	int r = 0;

	if (!tty || facts->init == KMLN_INIT_NONE)
		return 0;
	if (inittab && !has_login(facts, tty)) {
		kmln_missing(planning, "a login on %s in /etc/inittab", tty);
		if (planning->edits)
			r = append_line(planning, "/etc/inittab", "a login on the serial console",
				inittab_line(planning, tty), err);
	}
	if (r == 0 && securetty->data && !has_line(securetty->data, tty)) {
		kmln_missing(planning, "%s in /etc/securetty", tty);
		if (planning->edits)
			r = append_line(planning, "/etc/securetty",
				"root may log in on the serial console", tty, err);
	}
	return r;
}

/* "T0:2345:respawn:" or, for busybox, "ttyS0::respawn:", and the getty for one of our consoles. */
static bool is_inittab_line(const char *line)
{
	static const char getty[] = "respawn:/sbin/getty -L ", end[] = " 115200 vt100\n";
	const char *program = strstr(line, getty), *tty = program ? program + strlen(getty) : NULL;
	size_t head = program ? (size_t)(program - line) : 0;
	size_t n = program ? strcspn(tty, " ") : 0;

	if (!n || strcmp(tty + n, end) != 0 || !kmln_is_console(tty, n))
		return false;
	if (line[0] == 'T' && head > 6 && memcmp(program - 6, ":2345:", 6) == 0)
		return kmln_is_small_number(line + 1, head - 7);
	return head == n + 2 && memcmp(line, tty, n) == 0 && memcmp(line + n, "::", 2) == 0;
}

static bool could_write(const struct kmln_facts *facts, const struct kmln_record_item *item)
{
	const char *line = kmln_added_line(item);

	if (!line)
		return false;
	if (kmln_is_place(facts, "/etc/inittab", item->path))
		return is_inittab_line(line);
	return kmln_is_place(facts, "/etc/securetty", item->path) && item->was == KMLN_WAS_KEPT &&
	       kmln_is_console(line, strlen(line) - 1);
}

const struct kmln_step kmln_step_login = {
	.name = "login",
	.summary = "offer a login on the platform's console",
	.plan = plan,
	.could_write = could_write,
};
