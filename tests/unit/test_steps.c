// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * All steps on made-up facts: some thousand guests, from one that needs everything to one that is
 * ready. Whatever the guest, no two edits name one path, a folder is made before what goes into it,
 * what is said to be missing is just what is planned for, and the record of the plan is one whose
 * every line a step vouches for.
 */
#include "unit.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "guest/step.h"
#include "guest/undo.h"

#define UUID "6b6d6c6e-0000-4000-8000-000000000001"
#define RELEASE "6.1.0-1-test"
#define KIT "6.1.0-2-kit"
#define READY_FSTAB "UUID=" UUID " / ext4 defaults 0 1\n"
#define LOGIN "T0:2345:respawn:/sbin/getty -L ttyS0 115200 vt100\n"

/* One made-up guest, by what its parts are like. The first value of each is what a ready one has.
 */
struct recipe {
	int table; /* MBR; none */
	int fstab; /* by UUID; by device; no line for /; no file; a link to another file */
	int init; /* systemd; sysvinit; busybox; script */
	int inittab; /* with the login; without; no file */
	int boot; /* a folder; not there; a link to a folder; a link to one that is not there */
	int kernel; /* suits, with our initramfs; with a distribution's; without; none */
	int loader; /* ours; none; the guest's own in the boot sector too; a configuration alone */
	int securetty; /* none; with the terminal; without */
	int from_kit; /* the guest's own kernel; a kit's */
};

static const int choices[] = {2, 5, 4, 3, 4, 4, 4, 3, 2};

struct made {
	struct kmln_pool *pool;
	struct kmln_facts facts;
	struct kmln_goal goal;
	struct kmln_filesystem root;
	struct kmln_kernel kernel, kit;
	char head[1 << 20];
};

static const char *const entries[] = {KMLN_ENTRY_PC, NULL};
static const char *const drivers[] = {"virtio_pci", "virtio_blk", "virtio_net", "ext4", NULL};

static void add_file(struct made *m, const char *path, const char *real, uint32_t mode,
	const char *data, const char *problem)
{
	struct kmln_known_file *f =
		kmln_pool_append(m->pool, &m->facts.files, &m->facts.file_count, sizeof(*f));

	*f = (struct kmln_known_file){
		path, real, problem, mode, data ? strlen(data) : 0, data, NULL, .mtime = 77};
}

