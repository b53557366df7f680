// SPDX-License-Identifier: GPL-2.0-or-later
/* The option parser on a table with one option of each kind. */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "base/nearest.h"
#include "cli/cli.h"

int kmln_verbosity;

struct values {
	bool force;
	const char *output, *on;
	uint64_t size, timeout;
	struct kmln_strv include, steps;
};

static const char *const platforms[] = {"uml", "kvm", NULL};

static const struct kmln_opt opts[] = {
	{"force", 'f', KMLN_OPT_FLAG, NULL, "", offsetof(struct values, force), NULL},
	{"output", 'o', KMLN_OPT_FILE, "FILE", "", offsetof(struct values, output), NULL},
	{"on", 0, KMLN_OPT_CHOICE, "PLATFORM", "", offsetof(struct values, on), platforms},
	{"size", 0, KMLN_OPT_SIZE, "SIZE", "", offsetof(struct values, size), NULL},
	{"timeout", 0, KMLN_OPT_NUMBER, "S", "", offsetof(struct values, timeout), NULL},
	{"include", 0, KMLN_OPT_LIST, "PKG", "", offsetof(struct values, include), NULL},
	{"send", 0, KMLN_OPT_STEPS, "TEXT", "", offsetof(struct values, steps), NULL},
	{"until", 0, KMLN_OPT_STEPS, "REGEX", "", offsetof(struct values, steps), NULL},
	KMLN_OPT_END,
};

static const struct kmln_command command = {.name = "test", .opts = opts};

/* A parse of words given as one text with blanks between; what it made is freed by release(). */
struct parse {
	struct values values;
	char words[256];
	char *argv[32];
	int argc, first, result;
	bool help;
	struct kmln_error err;
};

static void release(struct parse *parse)
{
	kmln_opts_fini(&command, &parse->values);
}
#define PARSE KMLN_CLEANUP(release)

static void parse(struct parse *p, const char *words)
{
	char *rest = p->words;

	memset(p, 0, sizeof(*p));
	snprintf(p->words, sizeof(p->words), "%s", words);
	while (*words && p->argc < 31 && (p->argv[p->argc] = strsep(&rest, " ")))
		p->argc++;
	kmln_verbosity = 0;
	p->result = kmln_opts_parse(
		&command, &p->values, p->argc, p->argv, &p->first, &p->help, &p->err);
}

static void test_all_kinds(void **state)
{
	PARSE struct parse p;

	(void)state;
	parse(&p, "IN -f -o out --on=kvm --size 2G --timeout 30 --include a,b --include c,,d MORE");
	assert_int_equal(p.result, 0);
	assert_true(p.values.force);
	assert_string_equal(p.values.output, "out");
	assert_string_equal(p.values.on, "kvm");
	assert_int_equal(p.values.size, 2ull << 30);
	assert_int_equal(p.values.timeout, 30);
	assert_int_equal(p.values.include.count, 4);
	assert_string_equal(p.values.include.items[3], "d");
	assert_int_equal(p.first, 2);
	assert_string_equal(p.argv[0], "IN");
	assert_string_equal(p.argv[1], "MORE");
}

static void test_forms(void **state)
{
	PARSE struct parse joined, steps, dashes, none;

	(void)state;
	parse(&joined, "-oout -");
	assert_string_equal(joined.values.output, "out");
	assert_int_equal(joined.first, 1);
	parse(&steps, "--until login: --send root --until=a=b");
	assert_int_equal(steps.values.steps.count, 3);
	assert_string_equal(steps.values.steps.items[0], "until=login:");
	assert_string_equal(steps.values.steps.items[1], "send=root");
	assert_string_equal(steps.values.steps.items[2], "until=a=b");
	parse(&dashes, "a -- -f --size");
	assert_int_equal(dashes.result, 0);
	assert_int_equal(dashes.first, 3);
	assert_false(dashes.values.force);
	parse(&none, "");
	assert_int_equal(none.first, 0);
}

