// SPDX-License-Identifier: GPL-2.0-or-later
/* Asking the host's programs and files, with limits on time and size. */
#include "platform/look.h"

#include <string.h>
#include <unistd.h>

#include "base/child.h"
#include "base/file.h"
#include "base/log.h"

/* on a busy host that is itself translated, QEMU took more than four seconds to tell its version */
#define ASK_MS 8000

void kmln_probe_add(struct kmln_pool *pool, struct kmln_probe *probe, const char *key,
	const char *value, const char *package)
{
	struct kmln_finding *f =
		kmln_pool_append(pool, &probe->findings, &probe->count, sizeof(*probe->findings));

	*f = (struct kmln_finding){.key = key, .value = value, .package = package};
}

int kmln_probe_end(struct kmln_probe *probe, const char *state, const char *reason)
{
	probe->state = state;
	probe->usable = kmln_eq(state, "usable");
	probe->reason = reason;
	return 0;
}

char *kmln_look_ask(struct kmln_pool *pool, const char *program, const char *one, const char *two,
	const char *three)
{
	const char *const argv[] = {program, one, two, three, NULL};
	struct kmln_child child = {.argv = argv, .limit_ms = ASK_MS};
	KMLN_BUF struct kmln_buf out = {0}, errors = {0};
	struct kmln_error err;

	if (kmln_child_run(&child, &out, &errors, &err) < 0) {
		kmln_debug("%s", err.text);
		return NULL;
	}
	if (errors.size)
		kmln_buf_str(&out, errors.data);
	return kmln_pool_strdup(pool, out.data ? out.data : "");
}

char *kmln_look_version(struct kmln_pool *pool, const char *text)
{
	while (text && *text) {
		size_t blanks = strspn(text, " \t\n("), n;

		text += blanks;
		n = strcspn(text, " \t\n(),");
		if (n && *text >= '0' && *text <= '9')
			return kmln_pool_memdup(pool, text, n);
		text += n ? n : *text != '\0';
	}
	return NULL;
}

char *kmln_look_line(struct kmln_pool *pool, const char *path)
{
	KMLN_BUF struct kmln_buf text = {0};
	struct kmln_error ignored;

	if (kmln_read_file(path, 65536, &text, &ignored) < 0)
		return NULL;
	return kmln_pool_memdup(
		pool, text.data ? text.data : "", text.data ? strcspn(text.data, "\n") : 0);
}

char *kmln_look_file(struct kmln_pool *pool, const char *const *folders, const char *name)
{
	for (; *folders; folders++) {
		char *path = kmln_pool_printf(pool, "%s/%s", *folders, name);

		if (access(path, R_OK) == 0)
			return path;
	}
	return NULL;
}
