// SPDX-License-Identifier: GPL-2.0-or-later
/* The first and only program of the smallest guest: writes a file, says so, switches off. Linked
 * statically and put into an ext4 image by test_platform.c. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <unistd.h>

int main(void)
{
	int console = open("/dev/console", O_RDWR), mark;

	if (console >= 0) {
		dup2(console, 1);
		dup2(console, 2);
	}
	mark = open("/mark", O_CREAT | O_WRONLY, 0644);
	printf("guest: %s\n", mark >= 0 && write(mark, "x", 1) == 1 ? "written" : "refused");
	fflush(stdout);
	/* leaves the filesystem clean */
	mount(NULL, "/", NULL, MS_REMOUNT | MS_RDONLY, NULL);
	sync();
	reboot(RB_POWER_OFF);
	return 1;
}
