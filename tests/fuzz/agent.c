// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What comes on kmln-agent's line before frames: lines, requests in them, and the texts that these
 * carry. The line may begin in the middle of anything.
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "agent/agent.h"
#include "text/base64.h"

static void look_at(const struct agent_request *request)
{
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	const char *text = kmln_json_get(request->arguments, "buf-b64"), *path,
		   *passwd = kmln_json_get(request->arguments, "passwd");
	KMLN_BUF struct kmln_buf bytes = {0}, again = {0};
	struct agent_user user;
	struct kmln_error err;

	if (agent_path(request->arguments, pool, &path, &err) == 0 && *path != '/')
		abort();
	if (passwd && agent_user_find(passwd, passwd, request->execute, pool, &user) &&
		(user.group_count < 1 || user.group_count > AGENT_GROUPS))
		abort();
	if (!text || !kmln_base64_read(text, &bytes))
		return;
	kmln_base64_add(&again, bytes.data, bytes.size);
	/* the last digit may have bits that stand for nothing */
	if (again.size != strlen(text) ||
		(again.size > 4 && memcmp(again.data, text, again.size - 4) != 0))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct agent_lines lines = {0};
	const char *at = (const char *)data;

	while (agent_lines_take(&lines, &at, &size)) {
		struct agent_request request;
		struct kmln_error err;

		if (!lines.text.size || lines.text.size > AGENT_LINE_MAX ||
			memchr(lines.text.data, '\n', lines.text.size))
			abort();
		if (agent_request_read(lines.text.data, lines.text.size, &request, &err) < 0)
			continue;
		look_at(&request);
		kmln_json_free(&request.object);
	}
	kmln_buf_fini(&lines.text);
	return 0;
}
