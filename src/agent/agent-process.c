// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Starting programs, workers and connections. Each child leads a session of its own, so that all of
 * it can be ended, and inherits nothing of the agent but what it is given.
 */
#include "agent/agent.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <grp.h>

#include "base/file.h"

#define WORDS_MAX 4096
#define FDS_MAX 1024 /* of a kernel without close_range(2) */
#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#define PATH_OF_ALL "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

extern char **environ;

/* A child's ends of its pipes; in the child 0, 1, 2 and, until it executes something, 3. */
struct ends {
	int in, out, errors, result;
};

static void close_ends(struct ends *ends)
{
	kmln_close_cleanup(&ends->in);
	kmln_close_cleanup(&ends->out);
	kmln_close_cleanup(&ends->errors);
	kmln_close_cleanup(&ends->result);
}
#define ENDS KMLN_CLEANUP(close_ends)

/* The agent's end does not block. */
static int make_pipe(int *ours, int *theirs, bool we_write, struct kmln_error *err)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return kmln_fail_sys(err, errno, "pipe");
	*ours = fds[we_write];
	*theirs = fds[!we_write];
	fcntl(*ours, F_SETFL, O_NONBLOCK);
	return 0;
}

static void close_stream(struct agent_stream *stream)
{
	kmln_close_cleanup(&stream->in);
	kmln_close_cleanup(&stream->out);
	kmln_close_cleanup(&stream->errors);
	kmln_close_cleanup(&stream->result);
}

/* ---- terminals ---- */

void agent_set_size(int pty, const struct kmln_json *request)
{
	struct winsize size = {
		.ws_row = (unsigned short)kmln_json_integer(request, "rows", 24),
		.ws_col = (unsigned short)kmln_json_integer(request, "columns", 80),
	};

	ioctl(pty, TIOCSWINSZ, &size);
}

