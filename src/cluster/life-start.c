// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Starting: each node is a flight through phases, and one loop hears them all. A node that runs
 * already is only watched until it is ready.
 */
#include "cluster/life.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/child.h"
#include "cluster/life-private.h"

/* Nodes that start at once at most: each takes some of our descriptors. */
#define AT_ONCE 150
/* Milliseconds in which a node must answer that it is there at all. */
#define ANSWER_LIMIT 10000
#define GONE_LIMIT 2000
#define TICK 1000
#define WORDS_MAX 4096
/* A status is shorter; more without a newline is none. */
#define LINE_MAX_BYTES 65536

enum phase { WAITING, LAUNCHING, WATCHING, DONE };

struct flight {
	struct kmln_life_node *node;
	enum phase phase;
	pid_t pid; /* of its script */
	int pidfd, out, words; /* the script's end, its output, a file of its errors */
	struct kmln_control *control;
	uint32_t stream;
	struct kmln_buf line; /* of the stream, unfinished */
	int64_t since; /* when it was started, or looked at first */
	bool heard; /* it has said something */
	struct kmln_life_status status;
};

struct run {
	struct kmln_life *life;
	const struct kmln_life_start *wish;
	struct flight *flights;
	size_t count;
	int64_t told; /* when the last progress was */
};

static void land(struct run *run, struct flight *f)
{
	(void)run;
	if (f->control) {
		kmln_control_close(f->control);
		free(f->control);
		f->control = NULL;
	}
	kmln_close_cleanup(&f->pidfd);
	kmln_close_cleanup(&f->out);
	kmln_close_cleanup(&f->words);
	kmln_buf_fini(&f->line);
	kmln_life_status_fini(&f->status);
	f->phase = DONE;
}

static void settle(
	struct run *run, struct flight *f, enum kmln_outcome outcome, int code, const char *why)
{
	f->node->code = code;
	kmln_life_settle(run->life, f->node, outcome, why);
	land(run, f);
}

/* ---- the script ---- */

static void launched(struct run *run, struct flight *f);

static void launch(struct run *run, struct flight *f)
{
	const char *const argv[] = {f->node->script, NULL};
	const struct kmln_child child = {
		.argv = argv, .folder = run->life->store->folder, .own_group = true};
	struct kmln_error err;
	struct stat st;

	if (stat(kmln_store_log(run->life->store, f->node->node), &st) == 0)
		f->node->log_before = st.st_size;
	if (access(f->node->script, X_OK) < 0) {
		settle(run, f, KMLN_OUTCOME_FAILED, KMLN_ENO, "it is not built");
		return;
	}
	f->words = memfd_create("words", MFD_CLOEXEC);
	f->pid = f->words < 0 ? kmln_fail_sys(&err, errno, "memfd_create")
			      : kmln_child_start(&child, &f->out, f->words, &err);
	if (f->pid < 0) {
		settle(run, f, KMLN_OUTCOME_FAILED, err.code, err.text);
		return;
	}
	f->pidfd = (int)syscall(SYS_pidfd_open, f->pid, 0);
	f->phase = LAUNCHING;
	f->node->started = true;
	/* too many files are open: one after the other, then */
	if (f->pidfd < 0)
		launched(run, f);
}

static void watch(struct run *run, struct flight *f);

/* What the script said last, without the name of who said it. */
static const char *last_words(struct run *run, const struct flight *f)
{
	char text[WORDS_MAX + 1];
	ssize_t n = pread(f->words, text, WORDS_MAX, 0);
	char *from;

	while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == '\r'))
		n--;
	if (n <= 0)
		return "it said nothing";
	text[n] = '\0';
	from = strrchr(text, '\n');
	from = from ? from + 1 : text;
	if (kmln_starts(from, "kmln-node: "))
		from += strlen("kmln-node: ");
	return kmln_pool_strdup(run->life->pool, from);
}

static void launched(struct run *run, struct flight *f)
{
	static const int codes[] = {[2] = EIO, [3] = KMLN_EINVALID, [4] = EBUSY, [5] = KMLN_ELACK};
	struct kmln_error err = {0};
	int status = kmln_child_wait(f->pid, &err);

	/* 4: one of this name runs. It is somebody else's start, by hand or by one who was killed
	 */
	if (status == 0 || (status == 4 && kmln_node_keeper(f->node->folder))) {
		f->node->ran = true;
		watch(run, f);
		return;
	}
	settle(run, f, KMLN_OUTCOME_FAILED,
		status > 0 && status < (int)KMLN_COUNT(codes) && codes[status] ? codes[status]
									       : EIO,
		status < 0 ? err.text : last_words(run, f));
}

