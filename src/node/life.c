// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The life of a node: its program is started, heard, started again where that is wished, and ended;
 * see node.h. What it says goes to the screen and the log at once, so nothing holds it back.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "node/mconsole.h"
#include "node/node.h"
#include "node/ready.h"
#include "node/status.h"
#include "node/stream.h"
#include "run/judge.h"

/* Milliseconds. */
#define FIRST_PAUSE 1000
#define LONGEST_PAUSE 60000
#define LAST_WORDS 1000
#define TYPE_TICK 25
/* Since a guest was asked to end, and since it was started: after that no agent of it will come. */
#define AGENT_LIMIT 10000
#define INIT_LIMIT 30000
/* A program without walls that lives so long has started. */
#define OPEN_LIMIT 100
#define WALLS_MAX 512
/* Bytes at the end of a console where a kernel's last words are. */
#define LAST_TEXT 4096
/* Bytes that are read of a program that has ended. */
#define REST_MAX (1u << 20)

enum {
	SIGNALS,
	LISTENER,
	PROCESS,
	CONSOLE,
	WORDS,
	WALLS,
	DAEMON,
	DAEMON_WORDS,
	DAEMON_CONSOLE,
	LINES,
	WAYS_BACK = LINES + KMLN_CHANNELS,
	PEERS = WAYS_BACK + KMLN_CHANNELS,
	FDS = PEERS + KMLN_PEERS
};

int64_t kmln_node_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void kmln_node_wake(struct kmln_node *node, int64_t time)
{
	if (time < node->wake)
		node->wake = time;
}

void kmln_node_changed(struct kmln_node *node)
{
	for (struct kmln_peer *peer = node->server.peers; peer; peer = peer->next)
		for (struct kmln_stream *s = peer->streams; s; s = s->next)
			s->due = true;
	/* they are told in this turn or the next */
	node->wake = 0;
}

static void set_state(struct kmln_node *node, enum kmln_node_state state)
{
	node->state = state;
	kmln_node_changed(node);
}

/* ---- what the program says ---- */

/* Reads a piece; closes at the end. 0 where there was none. */
static size_t receive(int *fd, char *piece, size_t room)
{
	ssize_t n = *fd >= 0 ? read(*fd, piece, room) : 0;

	if (n > 0)
		return (size_t)n;
	if (n == 0 || (errno != EAGAIN && errno != EINTR))
		kmln_close_cleanup(fd);
	return 0;
}

static size_t hear(struct kmln_node *node)
{
	char piece[16384];
	size_t n = receive(&node->process.console, piece, sizeof(piece));

	if (n) {
		kmln_screen_show(&node->screen, piece, n, node->now);
		kmln_node_log_add(&node->log, piece, n);
	}
	return n;
}

/* What is no machine has no console, and its words are all that it says. UML says much that is of
 * interest only where it fails; see log_words(). */
static size_t read_words(struct kmln_node *node)
{
	char piece[4096];
	size_t n = receive(&node->process.words, piece, sizeof(piece));

	if (n) {
		kmln_console_add(&node->words, piece, n);
		if (node->options->channel == KMLN_CHANNEL_NONE)
			kmln_node_log_add(&node->log, piece, n);
	}
	return n;
}

static void read_walls(struct kmln_node *node)
{
	char piece[256];
	size_t n = receive(&node->process.walls, piece, sizeof(piece));

	if (node->walls.size < WALLS_MAX)
		kmln_buf_add(&node->walls, piece, n);
}

/* ---- start ---- */

static int make_fresh(const struct kmln_strv *folders, struct kmln_error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < folders->count; i++) {
		r = kmln_remove_folder(folders->items[i], err);
		if (r == 0)
			r = kmln_make_folders(folders->items[i], err);
	}
	return r;
}

