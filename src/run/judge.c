// SPDX-License-Identifier: GPL-2.0-or-later
/* Why a program ended; see judge.h. */
#include "run/judge.h"

#include <signal.h>
#include <string.h>

#include "run/sandbox.h"

/* The last line of the program's own words, for an error. */
static const char *last_words(const struct kmln_ending *e, struct kmln_buf *line)
{
	kmln_console_tail(e->words, 1, line);
	while (line->size && line->data[line->size - 1] == '\n')
		line->data[--line->size] = '\0';
	return line->size ? line->data : "no words";
}

/* A machine that never started: its walls, or what should have started behind them. */
static int walls_failed(const struct kmln_ending *e, const char *words, struct kmln_error *err)
{
	if (e->walls->size)
		return kmln_fail(err, EIO, "cannot be confined: %s", e->walls->data);
	if (e->spawn->confined)
		return kmln_sandbox_lack(words, err);
	return kmln_fail(err, EIO, "cannot be started: %s", words);
}

int kmln_judge(const struct kmln_ending *e, struct kmln_error *err)
{
	KMLN_BUF struct kmln_buf line = {0};
	const char *words = last_words(e, &line);
	const char *panic = *e->console->panic ? e->console->panic : e->words->panic;
	const char *locked = *e->console->locked ? e->console->locked : e->words->locked;

	if (!e->spawn->open && (!e->walls->size || !kmln_starts(e->walls->data, "ok\n")))
		return walls_failed(e, words, err);
	if (e->walls->size > 3)
		return kmln_fail(err, EIO, "cannot be started: %s", e->walls->data + 3);
	/* QEMU: Failed to get "write" lock; Failed to lock byte 100; and a question below that */
	if (e->status && !*locked &&
		(strstr(words, "\" lock") || strstr(words, "Failed to lock") ||
			kmln_starts(words, "Is another process using")))
		locked = words;
	if (*locked)
		return kmln_fail(err, EBUSY, "in use by another machine or program (%s)", locked);
	if (*panic)
		return kmln_fail(err, EIO, "the guest's kernel gave up: %s", panic);
	if (e->words->text.size && strstr(e->words->text.data, "KVM internal error"))
		return kmln_fail(err, EIO, "KVM cannot run this guest: KVM internal error");
	if (e->status == 128 + SIGABRT)
		return kmln_fail(err, EIO, "the machine's program aborted: %s", words);
	if (e->status)
		return kmln_fail(err, EIO, "the machine's program ended with status %d: %s",
			e->status, words);
	return 0;
}
