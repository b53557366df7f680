/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How functions fail.
 *
 * A function that can fail takes `struct kmln_error *err` last and returns 0 or a negative code (a
 * few return 1 for "yes" and 0 for "no"). It fills err exactly once, at the place that knows the
 * cause; callers put their context in front with kmln_wrap(). On success err is untouched. Only
 * main() prints an error and turns its code into an exit status.
 */
#ifndef KMLN_BASE_ERROR_H
#define KMLN_BASE_ERROR_H

#include <errno.h>

#define KMLN_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

/*
 * Codes are errno values. These four carry a meaning of their own, and an exit status; every other
 * code is "failed" (1). They are values that no system call on a file or process returns.
 */
#define KMLN_EUSAGE EBADRQC /* 2: the command line is wrong */
#define KMLN_EINVALID EBADMSG /* 3: the image or project cannot be what it must be */
#define KMLN_ENO ENOMSG /* 4: asked a question, and the answer is no */
#define KMLN_ELACK ENOPKG /* 5: this host lacks something; the text names it */

/* Lives on the caller's stack: needs no memory and no release. */
struct kmln_error {
	int code; /* an errno value; 0 means "no error" */
	char text[640]; /* "outer: inner: cause", without a newline; control bytes are escaped, as
			   \xNN */
};

/* Fills err. Both return -code, so that a failing function ends in one line. */
int kmln_fail(struct kmln_error *err, int code, const char *fmt, ...) KMLN_PRINTF(3, 4);
/* As kmln_fail(), with ": " and the system's words for `code` behind the text. */
int kmln_fail_sys(struct kmln_error *err, int code, const char *fmt, ...) KMLN_PRINTF(3, 4);
/* Puts "text: " in front of what err says; returns -err->code. */
int kmln_wrap(struct kmln_error *err, const char *fmt, ...) KMLN_PRINTF(2, 3);
/* The exit status that stands for err->code. */
int kmln_exit_status(const struct kmln_error *err);

#endif
