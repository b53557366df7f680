// SPDX-License-Identifier: GPL-2.0-or-later
/* guest-file-*: files by handles, a piece a request. Frames have get and put. */
#include "agent/agent.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "text/base64.h"

#define PIECE_DEFAULT 4096
#define PIECE_MAX (128u << 10)

static int flags_of(const char *mode)
{
	static const struct {
		const char *mode;
		int flags;
	} modes[] = {
		{"r", O_RDONLY},
		{"rb", O_RDONLY},
		{"w", O_WRONLY | O_CREAT | O_TRUNC},
		{"wb", O_WRONLY | O_CREAT | O_TRUNC},
		{"a", O_WRONLY | O_CREAT | O_APPEND},
		{"ab", O_WRONLY | O_CREAT | O_APPEND},
		{"r+", O_RDWR},
		{"rb+", O_RDWR},
		{"r+b", O_RDWR},
		{"w+", O_RDWR | O_CREAT | O_TRUNC},
		{"wb+", O_RDWR | O_CREAT | O_TRUNC},
		{"w+b", O_RDWR | O_CREAT | O_TRUNC},
		{"a+", O_RDWR | O_CREAT | O_APPEND},
		{"ab+", O_RDWR | O_CREAT | O_APPEND},
		{"a+b", O_RDWR | O_CREAT | O_APPEND},
	};

	for (size_t i = 0; i < KMLN_COUNT(modes); i++)
		if (strcmp(modes[i].mode, mode) == 0)
			return modes[i].flags;
	return -1;
}

static struct kmln_json *failed(struct kmln_error *err, const char *what)
{
	kmln_fail_sys(err, errno, "%s", what);
	return NULL;
}

struct kmln_json *agent_call_open(
	struct agent *agent, const struct kmln_json *arguments, struct kmln_error *err)
{
	const char *path = kmln_json_get(arguments, "path"),
		   *mode = kmln_json_get(arguments, "mode");
	int flags = flags_of(mode ? mode : "r");

	if (!path || flags < 0) {
		kmln_fail(err, EINVAL, path ? "no such mode" : "the request names no path");
		return NULL;
	}
	for (int i = 0; i < AGENT_HANDLES; i++)
		if (!agent->handles[i]) {
			int fd = open(path, flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0666);

			if (fd < 0)
				return failed(err, path);
			agent->handles[i] = fd;
			return kmln_json_signed(1000 + i);
		}
	kmln_fail(err, EMFILE, "%d files at once are enough", AGENT_HANDLES);
	return NULL;
}

/* The slot of a handle; NULL, and err, where there is none. */
static int *handle(struct agent *agent, const struct kmln_json *arguments, struct kmln_error *err)
{
	int64_t number = kmln_json_integer(arguments, "handle", -1) - 1000;

	if (number >= 0 && number < AGENT_HANDLES && agent->handles[number])
		return &agent->handles[number];
	kmln_fail(err, EBADF, "there is no such handle");
	return NULL;
}

struct kmln_json *agent_call_read(
	struct agent *agent, const struct kmln_json *arguments, struct kmln_error *err)
{
	int64_t count = kmln_json_integer(arguments, "count", PIECE_DEFAULT);
	int *fd = handle(agent, arguments, err);
	KMLN_BUF struct kmln_buf text = {0};
	KMLN_FREE char *piece = NULL;
	struct kmln_json *answer;
	ssize_t n;

	if (!fd)
		return NULL;
	if (count < 0 || count > PIECE_MAX)
		count = PIECE_MAX;
	piece = kmln_malloc((size_t)count + 1);
	n = read(*fd, piece, (size_t)count);
	if (n < 0)
		return failed(err, "read");
	kmln_base64_add(&text, piece, (size_t)n);
	answer = kmln_json_object();
	kmln_json_set(answer, "count", kmln_json_signed(n));
	kmln_json_set(answer, "buf-b64", kmln_json_text(text.data));
	kmln_json_set(answer, "eof", kmln_json_bool(n == 0 && count > 0));
	return answer;
}

struct kmln_json *agent_call_write(
	struct agent *agent, const struct kmln_json *arguments, struct kmln_error *err)
{
	const char *text = kmln_json_get(arguments, "buf-b64");
	int *fd = handle(agent, arguments, err);
	KMLN_BUF struct kmln_buf bytes = {0};
	struct kmln_json *answer;
	int64_t count;
	ssize_t n;

	if (!fd)
		return NULL;
	if (!text || !kmln_base64_read(text, &bytes)) {
		kmln_fail(err, EINVAL, "buf-b64 is no base64");
		return NULL;
	}
	count = kmln_json_integer(arguments, "count", (int64_t)bytes.size);
	if (count < 0 || (uint64_t)count > bytes.size) {
		kmln_fail(err, EINVAL, "count is more than there is");
		return NULL;
	}
	n = write(*fd, bytes.data ? bytes.data : "", (size_t)count);
	if (n < 0)
		return failed(err, "write");
	answer = kmln_json_object();
	kmln_json_set(answer, "count", kmln_json_signed(n));
	kmln_json_set(answer, "eof", kmln_json_bool(false));
	return answer;
}

static int whence(const struct kmln_json *arguments)
{
	const char *word = kmln_json_get(arguments, "whence");
	static const char *const words[] = {"set", "cur", "end"};

	for (int i = 0; i < 3; i++)
		if (kmln_eq(word, words[i]))
			return i;
	return (int)kmln_json_integer(arguments, "whence", -1);
}

struct kmln_json *agent_call_seek(
	struct agent *agent, const struct kmln_json *arguments, struct kmln_error *err)
{
	static const int from[] = {SEEK_SET, SEEK_CUR, SEEK_END};
	int *fd = handle(agent, arguments, err), way = whence(arguments);
	struct kmln_json *answer;
	off_t at;

	if (!fd)
		return NULL;
	if (way < 0 || way > 2) {
		kmln_fail(err, EINVAL, "no such whence");
		return NULL;
	}
	at = lseek(*fd, kmln_json_integer(arguments, "offset", 0), from[way]);
	if (at < 0)
		return failed(err, "seek");
	answer = kmln_json_object();
	kmln_json_set(answer, "position", kmln_json_signed(at));
	kmln_json_set(answer, "eof", kmln_json_bool(false));
	return answer;
}

struct kmln_json *agent_call_flush(
	struct agent *agent, const struct kmln_json *arguments, struct kmln_error *err)
{
	int *fd = handle(agent, arguments, err);

	if (!fd)
		return NULL;
	/* what has nothing to be synced is no failure */
	if (fdatasync(*fd) < 0 && errno != EINVAL)
		return failed(err, "flush");
	return kmln_json_object();
}

struct kmln_json *agent_call_close(
	struct agent *agent, const struct kmln_json *arguments, struct kmln_error *err)
{
	int *fd = handle(agent, arguments, err), r;

	if (!fd)
		return NULL;
	r = close(*fd);
	*fd = 0;
	return r < 0 ? failed(err, "close") : kmln_json_object();
}
