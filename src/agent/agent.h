/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * kmln-agent, the program in the guest (docs/life.md, "The agent's line"): one process, one poll
 * loop, one line to the host. What could block (a file, a folder, a shutdown) is done by a child of
 * its own. Memory is bounded: what comes by credit, what goes by asking again when there is room.
 *
 *	agent.c          the loop; hello, lines, frames
 *	agent-line.c     finding and opening the line
 *	agent-stream.c   what is opened on it: programs, workers, connections
 *	agent-process.c  starting programs and workers
 *	agent-request.c  what a line or an OPEN asks for
 *	agent-user.c     users by /etc/passwd and /etc/group
 *	agent-calls.c    the table of the QEMU Guest Agent protocol's commands
 *	agent-info.c, agent-handles.c, agent-address.c, agent-shutdown.c   these commands
 *	agent-get.c, agent-put.c, agent-list.c, agent-share.c   workers
 */
#ifndef KMLN_AGENT_AGENT_H
#define KMLN_AGENT_AGENT_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/mem.h"
#include "channel/frame.h"
#include "text/json.h"

#define AGENT_VERSION 1
#define AGENT_STREAMS 128
/* A request in a line, bytes: more than any command here takes. */
#define AGENT_LINE_MAX (256u << 10)
/* More is not read from programs before the line has taken it. */
#define AGENT_OUT_MAX (64u << 10)
/* Answers that wait: above it no more requests are read. */
#define AGENT_WAITING_MAX (1u << 20)
/* Of a program's output that is kept until guest-exec-status asks, bytes. */
#define AGENT_CAPTURE_MAX (1u << 20)

/* ---- agent-request.c: pure ---- */

/* Lines out of bytes. Zeroed to begin with. */
struct agent_lines {
	struct kmln_buf text; /* the line, without its newline; valid until the next call */
	bool whole, skipping;
};
/* True: a line is whole. 0xFF forgets what was before it; what is too long is left out. */
bool agent_lines_take(struct agent_lines *lines, const char **data, size_t *size);

struct agent_request {
	struct kmln_json *object; /* the caller's */
	const char *execute;
	const struct kmln_json *arguments; /* NULL: none */
};
/* KMLN_EINVALID for what is no request. */
int agent_request_read(
	const char *text, size_t size, struct agent_request *request, struct kmln_error *err);

/* Digits of hexadecimal; false where they are none, or a NUL is among them. */
bool agent_hex_read(const char *text, struct kmln_buf *out);
/* The path that a request names, by "path" or, in hexadecimal, "bytes"; from the pool. */
int agent_path(const struct kmln_json *request, struct kmln_pool *pool, const char **path,
	struct kmln_error *err);
/* {"error": ..., "code": ...} */
struct kmln_json *agent_error(const struct kmln_error *err);

/* ---- agent-user.c: pure but for agent_user_read() ---- */

#define AGENT_GROUPS 64
struct agent_user {
	const char *name, *home, *shell; /* from the pool */
	uid_t uid;
	gid_t gid, groups[AGENT_GROUPS];
	size_t group_count;
};
/* By name, or by number. */
bool agent_user_find(const char *passwd, const char *group, const char *name,
	struct kmln_pool *pool, struct agent_user *user);
/* In this guest's files. ENOENT where there is none; root is there always. */
int agent_user_read(
	const char *name, struct kmln_pool *pool, struct agent_user *user, struct kmln_error *err);

/* ---- agent-line.c ---- */

struct agent_line {
	int fd; /* -1: none is open */
	bool serial; /* else a virtio port */
	bool module_tried;
	struct kmln_buf out; /* not written yet, from `written` on */
	size_t written;
	int64_t next_try, next_look; /* milliseconds of the loop's clock */
};
/* Opens the best line there is, where none is open. */
void agent_line_open(struct agent_line *line, int64_t now);
/* A better one than the open one is there now. */
bool agent_line_better(struct agent_line *line, int64_t now);
void agent_line_close(struct agent_line *line);
size_t agent_line_waiting(const struct agent_line *line);
/* Writes what it can; false where the line is lost. */
bool agent_line_flush(struct agent_line *line);

/* ---- agent-process.c ---- */

/* The agent ignores these, and what it starts does not: the line is not lost with a terminal. */
static const int agent_ignored[] = {SIGPIPE, SIGHUP};

enum agent_kind { AGENT_EXEC, AGENT_WORK, AGENT_CONNECT, AGENT_CAPTURE };

