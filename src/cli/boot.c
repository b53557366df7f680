// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * kmln boot: runs one image as a machine, at a terminal or by a script, without touching the host.
 * Reads the host and the image, plans the actions, prints or carries them out.
 */
#include "cli/boot.h"
#include "cli/commands.h"

#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "cli/boot-domain.h"
#include "cli/show-plan.h"
#include "convert/description.h"
#include "convert/direct.h"
#include "image/disk.h"
#include "image/inspect.h"
#include "plan/actions.h"
#include "platform/platform.h"
#include "platform/uefi.h"
#include "platform/uml.h"
#include "run/machine.h"
#include "run/sandbox.h"

#define NODE "machine"
#define DEFAULT_MEMORY (512ull << 20)
/* Seconds that a script may take: three times the slowest boot that was measured. */
#define SCRIPT_TIMEOUT 300
/* A quarter of what UML's serial line bears; see run/typing.h. */
#define UML_TYPE_AHEAD 1024
#define VARIABLES_MAX (16u << 20)

/* The filesystem to be the root where kmln cannot read the guest in it, or NULL. */
static const struct kmln_filesystem *likely_root(const struct kmln_facts *facts)
{
	static const char *const types[] = {"ext4", "ext3", "ext2", "xfs", "btrfs", NULL};

	for (size_t i = 0; i < facts->filesystem_count; i++)
		for (const char *const *type = types; *type; type++)
			if (kmln_eq(facts->filesystems[i].type, *type))
				return &facts->filesystems[i];
	return NULL;
}

/* The machine itself locks the image; here only what is in use already is told apart. */
static int look_at_image(struct boot *boot, const char *path, struct kmln_error *err)
{
	const struct kmln_filesystem *root;
	struct stat st;
	int r = kmln_disk_open(path, boot->opts->backing ? KMLN_DISK_BACKING : 0, &boot->disk, err);

	if (r < 0)
		return r;
	boot->disk.root = (unsigned)boot->opts->root;
	if (kmln_disk_busy(&boot->disk) > 0)
		return kmln_fail(err, EBUSY, "%s: in use by another machine or program", path);
	if (fstat(boot->disk.fd, &st) < 0)
		return kmln_fail_sys(err, errno, "%s", path);
	boot->device = S_ISBLK(st.st_mode);
	if (!boot->opts->snapshot && access(path, W_OK) < 0)
		return kmln_fail_sys(err, errno, "%s: write (--snapshot only reads it)", path);
	r = kmln_inspect_to_start(&boot->disk, &boot->facts, err);
	if (r < 0)
		return kmln_wrap(err, "%s", path);
	/* which of several roots is meant is a matter of no guess */
	if (boot->opts->root && !boot->facts->root)
		return kmln_fail(err, KMLN_EINVALID, "%s: no root filesystem: %s", path,
			boot->facts->root_problem);
	root = boot->facts->root	 ? boot->facts->root
	       : boot->facts->root_count ? NULL
					 : likely_root(boot->facts);
	boot->has_root = root != NULL;
	boot->partition = root ? root->partition : 0;
	return 0;
}

/* The machine's firmware finds something to start, on this disk or on a boot disk. */
static bool starts_by_itself(const struct boot *boot)
{
	const struct kmln_esp *esp = boot->facts->esp;

	return boot->opts->boot_disk || boot->facts->boot ||
	       (esp && esp->has_loader && !kmln_eq(boot->opts->firmware, "bios"));
}

/* UEFI as asked for, or where the disk starts in no other way. */
static bool wants_uefi(const struct boot *boot)
{
	const struct kmln_esp *esp = boot->facts->esp;

	if (kmln_eq(boot->opts->firmware, "uefi"))
		return true;
	return !kmln_eq(boot->opts->firmware, "bios") && !boot->opts->kernel &&
	       !boot->opts->boot_disk && !boot->facts->boot && esp && esp->has_loader;
}

