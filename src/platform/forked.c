// SPDX-License-Identifier: GPL-2.0-or-later
/* A child with one job and a time limit. It can leave nothing behind: it dies with its parent. */
#include "platform/forked.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"

static void child(void (*work)(const void *arg, void *answer), const void *arg, size_t size, int to)
{
	_Alignas(max_align_t) char answer[PIPE_BUF] = {0};
	sigset_t none;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	work(arg, answer);
	/* no more than PIPE_BUF: all or nothing */
	_exit(write(to, answer, size) == (ssize_t)size ? 0 : 1);
}

/* Waits until `fd` has something or its writers are gone; false when the time is over. */
static bool wait_for(int fd, unsigned limit_ms)
{
	struct timespec start, now;
	int left = (int)limit_ms;

	clock_gettime(CLOCK_MONOTONIC, &start);
	while (left > 0) {
		struct pollfd p = {fd, POLLIN, 0};

		if (poll(&p, 1, left) > 0)
			return true;
		clock_gettime(CLOCK_MONOTONIC, &now);
		left = (int)limit_ms - (int)((now.tv_sec - start.tv_sec) * 1000 +
					       (now.tv_nsec - start.tv_nsec) / 1000000);
	}
	return false;
}

int kmln_forked(void (*work)(const void *arg, void *answer), const void *arg, void *answer,
	size_t size, unsigned limit_ms, struct kmln_error *err)
{
	KMLN_FD int from = -1, to = -1;
	char got[PIPE_BUF];
	bool in_time;
	ssize_t n = 0;
	int pipes[2], status;
	pid_t pid;

	if (size > sizeof(got))
		return kmln_fail(err, EINVAL, "an answer of %zu bytes is too long", size);
	if (pipe2(pipes, O_CLOEXEC) < 0)
		return kmln_fail_sys(err, errno, "pipe");
	from = pipes[0];
	to = pipes[1];
	pid = fork();
	if (pid < 0)
		return kmln_fail_sys(err, errno, "fork");
	if (pid == 0)
		child(work, arg, size, to);
	kmln_close_cleanup(&to);
	in_time = wait_for(from, limit_ms);
	if (in_time)
		n = read(from, got, size);
	kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (!in_time)
		return kmln_fail(err, ETIMEDOUT, "no answer within %u ms", limit_ms);
	if (n != (ssize_t)size && WIFSIGNALED(status))
		return kmln_fail(err, ECHILD, "ended by signal %d (%s)", WTERMSIG(status),
			strsignal(WTERMSIG(status)));
	if (n != (ssize_t)size)
		return kmln_fail(err, ECHILD, "ended without an answer");
	memcpy(answer, got, size);
	return 0;
}
