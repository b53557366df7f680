// SPDX-License-Identifier: GPL-2.0-or-later
/* KVM: QEMU's machine, run by the host's processor. */
#include "platform/qemu.h"

#include <unistd.h>

#include "base/file.h"
#include "platform/kvm-probe.h"
#include "platform/look.h"

#define DEVICE "/dev/kvm"

static int kvm_launch(
	const struct kmln_launch *launch, struct kmln_strv *argv, struct kmln_error *err)
{
	return kmln_qemu_launch(launch, "kvm", "host", argv, err);
}

static const char *const states[] = {
	[KMLN_KVM_BROKEN] = "broken",
	[KMLN_KVM_ABSENT] = "absent",
	[KMLN_KVM_NO_PERMISSION] = "no-permission",
	[KMLN_KVM_EMULATED] = "emulated",
	[KMLN_KVM_USABLE] = "usable",
};

/* The device first: QEMU is asked only where it would be started with it. */
static int kvm_probe(struct kmln_pool *pool, struct kmln_probe *probe, struct kmln_error *err)
{
	struct kmln_kvm_answer answer;
	struct kmln_qemu qemu;
	const char *reason;
	int r = kmln_kvm_ask(DEVICE, &answer, err);

	if (r < 0)
		return kmln_wrap(err, DEVICE);
	reason = kmln_kvm_reason(pool, DEVICE, &answer);
	kmln_probe_add(
		pool, probe, "device", answer.state == KMLN_KVM_ABSENT ? NULL : DEVICE, NULL);
	kmln_probe_add(pool, probe, "instructions_per_second",
		answer.rate > 0 ? kmln_pool_printf(pool, "%.0f", answer.rate) : NULL, NULL);
	if (answer.state != KMLN_KVM_USABLE)
		return kmln_probe_end(probe, states[answer.state], reason);
	kmln_qemu_look(pool, probe, &qemu);
	if (qemu.lacking)
		return kmln_probe_end(probe, qemu.binary ? "broken" : "absent",
			kmln_pool_printf(pool, "%s works, but %s", DEVICE, qemu.lacking));
	if (!kmln_qemu_has_accel(qemu.accelerators, "kvm"))
		return kmln_probe_end(probe, "broken",
			kmln_pool_printf(pool, "%s was built without KVM", qemu.binary));
	return kmln_probe_end(probe, "usable", reason);
}

const struct kmln_platform kmln_platform_kvm = {
	.name = "kvm",
	.summary = "QEMU with the processor's virtualisation",
	.console = "ttyS0",
	.disk = "vda",
	.needs_kernel = true,
	.needs_loader = true,
	.drivers = kmln_qemu_drivers,
	.entries = kmln_qemu_entries,
	.probe = kvm_probe,
	.launch = kvm_launch,
};
