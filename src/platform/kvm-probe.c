// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The measuring machine: one processor in 64-bit kernel mode with one 2 MiB page, which counts down
 * and writes to a port. Kernel mode, because user mode can be native where kernel mode is not; long
 * mode with paging, because real mode is interpreted on some honest hardware too.
 */
#include "platform/kvm-probe.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "platform/forked.h"

#define LIMIT_MS 2000
#define ROUNDS 10000 /* of two instructions: 10 us native, 8 to 30 ms emulated */
#define TRIES 4 /* a host that is itself a machine loses time that its clock counts as its own */
#define MEMORY 0x10000
#define CODE 0x8000
#define STACK 0x7000
#define PORT 0x10
#define TSS 0xfffbd000 /* three pages that older Intel processors need to lie somewhere */

struct machine {
	int vcpu;
	struct kvm_run *run;
	struct kmln_kvm_answer *answer;
};

static bool broken(struct kmln_kvm_answer *answer, const char *step, int code)
{
	answer->state = KMLN_KVM_BROKEN;
	answer->code = code;
	answer->rate = 0;
	snprintf(answer->step, sizeof(answer->step), "%s", step);
	return false;
}

static void fill_memory(unsigned char *memory)
{
	static const unsigned char code[] = {
		0xff, 0xc9, /* again: dec ecx */
		0x75, 0xfc, /* jnz again */
		0xe6, PORT, /* out PORT, al */
		0xf4, /* hlt */
	};
	static const struct {
		unsigned at;
		uint64_t entry;
	} tables[] = {
		{0x1000, 0x2003}, /* PML4: present, writable */
		{0x2000, 0x3003}, /* PDPT */
		{0x3000, 0x83}, /* one 2 MiB page at 0, kernel only */
	};

	for (size_t i = 0; i < KMLN_COUNT(tables); i++)
		memcpy(memory + tables[i].at, &tables[i].entry, sizeof(tables[i].entry));
	memcpy(memory + CODE, code, sizeof(code));
}

static bool enter_long_mode(const struct machine *m)
{
	struct kvm_segment code = {
		.limit = 0xffffffff,
		.selector = 8,
		.type = 11,
		.present = 1,
		.s = 1,
		.l = 1,
		.g = 1,
	};
	struct kvm_segment data = code;
	struct kvm_sregs sregs;

	data.selector = 16;
	data.type = 3;
	data.l = 0;
	data.db = 1;
	if (ioctl(m->vcpu, KVM_GET_SREGS, &sregs) < 0)
		return broken(m->answer, "KVM_GET_SREGS", errno);
	sregs.cs = code;
	sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss = data;
	sregs.cr0 = 0x80050033; /* PG AM WP NE ET MP PE */
	sregs.cr3 = 0x1000;
	sregs.cr4 |= 0x20; /* PAE */
	sregs.efer = 0x500; /* LME LMA */
	if (ioctl(m->vcpu, KVM_SET_SREGS, &sregs) < 0)
		return broken(m->answer, "KVM_SET_SREGS (long mode refused)", errno);
	return true;
}

static uint64_t thread_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* Runs the loop; *ns is the processor time it took, which host load does not spoil. */
static bool pass(const struct machine *m, uint64_t rounds, uint64_t *ns)
{
	struct kvm_regs regs = {.rip = CODE, .rsp = STACK, .rflags = 2, .rcx = rounds};
	uint64_t start;
	int r;

	if (ioctl(m->vcpu, KVM_SET_REGS, &regs) < 0)
		return broken(m->answer, "KVM_SET_REGS", errno);
	start = thread_ns();
	do
		r = ioctl(m->vcpu, KVM_RUN, 0);
	while (r < 0 && errno == EINTR);
	*ns = thread_ns() - start;
	if (r < 0)
		return broken(m->answer, "KVM_RUN", errno);
	if (m->run->exit_reason != KVM_EXIT_IO || m->run->io.port != PORT) {
		char step[sizeof(m->answer->step)];

		snprintf(step, sizeof(step), "KVM_RUN (exit reason %u)", m->run->exit_reason);
		return broken(m->answer, step, 0);
	}
	return true;
}

static bool open_device(const char *device, int *kvm, struct kmln_kvm_answer *answer)
{
	int version;

	*kvm = open(device, O_RDWR | O_CLOEXEC);
	if (*kvm < 0) {
		answer->state = errno == EACCES || errno == EPERM ? KMLN_KVM_NO_PERMISSION
								  : KMLN_KVM_ABSENT;
		answer->code = errno;
		return false;
	}
	version = ioctl(*kvm, KVM_GET_API_VERSION, 0);
	if (version < 0)
		return broken(answer, "KVM_GET_API_VERSION", errno);
	if (version != KVM_API_VERSION) {
		char step[sizeof(answer->step)];

		snprintf(step, sizeof(step), "KVM_GET_API_VERSION (answered %d)", version);
		return broken(answer, step, 0);
	}
	return true;
}