/* Why this platform cannot start this image as asked, or NULL. */
static const char *misfit(const struct boot *boot, const struct kmln_platform *platform)
{
	bool uml = kmln_eq(platform->name, "uml");

	if (platform->domains && !kmln_eq(boot->facts->format, "raw"))
		return "it reads raw images only";
	if (platform->domains && boot->served_count)
		return "it reads raw images only, and a further disk is of another format";
	if (platform->domains && boot->opts->snapshot)
		return "it writes to its disk";
	if (platform->domains && (boot->opts->boot_disk || kmln_eq(boot->opts->firmware, "uefi")))
		return "it has no firmware, and starts from no boot disk";
	if (platform->domains && !boot->opts->kernel && !boot->facts->root)
		return "no root filesystem that kmln can read was found; --kernel may help";
	if (!uml && boot->opts->kernel && kmln_uml_is_program(boot->opts->kernel))
		return "the kernel that was given is User-Mode Linux itself, a program: --on uml without "
		       "--kernel starts it";
	if (uml && boot->opts->kernel)
		return "it is its own kernel, and --kernel was given";
	if (uml && boot->opts->boot_disk)
		return "it starts from no boot disk";
	if (uml && kmln_eq(boot->opts->firmware, "uefi"))
		return "it has no firmware";
	if (uml && !boot->has_root && boot->facts->root_count)
		return boot->facts->root_problem;
	if (uml && !boot->has_root)
		return "no root filesystem was found in the image";
	if (platform->needs_loader && !starts_by_itself(boot) && !boot->opts->kernel &&
		!boot->facts->root)
		return "the image has neither a boot loader nor a root filesystem that kmln can read; "
		       "--kernel may help";
	return NULL;
}

/* Why this host cannot run it, or NULL where it can. */
static int look_at_platform(struct boot *boot, const struct kmln_platform *platform,
	const char **lack, struct kmln_error *err)
{
	struct kmln_probe probe = {0};

	if (platform->probe(boot->pool, &probe, err) < 0)
		return -err->code;
	*lack = probe.usable ? NULL : probe.reason;
	return 0;
}

static int choose(struct boot *boot, struct kmln_error *err)
{
	KMLN_BUF struct kmln_buf reasons = {0};

	for (const struct kmln_platform *const *p = kmln_platforms; *p; p++) {
		const char *why_not;

		if (!(*p)->launch)
			continue;
		why_not = misfit(boot, *p);
		if (!why_not && look_at_platform(boot, *p, &why_not, err) < 0)
			return -err->code;
		if (!why_not) {
			boot->platform = *p;
			boot->reason = reasons.size ? kmln_pool_strdup(boot->pool, reasons.data)
						    : "the fastest";
			kmln_note("on %s (%s)", (*p)->name, boot->reason);
			return 0;
		}
		kmln_buf_printf(
			&reasons, "%snot %s: %s", reasons.size ? "; " : "", (*p)->name, why_not);
	}
	return kmln_fail(err, KMLN_ELACK, "nothing can start this image: %s", reasons.data);
}

static int find_platform(struct boot *boot, struct kmln_error *err)
{
	const char *name = boot->opts->on, *why_not;

	if (!name || kmln_eq(name, "auto"))
		return choose(boot, err);
	boot->platform = kmln_platform_find(name);
	boot->reason = "as asked for";
	why_not = misfit(boot, boot->platform);
	if (why_not)
		return kmln_fail(err, KMLN_EUSAGE, "--on %s: %s", name, why_not);
	/* of the others nothing but the program is needed, which is looked for anyway */
	if ((kmln_eq(name, "kvm") || boot->platform->domains) &&
		look_at_platform(boot, boot->platform, &why_not, err) < 0)
		return -err->code;
	return why_not ? kmln_fail(err, KMLN_ELACK, "--on %s: %s", name, why_not) : 0;
}

static int find_program(struct boot *boot, struct kmln_error *err)
{
	bool uml = kmln_eq(boot->platform->name, "uml");
	const char *name = boot->platform->domains ? "xl"
			   : uml		   ? "linux.uml"
						   : "qemu-system-x86_64";
	const char *found = kmln_find_program(boot->pool, name);
	char real[PATH_MAX];

	if (found && boot->platform->domains) {
		boot->program = found;
		return 0;
	}
	if (!found || !realpath(found, real))
		return kmln_fail(err, KMLN_ELACK, "%s is not installed (Debian package %s)", name,
			boot->platform->domains ? "xen-utils-common"
			: uml			? "user-mode-linux"
						: "qemu-system-x86");
	/* only /usr is in the sandbox as it is */
	boot->program = kmln_starts(real, "/usr/") ? kmln_pool_strdup(boot->pool, real)
						   : kmln_sandbox_share(&boot->sandbox, real,
							     "program", KMLN_ACCESS_RUN);
	return 0;
}

