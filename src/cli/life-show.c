// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What users are told while nodes start and stop: a line that is redrawn on a terminal, a line for
 * each outcome, and what the console of one that went wrong said last.
 */
#include "cli/life.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/log.h"
#include "plan/print.h"
#include "run/console.h"

#define CONSOLE_LINES 10
#define CONSOLE_BYTES 16384
#define NARROW 20 /* columns; less is not believed */

static bool drawn;

static void clear(void)
{
	if (drawn)
		fprintf(stderr, "\r\033[K");
	drawn = false;
}

static const char *call(const struct kmln_life_node *node, char *text, size_t size)
{
	snprintf(text, size, "%s %s", kmln_role_name(node->role), node->name);
	return text;
}

/* ---- waiting ---- */

static unsigned columns(void)
{
	struct winsize window;

	return ioctl(STDERR_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col >= NARROW
		       ? window.ws_col
		       : 80;
}

/* Whole characters, so many of them; each takes one column but in rare scripts. */
static int fitting(const char *text, unsigned room)
{
	size_t i = 0;

	for (; text[i] && room; room--)
		for (i++; (text[i] & 0xc0) == 0x80;)
			i++;
	return (int)i;
}

static void waits(void *data, const struct kmln_life_node *node, unsigned seconds, const char *what,
	const char *line, size_t left)
{
	KMLN_BUF struct kmln_buf text = {0};
	char name[128];

	(void)data;
	clear();
	if (!node || kmln_verbosity < 0)
		return;
	kmln_buf_printf(
		&text, "kmln: %s: %u s, waits for ", call(node, name, sizeof(name)), seconds);
	kmln_plan_escape(&text, what ? what : "its start");
	if (left > 1)
		kmln_buf_printf(&text, " (and %zu more)", left - 1);
	if (line) {
		kmln_buf_str(&text, " | ");
		kmln_plan_escape(&text, line);
	}
	/* the last column makes some terminals go on to the next line */
	fprintf(stderr, "%.*s", fitting(text.data, columns() - 1), text.data);
	drawn = true;
}

/* ---- outcomes ---- */

/* The end of its log: a guest's bytes, made plain. */
static void show_console(const struct kmln_life *life, const struct kmln_life_node *node)
{
	struct kmln_error ignored;
	KMLN_FD int fd = kmln_open(
		kmln_store_log(life->store, node->node), O_RDONLY | O_NOFOLLOW, 0, &ignored);
	KMLN_CONSOLE struct kmln_console console = {0};
	KMLN_BUF struct kmln_buf tail = {0};
	char *rest, *line;
	char bytes[CONSOLE_BYTES];
	struct stat st;
	off_t from;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0)
		return;
	from = st.st_size > (off_t)sizeof(bytes) ? st.st_size - (off_t)sizeof(bytes) : 0;
	/* a log that was full has been begun anew */
	if (from < node->log_before && node->log_before <= st.st_size)
		from = node->log_before;
	n = pread(fd, bytes, sizeof(bytes), from);
	if (n > 0)
		kmln_console_add(&console, bytes, (size_t)n);
	kmln_console_tail(&console, CONSOLE_LINES, &tail);
	if (!tail.size && node->role == KMLN_ROLE_HOST && node->ran)
		fprintf(stderr, "kmln: its console said nothing: `memory` may be too little for "
				"its kernel\n");
	if (!tail.size)
		return;
	fprintf(stderr, "kmln: its console said last:\n");
	for (rest = tail.data; (line = strsep(&rest, "\n")) && (*line || rest);) {
		KMLN_BUF struct kmln_buf plain = {0};

		kmln_buf_add(&plain, "", 0);
		kmln_plan_escape(&plain, line);
		fprintf(stderr, "  | %s\n", plain.data);
	}
}

static void settled(void *data, const struct kmln_life_node *node)
{
	const struct kmln_life *life = data;
	char name[128];

	clear();
	call(node, name, sizeof(name));
	switch (node->outcome) {
	case KMLN_OUTCOME_NONE:
		break;
	case KMLN_OUTCOME_READY:
		if (node->started && node->role == KMLN_ROLE_HOST)
			kmln_note("%s is ready", name);
		else if (node->started)
			kmln_debug("%s is ready", name);
		break;
	case KMLN_OUTCOME_LATE:
	case KMLN_OUTCOME_FAILED:
	case KMLN_OUTCOME_LEFT:
		kmln_warn("%s: %s", name, node->why);
		if (node->ran || node->outcome == KMLN_OUTCOME_LATE)
			show_console(life, node);
		break;
	case KMLN_OUTCOME_SHUT:
	case KMLN_OUTCOME_CUT:
		if (node->role == KMLN_ROLE_HOST)
			kmln_note("%s is stopped%s", name,
				node->outcome == KMLN_OUTCOME_CUT ? ", at once" : "");
		else
			kmln_debug("%s is stopped", name);
		break;
	}
}

static void hook(void *data, const char *name)
{
	(void)data;
	clear();
	kmln_note("%s", name);
}

void kmln_life_tell_user(struct kmln_life *life)
{
	life->tell = (struct kmln_life_tell){
		.data = life,
		.settled = settled,
		.waits = isatty(STDERR_FILENO) ? waits : NULL,
		.hook = hook,
	};
}