static void test_globals(void **state)
{
	PARSE struct parse p, quiet;

	(void)state;
	parse(&p, "-v --help");
	assert_true(p.help);
	assert_int_equal(kmln_verbosity, 1);
	parse(&quiet, "--quiet");
	assert_int_equal(kmln_verbosity, -1);
}

static void test_errors(void **state)
{
	static const struct {
		const char *words, *text;
	} table[] = {
		{"--size", "--size needs a value: SIZE"},
		{"--force=yes", "--force takes no value"},
		{"--on xen", "--on: 'xen' is not one of uml, kvm"},
		{"--timeout 5x", "--timeout: '5x' is not a number"},
		{"--timeout -5", "--timeout: '-5' is not a number"},
		{"--timeout +5", "--timeout: '+5' is not a number"},
		{"--timeout=", "--timeout: '' is not a number"},
		{"--timeout 18446744073709551616",
			"--timeout: '18446744073709551616' is not a number"},
		{"--forse", "no option --forse; did you mean --force?"},
		{"--ouptut=x", "no option --ouptut=x; did you mean --output?"},
		{"--time 3", "no option --time; did you mean --timeout?"},
		{"--banana", "no option --banana (kmln test --help lists them)"},
		{"-x", "no option -x (kmln test --help lists them)"},
		{"---", "no option --- (kmln test --help lists them)"},
	};

	(void)state;
	for (size_t i = 0; i < KMLN_COUNT(table); i++) {
		PARSE struct parse p;

		parse(&p, table[i].words);
		assert_int_equal(p.result, -KMLN_EUSAGE);
		assert_string_equal(p.err.text, table[i].text);
		assert_int_equal(kmln_exit_status(&p.err), 2);
	}
}

static void test_sizes(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes; /* UINT64_MAX: an error */
	} table[] = {
		{"0", 0},
		{"4096", 4096},
		{"1K", 1024},
		{"512M", 512ull << 20},
		{"2G", 2ull << 30},
		{"2GiB", 2ull << 30},
		{"3T", 3ull << 40},
		{"9223372036854775807", INT64_MAX},
		{"9223372036854775808", UINT64_MAX},
		{"8388608T", UINT64_MAX},
		{"99999999999999999999", UINT64_MAX},
		{"", UINT64_MAX},
		{"G", UINT64_MAX},
		{"-1", UINT64_MAX},
		{" 1", UINT64_MAX},
		{" -18446744073709551615", UINT64_MAX},
		{"1g", UINT64_MAX},
		{"1.5G", UINT64_MAX},
		{"1GG", UINT64_MAX},
		{"1Gi", UINT64_MAX},
		{"0x10", UINT64_MAX},
	};

	(void)state;
	for (size_t i = 0; i < KMLN_COUNT(table); i++) {
		struct kmln_error err = {0};
		uint64_t bytes = 0;
		int r = kmln_parse_size(table[i].text, &bytes, &err);

		if (table[i].bytes == UINT64_MAX) {
			assert_int_equal(r, -KMLN_EUSAGE);
			assert_non_null(strstr(err.text, "size"));
		} else {
			assert_int_equal(r, 0);
			assert_int_equal(bytes, table[i].bytes);
		}
	}
}

static void test_near(void **state)
{
	(void)state;
	assert_int_equal(kmln_distance("insp", "inspect"), 0);
	assert_int_equal(kmln_distance("kernels", "kernel"), 0);
	assert_int_equal(kmln_distance("convrt", "convert"), 1);
	assert_int_equal(kmln_distance("ocnvert", "convert"), 2);
	assert_int_equal(kmln_distance("boot", "inspect"), SIZE_MAX);
	assert_int_equal(kmln_distance("x", "boot"), SIZE_MAX);
	assert_int_equal(kmln_distance("", "boot"), SIZE_MAX);
	assert_int_equal(kmln_distance("on", "to"), SIZE_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_kinds),
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_globals),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_near),
	};

	return cmocka_run_group_tests_name("opts", tests, NULL, NULL);
}
