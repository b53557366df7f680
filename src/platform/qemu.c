// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * QEMU with its own translator (TCG). The machine is the same as that of kvm.c, which uses the
 * command line made here, so that a guest sees no difference but speed.
 */
#include "platform/qemu.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "platform/look.h"

/* The host of a hostile guest: QEMU must not start programs, gain rights or use old system calls.
 */
#define SECCOMP "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"

const char *const kmln_qemu_entries[] = {"pc", NULL};
const char *const kmln_qemu_drivers[] = {"virtio_pci", "virtio_blk", "virtio_net", NULL};

static void add_kernel(const struct kmln_launch *launch, struct kmln_strv *argv, bool writable)
{
	KMLN_BUF struct kmln_buf words = {0};

	kmln_buf_str(&words, "root=/dev/vda");
	if (launch->partition)
		kmln_buf_printf(&words, "%u", launch->partition);
	/* a panic restarts at once, and -no-reboot makes an end of that: nobody waits for ever */
	kmln_buf_printf(&words, " %s console=ttyS0 panic=-1", writable ? "rw" : "ro");
	if (launch->cmdline && *launch->cmdline)
		kmln_buf_printf(&words, " %s", launch->cmdline);
	kmln_strv_adds(argv, "-kernel", launch->kernel, NULL);
	if (launch->initramfs)
		kmln_strv_adds(argv, "-initrd", launch->initramfs, NULL);
	kmln_strv_adds(argv, "-append", words.data, NULL);
}

/* The format is said: guessing it would let a guest write a head that names host files. `end`: more
 * options. */
static void add_disk(const char *path, const char *nodes, const char *end, struct kmln_strv *argv)
{
	KMLN_BUF struct kmln_buf drive = {0};

	kmln_buf_str(&drive, "if=virtio,");
	/* locks are asked for: QEMU's own choice is to do without where it finds no /dev/null */
	if (!nodes)
		kmln_buf_printf(&drive, "format=raw,file=%s,file.locking=on", path);
	else
		kmln_buf_str(&drive, "file=json:");
	/* a comma in a value is written twice */
	for (const char *c = nodes; c && *c; c++)
		kmln_buf_add(&drive, *c == ',' ? ",," : c, *c == ',' ? 2 : 1);
	kmln_buf_str(&drive, end);
	kmln_strv_adds(argv, "-drive", drive.data, NULL);
}

/* No ROM: a card that could start the machine over the network would delay its start. */
static void add_cards(const struct kmln_launch *launch, struct kmln_strv *argv)
{
	for (size_t i = 0; i < launch->card_count; i++) {
		const struct kmln_card *card = &launch->cards[i];
		char mac[KMLN_MAC_TEXT];

		kmln_mac_text(mac, card->mac);
		kmln_strv_add(argv, "-netdev");
		if (card->link == KMLN_LINK_VDE)
			kmln_strv_printf(argv, "vde,id=net%zu,sock=%s", i, card->to);
		else if (card->link == KMLN_LINK_TAP)
			kmln_strv_printf(argv, "tap,id=net%zu,ifname=%s,script=no,downscript=no", i,
				card->to);
		else
			kmln_strv_printf(argv, "hubport,id=net%zu,hubid=%zu", i, i);
		kmln_strv_add(argv, "-device");
		kmln_strv_printf(argv, "virtio-net-pci,netdev=net%zu,mac=%s,romfile=", i, mac);
	}
}

int kmln_qemu_launch(const struct kmln_launch *launch, const char *accel, const char *cpu,
	struct kmln_strv *argv, struct kmln_error *err)
{
	bool writable = launch->snapshot || !launch->read_only;
	int r = kmln_launch_check(launch, err);

	if (r < 0)
		return r;
	if (!launch->kernel && (launch->initramfs || launch->cmdline))
		return kmln_fail(err, KMLN_EUSAGE,
			"QEMU takes an initramfs and kernel words only together with a kernel: the "
			"disk's boot loader has its own");
	kmln_strv_add(argv, launch->program ? launch->program : KMLN_QEMU_PROGRAM);
	kmln_strv_adds(argv, "-machine", "pc", "-accel", accel, "-cpu", cpu, "-m", NULL);
	kmln_strv_printf(argv, "%llu", (unsigned long long)kmln_launch_mib(launch));
	if (launch->cpus > 1) {
		kmln_strv_add(argv, "-smp");
		kmln_strv_printf(argv, "%u", launch->cpus);
	}
	kmln_strv_adds(argv, "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none",
		"-monitor", "none", "-serial", "stdio", "-sandbox", SECCOMP, NULL);
	if (launch->firmware) {
		kmln_strv_add(argv, "-drive");
		kmln_strv_printf(
			argv, "if=pflash,unit=0,format=raw,readonly=on,file=%s", launch->firmware);
		kmln_strv_add(argv, "-drive");
		kmln_strv_printf(argv, "if=pflash,unit=1,format=raw,file=%s", launch->variables);
	}
	/* the first disk is the one that firmware starts from */
	if (launch->boot_disk) {
		kmln_strv_add(argv, "-drive");
		kmln_strv_printf(
			argv, "if=virtio,format=raw,readonly=on,file=%s", launch->boot_disk);
	}
	add_disk(launch->disk, launch->nodes,
		launch->snapshot ? ",snapshot=on"
		: writable	 ? ""
				 : ",readonly=on",
		argv);
	for (size_t i = 0; launch->disks && launch->disks[i]; i++)
		add_disk(launch->disks[i], launch->disks[i][0] == '{' ? launch->disks[i] : NULL,
			launch->disks_snapshot		   ? ",snapshot=on"
			: launch->read_only_disks >> i & 1 ? ",readonly=on"
							   : "",
			argv);
	add_cards(launch, argv);
	/* without it a guest can wait for random bytes for a long time at its first start */
	kmln_strv_adds(argv, "-device", "virtio-rng-pci", NULL);
	/* a guest without the driver of the port has a serial line instead */
	if (launch->channel)
		kmln_strv_adds(argv, "-chardev", "socket,id=agent,fd=4", "-device",
			"virtio-serial-pci", "-device",
			"virtserialport,chardev=agent,name=" KMLN_AGENT_PORT, "-chardev",
			"socket,id=line,fd=5", "-serial", "chardev:line", NULL);
	if (launch->kernel)
		add_kernel(launch, argv, writable);
	return 0;
}

