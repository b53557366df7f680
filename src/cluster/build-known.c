// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The keys of guests that ssh has seen: known_hosts in the project's folder, which is ssh's to
 * write. A disk that is made anew has a new key. For build.c.
 */
#include <string.h>
#include <strings.h>

#include "base/file.h"
#include "cluster/build-parts.h"

#define KNOWN_MAX (1u << 20)

/* "host.project ssh-ed25519 AAAA..."; ssh writes names in small letters. */
static bool is_of(const char *line, const char *name)
{
	const size_t size = strlen(name);

	return strncasecmp(line, name, size) == 0 && (line[size] == ' ' || line[size] == '\t');
}

int kmln_known_forget(const struct kmln_store *store, const char *host, struct kmln_error *err)
{
	const char *path = kmln_pool_printf(store->pool, "%s/known_hosts", store->folder);
	const char *name = kmln_pool_printf(store->pool, "%s.%s", host, store->project);
	KMLN_BUF struct kmln_buf text = {0}, kept = {0};
	int r = kmln_read_file(path, KNOWN_MAX, &text, err);
	char *rest = text.data, *line;

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	while ((line = strsep(&rest, "\n")))
		if (!is_of(line, name))
			kmln_buf_printf(&kept, "%s%s", line, rest ? "\n" : "");
	return kept.size == text.size ? 0 : kmln_write_text(path, kept.data, kept.size, 0600, err);
}