static void make_files(struct made *m, const struct recipe *recipe)
{
	static const char *const fstabs[] = {READY_FSTAB, "/dev/ubda / ext4 defaults 0 1\n",
		"proc /proc proc defaults 0 0", NULL, "LABEL=other / ext4 defaults 0 1\n"};
	static const char *const inittabs[] = {
		"id:2:initdefault:\n" LOGIN, "id:2:initdefault:\nT0:x:off:none", NULL};
	static const char *const devices[] = {"UUID=" UUID, "/dev/ubda", NULL, NULL, "LABEL=other"};
	const char *fstab = fstabs[recipe->fstab], *inittab = inittabs[recipe->inittab];
	static const char *const boots[] = {"/boot", "/boot", "/srv/boot", "/srv/new"};
	const char *boot = boots[recipe->boot];
	bool there = recipe->boot == 0 || recipe->boot == 2;
	const char *grub = kmln_pool_printf(m->pool, "%s/grub", boot);
	bool config = there && recipe->loader != 1;

	add_file(m, "/etc/fstab", recipe->fstab == 4 ? "/srv/fstab" : "/etc/fstab",
		fstab ? S_IFREG | 0644 : 0, fstab, NULL);
	if (devices[recipe->fstab]) {
		struct kmln_fstab_line *l = kmln_pool_append(
			m->pool, &m->facts.fstab, &m->facts.fstab_count, sizeof(*l));

		*l = (struct kmln_fstab_line){devices[recipe->fstab], "/", "ext4", "defaults", 1};
	}
	add_file(m, "/etc/inittab", "/etc/inittab", inittab ? S_IFREG | 0644 : 0, inittab, NULL);
	if (recipe->inittab == 0 || recipe->init == 0) {
		struct kmln_login *l = kmln_pool_append(
			m->pool, &m->facts.logins, &m->facts.login_count, sizeof(*l));

		*l = (struct kmln_login){"ttyS0", "/etc/inittab:2"};
	}
	add_file(m, "/etc/securetty", "/etc/securetty", recipe->securetty ? S_IFREG | 0644 : 0,
		recipe->securetty == 1	 ? "tty1\nttyS0\n"
		: recipe->securetty == 2 ? "tty1"
					 : NULL,
		NULL);
	add_file(m, "/boot", boot, there ? S_IFDIR | 0755 : 0, NULL, NULL);
	add_file(m, "/boot/grub", there ? grub : NULL, config ? S_IFDIR | 0755 : 0, NULL,
		"/boot/grub: No such file or directory");
	/* the content of ours is filled in by ready_config() */
	add_file(m, "/boot/grub/grub.cfg",
		config ? kmln_pool_printf(m->pool, "%s/grub.cfg", grub) : NULL,
		config ? S_IFREG | 0644 : 0, config ? "menuentry x {\n}\n" : NULL,
		"/boot/grub/grub.cfg: No such file or directory");
	add_file(m, "/etc/kmln", "/etc/kmln", 0, NULL, NULL);
	add_file(m, "/etc/kmln/boot.conf", NULL, 0, NULL, "/etc/kmln: No such file or directory");
	add_file(m, "/lib", "/usr/lib", S_IFDIR | 0755, NULL, NULL);
	add_file(m, "/lib/modules", "/usr/lib/modules", recipe->kernel == 3 ? 0 : S_IFDIR | 0755,
		NULL, NULL);
	add_file(m, "/etc/crypttab", "/etc/crypttab", 0, NULL, NULL);
	add_file(m, "/etc/modules", "/etc/modules", 0, NULL, NULL);
	add_file(m, "/etc/initramfs-tools/modules", NULL, 0, NULL, "no such folder");
	add_file(m, "/etc/modprobe.conf", "/etc/modprobe.conf", 0, NULL, NULL);
	add_file(m, "/etc/sysconfig/kernel", NULL, 0, NULL, "no such folder");
	add_file(m, "/etc/initramfs-tools/conf.d/resume", NULL, 0, NULL, "no such folder");
	add_file(m, "/etc/kernel/cmdline", NULL, 0, NULL, "no such folder");
	add_file(m, "/etc/default/grub", "/etc/default/grub", 0, NULL, NULL);
	add_file(m, "/var", "/var", S_IFDIR | 0755, NULL, NULL);
	add_file(m, "/var/lib", "/var/lib", recipe->boot ? S_IFDIR | 0755 : 0, NULL, NULL);
	add_file(m, KMLN_RECORD_FOLDER, recipe->boot ? KMLN_RECORD_FOLDER : NULL, 0, NULL,
		"/var/lib: No such file or directory");
	if (config) {
		m->facts.loader = "grub";
		m->facts.loader_config = "/boot/grub/grub.cfg";
	}
}

static void add_kernel_file(
	struct made *m, struct kmln_kernel *k, const char *path, uint32_t mode, uint64_t size)
{
	struct kmln_kernel_file *f =
		kmln_pool_append(m->pool, &k->files, &k->file_count, sizeof(*f));

	*f = (struct kmln_kernel_file){path, mode, size, 1000, 5, NULL};
}

static void make_kernel(struct made *m, struct kmln_kernel *k, const char *release)
{
	const char *modules = kmln_pool_printf(m->pool, "/usr/lib/modules/%s", release);

	*k = (struct kmln_kernel){
		.release = release,
		.image = kmln_pool_printf(m->pool, "/boot/vmlinuz-%s", release),
		.arch = "x86-64",
		.modules = modules,
		.indexed = true,
		.drivers = drivers,
		.entries = entries,
	};
	add_kernel_file(m, k, k->image, S_IFREG | 0644, 5000);
	add_kernel_file(m, k, modules, S_IFDIR | 0755, 0);
	add_kernel_file(
		m, k, kmln_pool_printf(m->pool, "%s/modules.dep", modules), S_IFREG | 0644, 7);
	add_kernel_file(m, k, kmln_pool_printf(m->pool, "%s/kernel", modules), S_IFDIR | 0755, 0);
	add_kernel_file(
		m, k, kmln_pool_printf(m->pool, "%s/kernel/a.ko", modules), S_IFREG | 0644, 9);
}