static bool make_machine(int kvm, struct machine *m)
{
	int vm = ioctl(kvm, KVM_CREATE_VM, 0), size;
	struct kvm_userspace_memory_region region = {.memory_size = MEMORY};
	unsigned char *memory;

	if (vm < 0)
		return broken(m->answer, "KVM_CREATE_VM", errno);
	memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		return broken(m->answer, "mmap of the memory", errno);
	fill_memory(memory);
	ioctl(vm, KVM_SET_TSS_ADDR, TSS); /* refused where it is not needed */
	region.userspace_addr = (uint64_t)(uintptr_t)memory;
	if (ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region) < 0)
		return broken(m->answer, "KVM_SET_USER_MEMORY_REGION", errno);
	m->vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
	if (m->vcpu < 0)
		return broken(m->answer, "KVM_CREATE_VCPU", errno);
	size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (size < (int)sizeof(*m->run))
		return broken(m->answer, "KVM_GET_VCPU_MMAP_SIZE", size < 0 ? errno : 0);
	m->run = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, m->vcpu, 0);
	if (m->run == MAP_FAILED)
		return broken(m->answer, "mmap of the processor", errno);
	return true;
}

/* In the child, whose end frees the machine. */
static void measure(const void *device, void *to)
{
	struct kmln_kvm_answer *answer = to;
	struct machine m = {.answer = answer};
	uint64_t ns;
	int kvm;

	if (!open_device(device, &kvm, answer) || !make_machine(kvm, &m) || !enter_long_mode(&m))
		return;
	/* the first pass maps the pages; of the others the fastest counts */
	if (!pass(&m, 1, &ns))
		return;
	for (int i = 0; i < TRIES; i++) {
		enum kmln_kvm_state state;
		double rate;

		if (!pass(&m, ROUNDS, &ns))
			return;
		state = kmln_kvm_judge(2 * ROUNDS, ns, &rate);
		if (i == 0 || rate > answer->rate || state == KMLN_KVM_USABLE) {
			answer->state = state;
			answer->rate = rate;
		}
		if (state == KMLN_KVM_USABLE)
			return;
	}
}

enum kmln_kvm_state kmln_kvm_judge(unsigned long long count, unsigned long long ns, double *rate)
{
	/* a clock too coarse for a native loop says 0 */
	*rate = ns ? (double)count * 1e9 / (double)ns : 0;
	return !ns || *rate >= KMLN_KVM_RATE ? KMLN_KVM_USABLE : KMLN_KVM_EMULATED;
}

int kmln_kvm_ask(const char *device, struct kmln_kvm_answer *answer, struct kmln_error *err)
{
	int r;

	*answer = (struct kmln_kvm_answer){0};
	r = kmln_forked(measure, device, answer, sizeof(*answer), LIMIT_MS, err);
	if (r == -ETIMEDOUT || r == -ECHILD) {
		broken(answer,
			r == -ETIMEDOUT ? "the measuring machine hangs"
					: "the measuring process died",
			0);
		return 0;
	}
	return r;
}

/* "mode 0660, owner root, group kvm", and what the user may do about it. */
static const char *permission(struct kmln_pool *pool, const char *device)
{
	const struct group *group;
	struct stat st;

	if (stat(device, &st) < 0)
		return kmln_pool_printf(pool, "%s may not be opened", device);
	group = getgrgid(st.st_gid);
	if ((st.st_mode & 060) == 060 && group && st.st_gid != 0)
		return kmln_pool_printf(pool,
			"%s is for group %s (mode %04o): `adduser USER %s` as root lets a user in",
			device, group->gr_name, (unsigned)st.st_mode & 07777, group->gr_name);
	return kmln_pool_printf(pool, "%s is not for this user (mode %04o, uid %u, group %s)",
		device, (unsigned)st.st_mode & 07777, (unsigned)st.st_uid,
		group ? group->gr_name : "unknown");
}

const char *kmln_kvm_reason(
	struct kmln_pool *pool, const char *device, const struct kmln_kvm_answer *answer)
{
	switch (answer->state) {
	case KMLN_KVM_USABLE:
		if (answer->rate <= 0)
			return "guest kernel code runs directly on the processor";
		return kmln_pool_printf(pool,
			"guest kernel code runs directly, %.0f million instructions a second",
			answer->rate / 1e6);
	case KMLN_KVM_EMULATED:
		return kmln_pool_printf(pool,
			"%s is there but interprets guest kernel code, %.1f million instructions a "
			"second: slower than QEMU's own translator",
			device, answer->rate / 1e6);
	case KMLN_KVM_NO_PERMISSION:
		return permission(pool, device);
	case KMLN_KVM_ABSENT:
		return kmln_pool_printf(pool, "%s: %s", device, strerror(answer->code));
	case KMLN_KVM_BROKEN:
		break;
	}
	return kmln_pool_printf(pool, "%s does not work: %s%s%s", device, answer->step,
		answer->code ? ": " : "", answer->code ? strerror(answer->code) : "");
}
