// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * User-Mode Linux: the kernel is a program. It needs no permission and no driver of the guest, and
 * its console is the first serial line, as in QEMU, so that one image serves both.
 */
#include "platform/uml.h"

#include <fcntl.h>
#include <string.h>
#include <sys/ptrace.h>
#include <unistd.h>

#include "base/file.h"
#include "platform/forked.h"
#include "platform/look.h"

#define PROGRAM "linux.uml"
#define PROGRAM_MAX (64u << 20)
#define PACKAGE "user-mode-linux"
#define DISK "ubda"
#define MODULES "/usr/lib/uml/modules"

/* Adds each word of the text as an argument; UML joins its arguments with blanks again. */
static void add_words(struct kmln_strv *argv, const char *text)
{
	while (text && *text) {
		size_t n = strcspn(text, " ");

		if (n)
			kmln_strv_printf(argv, "%.*s", (int)n, text);
		text += n + (text[n] == ' ');
	}
}

/* A card that is plugged into nothing is left out: its driver would make a device that never works,
 * under a name that the next one should have. */
static void add_cards(const struct kmln_launch *launch, struct kmln_strv *argv)
{
	for (size_t i = 0; i < launch->card_count; i++) {
		const struct kmln_card *card = &launch->cards[i];
		char mac[KMLN_MAC_TEXT];

		kmln_mac_text(mac, card->mac);
		if (card->link != KMLN_LINK_NONE)
			kmln_strv_printf(argv, "eth%zu=%s,%s,%s", i,
				card->link == KMLN_LINK_VDE ? "vde" : "tuntap", card->to, mac);
	}
}

/* 2: the kind of virtio device that is a disk. Raw disks and served ones are numbered apart. */
static int add_further_disks(
	const struct kmln_launch *launch, struct kmln_strv *argv, struct kmln_error *err)
{
	for (size_t i = 0; launch->disks && launch->disks[i]; i++) {
		if (launch->disks[i][0] == '{')
			return kmln_fail(
				err, KMLN_EUSAGE, "User-Mode Linux is given raw images only");
		if (launch->disks_snapshot)
			kmln_strv_printf(argv, "ubd%zu=%s/disk%zu.cow,%s", i + 1, launch->run,
				i + 1, launch->disks[i]);
		else
			kmln_strv_printf(argv, "ubd%zu%sd=%s", i + 1,
				launch->read_only_disks >> i & 1 ? "r" : "", launch->disks[i]);
	}
	for (size_t i = 0; launch->sockets && launch->sockets[i]; i++)
		kmln_strv_printf(argv, "virtio_uml.device=%s:2", launch->sockets[i]);
	return 0;
}