static void make_guest(struct made *m, const struct recipe *recipe)
{
	static const enum kmln_init inits[] = {
		KMLN_INIT_SYSTEMD, KMLN_INIT_SYSVINIT, KMLN_INIT_BUSYBOX, KMLN_INIT_SCRIPT};
	const char *boot;

	*m = (struct made){.pool = kmln_pool_new()};
	m->root = (struct kmln_filesystem){
		.range = {recipe->table ? 0 : 1 << 20, 64 << 20},
		.type = "ext4",
		.uuid = UUID,
		.label = "root",
		.is_ext = true,
		.bytes = 64 << 20,
	};
	m->facts = (struct kmln_facts){
		.size = 65 << 20,
		.pool = m->pool,
		.root = &m->root,
		.table = recipe->table ? NULL : "mbr",
		.head = recipe->table ? NULL : m->head,
		.head_size = recipe->table ? 0 : sizeof(m->head),
		/* boot code is only where a table is */
		.boot = recipe->table || recipe->loader == 1 || recipe->loader == 3 ? NULL : "grub",
		.arch = "x86-64",
		.init = inits[recipe->init],
	};
	make_files(m, recipe);
	boot = kmln_facts_file(&m->facts, "/boot")->real;
	make_kernel(m, &m->kernel, RELEASE);
	make_kernel(m, &m->kit, KIT);
	m->goal = (struct kmln_goal){
		.kernel = recipe->from_kit ? &m->kit : &m->kernel,
		.from_kit = recipe->from_kit,
		.initramfs = "our initramfs",
		.initramfs_size = 13,
		.initramfs_sum = "13",
		.grub_boot = kmln_pool_alloc(m->pool, 512),
		.grub_core = kmln_pool_alloc(m->pool, 3000),
		.grub_core_size = 3000,
		.record = true,
	};
	memset((char *)m->goal.grub_boot, 'b', 512);
	memset((char *)m->goal.grub_core, 'c', 3000);
	if (recipe->kernel == 3)
		return;
	m->facts.kernels = &m->kernel;
	m->facts.kernel_count = 1;
	if (recipe->kernel == 2)
		return;
	m->kernel.initramfs = kmln_pool_printf(m->pool, "%s/initrd.img-" RELEASE, boot);
	m->kernel.initramfs_size = 13;
	if (recipe->kernel == 0) {
		m->kernel.initramfs_ours = true;
		m->kernel.initramfs_sum = "13";
	}
}

static int plan(
	struct made *m, struct kmln_edits *edits, struct kmln_strv *missing, struct kmln_error *err)
{
	struct kmln_planning planning = {
		.facts = &m->facts,
		.platform = kmln_platform_find("kvm"),
		.goal = edits ? &m->goal : NULL,
		.edits = edits,
		.missing = missing,
	};

	return kmln_plan_guest(&planning, err);
}

/* Applies the edits that make a ready guest's disk what it is: boot sectors and configuration. */
static void make_ready(struct made *m)
{
	KMLN_EDITS struct kmln_edits edits = {0};
	struct kmln_known_file *config =
		(struct kmln_known_file *)kmln_facts_file(&m->facts, "/boot/grub/grub.cfg");
	struct kmln_error err = {0};

	config->data = "# Written by kmln";
	config->size = strlen(config->data);
	memset(m->head, 0, sizeof(m->head));
	kmln_edits_init(&edits, m->pool);
	assert_ok(plan(m, &edits, NULL, &err), err);
	for (size_t i = 0; i < edits.count; i++) {
		const struct kmln_edit *e = &edits.items[i];

		if (e->kind == KMLN_EDIT_BYTES)
			memcpy(m->head + e->offset, e->data, e->size);
		else if (kmln_eq(e->path, config->real))
			*config = (struct kmln_known_file){config->path, config->real, NULL,
				S_IFREG | 0644, e->size, e->data, NULL, .mtime = 77};
	}
}

static bool made_by_plan(const struct kmln_edits *edits, size_t before, const char *path, size_t n)
{
	for (size_t i = 0; i < before; i++)
		if (edits->items[i].kind == KMLN_EDIT_MKDIR && strlen(edits->items[i].path) == n &&
			memcmp(edits->items[i].path, path, n) == 0)
			return true;
	return false;
}

/* The folders of the made-up guest, beside those that are known files. */
static bool is_there(const struct made *m, const char *path, size_t n)
{
	static const char *const folders[] = {"", "/etc", "/srv", "/usr", "/usr/lib"};

	for (size_t i = 0; i < KMLN_COUNT(folders); i++)
		if (strlen(folders[i]) == n && memcmp(folders[i], path, n) == 0)
			return true;
	for (size_t i = 0; i < m->facts.file_count; i++) {
		const struct kmln_known_file *f = &m->facts.files[i];

		if (f->real && S_ISDIR(f->mode) && strlen(f->real) == n &&
			memcmp(f->real, path, n) == 0)
			return true;
	}
	for (size_t i = 0; m->facts.kernel_count && i < m->kernel.file_count; i++)
		if (S_ISDIR(m->kernel.files[i].mode) && strlen(m->kernel.files[i].path) == n &&
			memcmp(m->kernel.files[i].path, path, n) == 0)
			return true;
	return false;
}

