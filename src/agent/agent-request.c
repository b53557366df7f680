// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the host asks for: lines out of bytes, requests out of lines, and what their texts may be.
 * Pure. Garbage may come where the line begins in the middle of something.
 */
#include "agent/agent.h"

#include <string.h>

bool agent_lines_take(struct agent_lines *lines, const char **data, size_t *size)
{
	if (lines->whole)
		lines->text.size = 0;
	lines->whole = false;
	while (*size) {
		char c = **data;

		++*data;
		--*size;
		if ((unsigned char)c == 0xff) {
			lines->text.size = 0;
			lines->skipping = false;
		} else if (c == '\n') {
			lines->whole = !lines->skipping;
			lines->skipping = false;
			if (lines->whole && lines->text.size)
				return true;
			lines->text.size = 0;
		} else if (lines->skipping || lines->text.size == AGENT_LINE_MAX) {
			lines->skipping = true;
			lines->text.size = 0;
		} else {
			kmln_buf_add(&lines->text, &c, 1);
		}
	}
	return false;
}

int agent_request_read(
	const char *text, size_t size, struct agent_request *request, struct kmln_error *err)
{
	int r = kmln_json_parse(text, size, &request->object, err);

	if (r < 0)
		return r;
	request->execute = kmln_json_get(request->object, "execute");
	request->arguments = kmln_json_member(request->object, "arguments");
	if (!request->execute) {
		kmln_json_free(&request->object);
		return kmln_fail(err, KMLN_EINVALID, "the request has no member execute");
	}
	return 0;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool agent_hex_read(const char *text, struct kmln_buf *out)
{
	for (; *text; text += 2) {
		int high = hex_digit(text[0]), low = high < 0 ? -1 : hex_digit(text[1]);
		char byte = (char)(high * 16 + low);

		if (high < 0 || low < 0 || !byte)
			return false;
		kmln_buf_add(out, &byte, 1);
	}
	return true;
}

int agent_path(const struct kmln_json *request, struct kmln_pool *pool, const char **path,
	struct kmln_error *err)
{
	const char *text = kmln_json_get(request, "path"), *hex = kmln_json_get(request, "bytes");
	KMLN_BUF struct kmln_buf bytes = {0};

	if (text) {
		*path = kmln_pool_strdup(pool, text);
	} else {
		if (!hex || !agent_hex_read(hex, &bytes) || !bytes.size)
			return kmln_fail(err, EINVAL, "the request names no path");
		*path = kmln_pool_memdup(pool, bytes.data, bytes.size);
	}
	if (**path != '/')
		return kmln_fail(err, EINVAL, "%s: no path that begins with /", *path);
	return 0;
}

static const char *code_name(int code)
{
	static const struct {
		int code;
		const char *name;
	} names[] = {
#define NAME(code) {code, #code}
		NAME(EPERM),
		NAME(ENOENT),
		NAME(ESRCH),
		NAME(EINTR),
		NAME(EIO),
		NAME(ENXIO),
		NAME(E2BIG),
		NAME(ENOEXEC),
		NAME(EBADF),
		NAME(EAGAIN),
		NAME(ENOMEM),
		NAME(EACCES),
		NAME(EFAULT),
		NAME(EBUSY),
		NAME(EEXIST),
		NAME(EXDEV),
		NAME(ENODEV),
		NAME(ENOTDIR),
		NAME(EISDIR),
		NAME(EINVAL),
		NAME(ENFILE),
		NAME(EMFILE),
		NAME(ETXTBSY),
		NAME(EFBIG),
		NAME(ENOSPC),
		NAME(ESPIPE),
		NAME(EROFS),
		NAME(EMLINK),
		NAME(EPIPE),
		NAME(ENAMETOOLONG),
		NAME(ENOTEMPTY),
		NAME(ELOOP),
		NAME(EDQUOT),
		NAME(ENOTSUP),
		NAME(EADDRNOTAVAIL),
		NAME(ENETDOWN),
		NAME(ENETUNREACH),
		NAME(ECONNRESET),
		NAME(ETIMEDOUT),
		NAME(ECONNREFUSED),
		NAME(EHOSTUNREACH),
		NAME(EPROTO),
		NAME(ESTALE),
		NAME(ENOSYS),
		NAME(ECANCELED),
#undef NAME
	};

	if (code == KMLN_EINVALID || code == KMLN_EUSAGE)
		return "EINVAL";
	for (size_t i = 0; i < KMLN_COUNT(names); i++)
		if (names[i].code == code)
			return names[i].name;
	return "EIO";
}

struct kmln_json *agent_error(const struct kmln_error *err)
{
	struct kmln_json *object = kmln_json_object();

	kmln_json_set(object, "error", kmln_json_text(err->text));
	kmln_json_set(object, "code", kmln_json_text(code_name(err->code)));
	return object;
}
