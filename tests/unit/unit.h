/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What every unit test includes: cmocka with the headers it wants in front. */
#ifndef KMLN_TESTS_UNIT_H
#define KMLN_TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* The call succeeds; else the test fails with the words of the error. */
#define assert_ok(call, err) \
	do { \
		if ((call) < 0) \
			fail_msg("%s: %s", #call, (err).text); \
	} while (0)

/* The call fails with this code, and has filled the error with it. */
#define assert_fails(call, err, wanted) \
	do { \
		int r_ = (call); \
		assert_int_equal(r_, -(wanted)); \
		assert_int_equal((err).code, (wanted)); \
		assert_true((err).text[0]); \
	} while (0)

#endif
