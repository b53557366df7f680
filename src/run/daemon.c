// SPDX-License-Identifier: GPL-2.0-or-later
/* Hearing, explaining and ending qemu-storage-daemon; see daemon.h. */
#include "run/daemon.h"

#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define WORDS_LIMIT 4096

/* Milliseconds. */
#define START_LIMIT 60000
#define FINISH_LIMIT 30000
#define TICK 2

static int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Takes what there is, and closes at the end. The words are cut off in the middle, not at the end:
 * the last ones tell why it ended. */
static void take(int *fd, struct kmln_buf *words)
{
	char piece[4096];
	ssize_t n;

	while (*fd >= 0) {
		n = read(*fd, piece, sizeof(piece));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			kmln_close_cleanup(fd);
			return;
		}
		if (words->size > WORDS_LIMIT)
			words->size = WORDS_LIMIT / 2;
		kmln_buf_add(words, piece, (size_t)n);
	}
}

void kmln_daemon_hear(struct kmln_daemon *daemon)
{
	take(&daemon->process.words, &daemon->words);
	/* the greeting and answers of its monitor */
	if (daemon->monitored)
		take(&daemon->process.console, &daemon->answers);
}

const char *kmln_daemon_words(struct kmln_daemon *daemon)
{
	struct kmln_buf *words = &daemon->words;
	char *text, *line;

	while (words->size && words->data[words->size - 1] == '\n')
		words->data[--words->size] = '\0';
	if (!words->size)
		return NULL;
	/* QEMU asks below the line that tells what happened */
	text = strstr(words->data, "\nIs another process using");
	if (text)
		*text = '\0';
	line = strrchr(words->data, '\n');
	line = line ? line + 1 : words->data;
	text = strstr(line, "}: ");
	if (text)
		return text + 3;
	return kmln_starts(line, KMLN_DAEMON_PROGRAM ": ") ? line + strlen(KMLN_DAEMON_PROGRAM ": ")
							   : line;
}

static bool in_use(const char *words)
{
	return strstr(words, "\" lock") || strstr(words, "Failed to lock");
}

int kmln_daemon_explain(struct kmln_daemon *daemon, const char *what, struct kmln_error *err)
{
	const char *words;

	take(&daemon->process.walls, &daemon->walls);
	kmln_daemon_hear(daemon);
	words = kmln_daemon_words(daemon);
	if (!daemon->walls.size || !kmln_starts(daemon->walls.data, "ok\n"))
		return kmln_fail(err, KMLN_ELACK,
			KMLN_DAEMON_PROGRAM
			", which reads images of this format, cannot be confined on this host: %s; "
			"qemu-img convert -O raw FILE NEW makes an image that is read without it",
			daemon->walls.size ? daemon->walls.data
			: words		   ? words
					   : "no words");
	if (!words) /* somebody ended it */
		return kmln_fail(err, EIO, KMLN_DAEMON_PROGRAM ", which serves the image, ended");
	if (in_use(words))
		return kmln_fail(err, EBUSY, KMLN_IN_USE);
	return kmln_fail(err, KMLN_EINVALID, "QEMU cannot %s: %s", what, words);
}

int kmln_daemon_lost(struct kmln_daemon *daemon, const char *what, struct kmln_error *err)
{
	const char *words;

	kmln_daemon_hear(daemon);
	words = kmln_daemon_words(daemon);
	return kmln_fail(err, EIO, "%s: " KMLN_DAEMON_PROGRAM ", which serves the image, ended%s%s",
		what, words ? ": " : "", words ? words : "");
}

int kmln_daemon_serve(struct kmln_daemon *daemon, const struct kmln_spawn *spawn,
	const sigset_t *mask, int signals, struct kmln_error *err)
{
	int64_t deadline = now() + START_LIMIT;
	int r;

	daemon->monitored = true;
	r = kmln_process_start(&daemon->process, spawn, mask, err);
	while (r == 0 && !daemon->answers.size) {
		struct pollfd fds[] = {
			{daemon->process.pidfd, POLLIN, 0},
			{daemon->process.words, POLLIN, 0},
			{daemon->process.console, POLLIN, 0},
			{signals, POLLIN, 0},
		};
		int64_t left = deadline - now();

		poll(fds, KMLN_COUNT(fds), left > 0 ? (int)left : 0);
		kmln_daemon_hear(daemon);
		if (fds[3].revents)
			return kmln_fail(err, EINTR, "ended by a signal");
		if (fds[0].revents)
			return kmln_daemon_explain(daemon, "serve it", err);
		if (left <= 0)
			r = kmln_fail(err, ETIMEDOUT,
				KMLN_DAEMON_PROGRAM " did not begin within %d seconds",
				START_LIMIT / 1000);
	}
	return r;
}

/* Closes the image well, so that nothing in it says that it was left in the middle. */
static void finish(struct kmln_daemon *daemon)
{
	static const char quit[] = "{\"execute\":\"qmp_capabilities\"}{\"execute\":\"quit\"}";
	struct pollfd fd = {daemon->process.pidfd, POLLIN, 0};
	int64_t deadline = now() + FINISH_LIMIT;

	if (daemon->process.console < 0 ||
		send(daemon->process.console, quit, sizeof(quit) - 1, MSG_NOSIGNAL) < 0)
		return;
	while (!(poll(&fd, 1, TICK) > 0 && fd.revents) && now() < deadline)
		kmln_daemon_hear(daemon);
}

void kmln_daemon_stop(struct kmln_daemon *daemon)
{
	if (daemon->monitored && daemon->process.pid)
		finish(daemon);
	kmln_process_cleanup(&daemon->process);
	kmln_buf_fini(&daemon->words);
	kmln_buf_fini(&daemon->walls);
	kmln_buf_fini(&daemon->answers);
	*daemon = KMLN_DAEMON_NONE;
}