/* What is on its way to or from a guest is given up with its machine. */
static int empty_transfer(const char *folder, struct kmln_error *err)
{
	struct kmln_error ignored;

	/* nothing that a guest leaves there keeps its machine from starting */
	kmln_remove_folder(folder, &ignored);
	return kmln_make_folders(folder, err);
}

static int start(struct kmln_node *node, struct kmln_error *err)
{
	const struct kmln_node_options *o = node->options;
	int r = o->transfer ? empty_transfer(o->transfer, err) : 0;

	node->restart_at = KMLN_NEVER;
	node->runs = false;
	node->walls.size = 0;
	kmln_console_fini(&node->words);
	node->words = (struct kmln_console){0};
	kmln_screen_restart(&node->screen, o->spawn.type_ahead);
	kmln_ready_restart(node);
	set_state(node, KMLN_NODE_STARTING);
	/* one that serves still does so for the next, in the very folder */
	if (r == 0 && !node->daemon.process.pid)
		r = make_fresh(&o->fresh, err);
	if (r == 0 && o->serve.argv && !node->daemon.process.pid)
		r = kmln_daemon_serve(&node->daemon, &o->serve, &node->mask, node->signals, err);
	if (r == 0)
		r = kmln_process_start(&node->process, &o->spawn, &node->mask, err);
	if (r == 0)
		kmln_agent_attach(&node->agent, o->channel, node->process.channels);
	node->started = kmln_node_now();
	return r;
}

static bool walls_stand(const struct kmln_node *node)
{
	if (node->options->spawn.open)
		return node->now - node->started >= OPEN_LIMIT;
	/* the end of what they say is that the program has taken their place */
	return node->walls.size >= 3 && kmln_starts(node->walls.data, "ok\n") &&
	       (node->process.walls < 0 || node->now - node->started > LAST_WORDS) &&
	       node->walls.size == 3;
}

static void look_at_walls(struct kmln_node *node)
{
	if (node->runs || !node->process.pid)
		return;
	if (!walls_stand(node)) {
		kmln_node_wake(node, node->now + OPEN_LIMIT);
		return;
	}
	node->runs = true;
	set_state(node, node->end_asked ? KMLN_NODE_ENDING : KMLN_NODE_RUNNING);
	kmln_node_report(node, NULL);
}

/* ---- end ---- */

static int64_t next_pause(struct kmln_node *node)
{
	/* one that ran for a while starts with a short pause again */
	if (!node->pause || node->now - node->started > LONGEST_PAUSE)
		node->pause = FIRST_PAUSE;
	else if (node->pause < LONGEST_PAUSE / 2)
		node->pause *= 2;
	else
		node->pause = LONGEST_PAUSE;
	return node->pause;
}

/*
 * True for a guest that wanted to start again. Its machine's program ends for that as for any other
 * end, so that a panic is no loop; only the kernel's last line tells. Where there is such a line, a
 * panic that is on the console too is an old one, or a text that somebody looked at.
 */
static bool wants_restart(struct kmln_node *node)
{
	static const char mark[] = "reboot: ";
	const struct kmln_buf *text = &node->screen.text.text;
	size_t from = text->size > LAST_TEXT ? text->size - LAST_TEXT : 0;
	const char *last = NULL, *panic = NULL, *at;

	if (!text->size)
		return false;
	for (at = text->data + from; (at = strstr(at, mark)); at++)
		last = at;
	for (at = text->data + from; (at = strstr(at, "Kernel panic - not syncing")); at++)
		panic = at;
	if (!last || (panic && panic > last))
		return false;
	node->screen.text.panic[0] = '\0';
	last += sizeof(mark) - 1;
	return kmln_starts(last, "Restarting system") || kmln_starts(last, "machine restart");
}

static bool is_restarted(const struct kmln_node *node, bool failed)
{
	const enum kmln_node_restart restart = node->options->restart;

	/* whoever waits for the first start is told that it failed */
	return !node->end_asked && node->report < 0 &&
	       (restart == KMLN_NODE_RESTART_ALWAYS ||
		       (restart == KMLN_NODE_RESTART_ON_FAILURE && failed));
}