static int share_file(struct boot *boot, const char *path, const char *name, const char **inside,
	struct kmln_error *err)
{
	char real[PATH_MAX];

	if (!path)
		return 0;
	if (!realpath(path, real) || access(real, R_OK) < 0)
		return kmln_fail_sys(err, errno, "%s", path);
	*inside = kmln_sandbox_share(&boot->sandbox, real, name, KMLN_ACCESS_READ);
	return 0;
}

/* To choose a kernel for it more must be known of a guest than to start it with one. */
static int look_further(struct boot *boot, struct kmln_error *err)
{
	struct kmln_facts *facts = NULL;
	int r = kmln_inspect(&boot->disk, &facts, err);

	if (r < 0)
		return kmln_wrap(err, "%s", boot->image);
	kmln_facts_free(boot->facts);
	boot->facts = facts;
	return 0;
}

/* A guest without boot loader gets a kernel as `kmln convert` would choose it. */
static int find_kernel(struct boot *boot, struct kmln_error *err)
{
	struct kmln_direct direct;
	int r;

	boot->kernel = boot->opts->kernel;
	boot->initramfs = boot->opts->initramfs;
	boot->words = boot->opts->append;
	if (kmln_eq(boot->platform->name, "uml"))
		return kmln_boot_uml_initramfs(boot, err);
	if (boot->kernel || (!boot->platform->domains &&
				    (!boot->platform->needs_loader || starts_by_itself(boot))))
		return 0;
	r = look_further(boot, err);
	if (r == 0)
		r = kmln_private_open(&boot->scratch, err);
	if (r == 0)
		r = kmln_direct_prepare(&boot->disk, boot->facts, boot->platform,
			boot->scratch.path, boot->pool, &direct, err);
	if (r < 0)
		return r;
	kmln_note("%s", direct.why);
	boot->kernel = direct.kernel;
	if (!boot->initramfs)
		boot->initramfs = direct.initramfs;
	boot->words = kmln_pool_printf(
		boot->pool, "%s %s", direct.words, boot->opts->append ? boot->opts->append : "");
	return 0;
}

/* UEFI writes variables: into a copy that goes with the machine. */
static int find_firmware(struct boot *boot, struct kmln_error *err)
{
	const struct kmln_esp *esp = boot->facts->esp;
	KMLN_BUF struct kmln_buf variables = {0};
	struct kmln_uefi uefi;
	int r;

	if (!boot->platform->needs_loader || !wants_uefi(boot))
		return 0;
	if (!boot->kernel && !boot->opts->boot_disk && !(esp && esp->has_loader))
		return kmln_fail(err, KMLN_EUSAGE,
			"--firmware uefi: the image has no EFI system partition with "
			"EFI/BOOT/BOOTX64.EFI");
	r = kmln_uefi_find(&uefi, err);
	if (r == 0 && !boot->scratch.path)
		r = kmln_private_open(&boot->scratch, err);
	if (r == 0)
		r = kmln_read_file(uefi.variables, VARIABLES_MAX, &variables, err);
	if (r < 0)
		return r;
	boot->firmware = uefi.program;
	boot->variables = kmln_pool_printf(boot->pool, "%s/variables", boot->scratch.path);
	return kmln_replace_file(boot->variables, variables.data, variables.size, 0600, err);
}

