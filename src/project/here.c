// SPDX-License-Identifier: GPL-2.0-or-later
/* What only the machine at hand can say about a cluster. */
#include <string.h>

#include "project/names.h"
#include "project/resolve.h"
#include "project/resolving.h"

static const char *const platforms[] = {
	[KMLN_WISH_UML] = "uml",
	[KMLN_WISH_KVM] = "kvm",
	[KMLN_WISH_QEMU] = "qemu",
	[KMLN_WISH_XEN] = "xen",
	[KMLN_WISH_CONTAINER] = "container",
};

/* Each image once, whoever uses it; `seen` are those of its kind. */
static void check_image(const struct kmln_host *host, const struct kmln_surroundings *here,
	struct kmln_names *seen, struct kmln_report *report)
{
	const struct kmln_value *root = host->root;

	if (kmln_names_add(seen, root->text, strlen(root->text), (void *)(uintptr_t)host))
		return;
	if (here->has_image(here->data, root->text, host->root_is_template))
		return;
	kmln_report_error(report, "no-image", kmln_value_place(root, &host->name),
		"there is no %s `%s`", host->root_is_template ? "template" : "image", root->text);
	if (!root->from)
		kmln_report_note(report, (struct kmln_place){0},
			"that is what hosts without `image` and `template` use");
}

/* What the guest mounts, where that is a file of this host. */
static void check_mounts(const struct kmln_host *host, const struct kmln_surroundings *here,
	struct kmln_names *seen, struct kmln_report *report)
{
	for (size_t i = 0; i < host->mounts.count; i++) {
		const struct kmln_value *source = &host->mounts.items[i].cells[KMLN_MOUNT_SOURCE];

		if (kmln_mount_is_guests(&host->mounts.items[i]) ||
			kmln_names_add(seen, source->text, strlen(source->text),
				(void *)(uintptr_t)host) ||
			here->has_file(here->data, source->text))
			continue;
		kmln_report_error(report, "no-image", kmln_value_place(source, &host->name),
			"there is no `%s` to be mounted", source->text);
	}
}

/* Each kernel once for each platform: a superclass gives it to many. */
static void check_kernel(const struct kmln_host *host, const struct kmln_surroundings *here,
	struct kmln_names seen[KMLN_COUNT(platforms)], struct kmln_report *report)
{
	const char *platform = host->wish == KMLN_WISH_AUTO ? "auto" : platforms[host->wish];
	const char *name = host->kernel.text, *why;

	if (!name || kmln_names_add(&seen[host->wish], name, strlen(name), (void *)(uintptr_t)host))
		return;
	why = here->kernel_misfit(here->data, name, platform);
	if (why)
		kmln_report_error(report, "no-kernel", kmln_value_place(&host->kernel, &host->name),
			"`%s` %s", name, why);
}

static void check_platform(const struct kmln_host *host, const struct kmln_surroundings *here,
	bool told[KMLN_COUNT(platforms)], struct kmln_report *report)
{
	const struct kmln_value *from = host->platform.from ? &host->platform
					: host->xen.number  ? &host->xen
							    : &host->kvm;
	const char *why = NULL;

	if (host->wish == KMLN_WISH_AUTO || told[host->wish])
		return;
	told[host->wish] = true;
	if (here->has_platform(here->data, platforms[host->wish], &why))
		return;
	kmln_report_warning(report, "no-platform", kmln_value_place(from, &host->name),
		"this host cannot run %s", platforms[host->wish]);
	if (why)
		kmln_report_note(report, (struct kmln_place){0}, "%s", why);
}

void kmln_project_check_here(const struct kmln_model *model, const struct kmln_surroundings *here,
	struct kmln_report *report)
{
	struct kmln_names seen[] = {
		{.pool = model->pool}, {.pool = model->pool}, {.pool = model->pool}};
	struct kmln_names kernels[KMLN_COUNT(platforms)];
	bool told[KMLN_COUNT(platforms)] = {false};

	for (size_t i = 0; i < KMLN_COUNT(kernels); i++)
		kernels[i] = (struct kmln_names){.pool = model->pool};

	for (size_t i = 0; i < model->host_count; i++) {
		if (here->has_image)
			check_image(model->hosts[i], here, &seen[model->hosts[i]->root_is_template],
				report);
		if (here->kernel_misfit)
			check_kernel(model->hosts[i], here, kernels, report);
		if (here->has_file)
			check_mounts(model->hosts[i], here, &seen[2], report);
		if (here->has_platform)
			check_platform(model->hosts[i], here, told, report);
	}
}
