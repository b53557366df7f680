// SPDX-License-Identifier: GPL-2.0-or-later
/* The processes of one machine; see process.h. */
#include "run/process.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "run/sandbox.h"

/* Descriptors that a program has at most. */
#define DESCRIPTORS (KMLN_CHANNEL + KMLN_CHANNELS)

/* After fork: only what may be called there. Says on descriptor 2 why it failed. */
_Noreturn static void become(const struct kmln_spawn *spawn, const char *folder, const int *fds,
	pid_t parent, const sigset_t *mask)
{
	static const int ignored[] = {SIGPIPE, SIGINT, SIGQUIT, SIGHUP, SIGTERM};
	const int count = KMLN_CHANNEL + (int)spawn->channels;
	int high[DESCRIPTORS];

	/* a session of its own: keys pressed at the terminal are no signals for it */
	setsid();
	for (int i = 0; i < count; i++)
		high[i] = fcntl(fds[i], F_DUPFD, 16);
	for (int i = 0; i < count; i++)
		if (high[i] < 0 || dup2(high[i], i) < 0)
			_exit(127);
	close_range((unsigned)count, ~0u, 0);
	for (size_t i = 0; i < KMLN_COUNT(ignored); i++)
		signal(ignored[i], SIG_DFL);
	sigprocmask(SIG_SETMASK, mask, NULL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* kmln may have ended before the line above */
	if (getppid() != parent)
		_exit(127);
	if (chdir(folder) == 0)
		execve(spawn->argv[0], (char *const *)spawn->argv, (char *const *)spawn->env);
	dprintf(2, "%s: %s\n", spawn->argv[0], strerror(errno));
	_exit(127);
}

/* Takes away what outlives the program. Its words are nobody's concern: often nothing is left. */
static void run_ending(const struct kmln_spawn *spawn)
{
	pid_t pid = spawn->ending ? fork() : -1;

	if (pid == 0) {
		int fd = open("/dev/null", O_RDWR);
		sigset_t none;

		for (int i = 0; i < 3 && fd >= 0; i++)
			dup2(fd, i);
		close_range(3, ~0u, 0);
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		execve(spawn->ending[0], (char *const *)spawn->ending, (char *const *)spawn->env);
		_exit(127);
	}
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

/* Sleeps until kmln is gone. The group's number is still its own then: nobody but kmln, or whoever
 * inherits its children, waits for it. */
_Noreturn static void keep(
	pid_t group, const char *folder, const struct kmln_spawn *spawn, int lifeline)
{
	const struct timespec moment = {.tv_nsec = 100000000};
	struct kmln_error ignored;
	char byte;

	setsid();
	dup2(lifeline, 0);
	close_range(1, ~0u, 0);
	while (read(0, &byte, 1) < 0 && errno == EINTR)
		;
	kill(-group, SIGKILL);
	run_ending(spawn);
	/* processes of a namespace that is ending may still make files */
	for (int i = 0; i < 20 && kmln_remove_folder(folder, &ignored) < 0; i++)
		nanosleep(&moment, NULL);
	if (spawn->scratch)
		kmln_remove_folder(spawn->scratch, &ignored);
	_exit(0);
}

static int start_keeper(struct kmln_process *process, struct kmln_error *err)
{
	KMLN_FD int theirs = -1;
	int pipes[2];

	if (pipe2(pipes, O_CLOEXEC) < 0)
		return kmln_fail_sys(err, errno, "pipe");
	theirs = pipes[0];
	process->lifeline = pipes[1];
	process->keeper = fork();
	if (process->keeper == 0)
		keep(process->pid, process->folder.path, process->spawn, theirs);
	if (process->keeper < 0) {
		process->keeper = 0;
		return kmln_fail_sys(err, errno, "fork");
	}
	return 0;
}

static int make_links(const struct kmln_spawn *spawn, const char *folder, struct kmln_error *err)
{
	for (size_t i = 0; i < spawn->link_count; i++) {
		KMLN_FREE char *path = kmln_printf("%s/%s", folder, spawn->links[i].name);

		if (symlink(spawn->links[i].target, path) < 0)
			return kmln_fail_sys(err, errno, "%s", path);
	}
	return 0;
}

/*
 * The two ends of the console. xl's console takes no input but from a terminal: it gets one, which
 * changes no byte.
 */
static int make_console(const struct kmln_spawn *spawn, int ends[2], struct kmln_error *err)
{
	struct termios raw;
	KMLN_FD int ours = -1, theirs = -1;

	if (!spawn->open)
		return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0
			       ? kmln_fail_sys(err, errno, "socketpair")
			       : 0;
	ours = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (ours < 0 || unlockpt(ours) < 0)
		return kmln_fail_sys(err, errno, "/dev/ptmx");
	theirs = ioctl(ours, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (theirs < 0 || tcgetattr(theirs, &raw) < 0)
		return kmln_fail_sys(err, errno, "a terminal for the console");
	cfmakeraw(&raw);
	if (tcsetattr(theirs, TCSANOW, &raw) < 0)
		return kmln_fail_sys(err, errno, "a terminal for the console");
	ends[0] = ours;
	ends[1] = theirs;
	ours = theirs = -1;
	return 0;
}

static int open_channels(struct kmln_process *process, int *const theirs[], struct kmln_error *err)
{
	for (unsigned i = 0; i < process->spawn->channels; i++) {
		const bool read_only = process->spawn->split && i == 0;
		int pair[2], swapped;

		if (read_only ? pipe2(pair, O_CLOEXEC) < 0
			      : socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
			return kmln_fail_sys(err, errno, read_only ? "pipe" : "socketpair");
		if (read_only) {
			swapped = pair[0];
			pair[0] = pair[1];
			pair[1] = swapped;
		}
		process->channels[i] = pair[0];
		*theirs[i] = pair[1];
		fcntl(pair[0], F_SETFL, O_NONBLOCK);
	}
	return 0;
}

static void close_channels(int channels[KMLN_CHANNELS])
{
	for (int i = 0; i < KMLN_CHANNELS; i++)
		kmln_close_cleanup(&channels[i]);
}

int kmln_process_start(struct kmln_process *process, const struct kmln_spawn *spawn,
	const sigset_t *mask, struct kmln_error *err)
{
	int console[2], words[2], walls[2];
	KMLN_FD int first_theirs = -1, second_theirs = -1;
	KMLN_FD int console_theirs = -1, words_theirs = -1, walls_theirs = -1;
	pid_t parent = getpid();
	int r;

	process->spawn = spawn;
	r = kmln_private_open(&process->folder, err);
	if (r == 0)
		r = make_links(spawn, process->folder.path, err);
	if (r == 0)
		r = make_console(spawn, console, err);
	if (r < 0)
		return r;
	process->console = console[0];
	console_theirs = console[1];
	if (pipe2(words, O_CLOEXEC) < 0)
		return kmln_fail_sys(err, errno, "pipe");
	process->words = words[0];
	words_theirs = words[1];
	if (pipe2(walls, O_CLOEXEC) < 0)
		return kmln_fail_sys(err, errno, "pipe");
	process->walls = walls[0];
	walls_theirs = walls[1];
	fcntl(process->console, F_SETFL, O_NONBLOCK);
	fcntl(process->words, F_SETFL, O_NONBLOCK);
	fcntl(process->walls, F_SETFL, O_NONBLOCK);
	if (open_channels(process, (int *const[]){&first_theirs, &second_theirs}, err) < 0)
		return -err->code;
	process->pid = fork();
	if (process->pid == 0)
		become(spawn, process->folder.path,
			(int[DESCRIPTORS]){console_theirs, console_theirs, words_theirs,
				walls_theirs, first_theirs, second_theirs},
			parent, mask);
	if (process->pid < 0) {
		process->pid = 0;
		return kmln_fail_sys(err, errno, "fork");
	}
	process->pidfd = (int)syscall(SYS_pidfd_open, process->pid, 0);
	if (process->pidfd < 0)
		return kmln_fail_sys(err, errno, "pidfd_open");
	return start_keeper(process, err);
}

int kmln_process_end(struct kmln_process *process)
{
	int status = 0;

	if (!process->pid)
		return 0;
	/* It is not waited for yet, so that its number, and its group's, is still its own. Twice:
	 * before setsid() there is no group. */
	kill(-process->pid, SIGKILL);
	kill(process->pid, SIGKILL);
	if (process->keeper) {
		kill(process->keeper, SIGKILL);
		while (waitpid(process->keeper, NULL, 0) < 0 && errno == EINTR)
			;
		process->keeper = 0;
	}
	while (waitpid(process->pid, &status, 0) < 0 && errno == EINTR)
		;
	process->pid = 0;
	run_ending(process->spawn);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void kmln_process_cleanup(struct kmln_process *process)
{
	kmln_process_end(process);
	kmln_close_cleanup(&process->pidfd);
	kmln_close_cleanup(&process->console);
	kmln_close_cleanup(&process->words);
	kmln_close_cleanup(&process->walls);
	close_channels(process->channels);
	kmln_close_cleanup(&process->lifeline);
	kmln_private_cleanup(&process->folder);
}
