/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One line to an agent in a guest: finding out who is there, then frames under a window, or the
 * lines of the QEMU Guest Agent protocol. What is no frame makes it start anew, after a pause.
 */
#ifndef KMLN_NODE_LINE_H
#define KMLN_NODE_LINE_H

#include "channel/frame.h"

struct kmln_agent;

enum kmln_line_mode {
	KMLN_LINE_SILENT, /* nobody answers */
	KMLN_LINE_ASKED, /* one was asked to speak frames */
	KMLN_LINE_FRAMES,
	KMLN_LINE_QGA, /* the real qemu-ga */
};

struct kmln_line {
	struct kmln_agent *agent;
	int fd; /* -1: none, or closed by the program */
	int to; /* what is written to; `fd` itself where that goes both ways */
	bool asks; /* qemu-ga may be there, which does not speak first */
	struct kmln_window window; /* bytes of frames on the way */
	size_t piece; /* bytes of DATA in a frame, at most */
	enum kmln_line_mode mode;
	int64_t deadline; /* of what was asked, or of a frame that is not whole; 0: none */
	int64_t ask_at; /* when qemu-ga is asked for next */
	int64_t pause; /* until when nothing is read: it was flooded */
	uint32_t id; /* of what was asked; an answer may come late */
	bool again; /* it spoke frames and then something else: it is asked once more */
	bool synced; /* ASKED: qemu-ga's protocol was heard on it */
	struct kmln_buf text; /* a line that is not whole */
	bool skip; /* the rest of a line that is too long */
	size_t junk; /* bytes that meant nothing, one after the other */
	struct kmln_frame_reader in;
	struct kmln_buf out;
};
#define KMLN_LINE_NONE ((struct kmln_line){.fd = -1, .to = -1})

void kmln_line_close(struct kmln_line *line);
/* Whoever is there does not answer. */
void kmln_line_give_up(struct kmln_line *line);
/* What to poll for: POLLIN, POLLOUT or 0. */
short kmln_line_events(const struct kmln_line *line);
void kmln_line_read(struct kmln_line *line);
void kmln_line_write(struct kmln_line *line);
/* Time-outs, and asking for qemu-ga; once a turn. */
void kmln_line_work(struct kmln_line *line);
/* True where it takes another frame. */
bool kmln_line_wants(const struct kmln_line *line);
/* Sends a line of the guest agent's protocol; `marked`: whatever was sent before it is to be
 * forgotten, about which qemu-ga complains. */
void kmln_line_say(struct kmln_line *line, const char *text, bool marked);

#endif