static int uml_launch(
	const struct kmln_launch *launch, struct kmln_strv *argv, struct kmln_error *err)
{
	const char *disk = launch->served ? KMLN_UML_SERVED : DISK;
	bool writable = launch->snapshot || !launch->read_only;
	int r = kmln_launch_check(launch, err);

	if (r < 0)
		return r;
	if (launch->nodes)
		return kmln_fail(err, KMLN_EUSAGE, "User-Mode Linux starts raw images only");
	if (launch->boot_disk || launch->firmware)
		return kmln_fail(err, KMLN_EUSAGE,
			"User-Mode Linux has no firmware: it starts from no boot disk");
	if (launch->kernel)
		return kmln_fail(err, KMLN_EUSAGE,
			"User-Mode Linux is its own kernel: it cannot start %s", launch->kernel);
	if (launch->cpus > 1)
		return kmln_fail(err, KMLN_EUSAGE,
			"User-Mode Linux has one processor, and %u are asked for", launch->cpus);
	kmln_strv_add(argv, launch->program ? launch->program : PROGRAM);
	if ((launch->served || launch->sockets) && !launch->initramfs && !launch->built_in)
		return kmln_fail(err, KMLN_EUSAGE,
			"User-Mode Linux needs an initramfs for a disk that is served to it");
	/* `d`: an image whose bytes look like a copy-on-write head is data all the same, and never
	 * makes UML open the file that such a head names */
	if (launch->served)
		kmln_strv_printf(argv, "virtio_uml.device=%s:2", launch->disk);
	else if (!launch->snapshot)
		kmln_strv_printf(argv, "ubd0%s=%s", writable ? "d" : "rd", launch->disk);
	else if (launch->overlay)
		kmln_strv_printf(argv, "ubd0=%s,%s", launch->overlay, launch->disk);
	else
		kmln_strv_printf(argv, "ubd0=%s/disk.cow,%s", launch->run, launch->disk);
	r = add_further_disks(launch, argv, err);
	if (r < 0)
		return r;
	if (launch->partition)
		kmln_strv_printf(argv, "root=/dev/%s%u", disk, launch->partition);
	else
		kmln_strv_printf(argv, "root=/dev/%s", disk);
	kmln_strv_add(argv, writable ? "rw" : "ro");
	kmln_strv_printf(argv, "mem=%lluM", (unsigned long long)kmln_launch_mib(launch));
	add_cards(launch, argv);
	/* console 1 to 15 and further serial lines stay unconnected: no terminal windows */
	kmln_strv_add(argv, "ssl0=fd:0,fd:1");
	/* it reads byte by byte, and a pipe in half the time of a socket */
	if (launch->channel)
		kmln_strv_add(argv, "ssl1=fd:4,fd:5");
	kmln_strv_adds(argv, "con=none", "ssl=none", "console=ttyS0", NULL);
	/* 256 old terminals, which nobody opens, would take half a second */
	kmln_strv_add(argv, "pty.legacy_count=0");
	/* a reboot ends the program, as in QEMU; the kernel's name for the machine is in `run` */
	kmln_strv_adds(argv, "noreboot", "umid=kmln", NULL);
	kmln_strv_printf(argv, "uml_dir=%s", launch->run);
	if (launch->initramfs)
		kmln_strv_printf(argv, "initrd=%s", launch->initramfs);
	add_words(argv, launch->cmdline);
	return 0;
}

/* What matters to kmln in the kernel's configuration. */
static const struct {
	const char *name, *option;
	bool needed; /* without it kmln can start no guest */
} options[] = {
	{"ubd", "BLK_DEV_UBD", true},
	{"ext4", "EXT4_FS", true},
	{"serial", "SSL", true},
	{"mbr", "MSDOS_PARTITION", false},
	{"gpt", "EFI_PARTITION", false},
	{"initrd", "BLK_DEV_INITRD", false},
	{"modules", "MODULES", false},
	{"devtmpfs", "DEVTMPFS", false},
	{"tmpfs", "TMPFS", false},
	{"xfs", "XFS_FS", false},
	{"btrfs", "BTRFS_FS", false},
	{"hostfs", "HOSTFS", false},
	{"mconsole", "MCONSOLE", false},
	{"virtio_uml", "VIRTIO_UML", false},
	{"virtio_blk", "VIRTIO_BLK", false},
	{"net_vde", "UML_NET_VDE", false},
	{"net_vector", "UML_NET_VECTOR", false},
	{"cgroups", "CGROUPS", false},
};

/* 'y', 'm', or 'n': the option in the text of a kernel configuration. */
static char config_value(const char *config, const char *option)
{
	size_t n = strlen(option);

	for (const char *line = config; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (kmln_starts(line, "CONFIG_") && strncmp(line + 7, option, n) == 0 &&
			line[7 + n] == '=')
			return line[8 + n] == 'm' ? 'm' : line[8 + n] == 'y' ? 'y' : 'n';
	}
	return 'n';
}

/* Adds what is built in, what are modules and what is off. Returns the first needed thing that is
 * not built in, or NULL. */
static const char *look_at_config(
	struct kmln_pool *pool, struct kmln_probe *probe, const char *config)
{
	KMLN_BUF struct kmln_buf built_in = {0}, modules = {0}, off = {0};
	const char *lacking = NULL;

	for (size_t i = 0; i < KMLN_COUNT(options); i++) {
		char value = config_value(config, options[i].option);
		struct kmln_buf *to = value == 'y' ? &built_in : value == 'm' ? &modules : &off;

		kmln_buf_printf(to, "%s%s", to->size ? " " : "", options[i].name);
		if (value != 'y' && options[i].needed && !lacking)
			lacking = options[i].name;
	}
	kmln_probe_add(pool, probe, "built_in", kmln_pool_strdup(pool, built_in.data), NULL);
	kmln_probe_add(pool, probe, "as_modules", kmln_pool_strdup(pool, modules.data), NULL);
	kmln_probe_add(pool, probe, "off", kmln_pool_strdup(pool, off.data), NULL);
	return lacking;
}

