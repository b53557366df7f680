// SPDX-License-Identifier: GPL-2.0-or-later
/* The order of a project's life: who starts when, who needs whom, who is meant by a name. */
#include "unit.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "cluster/control.h"
#include "cluster/life.h"
#include "cluster/life-private.h"
#include "project/read.h"
#include "project/resolve.h"

struct given {
	struct kmln_pool *pool;
	struct kmln_store store;
	struct kmln_report report;
	struct kmln_life life;
};

static void give(struct given *g, const char *text)
{
	static const struct kmln_read_options options;
	char path[] = "/tmp/kmln-unit-XXXXXX";
	struct kmln_error err = {0};
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	*g = (struct given){.pool = kmln_pool_new()};
	g->report.pool = g->pool;
	assert_ok(kmln_store_init(&g->store, g->pool, "lab", &err), err);
	g->life = (struct kmln_life){.pool = g->pool, .store = &g->store, .signals = -1};
	struct kmln_syntax *syntax = kmln_syntax_new(g->pool);

	assert_ok(kmln_project_read(path, &options, syntax, &g->report, &err), err);
	unlink(path);
	g->life.model = kmln_project_resolve(g->pool, syntax, &g->report);
	if (kmln_report_result(&g->report, "lab", &err) < 0) {
		kmln_report_print(&g->report, false, stderr);
		fail();
	}
	kmln_life_order(&g->life);
}

/* "0 switch-lan, 2 host-a: switch-lan" of all nodes, or of the wanted ones alone; to be freed. */
static char *show(const struct kmln_life *life, bool wanted)
{
	struct kmln_buf out = {0};

	kmln_buf_add(&out, "", 0);
	for (size_t i = 0; i < life->count; i++) {
		const struct kmln_life_node *n = &life->nodes[i];

		if (wanted && !n->wanted)
			continue;
		kmln_buf_printf(&out, "%s%u %s", out.size ? ", " : "", n->stage, n->node);
		for (size_t k = 0; !wanted && k < n->need_count; k++)
			kmln_buf_printf(
				&out, "%s%s", k ? " " : ": ", life->nodes[n->needs[k]].node);
	}
	return out.data;
}

static void assert_order(struct given *g, bool wanted, const char *expected)
{
	KMLN_FREE char *got = show(&g->life, wanted);

	assert_string_equal(got, expected);
}

#define LAB \
	"global { project lab }\n" \
	"switch lan { net 10.0.0.0/24; uplink nat }\n" \
	"switch dmz { net 10.0.1.0/24 }\n" \
	"superclass s { network eth0 { switch lan } }\n" \
	"host late { superclass s; after gw }\n" \
	"host n { superclass s; count 2 }\n" \
	"host gw { superclass s; boot_order 10; network eth1 { switch dmz } }\n"

static void test_order(void **state)
{
	struct given g;

	(void)state;
	give(&g, LAB);
	assert_order(&g, false,
		"0 switch-lan, 0 switch-dmz, 1 uplink-lan: switch-lan, "
		"2 host-gw: switch-lan switch-dmz, 3 host-late: switch-lan host-gw, "
		"3 host-n1: switch-lan, 3 host-n2: switch-lan");
	assert_int_equal(g.life.stages, 4);
	assert_true(kmln_ends(g.life.nodes[3].script, "/lab/start_10_gw.sh"));
	assert_true(kmln_ends(g.life.nodes[0].script, "/lab/start_switch-lan.sh"));
	kmln_pool_free(g.pool);
}

static void test_levels(void **state)
{
	struct given g;

	(void)state;
	give(&g, "global { project lab }\n"
		 "host c { after b }\nhost b { after a }\nhost a { }\n"
		 "host z { boot_order 100 }\nhost first { boot_order 1 }\n");
	assert_order(
		&g, false, "2 host-first, 3 host-a, 4 host-b: host-a, 5 host-c: host-b, 6 host-z");
	kmln_pool_free(g.pool);
}