static void log_words(struct kmln_node *node)
{
	KMLN_BUF struct kmln_buf text = {0};

	if (node->options->channel == KMLN_CHANNEL_NONE)
		return;
	kmln_console_tail(&node->words, 20, &text);
	kmln_node_log_add(&node->log, text.data, text.size);
}

/* What its end means. `lost`: an end that was made because something else broke off. */
static void conclude(struct kmln_node *node, int status, const struct kmln_error *lost)
{
	const struct kmln_ending ending = {
		.spawn = &node->options->spawn,
		.walls = &node->walls,
		.console = &node->screen.text,
		.words = &node->words,
		.status = status,
	};
	const bool again = wants_restart(node) && !status && !lost && !node->end_asked;
	struct kmln_error err = {0};
	bool failed;

	if (lost)
		err = *lost;
	else if (!node->was_cut)
		kmln_judge(&ending, &err);
	failed = err.code && !node->end_asked;
	if (failed)
		log_words(node);
	node->end = (struct kmln_node_end){
		.state = node->end_asked ? "stopped"
			 : failed	 ? "failed"
					 : "ended",
		.status = status,
	};
	strcpy(node->end.why, err.text);
	if (again && node->now - node->started > LONGEST_PAUSE / 6) {
		node->pause = 0;
		node->restart_at = node->now;
		set_state(node, KMLN_NODE_STARTING);
		return;
	}
	if (is_restarted(node, failed) || again) {
		node->restart_at = node->now + next_pause(node);
		set_state(node, KMLN_NODE_STARTING);
		return;
	}
	node->end.code = err.code;
	/* of a short program that did what it should, before it was seen to run; a failure is
	 * reported once nothing is left of it */
	if (!err.code && !node->end_asked)
		kmln_node_report(node, NULL);
	node->over = true;
}

/* Ends what is left of the program, and takes what it said last. */
static void bury(struct kmln_node *node, const struct kmln_error *lost)
{
	int status = kmln_process_end(&node->process);
	size_t rest = 0, n;

	do {
		n = hear(node) + read_words(node);
		rest += n;
	} while (n && rest < REST_MAX);
	read_walls(node);
	kmln_agent_detach(&node->agent);
	kmln_process_cleanup(&node->process);
	node->process = KMLN_PROCESS_NONE;
	node->runs = false;
	node->ready = false;
	conclude(node, status, lost);
}

static void cut(struct kmln_node *node)
{
	node->was_cut = true;
	if (node->process.pid) {
		bury(node, NULL);
		return;
	}
	/* between two starts */
	node->end.state = "stopped";
	node->over = true;
}

void kmln_node_ask_end(struct kmln_node *node, unsigned seconds)
{
	/* a program without lines to an agent has nobody to be asked */
	const bool waits = node->options->channel != KMLN_CHANNEL_NONE;
	int64_t deadline = kmln_node_now() + (waits ? (int64_t)seconds * 1000 : 0);

	if (!node->end_asked)
		node->end_asked_at = kmln_node_now();
	if (!node->end_asked || deadline < node->end_deadline)
		node->end_deadline = deadline;
	node->end_asked = true;
	node->shutdown_wanted = node->shutdown_wanted || seconds;
	set_state(node, KMLN_NODE_ENDING);
}

static void end_got(void *owner, const struct kmln_frame *frame)
{
	(void)owner;
	(void)frame;
}

/* qemu-ga gives no answer where it obeys, and ours a short one. */
static void end_closed(void *owner, const char *answer, size_t size)
{
	struct kmln_node *node = owner;

	(void)answer;
	(void)size;
	node->end_lane = NULL;
}

/*
 * UML's guest without an agent gets Ctrl-Alt-Del, once it has had time to start its own, and an
 * init, without which the keys are no better than a cut.
 */