static int qemu_launch(
	const struct kmln_launch *launch, struct kmln_strv *argv, struct kmln_error *err)
{
	/* `max`: the AVX2 it offers made string functions of glibc twice as fast as `qemu64` and
	 * `Nehalem` did, a boot took the same time, and guests built for newer processors run */
	return kmln_qemu_launch(launch, "tcg", "max", argv, err);
}

/* The second and later lines of `-accel help` are one name each. */
static char *accelerators(struct kmln_pool *pool, const char *words)
{
	KMLN_BUF struct kmln_buf names = {0};

	for (const char *line = words ? strchr(words, '\n') : NULL; line;
		line = strchr(line, '\n')) {
		size_t n = strcspn(++line, "\n");

		if (n)
			kmln_buf_printf(&names, "%s%.*s", names.size ? " " : "", (int)n, line);
	}
	return kmln_pool_strdup(pool, names.data);
}

bool kmln_qemu_has_accel(const char *names, const char *name)
{
	size_t n = strlen(name);

	for (const char *c = names; c && *c; c += strcspn(c, " "), c += *c == ' ')
		if (strncmp(c, name, n) == 0 && (c[n] == ' ' || !c[n]))
			return true;
	return false;
}

/* Where QEMU itself looks for firmware: one folder a line. */
static char *firmware(struct kmln_pool *pool, const char *words, const char *name)
{
	char *rest = kmln_pool_strdup(pool, words);

	for (char *folder; (folder = strsep(&rest, "\n"));) {
		const char *const folders[] = {folder, NULL};
		char *path = folder[0] == '/' ? kmln_look_file(pool, folders, name) : NULL;

		if (path) {
			KMLN_FREE char *real = realpath(path, NULL);

			return real ? kmln_pool_strdup(pool, real) : path;
		}
	}
	return NULL;
}

void kmln_qemu_look(struct kmln_pool *pool, struct kmln_probe *probe, struct kmln_qemu *qemu)
{
	const char *folders;

	*qemu = (struct kmln_qemu){.binary = kmln_find_program(pool, KMLN_QEMU_PROGRAM)};
	kmln_probe_add(pool, probe, "binary", qemu->binary, KMLN_QEMU_PACKAGE);
	if (!qemu->binary) {
		qemu->lacking = KMLN_QEMU_PROGRAM " is not installed";
		return;
	}
	qemu->version =
		kmln_look_version(pool, kmln_look_ask(pool, qemu->binary, "--version", NULL, NULL));
	qemu->accelerators =
		accelerators(pool, kmln_look_ask(pool, qemu->binary, "-accel", "help", NULL));
	folders = kmln_look_ask(pool, qemu->binary, "-L", "help", NULL);
	qemu->bios = folders ? firmware(pool, folders, "bios-256k.bin") : NULL;
	qemu->rom = folders ? firmware(pool, folders, "linuxboot_dma.bin") : NULL;
	kmln_probe_add(pool, probe, "version", qemu->version, NULL);
	kmln_probe_add(pool, probe, "accelerators", qemu->accelerators, NULL);
	kmln_probe_add(pool, probe, "bios", qemu->bios, "seabios");
	kmln_probe_add(pool, probe, "kernel_rom", qemu->rom, "qemu-system-data");
	if (!qemu->version)
		qemu->lacking =
			kmln_pool_printf(pool, "%s does not tell its version", qemu->binary);
	else if (!qemu->bios || !qemu->rom)
		qemu->lacking = kmln_pool_printf(pool, "%s finds no %s", qemu->binary,
			qemu->bios ? "linuxboot_dma.bin" : "bios-256k.bin");
}

static int qemu_probe(struct kmln_pool *pool, struct kmln_probe *probe, struct kmln_error *err)
{
	struct kmln_qemu qemu;

	(void)err;
	kmln_qemu_look(pool, probe, &qemu);
	if (qemu.lacking)
		return kmln_probe_end(probe, qemu.binary ? "broken" : "absent", qemu.lacking);
	if (!kmln_qemu_has_accel(qemu.accelerators, "tcg"))
		return kmln_probe_end(
			probe, "broken", kmln_pool_printf(pool, "%s has no TCG", qemu.binary));
	return kmln_probe_end(probe, "usable",
		kmln_pool_printf(pool, "QEMU %s, no permission needed", qemu.version));
}

const struct kmln_platform kmln_platform_qemu = {
	.name = "qemu",
	.summary = "QEMU's own translator: any host, no permission, slow",
	.console = "ttyS0",
	.disk = "vda",
	.needs_kernel = true,
	.needs_loader = true,
	.drivers = kmln_qemu_drivers,
	.entries = kmln_qemu_entries,
	.probe = qemu_probe,
	.launch = qemu_launch,
};
