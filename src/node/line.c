// SPDX-License-Identifier: GPL-2.0-or-later
/* One line to an agent; see line.h. */
#include "node/line.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <linux/sockios.h>
#include <unistd.h>

#include "base/file.h"
#include "node/node.h"
#include "text/json.h"

/* Bytes of a line: before anybody is known, and of qemu-ga, which sends all that a program wrote in
 * one. */
#define TEXT_MAX 4096u
#define QGA_TEXT_MAX (4u << 20)
/* Values in a line: each takes some hundred bytes here, and a line is long by its texts alone. */
#define VALUES_MAX 16384u
/* Bytes without a meaning, after which the line is left alone for a while. */
#define JUNK_MAX 65536u
/* Milliseconds. */
#define ANSWER_LIMIT 5000
#define FRAME_LIMIT 10000
#define PAUSE 1000
#define ASK_EACH 2000
#define ASK_LATER 10000
#define ASK_OFTEN_FOR 300000
/* Bytes that wait to be written; more are made when these are gone. */
#define OUT_ENOUGH 32768u

#define SENTINEL ((char)0xff)

static void shut(struct kmln_line *line)
{
	if (line->to != line->fd)
		kmln_close_cleanup(&line->to);
	kmln_close_cleanup(&line->fd);
	line->to = -1;
}

void kmln_line_close(struct kmln_line *line)
{
	shut(line);
	kmln_buf_fini(&line->text);
	kmln_buf_fini(&line->in.bytes);
	kmln_buf_fini(&line->out);
	*line = KMLN_LINE_NONE;
}

/* Nobody is known to be there. */
static void start_anew(struct kmln_line *line)
{
	const bool found = line->mode == KMLN_LINE_FRAMES || line->mode == KMLN_LINE_QGA;

	line->mode = KMLN_LINE_SILENT;
	line->deadline = 0;
	line->synced = line->skip = false;
	line->text.size = line->out.size = 0;
	line->in.bytes.size = 0;
	line->in.broken = false;
	line->window.sent = line->window.taken = 0;
	if (found)
		kmln_agent_lost(line->agent, line);
}

void kmln_line_give_up(struct kmln_line *line)
{
	start_anew(line);
}

static int64_t now(const struct kmln_line *line)
{
	return line->agent->node->now;
}

/* What a flood gets: the guest waits, and nobody else. */
static void rest(struct kmln_line *line)
{
	line->junk = 0;
	line->pause = now(line) + PAUSE;
}

void kmln_line_say(struct kmln_line *line, const char *text, bool marked)
{
	if (marked)
		kmln_buf_add(&line->out, (const char[]){SENTINEL}, 1);
	kmln_buf_str(&line->out, text);
	kmln_buf_str(&line->out, "\n");
}

/* A line that was asked and does not read gets no second question. */
static bool can_ask(const struct kmln_line *line)
{
	int unread = 0;

	return line->fd >= 0 && !line->out.size &&
	       (ioctl(line->fd, SIOCOUTQ, &unread) < 0 || !unread);
}

static uint32_t random_id(void)
{
	uint32_t id = 0;

	if (getrandom(&id, sizeof(id), 0) < 0)
		id = (uint32_t)kmln_node_now();
	/* a positive number for every reader of JSON */
	return id & 0x7fffffff;
}

/* Asks for frames: kmln's agent answers with the id, qemu-ga with an error. */
static void ask_frames(struct kmln_line *line)
{
	KMLN_FREE char *text = NULL;

	line->id = random_id();
	text = kmln_printf("{\"execute\": \"kmln-frames\", \"arguments\": {\"id\": %u, \"window\": "
			   "%u}, \"id\": %u}",
		line->id, line->window.size, line->id);
	kmln_line_say(line, text, !line->synced);
	line->mode = KMLN_LINE_ASKED;
	line->deadline = now(line) + ANSWER_LIMIT;
}

static void ask_sync(struct kmln_line *line)
{
	KMLN_FREE char *text = NULL;

	line->id = random_id();
	text = kmln_printf(
		"{\"execute\": \"guest-sync-delimited\", \"arguments\": {\"id\": %u}}", line->id);
	kmln_line_say(line, text, true);
}

static void found(struct kmln_line *line, enum kmln_line_mode mode)
{
	line->mode = mode;
	line->deadline = 0;
	line->junk = 0;
	kmln_agent_found(line->agent, line);
}

/* Brackets and commas, those in texts included: there is a value for each at most. */
static bool is_wide(const struct kmln_buf *text)
{
	size_t count = 0;

	for (size_t i = 0; i < text->size; i++)
		count += text->data[i] == ',' || text->data[i] == '[' || text->data[i] == '{';
	return count > VALUES_MAX;
}

/* A whole line of somebody's. */
static void take_line(struct kmln_line *line)
{
	KMLN_JSON struct kmln_json *object = NULL;
	struct kmln_error ignored;
	const struct kmln_json *answer;

	if (is_wide(&line->text)) {
		if (line->mode == KMLN_LINE_QGA)
			kmln_qga_heard(line->agent, NULL);
		return;
	}
	if (kmln_json_parse(line->text.data, line->text.size, &object, &ignored) < 0)
		return;
	if (kmln_eq(kmln_json_get(object, "event"), "KMLN_HELLO")) {
		/* one that was said before the question was heard */
		if (line->mode == KMLN_LINE_ASKED)
			return;
		start_anew(line);
		ask_frames(line);
		return;
	}
	if (line->mode == KMLN_LINE_QGA) {
		kmln_qga_heard(line->agent, object);
		return;
	}
	answer = kmln_json_member(object, "return");
	/* the answer of a slow guest counts, too: it speaks frames now */
	if (line->id && kmln_json_integer(answer, "id", -1) == (int64_t)line->id) {
		found(line, KMLN_LINE_FRAMES);
	} else if (line->mode == KMLN_LINE_ASKED) {
		if (kmln_json_member(object, "error") && line->synced &&
			kmln_json_integer(object, "id", -1) == (int64_t)line->id)
			found(line, KMLN_LINE_QGA);
	} else if (line->asks && kmln_json_integer(object, "return", -1) == (int64_t)line->id) {
		line->synced = true;
		ask_frames(line);
	}
}

