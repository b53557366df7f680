/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The text of actions: one step a line, whatever bytes are in it, and a command for a shell. */
#include "unit.h"

#include "plan/actions.h"

static const char golden[] =
	"spawn   node  # test: on a platform\n"
	"        write /x: a\\x0ab\n"
	"        ln -s '/a b' disk0\n"
	"        env -i A=1 /bin/prog '' 'a b' 'it'\\''s' $'new\\012line \\'q\\' \\\\' '$(x)' --word=x,y:z \\\n"
	"            aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n"
	"expect  node 'login: $'  # test: within 60 s of the start\n"
	"send    node $'root\\012'  # test\n"
	"stop    node  # test: the end\n";

static void test_print(void **state)
{
	static const char *const argv[] = {"/bin/prog", "", "a b", "it's", "new\nline 'q' \\",
		"$(x)", "--word=x,y:z",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		NULL};
	static const char *const env[] = {"A=1", NULL}, *const sandbox[] = {"write /x: a\nb", NULL};
	static const struct kmln_action_link links[] = {{"disk0", "/a b"}};
	static const struct kmln_spawn spawn = {
		.argv = argv, .env = env, .sandbox = sandbox, .links = links, .link_count = 1};
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	struct kmln_actions actions = {.pool = pool, .by = "test"};
	KMLN_BUF struct kmln_buf out = {0};
	struct kmln_action *action;

	(void)state;
	action = kmln_actions_add(&actions, KMLN_ACTION_SPAWN, "node");
	action->why = "on a platform";
	action->spawn = &spawn;
	action = kmln_actions_add(&actions, KMLN_ACTION_EXPECT, "node");
	action->text = "login: $";
	action->timeout = 60;
	action = kmln_actions_add(&actions, KMLN_ACTION_SEND, "node");
	action->text = "root\n";
	action = kmln_actions_add(&actions, KMLN_ACTION_STOP, "node");
	action->why = "the end";
	kmln_actions_print(&actions, &out);
	assert_string_equal(out.data, golden);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_print),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