/* Something that is opened. Descriptors are -1 when they are closed. */
struct agent_stream {
	enum agent_kind kind;
	uint32_t id; /* of the stream; AGENT_CAPTURE: its pid */
	pid_t pid; /* of what runs, leader of its process group; 0: nothing */
	bool pty, connecting;
	bool ended; /* it has, with this status of wait() */
	int status;
	int in, out, errors, result;
	struct kmln_buf input; /* not passed on yet, from `passed` on */
	size_t passed;
	bool input_ended;
	uint32_t owed; /* of input that was passed on, not given back as credit yet */
	uint32_t credit; /* that the host gave */
	struct kmln_buf answer; /* what came by `result` */
	struct kmln_buf captured[2];
	bool cut[2];
};

/* A job in a child of its own: input is descriptor 0, output 1. What `answer` gets is returned. */
typedef int agent_work_fn(
	const struct kmln_json *request, struct kmln_json *answer, struct kmln_error *err);

/* Starts what `request` asks for; fills stream's pid and descriptors. */
int agent_start_program(
	struct agent_stream *stream, const struct kmln_json *request, struct kmln_error *err);
int agent_start_work(struct agent_stream *stream, agent_work_fn *work,
	const struct kmln_json *request, struct kmln_error *err);
int agent_start_connect(
	struct agent_stream *stream, const struct kmln_json *request, struct kmln_error *err);
/* A child that does this and ends; nobody waits for it. */
int agent_start_aside(void (*work)(void *data), void *data, struct kmln_error *err);
void agent_set_size(int pty, const struct kmln_json *request);

extern agent_work_fn agent_get, agent_put, agent_list;

/* ---- agent-share.c ---- */

/*
 * In a worker: opens a file of the host's transfer folder; the mount it needs is nowhere in the
 * guest's tree. ENOTSUP where the guest cannot see that folder.
 */
int agent_share_open(const char *name, int flags, struct kmln_error *err);
/* Copies all that is left. */
int agent_copy(int from, int to, uint64_t *size, struct kmln_error *err);

struct agent;

/* ---- agent-calls.c and those behind it ---- */

/* NULL: err says why; with err->code 0: it is never answered. */
typedef struct kmln_json *agent_call_fn(
	struct agent *agent, const struct kmln_json *arguments, struct kmln_error *err);
/* KMLN_EUSAGE: there is no such command. */
struct kmln_json *agent_call(struct agent *agent, const char *execute,
	const struct kmln_json *arguments, struct kmln_error *err);
extern agent_call_fn agent_call_osinfo, agent_call_host_name, agent_call_time,
	agent_call_interfaces, agent_call_port, agent_call_address, agent_call_shutdown,
	agent_call_open, agent_call_read, agent_call_write, agent_call_seek, agent_call_flush,
	agent_call_close, agent_call_exec, agent_call_exec_status;

/* ---- the whole ---- */

#define AGENT_HANDLES 16
#define AGENT_ENDINGS 64

struct agent {
	struct agent_line line;
	bool frames; /* else lines */
	bool spoken; /* somebody has spoken to it */
	int64_t now, hello_at, frame_since, started;
	char boot[33]; /* random */
	struct agent_lines lines;
	struct kmln_frame_reader reader;
	struct kmln_window_reader window;
	struct agent_stream *streams[AGENT_STREAMS];
	size_t stream_count, turn; /* who is read first */
	/* process groups that were told to end, and when they are made to */
	struct {
		pid_t group;
		int64_t at;
	} endings[AGENT_ENDINGS];
	size_t ending_count;
	int handles[AGENT_HANDLES]; /* 0: free */
	int signals; /* signalfd */
};

/* ---- agent-stream.c ---- */

struct pollfd;
void agent_streams_frame(struct agent *agent, const struct kmln_frame *frame);
/* A stream of the table, zeroed; NULL where it is full. */
struct agent_stream *agent_stream_new(struct agent *agent);
struct agent_stream *agent_stream_find(struct agent *agent, uint32_t id, bool captured);
/* Ends what runs for it; it is gone afterwards. */
void agent_stream_abandon(struct agent *agent, struct agent_stream *stream);
void agent_streams_abandon(struct agent *agent);
/* Adds what they wait for; at most 4 for each stream. Returns how many were added. */
size_t agent_streams_poll(struct agent *agent, struct pollfd *fds);
/* True where one is to be looked at at once: its program has ended, its output may be held open. */
bool agent_streams_hurry(const struct agent *agent);
void agent_streams_work(struct agent *agent, const struct pollfd *fds, size_t count);
/* After SIGCHLD. */
void agent_streams_reap(struct agent *agent);
/* Kills groups whose time has come; milliseconds until the next, or -1. */
int agent_endings(struct agent *agent);

#endif
