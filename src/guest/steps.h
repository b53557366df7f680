/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One declaration for each step's file. */
#ifndef KMLN_GUEST_STEPS_H
#define KMLN_GUEST_STEPS_H

#include "guest/step.h"

extern const struct kmln_step kmln_step_wrap, kmln_step_unwrap, kmln_step_resize,
	kmln_step_uml_units, kmln_step_resume, kmln_step_merge, kmln_step_uml_modules,
	kmln_step_kernel, kmln_step_initramfs, kmln_step_packages, kmln_step_fstab,
	kmln_step_crypttab, kmln_step_xen_modules, kmln_step_login, kmln_step_grub,
	kmln_step_loader, kmln_step_record;

#endif