/* What an impaired host is plugged into is the end of its cable, not the switch. */
static void test_cables(void **state)
{
	bool marks[8] = {false};
	struct given g;

	(void)state;
	give(&g, "global { project lab }\nswitch lan { net 10.0.0.0/24 }\n"
		 "host a { network eth0 { switch lan; delay 10ms } }\n"
		 "host b { network eth0 { switch lan } }\n");
	assert_order(&g, false,
		"0 switch-lan, 0 end-a.eth0, 1 wire-a.eth0: switch-lan end-a.eth0, "
		"2 host-a: end-a.eth0 wire-a.eth0, 2 host-b: switch-lan");
	kmln_life_hanging(&g.life, 0, marks);
	assert_true(marks[2] && !marks[3] && marks[4]);
	memset(marks, 0, sizeof(marks));
	kmln_life_hanging(&g.life, 1, marks);
	assert_true(marks[2] && marks[3] && !marks[4]);
	memset(marks, 0, sizeof(marks));
	kmln_life_hanging(&g.life, 2, marks);
	for (size_t i = 0; i < KMLN_COUNT(marks); i++)
		assert_false(marks[i]);
	kmln_pool_free(g.pool);
}

static void test_want(void **state)
{
	char *one[] = {(char *)"GW"}, *two[] = {(char *)"n", (char *)"late"},
	     *wrong[] = {(char *)"gw", (char *)"lan"};
	struct kmln_error err = {0};
	struct given g;

	(void)state;
	give(&g, LAB);
	assert_ok(kmln_life_want(&g.life, one, 1, true, &err), err);
	assert_order(&g, true, "0 switch-lan, 0 switch-dmz, 1 uplink-lan, 2 host-gw");
	/* a counted name means all of them; who is waited for is not meant */
	assert_ok(kmln_life_want(&g.life, two, 2, true, &err), err);
	assert_order(&g, true, "0 switch-lan, 1 uplink-lan, 3 host-late, 3 host-n1, 3 host-n2");
	assert_ok(kmln_life_want(&g.life, one, 1, false, &err), err);
	assert_order(&g, true, "2 host-gw");
	assert_fails(kmln_life_want(&g.life, wrong, 2, true, &err), err, KMLN_EUSAGE);
	assert_ok(kmln_life_want(&g.life, NULL, 0, true, &err), err);
	for (size_t i = 0; i < g.life.count; i++)
		assert_true(g.life.nodes[i].wanted);
	kmln_pool_free(g.pool);
}

static void make(const struct given *g, const char *node)
{
	struct kmln_error err = {0};

	assert_ok(kmln_make_folders(kmln_store_node_folder(&g->store, node), &err), err);
}

/* A process that keeps these nodes: it holds their locks until it is killed. */
static pid_t keep(const struct given *g, const char *const *nodes)
{
	int pipes[2];
	char byte = 0;
	pid_t pid;

	assert_int_equal(pipe(pipes), 0);
	pid = fork();
	if (pid == 0) {
		for (; *nodes; nodes++) {
			struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
			char path[512];
			int fd;

			snprintf(path, sizeof(path), "%s/lock",
				kmln_store_node_folder(&g->store, *nodes));
			fd = open(path, O_RDWR | O_CREAT, 0600);
			if (fd < 0 || fcntl(fd, F_SETLK, &lock) < 0)
				_exit(1);
		}
		if (write(pipes[1], &byte, 1) == 1)
			pause();
		_exit(1);
	}
	close(pipes[1]);
	assert_int_equal(read(pipes[0], &byte, 1), 1);
	close(pipes[0]);
	return pid;
}

/* Nodes that the model does not have any more are found as long as they run, whatever they are
 * called. */