static int open_ptmx(struct kmln_error *err)
{
	int fd = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);

	if (fd >= 0)
		return fd;
	/* a guest's init may have left it out */
	mkdir("/dev/pts", 0755);
	mount("devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "mode=620,ptmxmode=666");
	fd = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		fd = open("/dev/pts/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	return fd < 0 ? kmln_fail_sys(err, errno, "a terminal: /dev/ptmx") : fd;
}

static int open_pty(struct agent_stream *stream, struct ends *ends, const struct kmln_json *request,
	struct kmln_error *err)
{
	int unlocked = 0, number;
	char path[32];

	stream->out = open_ptmx(err);
	if (stream->out < 0)
		return stream->out;
	if (ioctl(stream->out, TIOCSPTLCK, &unlocked) < 0 ||
		ioctl(stream->out, TIOCGPTN, &number) < 0)
		return kmln_fail_sys(err, errno, "a terminal");
	snprintf(path, sizeof(path), "/dev/pts/%d", number);
	ends->in = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (ends->in < 0)
		return kmln_fail_sys(err, errno, "%s", path);
	agent_set_size(stream->out, request);
	ends->out = fcntl(ends->in, F_DUPFD_CLOEXEC, 0);
	ends->errors = fcntl(ends->in, F_DUPFD_CLOEXEC, 0);
	stream->in = fcntl(stream->out, F_DUPFD_CLOEXEC, 0);
	return 0;
}

/* ---- in the child ---- */

/* Moves the ends to 0 ... 3 without treading on one that is still to be moved. */
static void take_ends(const struct ends *ends)
{
	const int from[] = {ends->in, ends->out, ends->errors, ends->result};
	int high[4];

	for (int i = 0; i < 4; i++)
		high[i] = from[i] < 0 ? open("/dev/null", O_RDWR | O_CLOEXEC)
				      : fcntl(from[i], F_DUPFD_CLOEXEC, 16);
	for (int i = 0; i < 4; i++) {
		if (high[i] >= 0)
			dup2(high[i], i);
		else
			close(i);
	}
	fcntl(3, F_SETFD, FD_CLOEXEC);
	/* a worker executes nothing: it must not hold the ends of others */
	if (syscall(SYS_close_range, 4u, ~0u, 0u) < 0)
		for (int fd = 4; fd < FDS_MAX; fd++)
			close(fd);
}

static void settle_in(const struct ends *ends, bool pty)
{
	sigset_t none;

	sigemptyset(&none);
	for (size_t i = 0; i < KMLN_COUNT(agent_ignored); i++)
		signal(agent_ignored[i], SIG_DFL);
	sigprocmask(SIG_SETMASK, &none, NULL);
	prctl(PR_SET_PDEATHSIG, pty ? SIGHUP : SIGTERM);
	take_ends(ends);
	if (pty)
		ioctl(0, TIOCSCTTY, 0);
}

/* The last words of a child that failed, or a worker's. */
static void say(struct kmln_json *answer)
{
	KMLN_BUF struct kmln_buf text = {0};
	struct kmln_error ignored;

	kmln_json_line(answer, &text);
	kmln_write_all(3, text.data, text.size, &ignored);
}

/*
 * Forks; 0 in the child, which has its ends. When this returns the child leads its group: who is
 * told to end at once is found by it.
 */
static pid_t start(struct ends *ends, bool pty, struct kmln_error *err)
{
	int fds[2];
	pid_t pid;
	char none;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return kmln_fail_sys(err, errno, "pipe");
	pid = fork();
	if (pid == 0) {
		setsid();
		close(fds[0]);
		close(fds[1]);
		settle_in(ends, pty);
		return 0;
	}
	if (pid < 0)
		kmln_fail_sys(err, errno, "fork");
	close(fds[1]);
	/* its end is all that comes */
	while (pid > 0 && read(fds[0], &none, 1) < 0 && errno == EINTR)
		;
	close(fds[0]);
	return pid < 0 ? -err->code : pid;
}

/* ---- programs ---- */

struct program {
	struct kmln_pool *pool;
	struct kmln_strv argv, env;
	struct agent_user user;
	const char *folder;
};

static void set_env(struct kmln_strv *env, const char *word)
{
	size_t name = strcspn(word, "=") + 1;

	for (size_t i = 0; i < env->count; i++)
		if (strncmp(env->items[i], word, name) == 0) {
			free(env->items[i]);
			env->items[i] = kmln_strdup(word);
			return;
		}
	kmln_strv_add(env, word);
}

static int read_words(const struct kmln_json *request, const char *key, struct kmln_strv *words,
	bool env, struct kmln_error *err)
{
	const struct kmln_json *list = kmln_json_member(request, key);
	size_t count = kmln_json_count(list);

	if (count > WORDS_MAX)
		return kmln_fail(err, E2BIG, "%s: more than %d words", key, WORDS_MAX);
	for (size_t i = 0; i < count; i++) {
		const char *word = kmln_json_words(kmln_json_item(list, i));

		if (!word || (env && (!strchr(word, '=') || *word == '=')))
			return kmln_fail(err, EINVAL, "%s: one of them is no %s", key,
				env ? "NAME=value" : "text");
		if (env)
			set_env(words, word);
		else
			kmln_strv_add(words, word);
	}
	return 0;
}

static int read_program(
	const struct kmln_json *request, struct program *program, struct kmln_error *err)
{
	const char *user = kmln_json_get(request, "user"), *term = kmln_json_get(request, "term");
	struct kmln_strv *env = &program->env;
	int r = agent_user_read(user ? user : "root", program->pool, &program->user, err);

	if (r == 0)
		r = read_words(request, "argv", &program->argv, false, err);
	if (r == 0 && !program->argv.count)
		r = kmln_fail(err, EINVAL, "argv: there is no program to run");
	if (r < 0)
		return r;
	kmln_strv_add(env, "PATH=" PATH_OF_ALL);
	kmln_strv_printf(env, "HOME=%s", program->user.home);
	kmln_strv_printf(env, "USER=%s", program->user.name);
	kmln_strv_printf(env, "LOGNAME=%s", program->user.name);
	kmln_strv_printf(env, "SHELL=%s", program->user.shell);
	if (term || kmln_json_true(request, "pty"))
		kmln_strv_printf(env, "TERM=%s", term ? term : "linux");
	program->folder = kmln_json_get(request, "cwd");
	return read_words(request, "env", env, true, err);
}

static int become(const struct agent_user *user, struct kmln_error *err)
{
	/* a guest may run as an ordinary user already (tests do) */
	if (geteuid() == user->uid && user->uid)
		return 0;
	if (setgroups(user->group_count, user->groups) < 0 || setgid(user->gid) < 0 ||
		setuid(user->uid) < 0)
		return kmln_fail_sys(err, errno, "becoming %s", user->name);
	return 0;
}

static int go(struct program *program, struct kmln_error *err)
{
	const char *const *argv = (const char *const *)program->argv.items;
	int r = become(&program->user, err);

	if (r < 0)
		return r;
	if (program->folder ? chdir(program->folder) < 0
			    : chdir(program->user.home) < 0 && chdir("/") < 0)
		return kmln_fail_sys(
			err, errno, "%s", program->folder ? program->folder : "the home");
	environ = program->env.items;
	execvp(argv[0], (char *const *)argv);
	return kmln_fail_sys(err, errno, "%s", argv[0]);
}

static void program_fini(struct program *program)
{
	kmln_strv_fini(&program->argv);
	kmln_strv_fini(&program->env);
	program->pool = kmln_pool_free(program->pool);
}

static int make_ends(struct agent_stream *stream, struct ends *ends,
	const struct kmln_json *request, struct kmln_error *err)
{
	int r = make_pipe(&stream->result, &ends->result, false, err);

	if (r == 0 && stream->pty)
		return open_pty(stream, ends, request, err);
	if (r == 0)
		r = make_pipe(&stream->in, &ends->in, true, err);
	if (r == 0)
		r = make_pipe(&stream->out, &ends->out, false, err);
	if (r == 0 && stream->kind != AGENT_WORK)
		r = make_pipe(&stream->errors, &ends->errors, false, err);
	return r;
}

int agent_start_program(
	struct agent_stream *stream, const struct kmln_json *request, struct kmln_error *err)
{
	KMLN_CLEANUP(program_fini) struct program program = {.pool = kmln_pool_new()};
	ENDS struct ends ends = {-1, -1, -1, -1};
	int r = read_program(request, &program, err);
	pid_t pid;

	stream->pty = kmln_json_true(request, "pty");
	if (r == 0)
		r = make_ends(stream, &ends, request, err);
	if (r < 0) {
		close_stream(stream);
		return r;
	}
	pid = start(&ends, stream->pty, err);
	if (pid == 0) {
		go(&program, err);
		say(agent_error(err));
		_exit(127);
	}
	if (pid < 0)
		close_stream(stream);
	else
		stream->pid = pid;
	return pid < 0 ? (int)pid : 0;
}

/* ---- workers ---- */

int agent_start_work(struct agent_stream *stream, agent_work_fn *work,
	const struct kmln_json *request, struct kmln_error *err)
{
	ENDS struct ends ends = {-1, -1, -1, -1};
	int r = make_ends(stream, &ends, request, err);
	pid_t pid;

	if (r < 0) {
		close_stream(stream);
		return r;
	}
	pid = start(&ends, false, err);
	if (pid == 0) {
		struct kmln_json *object = kmln_json_object(), *answer = kmln_json_object();

		signal(SIGPIPE, SIG_IGN);
		r = work(request, answer, err);
		kmln_json_set(object, "return", answer);
		say(r < 0 ? agent_error(err) : object);
		_exit(0);
	}
	if (pid < 0)
		close_stream(stream);
	else
		stream->pid = pid;
	return pid < 0 ? (int)pid : 0;
}

int agent_start_aside(void (*work)(void *data), void *data, struct kmln_error *err)
{
	struct ends none = {-1, -1, -1, -1};
	pid_t pid = start(&none, false, err);

	if (pid == 0) {
		/* it outlives the agent, whom a shutdown ends */
		prctl(PR_SET_PDEATHSIG, 0);
		work(data);
		_exit(0);
	}
	return pid < 0 ? (int)pid : 0;
}

/* ---- connections ---- */

int agent_start_connect(
	struct agent_stream *stream, const struct kmln_json *request, struct kmln_error *err)
{
	int64_t port = kmln_json_integer(request, "port", 0);
	struct sockaddr_in to = {.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd;

	if (port < 1 || port > 65535)
		return kmln_fail(err, EINVAL, "the request names no port");
	fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return kmln_fail_sys(err, errno, "socket");
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0 && errno != EINPROGRESS) {
		int code = errno;

		close(fd);
		return kmln_fail_sys(err, code, "127.0.0.1 port %d", (int)port);
	}
	stream->connecting = true;
	stream->out = fd;
	stream->in = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	return 0;
}
