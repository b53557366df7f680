// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A guest's package sources, taken apart and trusted in nothing: what is not plainly an http or
 * https archive with ordinary words is left out, so nothing of the guest's text can mean something
 * else to the host's apt (a file: archive, an option, a second line).
 */
#include "guest/fetch.h"

#include <ctype.h>
#include <string.h>

static bool plain_words(const char *text, const char *also)
{
	if (!*text)
		return false;
	for (; *text; text++)
		if (!isalnum((unsigned char)*text) && !strchr(also, *text))
			return false;
	return true;
}

static bool good_uri(const char *uri)
{
	if (!kmln_starts(uri, "http://") && !kmln_starts(uri, "https://"))
		return false;
	uri = strstr(uri, "//") + 2;
	return isalnum((unsigned char)*uri) && plain_words(uri, "._~:/%+-") && !strstr(uri, "/../");
}

typedef void (*source_fn)(void *data, const char *uri, const char *suite, const char *components,
	const char *signed_by);

static void offer(const char *uri, const char *suite, const char *components, const char *signed_by,
	source_fn add, void *data)
{
	if (good_uri(uri) && plain_words(suite, "._/+-") && plain_words(components, "._/+- ") &&
		(!signed_by || (signed_by[0] == '/' && plain_words(signed_by, "._/+-"))))
		add(data, uri, suite, components, signed_by);
}

/* "deb [signed-by=/usr/share/keyrings/x.gpg arch=amd64] URI SUITE COMPONENT..." */
static void one_line(char *line, source_fn add, void *data)
{
	char *components = NULL, *signed_by = NULL, *uri, *suite;
	size_t n = strspn(line, " \t");

	line += n;
	if (!kmln_starts(line, "deb ") && !kmln_starts(line, "deb\t"))
		return;
	line += 4;
	line += strspn(line, " \t");
	if (*line == '[') {
		char *end = strchr(line, ']'), *options = line + 1;

		if (!end)
			return;
		*end = '\0';
		for (char *option; (option = strsep(&options, " \t"));)
			if (kmln_starts(option, "signed-by=")) {
				signed_by = option + strlen("signed-by=");
				signed_by += *signed_by == '"';
				signed_by[strcspn(signed_by, "\",")] = '\0';
			}
		line = end + 1;
		line += strspn(line, " \t");
	}
	line[strcspn(line, "#\r")] = '\0';
	uri = strsep(&line, " \t");
	while (line && (*line == ' ' || *line == '\t'))
		line++;
	suite = strsep(&line, " \t");
	components = line;
	if (!uri || !suite || !components)
		return;
	for (n = strlen(components); n && isspace((unsigned char)components[n - 1]); n--)
		components[n - 1] = '\0';
	for (char *c = components; *c; c++)
		if (*c == '\t')
			*c = ' ';
	offer(uri, suite, components + strspn(components, " "), signed_by, add, data);
}

/* One stanza's fields of interest. */
struct stanza {
	char *types, *uris, *suites, *components, *signed_by, *enabled;
};

static bool has_word(const char *text, const char *word)
{
	size_t n = strlen(word);

	for (const char *at = text; at && (at = strstr(at, word)); at += n)
		if ((at == text || isspace((unsigned char)at[-1])) &&
			(!at[n] || isspace((unsigned char)at[n])))
			return true;
	return false;
}

static void end_stanza(struct stanza *s, source_fn add, void *data, struct kmln_pool *pool)
{
	if (s->uris && s->suites && s->components && (!s->types || has_word(s->types, "deb")) &&
		!(s->enabled && strcasestr(s->enabled, "no"))) {
		for (char *uri; (uri = strsep(&s->uris, " \t"));) {
			char *suites = kmln_pool_strdup(pool, s->suites);

			for (char *suite; *uri && (suite = strsep(&suites, " \t"));)
				if (*suite)
					offer(uri, suite, s->components, s->signed_by, add, data);
		}
	}
	*s = (struct stanza){0};
}

static void read_field(struct stanza *s, char *line)
{
	const struct {
		const char *name;
		char **slot;
	} fields[] = {{"Types:", &s->types}, {"URIs:", &s->uris}, {"Suites:", &s->suites},
		{"Components:", &s->components}, {"Signed-By:", &s->signed_by},
		{"Enabled:", &s->enabled}};

	for (size_t i = 0; i < KMLN_COUNT(fields); i++)
		if (strncasecmp(line, fields[i].name, strlen(fields[i].name)) == 0) {
			char *value = line + strlen(fields[i].name);

			value += strspn(value, " \t");
			/* a key written out in the file itself is not a path: apt's default serves
			 */
			*fields[i].slot = *value ? value : NULL;
		}
}

void kmln_fetch_sources(
	const char *text, bool deb822, struct kmln_pool *pool, source_fn add, void *data)
{
	char *rest = kmln_pool_strdup(pool, text), *line;
	struct stanza stanza = {0};

	while (rest && *rest && (line = strsep(&rest, "\n"))) {
		size_t n = strcspn(line, "\r");

		line[n] = '\0';
		if (!deb822)
			one_line(line, add, data);
		else if (!*line)
			end_stanza(&stanza, add, data, pool);
		else if (*line != '#' && *line != ' ')
			read_field(&stanza, line);
	}
	end_stanza(&stanza, add, data, pool);
}
