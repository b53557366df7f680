// SPDX-License-Identifier: GPL-2.0-or-later
/* A guest's package sources: what they give to the host's apt, and above all what they do not. */
#include "unit.h"

#include <string.h>

#include "guest/fetch.h"

static void add(void *data, const char *uri, const char *suite, const char *components,
	const char *signed_by)
{
	kmln_buf_printf(data, "%s|%s|%s|%s\n", uri, suite, components, signed_by ? signed_by : "-");
}

static void gives(bool deb822, const char *text, const char *expected)
{
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	KMLN_BUF struct kmln_buf got = {0};

	kmln_fetch_sources(text, deb822, pool, add, &got);
	assert_string_equal(got.data ? got.data : "", expected);
}

static void line(const char *text, const char *expected)
{
	gives(false, text, expected);
}

static void stanza(const char *text, const char *expected)
{
	gives(true, text, expected);
}

static void test_lines(void **state)
{
	(void)state;
	line("deb http://deb.debian.org/debian bookworm main\n",
		"http://deb.debian.org/debian|bookworm|main|-\n");
	line("# a comment\n\n \t deb\thttps://x.org:8080/a/~b  bookworm/updates\tmain  contrib \r\n"
	     "deb-src http://deb.debian.org/debian bookworm main\n"
	     "deb http://second.org/d sid main # behind it\n",
		"https://x.org:8080/a/~b|bookworm/updates|main  contrib|-\n"
		"http://second.org/d|sid|main|-\n");
	line("deb [arch=amd64 signed-by=/usr/share/keyrings/a.gpg] http://x.org/d sid main",
		"http://x.org/d|sid|main|/usr/share/keyrings/a.gpg\n");
	line("deb [ signed-by=\"/etc/a.asc\" ] http://x.org/d sid main",
		"http://x.org/d|sid|main|/etc/a.asc\n");
	line("", "");
	line("deb", "");
	line("deb ", "");
	line("deb http://x.org/d", "");
	line("deb http://x.org/d sid", "");
}

/* An option of the guest's never reaches apt: only URI, suite and components are handed on. */
static void test_hostile_options(void **state)
{
	(void)state;
	line("deb [trusted=yes] http://x.org/d sid main", "http://x.org/d|sid|main|-\n");
	line("deb [trusted=yes allow-insecure=yes signed-by=/k.gpg check-valid-until=no] "
	     "http://x.org/d sid main",
		"http://x.org/d|sid|main|/k.gpg\n");
	line("deb [trusted=yes http://x.org/d sid main", "");
	/* what looks like options elsewhere is no plain word */
	line("deb http://x.org/d [trusted=yes] sid main", "");
	line("deb http://x.org/d sid [trusted=yes] main", "");
	line("deb http://x.org/d sid main [trusted=yes]", "");
	line("deb [] [trusted=yes] http://x.org/d sid main", "");
}

static void test_hostile_places(void **state)
{
	static const char *const uris[] = {"file:/etc", "file:///var/lib/secret", "copy:/etc",
		"cdrom:[x]/", "ftp://x.org/d", "ssh://x.org/d", "rsh:x", "mirror+file:/etc/m",
		"mirror://x.org/list", "HTTP://x.org/d", "store:/x", "http:/etc/passwd", "http://",
		"http:///etc", "https://user:secret@x.org/d", "http://x.org/../../etc",
		"http://x.org/d?q", "http://x.org/d#f", "http://x.org/d;id", "http://x.org/$(id)",
		"http://x.org/`id`", "http://x.org/d'", "http://x.org/\"d", "http://x.org/\x1b[2J",
		"http://x.org/\xff", "http://[::1]/d"};

	(void)state;
	for (size_t i = 0; i < KMLN_COUNT(uris); i++) {
		KMLN_FREE char *one = kmln_printf("deb %s sid main\n", uris[i]);
		KMLN_FREE char *many = kmln_printf(
			"Types: deb\nURIs: %s\nSuites: sid\nComponents: main\n", uris[i]);

		line(one, "");
		stanza(many, "");
	}
}

/* Nothing in one field can end the line that is written for apt. */
static void test_hostile_lines(void **state)
{
	static const char *const words[] = {"sid\ndeb file:/etc x y", "sid\rdeb file:/etc x y",
		"sid\vx", "sid\fx", "s=d", "s;d", "s\\nd", "$(arch)", "s\"d", "s'd", "s[d", "s]d"};

	(void)state;
	for (size_t i = 0; i < KMLN_COUNT(words); i++) {
		KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
		KMLN_BUF struct kmln_buf got = {0};
		KMLN_FREE char *one =
			kmln_printf("deb http://x.org/d %s main\ndeb http://x.org/d sid %s\n"
				    "deb [signed-by=/k%s] http://x.org/d sid main\n",
				words[i], words[i], words[i]);
		KMLN_FREE char *many = kmln_printf(
			"URIs: http://x.org/d\nSuites: %s\nComponents: %s\nSigned-By: /k%s\n",
			words[i], words[i], words[i]);

		kmln_fetch_sources(one, false, pool, add, &got);
		kmln_fetch_sources(many, true, pool, add, &got);
		/* whatever is left consists of ordinary words, a line each */
		for (char *c = got.data; c && *c; c++)
			assert_non_null(strchr("abcdefghijklmnopqrstuvwxyz./:|- \n", *c));
		assert_null(got.data ? strstr(got.data, "file:") : NULL);
	}
}

static void test_stanzas(void **state)
{
	(void)state;
	stanza("Types: deb deb-src\nURIs: http://a.org/d\thttps://b.org/d\nSuites: sid sid-updates\n"
	       "Components: main contrib\nSigned-By: /usr/share/keyrings/a.gpg\n\n"
	       "# another\ntypes: deb\nuris: http://c.org/d\nsuites: trixie\ncomponents: main\n",
		"http://a.org/d|sid|main contrib|/usr/share/keyrings/a.gpg\n"
		"http://a.org/d|sid-updates|main contrib|/usr/share/keyrings/a.gpg\n"
		"https://b.org/d|sid|main contrib|/usr/share/keyrings/a.gpg\n"
		"https://b.org/d|sid-updates|main contrib|/usr/share/keyrings/a.gpg\n"
		"http://c.org/d|trixie|main|-\n");
	stanza("Types: deb-src\nURIs: http://a.org/d\nSuites: sid\nComponents: main\n", "");
	stanza("Enabled: no\nURIs: http://a.org/d\nSuites: sid\nComponents: main\n", "");
	stanza("URIs: http://a.org/d\nSuites: sid\n", "");
	stanza("Trusted: yes\nURIs: http://a.org/d\nSuites: sid\nComponents: main\n",
		"http://a.org/d|sid|main|-\n");
	/* a key in the file itself is no path */
	stanza("URIs: http://a.org/d\nSuites: sid\nComponents: main\nSigned-By:\n"
	       " -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n mDMEY\n URIs: http://evil.org/d\n",
		"http://a.org/d|sid|main|-\n");
	/* a key that is no path at all is not apt's default, but none */
	stanza("URIs: http://a.org/d\nSuites: sid\nComponents: main\nSigned-By: 0123ABCD\n", "");
	stanza("", "");
	stanza("\n\n\n", "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_hostile_options),
		cmocka_unit_test(test_hostile_places),
		cmocka_unit_test(test_hostile_lines),
		cmocka_unit_test(test_stanzas),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
