// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A child writes lines to a pipe: "n" and a note, "w" and a warning, "p" and how far it is, "e" and
 * its error. The parent alone writes to the terminal.
 */
#include "cli/many.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "cli/cli.h"

struct worker {
	pid_t pid; /* 0: not running */
	size_t index;
	int pipe;
	struct kmln_buf line;
	char progress[64];
};

struct many {
	const char *const *names;
	struct worker *workers;
	unsigned parallel;
	bool terminal;
	unsigned drawn; /* lines of progress that stand on the terminal */
	struct kmln_strv failed;
};

/* ---- the child ---- */

static int report_pipe = -1;

static void send(char kind, const char *text)
{
	KMLN_BUF struct kmln_buf line = {0};
	struct kmln_error ignored;

	kmln_buf_printf(&line, "%c%s\n", kind, text);
	/* the parent is gone: then so are we, see start() */
	kmln_write_all(report_pipe, line.data, line.size, &ignored);
}

static void send_log(enum kmln_level level, const char *text)
{
	if (level == KMLN_LOG_WARNING || (level == KMLN_LOG_NOTE && kmln_verbosity >= 0) ||
		kmln_verbosity > 0)
		send(level == KMLN_LOG_WARNING ? 'w' : 'n', text);
}

static void send_progress(const char *what, unsigned long long done, unsigned long long total)
{
	KMLN_FREE char *text =
		total ? kmln_printf("%s %llu %%", what, done * 100 / total) : kmln_strdup("");
	static char *last;

	if (kmln_eq(text, last))
		return;
	send('p', text);
	free(last);
	last = kmln_strdup(text);
}

static int run_child(int (*work)(void *, size_t, struct kmln_error *), void *data, size_t index)
{
	struct kmln_error err = {0};

	kmln_log_set(send_log);
	kmln_progress_set(send_progress);
	if (work(data, index, &err) == 0)
		return 0;
	send('e', err.text);
	return kmln_exit_status(&err);
}

/* ---- the parent ---- */

static void erase(struct many *many)
{
	for (; many->drawn; many->drawn--)
		fprintf(stderr, "\033[A\r\033[K");
}

static void draw(struct many *many)
{
	erase(many);
	for (unsigned i = 0; many->terminal && i < many->parallel; i++)
		if (many->workers[i].pid) {
			fprintf(stderr, "kmln: %s: %s\n", many->names[many->workers[i].index],
				many->workers[i].progress[0] ? many->workers[i].progress : "...");
			many->drawn++;
		}
}

static void say(struct many *many, const struct worker *worker, const char *line)
{
	const char *name = many->names[worker->index], *text = line + 1;

	/* an error may name its image already */
	if (kmln_starts(text, name) && text[strlen(name)] == ':')
		text += strlen(name) + 1 + strspn(text + strlen(name) + 1, " ");
	erase(many);
	fprintf(stderr, "kmln: %s%s: %s\n", line[0] == 'w' ? "warning: " : "", name, text);
}

static void hear(struct many *many, struct worker *worker)
{
	char piece[4096];
	ssize_t n = read(worker->pipe, piece, sizeof(piece));
	char *rest, *line, *start;

	if (n > 0)
		kmln_buf_add(&worker->line, piece, (size_t)n);
	if (!worker->line.data)
		return;
	for (start = rest = worker->line.data; (line = rest) && (rest = strchr(line, '\n'));
		start = ++rest) {
		*rest = '\0';
		if (*line == 'p')
			snprintf(worker->progress, sizeof(worker->progress), "%s", line + 1);
		else
			say(many, worker, line);
	}
	/* what is left is the beginning of the next line */
	KMLN_FREE char *left = kmln_strdup(start);
	worker->line.size = 0;
	kmln_buf_str(&worker->line, left);
}

static int start(struct many *many, struct worker *worker, size_t index,
	int (*work)(void *, size_t, struct kmln_error *), void *data, struct kmln_error *err)
{
	pid_t parent = getpid();
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return kmln_fail_sys(err, errno, "pipe");
	fflush(stderr);
	worker->pid = fork();
	if (worker->pid == 0) {
		/* none of us goes on alone */
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		if (getppid() != parent)
			_exit(1);
		close(ends[0]);
		report_pipe = ends[1];
		_exit(run_child(work, data, index));
	}
	close(ends[1]);
	if (worker->pid < 0) {
		int code = errno;

		worker->pid = 0;
		close(ends[0]);
		return kmln_fail_sys(err, code, "fork");
	}
	worker->index = index;
	worker->pipe = ends[0];
	worker->progress[0] = '\0';
	(void)many;
	return 0;
}

/* Its pipe has closed: it ends. */
static void end(struct many *many, struct worker *worker)
{
	int status;

	while (waitpid(worker->pid, &status, 0) < 0 && errno == EINTR)
		;
	if (!WIFEXITED(status)) {
		KMLN_FREE char *text = kmln_printf("eended by signal %d", WTERMSIG(status));

		say(many, worker, text);
	}
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		kmln_strv_add(&many->failed, many->names[worker->index]);
	worker->pid = 0;
	close(worker->pipe);
	worker->line.size = 0;
}

/* Waits for one of them to say something. */
static void listen_once(struct many *many)
{
	KMLN_FREE struct pollfd *fds = kmln_malloc(many->parallel * sizeof(*fds));

	for (unsigned i = 0; i < many->parallel; i++)
		fds[i] = (struct pollfd){
			.fd = many->workers[i].pid ? many->workers[i].pipe : -1, .events = POLLIN};
	if (poll(fds, many->parallel, -1) < 0)
		return;
	for (unsigned i = 0; i < many->parallel; i++) {
		if (fds[i].revents & POLLIN)
			hear(many, &many->workers[i]);
		else if (fds[i].revents)
			end(many, &many->workers[i]);
	}
	draw(many);
}

static unsigned running(const struct many *many)
{
	unsigned count = 0;

	for (unsigned i = 0; i < many->parallel; i++)
		count += many->workers[i].pid != 0;
	return count;
}

static int summary(const struct many *many, size_t count, struct kmln_error *err)
{
	KMLN_BUF struct kmln_buf names = {0};

	if (!many->failed.count) {
		kmln_note("%zu images done", count);
		return 0;
	}
	for (size_t i = 0; i < many->failed.count; i++)
		kmln_buf_printf(&names, "%s%s", i ? ", " : "", many->failed.items[i]);
	return kmln_fail(
		err, EIO, "%zu of %zu images failed: %s", many->failed.count, count, names.data);
}

int kmln_many(const char *const *names, size_t count, unsigned parallel,
	int (*work)(void *data, size_t index, struct kmln_error *err), void *data,
	struct kmln_error *err)
{
	KMLN_FREE struct worker *workers = calloc(parallel, sizeof(*workers));
	struct many many = {.names = names,
		.workers = workers,
		.parallel = parallel,
		.terminal = isatty(STDERR_FILENO)};
	size_t next = 0;
	int r = 0;

	if (!workers)
		abort();
	while (r == 0 && (next < count || running(&many))) {
		for (unsigned i = 0; r == 0 && i < parallel && next < count; i++)
			if (!workers[i].pid) {
				r = start(&many, &workers[i], next, work, data, err);
				next += r == 0;
			}
		if (r == 0)
			listen_once(&many);
	}
	while (running(&many))
		listen_once(&many);
	erase(&many);
	for (unsigned i = 0; i < parallel; i++)
		kmln_buf_fini(&workers[i].line);
	if (r == 0)
		r = summary(&many, count, err);
	kmln_strv_fini(&many.failed);
	return r;
}
