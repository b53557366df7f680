// SPDX-License-Identifier: GPL-2.0-or-later
/* KVM: QEMU's machine, run by the host's processor. */
#include "platform/qemu.h"

static int kvm_launch(
	const struct kmln_launch *launch, struct kmln_strv *argv, struct kmln_error *err)
{
	return kmln_qemu_launch(launch, "kvm", "host", argv, err);
}

const struct kmln_platform kmln_platform_kvm = {
	.name = "kvm",
	.summary = "QEMU with the processor's virtualisation",
	.console = "ttyS0",
	.disk = "vda",
	.needs_kernel = true,
	.needs_loader = true,
	.drivers = kmln_qemu_drivers,
	.launch = kvm_launch,
};