static void check_paths(const struct made *m, const struct kmln_edits *edits, const char *name)
{
	for (size_t i = 0; i < edits->count; i++) {
		const char *path = edits->items[i].path, *slash;

		if (!path)
			continue;
		if (path[0] != '/' || strstr(path, "/../") || strstr(path, "//") ||
			kmln_ends(path, "/"))
			fail_msg("%s: %s is no path", name, path);
		/* a link on the way cannot be followed when the edit is applied */
		if (kmln_starts(path, "/lib/") || kmln_eq(path, "/etc/fstab"))
			if (!kmln_eq(kmln_facts_file(&m->facts, "/etc/fstab")->real, path))
				fail_msg("%s: %s is not resolved", name, path);
		for (size_t k = 0; k < i; k++)
			if (kmln_eq(edits->items[k].path, path))
				fail_msg("%s: two edits of %s", name, path);
		slash = strrchr(path, '/');
		if (!made_by_plan(edits, i, path, (size_t)(slash - path)) &&
			!is_there(m, path, (size_t)(slash - path)))
			fail_msg("%s: no folder for %s", name, path);
	}
}

/* The record is the last edit; what it says is what was planned, and each step stands by it. */
static void check_record(const struct made *m, const struct kmln_edits *edits, const char *name)
{
	const struct kmln_edit *last = edits->count ? &edits->items[edits->count - 1] : NULL;
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	struct kmln_record record;
	struct kmln_undo undo = {.facts = &m->facts, .records = &record, .record_count = 1};
	struct kmln_error err = {0};

	if (!last)
		return;
	assert_string_equal(last->path, KMLN_RECORD_FOLDER "/conversion-1");
	assert_ok(kmln_record_parse(last->data, last->size, pool, &record, &err), err);
	record.file = last->path;
	assert_int_equal(record.count, edits->count - 1);
	for (size_t i = 0; i < record.count; i++) {
		assert_string_equal(record.items[i].by, edits->items[i].by);
		if (edits->items[i].path)
			assert_string_equal(record.items[i].path, edits->items[i].path);
	}
	if (kmln_undo_vouch(&undo, &err) < 0)
		fail_msg("%s: %s", name, err.text);
}

static void check_one(const struct recipe *recipe, const char *name, unsigned *ready)
{
	static struct made m;
	KMLN_STRV struct kmln_strv missing = {0}, again = {0};
	KMLN_EDITS struct kmln_edits edits = {0};
	struct kmln_error err = {0};
	bool own;
	int r;

	make_guest(&m, recipe);
	KMLN_POOL struct kmln_pool *pool = m.pool;

	/* a configuration of kmln's is in the guest: its disk was made by kmln */
	if (recipe->loader == 0 && !recipe->table && recipe->boot % 2 == 0)
		make_ready(&m);
	own = kmln_has_own_loader(&m.facts);
	if (own)
		m.goal.initramfs = NULL; /* as convert.c does: such a guest gets none */
	assert_ok(plan(&m, NULL, &missing, &err), err);
	kmln_edits_init(&edits, pool);
	r = plan(&m, &edits, &again, &err);
	if (r < 0) {
		/* the one refusal among these guests */
		if (!own || !recipe->from_kit || err.code != KMLN_EINVALID)
			fail_msg("%s: %s", name, err.text);
		return;
	}
	check_paths(&m, &edits, name);
	check_record(&m, &edits, name);
	assert_int_equal(missing.count, again.count);
	for (size_t i = 0; i < missing.count; i++)
		assert_string_equal(missing.items[i], again.items[i]);
	/* a kernel that is asked for is no lack of the guest */
	if (recipe->from_kit)
		return;
	if (missing.count && !edits.count)
		fail_msg("%s: missing %s, and nothing planned", name, missing.items[0]);
	if (!missing.count && edits.count)
		fail_msg("%s: nothing missing, and an edit of %s", name,
			edits.items[0].path ? edits.items[0].path : "the disk");
	*ready += !missing.count;
}