/* ---- the node ---- */

static void ended(struct run *run, struct flight *f)
{
	const bool was_ending = f->status.ending && !f->node->started;
	struct kmln_life_end end;

	if (!kmln_life_gone(f->node->folder, GONE_LIMIT)) {
		settle(run, f, KMLN_OUTCOME_FAILED, EIO, "its keeper does not answer");
		return;
	}
	/* it was about to end when we came */
	if (was_ending) {
		land(run, f);
		f->phase = WAITING;
		return;
	}
	if (kmln_life_end_read(run->life->pool, f->node->folder, &end) && end.why)
		settle(run, f, KMLN_OUTCOME_FAILED, EIO, end.why);
	else
		settle(run, f, KMLN_OUTCOME_FAILED, EIO, "it has ended");
}

static void watch(struct run *run, struct flight *f)
{
	struct kmln_json *request = kmln_json_object();
	struct kmln_error err;
	int r;

	f->phase = WATCHING;
	f->heard = false;
	f->control = kmln_malloc(sizeof(*f->control));
	r = kmln_control_open(f->control, f->node->folder, &err);
	kmln_json_set(request, "do", kmln_json_text("watch"));
	if (r < 0) {
		kmln_json_free(&request);
		ended(run, f);
		return;
	}
	r = kmln_control_ask(f->control, request, &f->stream, &err);
	if (r == 0)
		r = kmln_control_flush(f->control, &err);
	if (r < 0)
		ended(run, f);
}

/* A line of the stream is a status. */
static void take_line(struct run *run, struct flight *f, const char *line, size_t size)
{
	KMLN_JSON struct kmln_json *object = NULL;
	struct kmln_error ignored;

	if (kmln_json_parse(line, size, &object, &ignored) < 0)
		return;
	f->heard = true;
	kmln_life_status_take(&f->status, object);
	if (f->status.ready && !f->status.ending)
		settle(run, f, KMLN_OUTCOME_READY, 0, NULL);
}

static void take_data(struct run *run, struct flight *f, const struct kmln_frame *frame)
{
	size_t from = 0;
	char *end;

	kmln_frame_put_number(&f->control->out, KMLN_FRAME_CREDIT_MORE, f->stream, frame->size);
	kmln_buf_add(&f->line, frame->data, frame->size);
	while (f->phase == WATCHING &&
		(end = memchr(f->line.data + from, '\n', f->line.size - from))) {
		size_t size = (size_t)(end - f->line.data) - from;

		take_line(run, f, f->line.data + from, size);
		from += size + 1;
	}
	if (f->phase != WATCHING)
		return;
	memmove(f->line.data, f->line.data + from, f->line.size - from);
	f->line.size -= from;
	if (f->line.size > LINE_MAX_BYTES)
		f->line.size = 0;
}

static void hear(struct run *run, struct flight *f)
{
	struct kmln_error err;
	struct kmln_frame frame;
	int r = 1;

	while (r > 0 && f->phase == WATCHING) {
		r = kmln_control_take(f->control, &frame, &err);
		if (r > 0 && frame.stream == f->stream && frame.type == KMLN_FRAME_DATA)
			take_data(run, f, &frame);
		else if (r > 0 && frame.stream == f->stream && frame.type == KMLN_FRAME_CLOSE)
			r = -EPIPE;
	}
	if (f->phase == WATCHING && r == 0)
		r = kmln_control_flush(f->control, &err);
	if (f->phase == WATCHING && r < 0)
		ended(run, f);
}

/* ---- all of a stage ---- */

/* The first of what it needs that is not there; NULL: it may start. */
static const struct kmln_life_node *lacks(const struct run *run, const struct kmln_life_node *node)
{
	for (size_t i = 0; i < node->need_count; i++) {
		const struct kmln_life_node *other = &run->life->nodes[node->needs[i]];

		if (other->wanted && other->outcome != KMLN_OUTCOME_READY)
			return other;
	}
	return NULL;
}

