// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * QEMU with its own translator (TCG). The machine is the same as that of kvm.c, which uses the
 * command line made here, so that a guest sees no difference but speed.
 */
#include "platform/qemu.h"

/* The host of a hostile guest: QEMU must not start programs, gain rights or use old system calls.
 */
#define SECCOMP "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"

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
	kmln_strv_adds(argv, "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none",
		"-monitor", "none", "-serial", "stdio", "-sandbox", SECCOMP, NULL);
	/* the format is said: guessing it would let a guest write a head that names host files */
	kmln_strv_add(argv, "-drive");
	kmln_strv_printf(argv, "if=virtio,format=raw,file=%s%s", launch->disk,
		launch->snapshot ? ",snapshot=on"
		: writable	 ? ""
				 : ",readonly=on");
	/* without it a guest can wait for random bytes for a long time at its first start */
	kmln_strv_adds(argv, "-device", "virtio-rng-pci", NULL);
	if (launch->kernel)
		add_kernel(launch, argv, writable);
	return 0;
}

static int qemu_launch(
	const struct kmln_launch *launch, struct kmln_strv *argv, struct kmln_error *err)
{
	return kmln_qemu_launch(launch, "tcg", "max", argv, err);
}

const struct kmln_platform kmln_platform_qemu = {
	.name = "qemu",
	.summary = "QEMU's own translator: any host, no permission, slow",
	.console = "ttyS0",
	.disk = "vda",
	.needs_kernel = true,
	.needs_loader = true,
	.drivers = kmln_qemu_drivers,
	.launch = qemu_launch,
};