static void test_all(void **state)
{
	unsigned ready = 0, total = 0;
	int digits[KMLN_COUNT(choices)] = {0};

	(void)state;
	for (;;) {
		const struct recipe recipe = {digits[0], digits[1], digits[2], digits[3], digits[4],
			digits[5], digits[6], digits[7], digits[8]};
		char name[KMLN_COUNT(choices) + 1] = {0};
		size_t i = 0;

		for (size_t d = 0; d < KMLN_COUNT(choices); d++)
			name[d] = (char)('0' + digits[d]);
		/* its own kernel can be the goal only where the guest has one */
		if (recipe.from_kit || recipe.kernel < 3) {
			check_one(&recipe, name, &ready);
			total++;
		}
		while (i < KMLN_COUNT(choices) && ++digits[i] == choices[i])
			digits[i++] = 0;
		if (i == KMLN_COUNT(choices))
			break;
	}
	assert_true(total > 10000);
	/* there are ready ones among them, and not many */
	assert_in_range(ready, 10, total / 10);
}

/* Facts that no machine can be made of. */
static void test_refused(void **state)
{
	static const struct recipe recipe = {1, 1, 0, 0, 0, 0, 1, 0, 0};
	static struct made m;

	(void)state;
	for (int i = 0; i < 5; i++) {
		KMLN_STRV struct kmln_strv missing = {0};
		KMLN_EDITS struct kmln_edits edits = {0};
		static const char *const features[] = {"extents", "inline_data", NULL};
		struct kmln_error err = {0};

		make_guest(&m, &recipe);
		kmln_edits_init(&edits, m.pool);
		switch (i) {
		case 0:
			m.facts.root = NULL;
			m.facts.root_problem = "none";
			break;
		case 1:
			m.facts.arch = "arm64";
			break;
		case 2:
			m.facts.init = KMLN_INIT_NONE;
			break;
		case 3:
			m.root.features = features;
			break;
		default:
			m.facts.table = "gpt";
			m.facts.head = m.head;
			m.facts.head_size = 17408;
		}
		assert_ok(plan(&m, NULL, &missing, &err), err);
		assert_true(missing.count > 0);
		assert_fails(plan(&m, &edits, NULL, &err), err, KMLN_EINVALID);
		kmln_pool_free(m.pool);
	}
}

/* The words behind "linux" are those that the guest's init can live with. */
static void test_kernel_words(void **state)
{
	static const struct {
		int init;
		const char *interface, *words;
	} cases[] = {{0, NULL, " ro net.ifnames=0 "}, {1, "eth0", " ro net.ifnames=0 "},
		{2, "eth0", " rw net.ifnames=0 "}, {3, NULL, " rw net.ifnames=0 "},
		{0, "enp0s3", " ro console"}};
	static struct made m;

	(void)state;
	for (size_t i = 0; i < KMLN_COUNT(cases); i++) {
		const struct recipe recipe = {.init = cases[i].init};
		struct kmln_known_interface interface = {.name = cases[i].interface};
		const char *words;

		make_guest(&m, &recipe);
		KMLN_POOL struct kmln_pool *pool = m.pool;

		m.facts.interfaces = &interface;
		m.facts.interface_count = cases[i].interface ? 1 : 0;
		words = kmln_kernel_words(pool, &m.facts);
		assert_true(kmln_starts(words, "root=UUID=" UUID " rootfstype=ext4 "));
		assert_true(kmln_ends(words, " console=tty0 console=ttyS0,115200"));
		if (!strstr(words, cases[i].words))
			fail_msg("'%s' is not in: %s", cases[i].words, words);
	}
}

/* A guest of another package manager hears that the kernel is nobody's. */
static void test_other_package_manager(void **state)
{
	static struct made m;
	static const char *const managers[] = {"rpm", NULL};

	(void)state;
	for (size_t i = 0; i < KMLN_COUNT(managers); i++) {
		KMLN_EDITS struct kmln_edits edits = {0};
		KMLN_BUF struct kmln_buf text = {0};
		struct kmln_error err = {0};
		const struct recipe recipe = {.table = 1, .loader = 1, .kernel = 3, .from_kit = 1};

		make_guest(&m, &recipe);
		KMLN_POOL struct kmln_pool *pool = m.pool;
		m.facts.package_manager = managers[i];
		kmln_edits_init(&edits, pool);
		assert_ok(plan(&m, &edits, NULL, &err), err);
		assert_int_equal(edits.note_count, managers[i] != NULL);
		kmln_edits_print(&edits, false, &text);
		assert_true(
			!strstr(text.data, "\nnote    the guest's package manager (rpm) does not "
					   "know the kernel") == !managers[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_other_package_manager),
		cmocka_unit_test(test_all),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_kernel_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
