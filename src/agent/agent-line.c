// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The line to the host: a virtio port named org.qemu.guest_agent.0, else the second serial line.
 * The agent may start before either is there, and before the driver of the first is loaded.
 */
#include "agent/agent.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <termios.h>
#include <unistd.h>

#include "base/file.h"

#define PORT_NAME "org.qemu.guest_agent.0\n"
#define SERIAL "/dev/ttyS1"
#define TRIGGER "/sys/class/tty/ttyS1/rx_trig_bytes"
#define RETRY 500 /* milliseconds */
#define LOOK 2000

/* ---- the driver of virtio ports ---- */

static bool says(const char *path, const char *wanted)
{
	KMLN_BUF struct kmln_buf text = {0};
	struct kmln_error ignored;

	return kmln_read_file(path, 4096, &text, &ignored) == 0 && kmln_eq(text.data, wanted);
}

/* A virtio console on PCI that waits for its driver. */
static bool has_console(void)
{
	DIR *folder = opendir("/sys/bus/pci/devices");
	const struct dirent *entry;
	bool found = false;

	while (folder && !found && (entry = readdir(folder))) {
		char vendor[PATH_MAX], device[PATH_MAX];

		snprintf(vendor, sizeof(vendor), "/sys/bus/pci/devices/%s/vendor", entry->d_name);
		snprintf(device, sizeof(device), "/sys/bus/pci/devices/%s/device", entry->d_name);
		found = says(vendor, "0x1af4\n") &&
			(says(device, "0x1003\n") || says(device, "0x1043\n"));
	}
	if (folder)
		closedir(folder);
	return found;
}

static void load_module(void *unused)
{
	static char name[] = "modprobe", quiet[] = "-q", module[] = "virtio_console";
	static const char *const places[] = {
		"/sbin/modprobe", "/usr/sbin/modprobe", "/bin/modprobe"};
	char *const argv[] = {name, quiet, module, NULL};

	(void)unused;
	for (size_t i = 0; i < KMLN_COUNT(places); i++)
		execv(places[i], argv);
}

/* ---- finding ---- */

/* A name in /sys/class/virtio-ports is one in /dev, which is made where no udev did. */
static bool port_path(char *path, size_t size)
{
	DIR *folder = opendir("/sys/class/virtio-ports");
	const struct dirent *entry;
	unsigned high, low;
	bool found = false;

	while (folder && !found && (entry = readdir(folder))) {
		KMLN_BUF struct kmln_buf numbers = {0};
		struct kmln_error ignored;
		char at[PATH_MAX];

		snprintf(at, sizeof(at), "/sys/class/virtio-ports/%s/name", entry->d_name);
		if (!says(at, PORT_NAME))
			continue;
		snprintf(at, sizeof(at), "/sys/class/virtio-ports/%s/dev", entry->d_name);
		if (kmln_read_file(at, 64, &numbers, &ignored) < 0 ||
			sscanf(numbers.data, "%u:%u", &high, &low) != 2)
			continue;
		found = snprintf(path, size, "/dev/%s", entry->d_name) < (int)size;
		if (found && access(path, F_OK) < 0)
			mknod(path, S_IFCHR | 0600, makedev(high, low));
	}
	if (folder)
		closedir(folder);
	return found;
}

static int open_port(void)
{
	char path[PATH_MAX];

	return port_path(path, sizeof(path)) ? open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC) : -1;
}

/* All 256 bytes pass as they are. A line that is not there opens, but cannot be set. */
static bool make_raw(int fd)
{
	struct termios tty;

	if (tcgetattr(fd, &tty) < 0)
		return false;
	cfmakeraw(&tty);
	tty.c_cflag |= CLOCAL | CREAD;
	tty.c_cflag &= ~(tcflag_t)(HUPCL | CRTSCTS);
	tty.c_cc[VMIN] = 1;
	tty.c_cc[VTIME] = 0;
	cfsetspeed(&tty, B115200);
	return tcsetattr(fd, TCSANOW, &tty) == 0 && tcflush(fd, TCIFLUSH) == 0;
}

/* A 16550A asks for the processor each 14 bytes instead of each 8; other lines know no such. */
static void interrupt_rarely(void)
{
	KMLN_FD int fd = open(TRIGGER, O_WRONLY | O_CLOEXEC);
	struct kmln_error ignored;

	if (fd >= 0)
		kmln_write_all(fd, "14", 2, &ignored);
}

static int open_serial(void)
{
	int fd;

	if (access(SERIAL, F_OK) < 0)
		mknod(SERIAL, S_IFCHR | 0600, makedev(4, 65));
	fd = open(SERIAL, O_RDWR | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd >= 0 && !make_raw(fd))
		kmln_close_cleanup(&fd);
	if (fd >= 0)
		interrupt_rarely();
	return fd;
}

/* ---- the line ---- */

void agent_line_open(struct agent_line *line, int64_t now)
{
	struct kmln_error ignored;

	if (line->fd >= 0 || now < line->next_try)
		return;
	line->next_try = now + RETRY;
	line->fd = open_port();
	line->serial = line->fd < 0;
	if (line->fd < 0 && !line->module_tried && has_console()) {
		line->module_tried = true;
		agent_start_aside(load_module, NULL, &ignored);
	}
	if (line->fd < 0)
		line->fd = open_serial();
}

bool agent_line_better(struct agent_line *line, int64_t now)
{
	char path[PATH_MAX];

	if (line->fd < 0 || !line->serial || now < line->next_look)
		return false;
	line->next_look = now + LOOK;
	return port_path(path, sizeof(path));
}

void agent_line_close(struct agent_line *line)
{
	kmln_close_cleanup(&line->fd);
	kmln_buf_fini(&line->out);
	line->written = 0;
}

size_t agent_line_waiting(const struct agent_line *line)
{
	return line->out.size - line->written;
}

bool agent_line_flush(struct agent_line *line)
{
	while (agent_line_waiting(line)) {
		ssize_t n =
			write(line->fd, line->out.data + line->written, agent_line_waiting(line));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		line->written += (size_t)n;
	}
	if (!agent_line_waiting(line) || line->written > AGENT_OUT_MAX) {
		memmove(line->out.data, line->out.data + line->written, agent_line_waiting(line));
		line->out.size -= line->written;
		line->written = 0;
	}
	return !agent_line_waiting(line) || errno == EAGAIN;
}