/* Takes bytes until a line is whole; false where all were taken. */
static bool take_text(struct kmln_line *line, const char **data, size_t *size)
{
	const size_t most = line->mode == KMLN_LINE_QGA ? QGA_TEXT_MAX : TEXT_MAX;

	while (*size) {
		const char c = **data;

		++*data;
		--*size;
		if (c == SENTINEL) {
			line->text.size = 0;
			line->skip = false;
		} else if (c != '\n') {
			line->skip = line->skip || line->text.size >= most;
			if (!line->skip)
				kmln_buf_add(&line->text, &c, 1);
		} else if (line->skip || !line->text.size) {
			if (line->skip && line->mode == KMLN_LINE_QGA)
				kmln_qga_heard(line->agent, NULL);
			line->text.size = 0;
			line->skip = false;
		} else {
			return true;
		}
	}
	return false;
}

/* A frame's own time runs from its first byte on. */
static void take_frames(struct kmln_line *line, const char **data, size_t *size)
{
	bool whole = false;

	while (line->mode == KMLN_LINE_FRAMES && kmln_frame_take(&line->in, data, size)) {
		whole = true;
		if (line->in.frame.type == KMLN_FRAME_ACK) {
			line->in.broken = line->in.frame.stream ||
					  !kmln_window_taken(&line->window,
						  kmln_frame_number(&line->in.frame));
		} else {
			line->in.broken = !kmln_agent_take(line->agent, &line->in.frame);
		}
	}
	if (line->mode != KMLN_LINE_FRAMES)
		return;
	if (!line->in.bytes.size)
		line->deadline = 0;
	else if (whole || !line->deadline)
		line->deadline = now(line) + FRAME_LIMIT;
}

static void take(struct kmln_line *line, const char *data, size_t size)
{
	while (size) {
		const size_t before = size;

		if (line->mode == KMLN_LINE_FRAMES) {
			take_frames(line, &data, &size);
			if (line->in.broken) {
				start_anew(line);
				/* an agent that starts again says hello from here on; another
				 * one still believes in frames */
				line->again = !size || *data != SENTINEL;
				if (line->again)
					rest(line);
			}
		} else if (take_text(line, &data, &size)) {
			take_line(line);
			line->text.size = 0;
		}
		if (line->mode == KMLN_LINE_SILENT)
			line->junk += before - size;
	}
	if (line->junk > JUNK_MAX)
		rest(line);
}

void kmln_line_read(struct kmln_line *line)
{
	char piece[KMLN_FRAME_MAX];
	ssize_t n = read(line->fd, piece, sizeof(piece));

	if (n > 0) {
		take(line, piece, (size_t)n);
	} else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
		start_anew(line);
		shut(line);
	}
}

/* Bytes that may be written now. */
static size_t room(const struct kmln_line *line)
{
	return line->mode == KMLN_LINE_FRAMES ? kmln_window_room(&line->window) : SIZE_MAX;
}

bool kmln_line_wants(const struct kmln_line *line)
{
	return line->mode == KMLN_LINE_FRAMES && line->out.size < OUT_ENOUGH &&
	       line->out.size < room(line);
}

void kmln_line_write(struct kmln_line *line)
{
	struct kmln_buf *out = &line->out;
	size_t size = out->size;
	ssize_t n;

	if (size > room(line))
		size = room(line);
	if (!size || line->to < 0)
		return;
	n = write(line->to, out->data, size);
	if (n <= 0)
		return;
	memmove(out->data, out->data + n, out->size - (size_t)n);
	out->size -= (size_t)n;
	if (line->mode == KMLN_LINE_FRAMES)
		kmln_window_sent(&line->window, (size_t)n);
}

short kmln_line_events(const struct kmln_line *line)
{
	short events = now(line) < line->pause ? 0 : POLLIN;

	if (line->out.size && room(line))
		events |= POLLOUT;
	return events;
}

void kmln_line_work(struct kmln_line *line)
{
	struct kmln_node *node = line->agent->node;

	if (line->fd < 0)
		return;
	if (line->deadline && node->now >= line->deadline) {
		line->again = line->mode == KMLN_LINE_FRAMES;
		start_anew(line);
	}
	if (line->again && line->mode == KMLN_LINE_SILENT && node->now >= line->pause) {
		line->again = false;
		ask_frames(line);
	}
	if (line->asks && line->mode == KMLN_LINE_SILENT && node->now >= line->ask_at) {
		if (can_ask(line))
			ask_sync(line);
		line->ask_at = node->now +
			       (node->now - node->started < ASK_OFTEN_FOR ? ASK_EACH : ASK_LATER);
	}
	if (line->asks && line->mode == KMLN_LINE_SILENT)
		kmln_node_wake(node, line->ask_at);
	if (line->deadline)
		kmln_node_wake(node, line->deadline);
	if (line->pause > node->now)
		kmln_node_wake(node, line->pause);
	kmln_line_write(line);
}