/* The machine's own command line, in which no byte of a user's path stands. */
static int plan_launch(struct boot *boot, struct kmln_strv *argv, struct kmln_error *err)
{
	const struct boot_opts *opts = boot->opts;
	bool uml = kmln_eq(boot->platform->name, "uml");
	const char *served = NULL;
	struct kmln_launch launch = {
		.program = boot->program,
		.partition = boot->partition,
		.snapshot = opts->snapshot,
		.memory = opts->memory ? opts->memory : DEFAULT_MEMORY,
		.cmdline = boot->words,
		.run = kmln_sandbox_run(&boot->sandbox),
	};

	launch.nodes = boot->nodes;
	launch.served = boot->server && !kmln_eq(boot->facts->format, "raw");
	if (boot->server)
		served = kmln_sandbox_share(
			&boot->sandbox, boot->socket_folder, "served", KMLN_ACCESS_READ);
	if (launch.served)
		launch.disk = kmln_pool_printf(boot->pool, "%s/" KMLN_STORAGE_SOCKET, served);
	else
		launch.disk = boot->nodes ? launch.run
					  : kmln_sandbox_share(&boot->sandbox, boot->image, "disk0",
						    boot->device     ? KMLN_ACCESS_DEVICE
						    : opts->snapshot ? KMLN_ACCESS_READ
								     : KMLN_ACCESS_WRITE);
	kmln_boot_disks_give(boot, served, &launch);
	if (boot->firmware) {
		launch.firmware = kmln_sandbox_share(
			&boot->sandbox, boot->firmware, "firmware", KMLN_ACCESS_READ);
		launch.variables = kmln_sandbox_share(
			&boot->sandbox, boot->variables, "variables", KMLN_ACCESS_WRITE);
	}
	if (share_file(boot, opts->boot_disk, "boot-disk", &launch.boot_disk, err) < 0 ||
		share_file(boot, boot->kernel, "kernel", &launch.kernel, err) < 0 ||
		share_file(boot, boot->initramfs, "initramfs", &launch.initramfs, err) < 0)
		return -err->code;
	if (kmln_eq(boot->platform->name, "kvm"))
		kmln_sandbox_share_as_is(&boot->sandbox, "/dev/kvm", KMLN_ACCESS_DEVICE);
	/* UML keeps the guest's memory there, and a little more */
	boot->sandbox.shm = (uml ? launch.memory : 0) + (64ull << 20);
	return boot->platform->launch(&launch, argv, err);
}

static int plan_process(struct boot *boot, struct kmln_actions *actions, struct kmln_spawn *spawn,
	struct kmln_error *err)
{
	KMLN_STRV struct kmln_strv program = {0};
	bool uml = kmln_eq(boot->platform->name, "uml");
	int r = plan_launch(boot, &program, err);

	if (r < 0)
		return r;
	kmln_sandbox_spawn(&boot->sandbox, &program,
		uml && boot->sandbox.confined ? KMLN_SANDBOX_SHM : NULL, actions, spawn);
	if (uml)
		spawn->type_ahead = UML_TYPE_AHEAD;
	return 0;
}

static void plan_script(struct boot *boot, struct kmln_actions *actions)
{
	const struct kmln_strv *steps = &boot->opts->steps;
	unsigned timeout = boot->opts->timeout ? (unsigned)boot->opts->timeout
			   : steps->count      ? SCRIPT_TIMEOUT
					       : 0;
	struct kmln_action *action = NULL;

	for (size_t i = 0; i < steps->count; i++) {
		const char *value = strchr(steps->items[i], '=') + 1;
		bool until = kmln_starts(steps->items[i], "until=");

		action = kmln_actions_add(
			actions, until ? KMLN_ACTION_EXPECT : KMLN_ACTION_SEND, NODE);
		action->text = until ? kmln_pool_strdup(boot->pool, value)
				     : kmln_pool_printf(boot->pool, "%s\n", value);
		action->timeout = until ? timeout : 0;
	}
	if (action && action->kind == KMLN_ACTION_EXPECT) {
		action = kmln_actions_add(actions, KMLN_ACTION_STOP, NODE);
		action->why = "the last pattern appeared";
		return;
	}
	action = kmln_actions_add(actions, action ? KMLN_ACTION_WAIT : KMLN_ACTION_ATTACH, NODE);
	action->why = "until it ends";
	action->timeout = timeout;
}