static void press_keys(struct kmln_node *node)
{
	int64_t at = node->end_asked_at + AGENT_LIMIT;

	if (at < node->started + INIT_LIMIT)
		at = node->started + INIT_LIMIT;
	if (!node->shutdown_wanted || node->shutdown_sent || node->keys_pressed ||
		node->options->channel != KMLN_CHANNEL_SERIAL)
		return;
	if (node->now < at) {
		kmln_node_wake(node, at);
		return;
	}
	node->keys_pressed = true;
	kmln_mconsole_press(node->process.folder.path);
}

static void work_at_end(struct kmln_node *node)
{
	static const char request[] = "{\"do\":\"call\",\"execute\":\"guest-shutdown\","
				      "\"arguments\":{\"mode\":\"powerdown\"}}";
	static const struct kmln_lane_ops ops = {.got = end_got, .closed = end_closed};

	if (!node->end_asked || node->over)
		return;
	if (!node->process.pid || node->now >= node->end_deadline) {
		cut(node);
		return;
	}
	/* one that is still starting is asked once it answers */
	if (node->shutdown_wanted && !node->shutdown_sent && kmln_agent_kind(&node->agent)) {
		node->shutdown_sent = true;
		kmln_agent_open(
			&node->agent, &node->end_lane, request, sizeof(request) - 1, &ops, node);
	}
	press_keys(node);
	kmln_node_wake(node, node->end_deadline);
}

/* ---- the loop ---- */

static void look_at_daemon(struct kmln_node *node, bool ended)
{
	struct kmln_error err = {0};

	if (!ended) {
		kmln_daemon_hear(&node->daemon);
		return;
	}
	kmln_daemon_lost(&node->daemon, "the machine has lost its disk", &err);
	kmln_daemon_stop(&node->daemon);
	/* the guest would go on without a disk, and fail at whatever it does next */
	if (node->process.pid)
		bury(node, &err);
}

static void restart(struct kmln_node *node)
{
	struct kmln_error err = {0};

	if (node->over || node->now < node->restart_at)
		return;
	node->restarts++;
	if (start(node, &err) == 0)
		return;
	if (err.code == EINTR)
		return;
	if (node->process.pid)
		bury(node, &err);
	else
		conclude(node, 0, &err);
}

static void work(struct kmln_node *node)
{
	node->wake = KMLN_NEVER;
	restart(node);
	look_at_walls(node);
	kmln_ready_work(node);
	work_at_end(node);
	kmln_agent_work(&node->agent);
	kmln_screen_type(&node->screen, node->process.console, node->now);
	if (node->screen.to_type.size)
		kmln_node_wake(node, node->now + TYPE_TICK);
	if (node->restart_at != KMLN_NEVER)
		kmln_node_wake(node, node->restart_at);
	kmln_streams_work(node);
	for (struct kmln_peer *peer = node->server.peers; peer; peer = peer->next)
		if (peer->fd >= 0 && peer->out.size)
			kmln_peer_write(peer);
	kmln_server_sweep(node);
}

static void read_signal(struct kmln_node *node)
{
	struct signalfd_siginfo info;

	if (read(node->signals, &info, sizeof(info)) == sizeof(info))
		kmln_node_ask_end(node, 0);
}