/* UML runs its guest's programs by tracing them, which containers and hardened hosts may forbid. */
static void try_ptrace(const void *unused, void *answer)
{
	(void)unused;
	*(int *)answer = ptrace(PTRACE_TRACEME, 0, 0, 0) < 0 ? errno : 0;
}

bool kmln_uml_is_program(const char *path)
{
	KMLN_BUF struct kmln_buf bytes = {0};
	struct kmln_error ignored;
	KMLN_FD int fd = kmln_open(path, O_RDONLY, 0, &ignored);
	char magic[4];

	/* other kernels are rarely ELF files; and this option none of them knows */
	return fd >= 0 && kmln_pread_all(fd, magic, sizeof(magic), 0, &ignored) == 0 &&
	       memcmp(magic, "\177ELF", sizeof(magic)) == 0 &&
	       kmln_read_file(path, PROGRAM_MAX, &bytes, &ignored) == 0 &&
	       memmem(bytes.data, bytes.size, "uml_dir=", 8);
}

int kmln_uml_find_modules(struct kmln_pool *pool, const char *program, const char **folder,
	const char **release, struct kmln_error *err)
{
	const char *name;

	*folder = MODULES;
	*release = kmln_look_version(pool, kmln_look_ask(pool, program, "--version", NULL, NULL));
	if (!*release)
		return kmln_fail(err, KMLN_ELACK, "%s does not tell its version", program);
	name = kmln_pool_printf(pool, MODULES "/%s/modules.dep", *release);
	return access(name, R_OK) == 0 ? 0
				       : kmln_fail(err, KMLN_ELACK,
						 "the modules of %s are not in " MODULES
						 "/%s (Debian package " PACKAGE ")",
						 program, *release);
}

static int uml_probe(struct kmln_pool *pool, struct kmln_probe *probe, struct kmln_error *err)
{
	const char *binary = kmln_find_program(pool, PROGRAM), *lacking, *words;
	char *version = NULL, *modules = NULL;
	int trace = 0, r;

	kmln_probe_add(pool, probe, "binary", binary, PACKAGE);
	if (!binary)
		return kmln_probe_end(probe, "absent", PROGRAM " is not installed");
	r = kmln_forked(try_ptrace, NULL, &trace, sizeof(trace), 2000, err);
	if (r < 0 && r != -ETIMEDOUT && r != -ECHILD)
		return r;
	kmln_probe_add(pool, probe, "ptrace", r == 0 && trace == 0 ? "yes" : NULL, NULL);
	words = kmln_look_ask(pool, binary, "--version", NULL, NULL);
	version = kmln_look_version(pool, words);
	kmln_probe_add(pool, probe, "version", version, NULL);
	if (!version)
		return kmln_probe_end(probe, "broken",
			kmln_pool_printf(pool, "%s does not tell its version", binary));
	modules = kmln_pool_printf(pool, MODULES "/%s", version);
	kmln_probe_add(
		pool, probe, "modules", access(modules, R_OK) == 0 ? modules : NULL, PACKAGE);
	lacking = look_at_config(
		pool, probe, kmln_look_ask(pool, binary, "--showconfig", NULL, NULL));
	if (lacking)
		return kmln_probe_end(probe, "broken",
			kmln_pool_printf(pool, "%s was built without %s", binary, lacking));
	if (r < 0 || trace)
		return kmln_probe_end(probe, "broken",
			kmln_pool_printf(pool,
				"this host forbids tracing of processes (ptrace: %s), which User-Mode "
				"Linux is built on",
				r < 0 ? err->text : strerror(trace)));
	return kmln_probe_end(probe, "usable",
		kmln_pool_printf(pool, "kernel %s, no permission needed", version));
}

const struct kmln_platform kmln_platform_uml = {
	.name = "uml",
	.summary = "User-Mode Linux: the kernel as an ordinary program",
	.console = "ttyS0",
	.disk = DISK,
	.wants_bare = true,
	.host_kernel = true,
	.probe = uml_probe,
	.launch = uml_launch,
};
