// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Helper programs. posix_spawn with an explicit list of descriptors: everything else of ours is
 * close-on-exec. LC_ALL=C is set so that the words we quote or parse are always the same.
 */
#include "base/child.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"

extern char **environ;

#define WORDS_LIMIT (1u << 20)

static void make_env(const struct kmln_child *child, struct kmln_strv *env)
{
	for (char **e = environ; *e; e++) {
		bool keep = !kmln_starts(*e, "LC_ALL=") && !kmln_starts(*e, "LANGUAGE=");

		for (const char *const *u = child->unset; keep && u && *u; u++)
			keep = !(kmln_starts(*e, *u) && (*e)[strlen(*u)] == '=');
		for (const char *const *s = child->env; keep && s && *s; s++)
			keep = strncmp(*e, *s, strcspn(*s, "=") + 1) != 0;
		if (keep)
			kmln_strv_add(env, *e);
	}
	kmln_strv_add(env, "LC_ALL=C");
	for (const char *const *s = child->env; s && *s; s++)
		kmln_strv_add(env, *s);
}

/* A descriptor that is spawned onto its own number loses close-on-exec: POSIX dup2 action. */
static int spawn(
	const struct kmln_child *child, int in_fd, int out_fd, int err_fd, struct kmln_error *err)
{
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	KMLN_STRV struct kmln_strv env = {0};
	const char *program = child->argv[0];
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t none, pipe_only;
	pid_t pid;
	int r;

	if (!strchr(program, '/'))
		program = kmln_find_program(pool, program);
	if (!program || !kmln_is_program(program)) {
		if (child->package)
			return kmln_fail(err, KMLN_ELACK, "%s is not installed (Debian package %s)",
				child->argv[0], child->package);
		return kmln_fail(err, KMLN_ELACK, "%s is not installed", child->argv[0]);
	}
	make_env(child, &env);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, in_fd, 0);
	posix_spawn_file_actions_adddup2(&actions, out_fd, 1);
	posix_spawn_file_actions_adddup2(&actions, err_fd, 2);
	if (child->folder)
		posix_spawn_file_actions_addchdir_np(&actions, child->folder);
	if (child->keep_fd > 2)
		posix_spawn_file_actions_adddup2(&actions, child->keep_fd, child->keep_fd);
	sigemptyset(&none);
	sigemptyset(&pipe_only);
	sigaddset(&pipe_only, SIGPIPE);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &pipe_only);
	posix_spawnattr_setpgroup(&attr, 0);
	posix_spawnattr_setflags(&attr, (short)(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
						(child->own_group ? POSIX_SPAWN_SETPGROUP : 0)));
	kmln_debug("run %s", program);
	r = posix_spawn(&pid, program, &actions, &attr, (char *const *)child->argv, env.items);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&actions);
	return r ? kmln_fail_sys(err, r, "%s", program) : pid;
}

int kmln_child_wait(int pid, struct kmln_error *err)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return kmln_fail_sys(err, errno, "wait for process %d", pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Standard input of a child: /dev/null, or its input text in a pipe-like memory file. */
static int input_fd(const char *input, struct kmln_error *err)
{
	int fd;

	if (!input)
		return kmln_open("/dev/null", O_RDONLY, 0, err);
	fd = memfd_create("input", MFD_CLOEXEC);
	if (fd < 0)
		return kmln_fail_sys(err, errno, "memfd_create");
	if (kmln_pwrite_all(fd, input, strlen(input), 0, err) < 0) {
		close(fd);
		return -err->code;
	}
	return fd;
}

int kmln_child_start(
	const struct kmln_child *child, int *out_fd, int err_fd, struct kmln_error *err)
{
	KMLN_FD int in = input_fd(child->input, err);
	int pipes[2], pid;

	if (in < 0)
		return in;
	if (pipe2(pipes, O_CLOEXEC) < 0)
		return kmln_fail_sys(err, errno, "pipe");
	pid = spawn(child, in, pipes[1], err_fd, err);
	close(pipes[1]);
	if (pid < 0)
		close(pipes[0]);
	else
		*out_fd = pipes[0];
	return pid;
}

/* Reads once; returns false at the end. */
static bool drain(int fd, struct kmln_buf *to)
{
	char piece[16384];
	ssize_t n = read(fd, piece, sizeof(piece));

	if (n > 0 && to && to->size < WORDS_LIMIT)
		kmln_buf_add(to, piece, (size_t)n);
	return n > 0 || (n < 0 && errno == EINTR);
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Kills a child that took too long. What it started itself may live on and hold the pipes. */
static int give_up(const struct kmln_child *child, int pid, struct kmln_error *err)
{
	int r;

	kill(pid, SIGKILL);
	r = kmln_child_wait(pid, err);
	if (r < 0)
		return r;
	return kmln_fail(
		err, ETIMEDOUT, "%s did not end within %u ms", child->argv[0], child->limit_ms);
}

int kmln_child_run(const struct kmln_child *child, struct kmln_buf *out, struct kmln_buf *errors,
	struct kmln_error *err)
{
	int64_t end = child->limit_ms ? now_ms() + child->limit_ms : 0;
	int pipes[2];
	KMLN_FD int out_fd = -1, err_read = -1, err_write = -1;
	int pid;

	if (pipe2(pipes, O_CLOEXEC) < 0)
		return kmln_fail_sys(err, errno, "pipe");
	err_read = pipes[0];
	err_write = pipes[1];
	pid = kmln_child_start(child, &out_fd, err_write, err);
	if (pid < 0)
		return pid;
	kmln_close_cleanup(&err_write);
	while (out_fd >= 0 || err_read >= 0) {
		struct pollfd fds[2] = {{out_fd, POLLIN, 0}, {err_read, POLLIN, 0}};
		int64_t left = end ? end - now_ms() : -1;

		if (end && left <= 0)
			return give_up(child, pid, err);
		if (poll(fds, 2, (int)left) < 0 && errno != EINTR)
			break;
		if (fds[0].revents && !drain(out_fd, out))
			kmln_close_cleanup(&out_fd);
		if (fds[1].revents && !drain(err_read, errors))
			kmln_close_cleanup(&err_read);
	}
	return kmln_child_wait(pid, err);
}

int kmln_child_must(const struct kmln_child *child, struct kmln_buf *out, struct kmln_error *err)
{
	KMLN_BUF struct kmln_buf words = {0}, own_out = {0};
	struct kmln_buf *output = out ? out : &own_out;
	struct kmln_buf *said = &words;
	const char *last;
	int status = kmln_child_run(child, output, &words, err);

	if (status <= 0)
		return status;
	if (!words.size)
		said = output;
	while (said->size && said->data[said->size - 1] == '\n')
		said->data[--said->size] = '\0';
	last = said->size > 400 ? said->data + said->size - 400
	       : said->size	? said->data
				: "no words";
	return kmln_fail(err, EIO, "%s failed (status %d): %s", child->argv[0], status, last);
}