static void test_found(void **state)
{
	char home[] = "/tmp/kmln-unit-XXXXXX";
	struct kmln_error err = {0};
	static const char *const running[] = {"host-gone", "switch-old", "uplink-old", NULL};
	struct given g;
	pid_t keeper;

	(void)state;
	assert_non_null(mkdtemp(home));
	setenv("KMLN_HOME", home, 1);
	give(&g, LAB);
	make(&g, "host-gone");
	make(&g, "host-gw");
	make(&g, "switch-old");
	make(&g, "uplink-old");
	make(&g, "nonsense");
	make(&g, "host-");
	assert_ok(kmln_life_add_found(&g.life, &err), err);
	assert_int_equal(g.life.count, 7);
	keeper = keep(&g, running);
	assert_ok(kmln_life_add_found(&g.life, &err), err);
	assert_int_equal(g.life.count, 10);
	assert_string_equal(g.life.nodes[7].node, "host-gone");
	assert_int_equal(g.life.nodes[7].stage, KMLN_STAGE_HOSTS);
	assert_string_equal(g.life.nodes[8].node, "switch-old");
	assert_int_equal(g.life.nodes[9].stage, KMLN_STAGE_CABLES);
	for (size_t i = 0; i < g.life.count; i++)
		assert_int_equal(g.life.nodes[i].known, i < 7);
	kill(keeper, SIGKILL);
	assert_int_equal(waitpid(keeper, NULL, 0), keeper);
	/* with no model at all they are found in any case */
	g.life.model = NULL;
	kmln_life_order(&g.life);
	assert_int_equal(g.life.count, 0);
	assert_ok(kmln_life_add_found(&g.life, &err), err);
	assert_int_equal(g.life.count, 4);
	assert_ok(kmln_life_clear(&g.life, &err), err);
	assert_int_not_equal(access(g.store.runtime, F_OK), 0);
	assert_ok(kmln_remove_folder(home, &err), err);
	unsetenv("KMLN_HOME");
	kmln_pool_free(g.pool);
}

/* A keeper that takes nobody in any more is not waited for. */
static void test_silent_keeper(void **state)
{
	char folder[] = "/tmp/kmln-unit-XXXXXX";
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct kmln_control control = KMLN_CONTROL_NONE;
	struct kmln_error err = {0};
	int waiting[64], count = 0;
	int server = socket(AF_UNIX, SOCK_STREAM, 0);

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/control", folder);
	assert_int_equal(bind(server, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(server, 0), 0);
	while (count < 64) {
		waiting[count] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
		if (connect(waiting[count++], (struct sockaddr *)&address, sizeof(address)) < 0)
			break;
	}
	assert_in_range(count, 1, 63);
	assert_fails(kmln_control_open(&control, folder, &err), err, ETIMEDOUT);
	while (count)
		close(waiting[--count]);
	close(server);
	assert_fails(kmln_control_open(&control, folder, &err), err, KMLN_ENO);
	assert_ok(kmln_remove_folder(folder, &err), err);
}

/* A status may come from anybody: what is missing or of another kind is as if unknown. */
static void test_status(void **state)
{
	static const char text[] =
		"{\"state\": \"running\", \"ready\": true, \"waits_for\": null, \"agent\": \"kmln\", "
		"\"pid\": 12, \"up_ms\": \"long\", \"memory\": 4096, \"last_line\": \"login:\"}";
	struct kmln_life_status status = {0};
	struct kmln_json *object = NULL;
	struct kmln_error err = {0};

	(void)state;
	assert_ok(kmln_json_parse(text, sizeof(text) - 1, &object, &err), err);
	kmln_life_status_take(&status, object);
	assert_true(status.ready && !status.ending && !status.waits_for);
	assert_string_equal(status.agent, "kmln");
	assert_string_equal(status.last_line, "login:");
	assert_int_equal(status.pid, 12);
	assert_int_equal(status.up_ms, 0);
	assert_int_equal(status.memory, 4096);
	kmln_json_free(&object);
	assert_ok(kmln_json_parse("{}", 2, &object, &err), err);
	kmln_life_status_take(&status, object);
	assert_true(!status.ready && !status.agent && !status.pid);
	kmln_json_free(&object);
	kmln_life_status_fini(&status);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_cables),
		cmocka_unit_test(test_want),
		cmocka_unit_test(test_found),
		cmocka_unit_test(test_silent_keeper),
		cmocka_unit_test(test_status),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