static int plan(struct boot *boot, struct kmln_actions *actions, struct kmln_error *err)
{
	struct kmln_spawn *spawn = kmln_pool_alloc(boot->pool, sizeof(*spawn));
	struct kmln_action *action;
	struct kmln_launch domain = {
		.program = boot->program,
		.disk = boot->image,
		.kernel = boot->kernel,
		.initramfs = boot->initramfs,
		.cmdline = boot->words,
		.memory = boot->opts->memory ? boot->opts->memory : DEFAULT_MEMORY,
	};
	int r;

	if (boot->platform->ending) {
		kmln_boot_disks_give(boot, NULL, &domain);
		r = kmln_plan_domain(boot->platform, &domain, actions, spawn, err);
	} else {
		r = plan_process(boot, actions, spawn, err);
	}
	if (r < 0)
		return r;
	spawn->scratch = boot->scratch.path;
	if (boot->server) {
		action = kmln_actions_add(actions, KMLN_ACTION_SERVE, NODE);
		action->spawn = boot->server;
		action->why = kmln_eq(boot->facts->format, "raw")
				      ? "its further disks, which are not raw"
				      : kmln_pool_printf(boot->pool, "its disk, which is %s",
						boot->facts->format);
	}
	action = kmln_actions_add(actions, KMLN_ACTION_SPAWN, NODE);
	action->spawn = spawn;
	action->why = kmln_pool_printf(boot->pool, "on %s, %s", boot->platform->name, boot->reason);
	plan_script(boot, actions);
	return 0;
}

static int read_all(struct boot *boot, const char *path, struct kmln_error *err)
{
	char real[PATH_MAX];
	int r;

	if (boot->opts->timeout > INT_MAX / 1000)
		return kmln_fail(
			err, KMLN_EUSAGE, "--timeout: more than %d seconds", INT_MAX / 1000);
	if (!realpath(path, real))
		return kmln_fail_sys(err, errno, "%s", path);
	boot->image = kmln_pool_strdup(boot->pool, real);
	r = look_at_image(boot, path, err);
	if (r == 0)
		r = kmln_boot_disks_look(boot, err);
	if (r == 0)
		r = find_platform(boot, err);
	if (r == 0 && !boot->platform->ending)
		r = kmln_sandbox_look(&boot->sandbox, boot->pool, !boot->opts->unconfined, err);
	if (r == 0)
		r = find_program(boot, err);
	if (r == 0)
		r = find_kernel(boot, err);
	if (r == 0)
		r = kmln_boot_disks_describe(boot, err);
	if (r == 0)
		r = find_firmware(boot, err);
	/* the machine locks the images itself */
	kmln_disk_close(&boot->disk);
	kmln_boot_disks_close(boot);
	if (r == 0 && !boot->platform->ending && !boot->sandbox.landlock)
		kmln_warn("this kernel has no Landlock: %s",
			boot->sandbox.confined ? "namespaces alone hold the machine"
					       : "nothing confines the machine");
	return r;
}

static int carry_out(const struct boot *boot, const struct kmln_actions *actions, const char *path,
	struct kmln_error *err)
{
	KMLN_BUF struct kmln_buf tail = {0};
	int r = kmln_actions_run(actions, &tail, err);

	fflush(stdout);
	if (tail.size && !isatty(1))
		fprintf(stderr, "kmln: what the machine said last:\n%s", tail.data);
	if (r < 0 && err->code != KMLN_ELACK && err->code != KMLN_EUSAGE)
		kmln_wrap(err, "%s on %s", path, boot->platform->name);
	return r;
}

static void boot_cleanup(struct boot *boot)
{
	boot->facts = kmln_facts_free(boot->facts);
	kmln_disk_close(&boot->disk);
	kmln_boot_disks_close(boot);
	kmln_private_cleanup(&boot->scratch);
}

/* A description names the image, and what it is started with. */
static int take_description(
	struct boot *boot, struct boot_opts *opts, const char **path, struct kmln_error *err)
{
	struct kmln_description description;
	int r;

	if (!kmln_ends(*path, ".json"))
		return 0;
	if (opts->kernel || opts->initramfs || opts->boot_disk)
		return kmln_fail(err, KMLN_EUSAGE, "%s says which kernel is started", *path);
	r = kmln_description_read(*path, boot->pool, &description, err);
	if (r < 0)
		return r;
	*path = description.disk;
	opts->kernel = description.kernel;
	opts->initramfs = description.initramfs;
	opts->append = kmln_pool_printf(boot->pool, "%s %s",
		description.words ? description.words : "", opts->append ? opts->append : "");
	return 0;
}

