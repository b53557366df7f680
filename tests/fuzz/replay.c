// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Stands in for libFuzzer where the compiler has none: replay-TARGET FILE... calls the target with
 * each file's bytes and says how many they were.
 */
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "fuzz.h"

#define INPUT_MAX (64u << 20)

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		KMLN_BUF struct kmln_buf bytes = {0};
		KMLN_FREE uint8_t *exact = NULL;
		struct kmln_error err = {0};

		if (kmln_read_file(argv[i], INPUT_MAX, &bytes, &err) < 0) {
			fprintf(stderr, "replay: %s\n", err.text);
			return 1;
		}
		/* named before: who crashes cannot say it afterwards */
		fprintf(stderr, "%s\n", argv[i]);
		/* to the byte, so that a sanitizer sees a step over the end */
		exact = kmln_malloc(bytes.size);
		if (bytes.size)
			memcpy(exact, bytes.data, bytes.size);
		LLVMFuzzerTestOneInput(exact, bytes.size);
	}
	printf("%d inputs\n", argc - 1);
	return 0;
}