static int fill(struct kmln_node *node, struct pollfd fds[FDS])
{
	int count = PEERS;

	for (int i = 0; i < PEERS; i++)
		fds[i] = (struct pollfd){-1, POLLIN, 0};
	fds[SIGNALS].fd = node->signals;
	fds[LISTENER].fd = node->server.listener;
	fds[PROCESS].fd = node->process.pidfd;
	fds[CONSOLE].fd = node->process.console;
	fds[WORDS].fd = node->process.words;
	fds[WALLS].fd = node->process.walls;
	fds[DAEMON].fd = node->daemon.process.pidfd;
	fds[DAEMON_WORDS].fd = node->daemon.process.words;
	fds[DAEMON_CONSOLE].fd = node->daemon.process.console;
	for (unsigned i = 0; i < node->agent.count; i++) {
		const struct kmln_line *line = &node->agent.lines[i];

		const short events = kmln_line_events(line);
		const short both = line->to == line->fd ? POLLIN | POLLOUT : POLLIN;

		fds[LINES + i].events = events & both;
		fds[LINES + i].fd = events & both ? line->fd : -1;
		fds[WAYS_BACK + i].events = POLLOUT;
		fds[WAYS_BACK + i].fd = events & ~both ? line->to : -1;
	}
	for (struct kmln_peer *peer = node->server.peers; peer; peer = peer->next)
		fds[count++] =
			(struct pollfd){peer->fd, peer->out.size ? POLLIN | POLLOUT : POLLIN, 0};
	return count;
}

static void turn(struct kmln_node *node)
{
	struct pollfd fds[FDS];
	int count = fill(node, fds), at = PEERS;
	int64_t left = node->wake - kmln_node_now();

	if (poll(fds, (nfds_t)count, left <= 0 ? 0 : left > 3600000 ? -1 : (int)left) < 0)
		return;
	node->now = kmln_node_now();
	for (struct kmln_peer *peer = node->server.peers; peer; peer = peer->next, at++)
		if (fds[at].revents & ~POLLOUT)
			kmln_peer_read(peer);
	for (unsigned i = 0; i < node->agent.count; i++)
		if (fds[LINES + i].revents & ~POLLOUT)
			kmln_line_read(&node->agent.lines[i]);
	if (fds[CONSOLE].revents)
		hear(node);
	if (fds[WORDS].revents)
		read_words(node);
	if (fds[WALLS].revents)
		read_walls(node);
	if (fds[DAEMON].revents || fds[DAEMON_WORDS].revents || fds[DAEMON_CONSOLE].revents)
		look_at_daemon(node, fds[DAEMON].revents);
	if (fds[PROCESS].revents && node->process.pid)
		bury(node, NULL);
	if (fds[SIGNALS].revents)
		read_signal(node);
	if (fds[LISTENER].revents)
		kmln_server_accept(node);
}

static void finish(struct kmln_node *node)
{
	struct kmln_error ignored;

	kmln_daemon_stop(&node->daemon);
	for (size_t i = 0; i < node->options->fresh.count; i++)
		kmln_remove_folder(node->options->fresh.items[i], &ignored);
	kmln_node_last(node, &ignored);
	kmln_server_shut(&node->server, node->folder);
	/* whoever hears that it has ended may start it again at once */
	kmln_close_cleanup(&node->lock);
	kmln_streams_ended(node);
	kmln_server_close(node);
}

int kmln_node_live(struct kmln_node *node, struct kmln_error *err)
{
	int r;

	node->agent.node = node;
	node->now = kmln_node_now();
	/* one that is killed leaves no word, not one of an earlier life */
	unlinkat(node->folder, "last.json", 0);
	r = kmln_server_open(&node->server, node->folder, err);
	if (r == 0)
		r = kmln_node_log_open(&node->log, node->options->log, err);
	if (r == 0)
		r = kmln_ready_init(node, err);
	if (r == 0)
		r = start(node, err);
	if (r == 0)
		node->end.state = "failed";
	while (r == 0 && !node->over) {
		work(node);
		if (!node->over)
			turn(node);
	}
	if (r < 0) {
		kmln_agent_detach(&node->agent);
		kmln_process_cleanup(&node->process);
		kmln_daemon_stop(&node->daemon);
		node->end.state = "failed";
		strcpy(node->end.why, err->text);
	}
	finish(node);
	kmln_ready_fini(node);
	kmln_screen_fini(&node->screen);
	kmln_console_fini(&node->words);
	kmln_buf_fini(&node->walls);
	kmln_close_cleanup(&node->log.fd);
	return r;
}
