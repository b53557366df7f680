/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Is KVM of use? A device that is there, answers everything and makes machines may still interpret
 * guest kernel code instruction by instruction, a hundred times slower than QEMU's own translator.
 * So a machine is made and its speed in kernel mode measured.
 */
#ifndef KMLN_PLATFORM_KVM_PROBE_H
#define KMLN_PLATFORM_KVM_PROBE_H

#include <stdbool.h>

#include "base/mem.h"

enum kmln_kvm_state {
	KMLN_KVM_BROKEN, /* a step failed, died or did not end */
	KMLN_KVM_ABSENT,
	KMLN_KVM_NO_PERMISSION,
	KMLN_KVM_EMULATED, /* works, but slower than QEMU's translator */
	KMLN_KVM_USABLE,
};

/* Kernel-mode instructions per second from which on KVM counts as real: four times the fastest
 * emulation that was seen, a hundredth of hardware. */
#define KMLN_KVM_RATE 10e6

struct kmln_kvm_answer {
	enum kmln_kvm_state state;
	int code; /* why a step failed, an errno value; 0: it answered, but wrongly */
	double rate; /* instructions per second; 0 when not measured or too fast to measure */
	char step[48]; /* the step that failed */
};

/*
 * Asks the device (/dev/kvm), in a child, within two seconds. Always fills the answer; fails only
 * where no child can be made.
 */
int kmln_kvm_ask(const char *device, struct kmln_kvm_answer *answer, struct kmln_error *err);

/* The verdict on `count` instructions that took `ns` of processor time. */
enum kmln_kvm_state kmln_kvm_judge(unsigned long long count, unsigned long long ns, double *rate);

/* A sentence for people about the answer, from the pool. */
const char *kmln_kvm_reason(
	struct kmln_pool *pool, const char *device, const struct kmln_kvm_answer *answer);

#endif
