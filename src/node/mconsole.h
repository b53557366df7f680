/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What User-Mode Linux itself can be told, where its guest has no agent. */
#ifndef KMLN_NODE_MCONSOLE_H
#define KMLN_NODE_MCONSOLE_H

/*
 * Presses Ctrl-Alt-Del: init stops the guest's programs and asks the kernel to start again, which
 * ends UML; without an init that takes it, the kernel starts again at once. `folder` is the
 * program's private one. Nothing happens where it listens to nobody.
 */
void kmln_mconsole_press(const char *folder);

#endif