static void begin(struct run *run, struct flight *f)
{
	const struct kmln_life_node *other;

	f->since = kmln_life_now();
	if (kmln_node_keeper(f->node->folder)) {
		watch(run, f);
		return;
	}
	other = lacks(run, f->node);
	if (other)
		settle(run, f, KMLN_OUTCOME_LEFT, KMLN_ENO,
			kmln_pool_printf(run->life->pool, "it needs %s %s, which is not ready",
				kmln_role_name(other->role), other->name));
	else
		launch(run, f);
}

static size_t begin_some(struct run *run)
{
	const unsigned limit =
		run->wish->jobs && run->wish->jobs < AT_ONCE ? run->wish->jobs : AT_ONCE;
	size_t active = 0;

	for (size_t i = 0; i < run->count; i++)
		active += run->flights[i].phase == LAUNCHING || run->flights[i].phase == WATCHING;
	for (size_t i = 0; i < run->count && active < limit; i++) {
		if (run->flights[i].phase != WAITING)
			continue;
		begin(run, &run->flights[i]);
		active += run->flights[i].phase != DONE;
	}
	return active;
}

/* Who is waited for the longest is shown. */
static void tell_waits(struct run *run)
{
	const struct kmln_life_tell *tell = &run->life->tell;
	const int64_t now = kmln_life_now();
	const struct flight *longest = NULL;
	size_t left = 0;

	if (!tell->waits || now - run->told < TICK)
		return;
	run->told = now;
	for (size_t i = 0; i < run->count; i++) {
		const struct flight *f = &run->flights[i];

		if (f->phase == DONE)
			continue;
		left++;
		if (f->phase != WAITING && (!longest || f->since < longest->since))
			longest = f;
	}
	if (longest)
		tell->waits(tell->data, longest->node, (unsigned)((now - longest->since) / 1000),
			longest->status.waits_for, longest->status.last_line, left);
}

static void check_time(struct run *run, struct flight *f, int64_t now)
{
	const int64_t waited = now - f->since;

	if (f->phase == WATCHING && !f->heard && waited > ANSWER_LIMIT &&
		waited <= (int64_t)run->wish->timeout * 1000) {
		settle(run, f, KMLN_OUTCOME_FAILED, EIO, "its keeper does not answer");
		return;
	}
	if (waited <= (int64_t)run->wish->timeout * 1000)
		return;
	if (f->phase == LAUNCHING) {
		kill(-f->pid, SIGKILL);
		return;
	}
	settle(run, f, KMLN_OUTCOME_LATE, KMLN_ENO,
		kmln_pool_printf(run->life->pool, "not ready after %u seconds; it waits for %s",
			run->wish->timeout,
			f->status.waits_for ? f->status.waits_for : "an unknown thing"));
}

static int wait_once(struct run *run, struct kmln_error *err)
{
	KMLN_FREE struct pollfd *fds = kmln_malloc((run->count + 1) * sizeof(*fds));
	int64_t now;

	for (size_t i = 0; i < run->count; i++) {
		const struct flight *f = &run->flights[i];

		fds[i] = (struct pollfd){.fd = -1, .events = POLLIN};
		if (f->phase == LAUNCHING)
			fds[i].fd = f->pidfd;
		else if (f->phase == WATCHING)
			fds[i] = (struct pollfd){f->control->fd,
				f->control->out.size ? POLLIN | POLLOUT : POLLIN, 0};
	}
	fds[run->count] = (struct pollfd){run->life->signals, POLLIN, 0};
	if (poll(fds, run->count + 1, TICK) < 0 && errno != EINTR)
		return kmln_fail_sys(err, errno, "poll");
	if (kmln_life_interrupted(run->life))
		return kmln_fail(err, EINTR, "interrupted");
	now = kmln_life_now();
	for (size_t i = 0; i < run->count; i++) {
		struct flight *f = &run->flights[i];

		if (fds[i].fd >= 0 && fds[i].revents) {
			if (f->phase == LAUNCHING)
				launched(run, f);
			else
				hear(run, f);
		}
		if (f->phase == LAUNCHING || f->phase == WATCHING)
			check_time(run, f, now);
	}
	tell_waits(run);
	return 0;
}

