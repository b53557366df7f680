// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * kmln-node: keeps one machine, switch, uplink or cable of a cluster; docs/life.md says how. Its
 * command line is data (options.h); here it takes its lock and puts itself into the background.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "node/node.h"

static const char usage[] =
	"Usage: kmln-node --name KIND-NAME --run FOLDER --log FILE [OPTION...]\n"
	"                 [--serve COUNT WORD...] --spawn COUNT WORD...\n"
	"\n"
	"Keeps one program of a cluster.\n"
	"\n"
	"  --channel serial|virtio  its descriptor 4 (and 5) is a line to an agent\n"
	"  --ready WHEN             agent, none, port N, console REGEX, words TEXT, socket PATH\n"
	"  --transfer FOLDER        what the guest sees as /kmln/transfer; emptied at each start\n"
	"  --restart no|on-failure|always\n"
	"  --fresh FOLDER           is made, and emptied, before the start\n"
	"  --folder-link NAME=TARGET\n"
	"                           a link in the program's private folder\n"
	"  --type-ahead N           bytes that may be typed while nobody reads\n"
	"  --unconfined             the program is in no PID namespace\n"
	"  --open                   no walls stand in front of the program\n"
	"  --foreground             stays where it is\n"
	"  --serve COUNT WORD...    a program that serves the disk, started first\n"
	"  --spawn COUNT WORD...    the program; words like NAME=value in front are its\n"
	"                           environment\n";

void kmln_node_report(struct kmln_node *node, const struct kmln_error *err)
{
	struct kmln_error ignored;
	unsigned char status = err ? (unsigned char)kmln_exit_status(err) : 0;

	if (node->report < 0)
		return;
	if (kmln_write_all(node->report, &status, 1, &ignored) == 0 && err)
		kmln_write_all(node->report, err->text, strlen(err->text), &ignored);
	kmln_close_cleanup(&node->report);
}

/* The lock is this process's own until it ends; nothing else may ever open that file here. */
static int take_lock(struct kmln_node *node, struct kmln_error *err)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	struct flock holder = lock;

	node->lock = openat(node->folder, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (node->lock < 0)
		return kmln_fail_sys(err, errno, "%s/lock", node->options->run);
	if (fcntl(node->lock, F_SETLK, &lock) == 0)
		return 0;
	if (errno != EACCES && errno != EAGAIN)
		return kmln_fail_sys(err, errno, "%s/lock", node->options->run);
	fcntl(node->lock, F_GETLK, &holder);
	return kmln_fail(err, KMLN_ENO, "%s runs already (process %d)", node->options->name,
		(int)holder.l_pid);
}

static int catch_signals(struct kmln_node *node, struct kmln_error *err)
{
	sigset_t caught;

	sigemptyset(&caught);
	sigaddset(&caught, SIGTERM);
	sigaddset(&caught, SIGINT);
	sigaddset(&caught, SIGHUP);
	sigaddset(&caught, SIGQUIT);
	signal(SIGPIPE, SIG_IGN);
	sigprocmask(SIG_BLOCK, &caught, NULL);
	sigemptyset(&node->mask);
	node->signals = signalfd(-1, &caught, SFD_CLOEXEC | SFD_NONBLOCK);
	return node->signals < 0 ? kmln_fail_sys(err, errno, "signalfd") : 0;
}

static int live(const struct kmln_node_options *options, int report, struct kmln_error *err)
{
	struct kmln_node node = {
		.options = options,
		.lock = -1,
		.signals = -1,
		.report = report,
		.restart_at = KMLN_NEVER,
		.process = KMLN_PROCESS_NONE,
		.daemon = KMLN_DAEMON_NONE,
		.log = KMLN_NODE_LOG_NONE,
		.server = KMLN_SERVER_NONE,
	};
	bool failed = false;
	int r;

	umask(077);
	r = kmln_make_folders(options->run, err);
	node.folder = r < 0 ? -1 : kmln_open(options->run, O_PATH | O_DIRECTORY, 0, err);
	if (r == 0 && node.folder < 0)
		r = node.folder;
	if (r == 0)
		r = take_lock(&node, err);
	if (r == 0)
		r = catch_signals(&node, err);
	if (r == 0) {
		r = kmln_node_live(&node, err);
		failed = kmln_eq(node.end.state, "failed");
	}
	if (r == 0 && failed)
		r = kmln_fail(err, node.end.code, "%s", node.end.why);
	else if (r == 0 && node.report >= 0)
		r = kmln_fail(err, EINTR, "it was ended while it started");
	if (r < 0)
		kmln_node_report(&node, err);
	kmln_close_cleanup(&node.report);
	kmln_close_cleanup(&node.lock);
	kmln_close_cleanup(&node.signals);
	kmln_close_cleanup(&node.folder);
	return r;
}

/* The parent: until the child has told how the start went. */
static int wait_for_start(int report)
{
	KMLN_BUF struct kmln_buf words = {0};
	char piece[1024];
	ssize_t n;

	while ((n = read(report, piece, sizeof(piece))) > 0 || (n < 0 && errno == EINTR))
		if (n > 0)
			kmln_buf_add(&words, piece, (size_t)n);
	if (!words.size) {
		fputs("kmln-node: it was ended while it started\n", stderr);
		return 1;
	}
	if (words.data[0])
		fprintf(stderr, "kmln-node: %s\n", words.data + 1);
	return words.data[0];
}

/* Of its own session, far from any terminal. */
static void leave(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	setsid();
	if (chdir("/") < 0)
		return;
	for (int fd = 0; fd < 3 && null >= 0; fd++)
		dup2(null, fd);
	if (null > 2)
		close(null);
}

static int in_background(const struct kmln_node_options *options, struct kmln_error *err)
{
	int pipes[2], status;
	pid_t pid;

	if (pipe2(pipes, O_CLOEXEC) < 0)
		return kmln_exit_status((kmln_fail_sys(err, errno, "pipe"), err));
	pid = fork();
	if (pid < 0)
		return kmln_exit_status((kmln_fail_sys(err, errno, "fork"), err));
	if (pid > 0) {
		close(pipes[1]);
		status = wait_for_start(pipes[0]);
		close(pipes[0]);
		return status;
	}
	close(pipes[0]);
	leave();
	return live(options, pipes[1], err) < 0;
}

/*
 * Descriptors 0 to 2 must be open: what is opened later would else take their place. Any other is
 * the caller's, who may wait for the end of a pipe that would stay open as long as we live.
 */
static int open_streams(void)
{
	int fd;

	close_range(3, ~0u, 0);
	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd < 3);
	if (fd > 2)
		close(fd);
	return fd < 0 ? -1 : 0;
}

int main(int argc, char **argv)
{
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	struct kmln_node_options options = {0};
	struct kmln_error err = {0};
	int r, status = 0;

	if (open_streams() < 0)
		return 1;
	r = kmln_node_options(&options, pool, argc, argv, &err);
	if (r == 0 && options.help)
		status = fputs(usage, stdout) < 0 || fflush(stdout) != 0;
	else if (r == 0 && !options.foreground)
		status = in_background(&options, &err);
	else if (r == 0)
		r = live(&options, -1, &err);
	if (r < 0) {
		fprintf(stderr, "kmln-node: %s\n", err.text);
		status = kmln_exit_status(&err);
	}
	kmln_strv_fini(&options.fresh);
	return status;
}