static int boot_image(const void *values, int argc, char **argv, struct kmln_error *err)
{
	KMLN_POOL struct kmln_pool *pool = kmln_pool_new();
	struct boot_opts opts = *(const struct boot_opts *)values;
	KMLN_CLEANUP(boot_cleanup) struct boot boot = {.opts = &opts, .pool = pool, .disk.fd = -1};
	struct kmln_actions actions = {.pool = pool, .by = "boot"};
	const char *path = argv[0];
	int r;

	(void)argc;
	r = take_description(&boot, &opts, &path, err);
	if (r == 0)
		r = read_all(&boot, path, err);
	if (r == 0)
		r = plan(&boot, &actions, err);
	if (r == 0 && boot.opts->dry_run && kmln_eq(boot.opts->format, "json")) {
		r = kmln_show_actions_json(&actions, err);
	} else if (r == 0 && boot.opts->dry_run) {
		KMLN_BUF struct kmln_buf text = {0};

		kmln_actions_print(&actions, &text);
		fwrite(text.data, 1, text.size, stdout);
	} else if (r == 0) {
		r = carry_out(&boot, &actions, path, err);
	}
	return r;
}

static const char *const platform_names[] = {"auto", "kvm", "uml", "qemu", "xen", NULL};

static const char *const firmware_names[] = {"auto", "bios", "uefi", NULL};

static const struct kmln_opt options[] = {
	{"on", 0, KMLN_OPT_CHOICE, "PLATFORM",
		"kvm, uml, qemu, xen, or auto (default): the fastest",
		offsetof(struct boot_opts, on), platform_names},
	{"memory", 'm', KMLN_OPT_SIZE, "SIZE", "the guest's memory (default 512M)",
		offsetof(struct boot_opts, memory), NULL},
	{"until", 0, KMLN_OPT_STEPS, "REGEX", "wait for this on the console; may be repeated",
		offsetof(struct boot_opts, steps), NULL},
	{"send", 0, KMLN_OPT_STEPS, "TEXT", "then type this and Enter; may be repeated",
		offsetof(struct boot_opts, steps), NULL},
	{"timeout", 0, KMLN_OPT_NUMBER, "SECONDS",
		"fail when it takes longer (default: 300 with --until or --send, else no limit)",
		offsetof(struct boot_opts, timeout), NULL},
	{"snapshot", 0, KMLN_OPT_FLAG, NULL, "leave the image as it is",
		offsetof(struct boot_opts, snapshot), NULL},
	{"kernel", 0, KMLN_OPT_FILE, "FILE", "start this kernel (kvm, qemu, xen)",
		offsetof(struct boot_opts, kernel), NULL},
	{"initramfs", 0, KMLN_OPT_FILE, "FILE", "give the kernel this initramfs",
		offsetof(struct boot_opts, initramfs), NULL},
	{"append", 0, KMLN_OPT_TEXT, "WORDS", "more words for the kernel's command line",
		offsetof(struct boot_opts, append), NULL},
	{"firmware", 0, KMLN_OPT_CHOICE, "KIND",
		"bios, uefi, or auto (default): uefi for a disk that starts in no other way (kvm, qemu)",
		offsetof(struct boot_opts, firmware), firmware_names},
	{"boot-disk", 0, KMLN_OPT_FILE, "FILE",
		"start from this disk, which `kmln convert --boot disk` made (kvm, qemu)",
		offsetof(struct boot_opts, boot_disk), NULL},
	{"disk", 0, KMLN_OPT_FILES, "FILE", "a further disk; may be repeated",
		offsetof(struct boot_opts, disks), NULL},
	KMLN_OPT_ROOT(struct boot_opts),
	KMLN_OPT_BACKING(struct boot_opts),
	{"dry-run", 0, KMLN_OPT_FLAG, NULL, "only show what would be done",
		offsetof(struct boot_opts, dry_run), NULL},
	{"unconfined", 0, KMLN_OPT_FLAG, NULL,
		"run even where the host cannot confine the machine; see the manual",
		offsetof(struct boot_opts, unconfined), NULL},
	KMLN_OPT_FORMAT(struct boot_opts),
	KMLN_OPT_END,
};

const struct kmln_command kmln_command_boot = {
	.name = "boot",
	.args = "IMAGE|DESCRIPTION",
	.summary = "Run an image as a machine, here and now",
	.details = "The machine's console is this terminal; Ctrl-] ends the machine. With --until\n"
		   "and --send it is driven by these, in the order given, instead.",
	.opts = options,
	.opts_size = sizeof(struct boot_opts),
	.min_args = 1,
	.max_args = 1,
	.complete_files = true,
	.run = boot_image,
};