static int run_stage(struct run *run, unsigned stage, struct kmln_error *err)
{
	struct kmln_life *life = run->life;
	int r = 0;

	run->count = 0;
	for (size_t i = 0; i < life->count; i++)
		if (life->nodes[i].wanted && life->nodes[i].known && life->nodes[i].stage == stage)
			run->flights[run->count++] = (struct flight){
				.node = &life->nodes[i], .pidfd = -1, .out = -1, .words = -1};
	run->told = kmln_life_now();
	while (r == 0 && begin_some(run))
		r = wait_once(run, err);
	for (size_t i = 0; i < run->count; i++)
		land(run, &run->flights[i]);
	if (life->tell.waits)
		life->tell.waits(life->tell.data, NULL, 0, NULL, NULL, 0);
	return r;
}

/* ---- all ---- */

/* One that was ready may have ended while others were waited for. */
static void look_again(struct kmln_life *life)
{
	for (size_t i = 0; i < life->count; i++) {
		struct kmln_life_node *node = &life->nodes[i];
		struct kmln_life_end end;

		if (node->outcome != KMLN_OUTCOME_READY || kmln_node_keeper(node->folder))
			continue;
		node->code = EIO;
		kmln_life_settle(life, node, KMLN_OUTCOME_FAILED,
			kmln_life_end_read(life->pool, node->folder, &end) && end.why
				? end.why
				: "it has ended");
	}
}

static void add_names(const struct kmln_life *life, enum kmln_outcome outcome, const char *what,
	struct kmln_buf *text)
{
	const char *between = "";

	for (size_t i = 0; i < life->count; i++) {
		const struct kmln_life_node *node = &life->nodes[i];

		if (node->outcome != outcome)
			continue;
		if (!*between)
			kmln_buf_printf(text, "%s%s: ", text->size ? "; " : "", what);
		kmln_buf_printf(text, "%s%s", between,
			node->role == KMLN_ROLE_HOST ? node->name : node->node);
		between = ", ";
	}
}

static int judge(const struct kmln_life *life, struct kmln_error *err)
{
	KMLN_BUF struct kmln_buf text = {0};
	int code = 0;

	for (size_t i = 0; i < life->count; i++) {
		const struct kmln_life_node *node = &life->nodes[i];

		if (node->outcome == KMLN_OUTCOME_FAILED && (!code || code == KMLN_ENO))
			code = node->code;
		else if (node->outcome == KMLN_OUTCOME_LATE && !code)
			code = KMLN_ENO;
	}
	if (!code)
		return 0;
	add_names(life, KMLN_OUTCOME_FAILED, "failed", &text);
	add_names(life, KMLN_OUTCOME_LATE, "not ready", &text);
	add_names(life, KMLN_OUTCOME_LEFT, "not started", &text);
	return kmln_fail(err, code, "%s", text.data);
}

static bool all_ready(const struct kmln_life *life)
{
	for (size_t i = 0; i < life->count; i++)
		if (life->nodes[i].known && life->nodes[i].outcome != KMLN_OUTCOME_READY)
			return false;
	return true;
}

static bool all_run(const struct kmln_life *life)
{
	for (size_t i = 0; i < life->count; i++)
		if (life->nodes[i].known && life->nodes[i].wanted &&
			!kmln_node_keeper(life->nodes[i].folder))
			return false;
	return true;
}

int kmln_life_start(
	struct kmln_life *life, const struct kmln_life_start *wish, struct kmln_error *err)
{
	KMLN_FREE struct flight *flights = kmln_malloc((life->count + 1) * sizeof(*flights));
	struct run run = {.life = life, .wish = wish, .flights = flights};
	const bool before = wish->hooks && !all_run(life);
	int r = 0;

	for (unsigned stage = 0; r == 0 && stage < life->stages; stage++) {
		if (before && stage == 0)
			r = kmln_life_hook(life, KMLN_HOOK_BEFORE_PROJECT_START, err);
		if (r == 0 && before && stage == KMLN_STAGE_HOSTS)
			r = kmln_life_hook(life, KMLN_HOOK_BEFORE_HOSTS_START, err);
		if (r == 0)
			r = run_stage(&run, stage, err);
	}
	if (r < 0)
		return r;
	look_again(life);
	r = judge(life, err);
	/* also those that an earlier start did not come to */
	if (r == 0 && wish->hooks && all_ready(life)) {
		r = kmln_life_hook(life, KMLN_HOOK_AFTER_HOSTS_START, err);
		if (r == 0)
			r = kmln_life_hook(life, KMLN_HOOK_AFTER_PROJECT_START, err);
	}
	return r;
}
