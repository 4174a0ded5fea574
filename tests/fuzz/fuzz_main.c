/*
 * fuzz_main.c - runs a fuzz target over the files of the folders named as arguments, without libFuzzer.
 *
 * It speaks TAP. A target that finds a fault aborts, so the plan is not fulfilled and the run counts as failed. Files
 * are taken in the order of their names; those that start with a dot, and folders inside the folders, are left out.
 */
#include "base.h"

#include "buf.h"

#include <dirent.h>
#include <errno.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int
is_file(const struct dirent *entry)
{
	return entry->d_name[0] != '.' && entry->d_type != DT_DIR;
}

/* Appends the files of folder to names, each with a NUL behind it, and counts them. */
static bool
list_files(const char *folder, struct buf *names, int *count)
{
	struct dirent **entries;
	int found = scandir(folder, &entries, is_file, alphasort);

	if (found < 0) {
		fprintf(stderr, "fuzz_main: cannot list the folder %s: %s. Name folders that exist.\n", folder,
		        strerror(errno));
		return false;
	}
	for (int i = 0; i < found; i++) {
		buf_printf(names, "%s/%s", folder, entries[i]->d_name);
		buf_add_byte(names, '\0');
		free(entries[i]);
	}
	free(entries);
	*count += found;
	return true;
}

static bool
read_file(const char *path, struct buf *content)
{
	FILE *file = fopen(path, "rb");
	size_t got;
	bool complete;

	if (!file)
		return false;
	do {
		got = fread(buf_reserve(content, 4096), 1, 4096, file);
		content->len += got;
	} while (got > 0);
	complete = !ferror(file);
	fclose(file);
	return complete;
}

static bool
run_file(const char *path)
{
	struct buf content = {0};
	bool passed = false;

	if (read_file(path, &content)) {
		/* A copy of the exact size, so that the address sanitizer sees a read past its end. */
		uint8_t *copy = mem_alloc(content.len);

		memcpy(copy, buf_slice(&content).data, content.len);
		passed = LLVMFuzzerTestOneInput(copy, content.len) == 0;
		free(copy);
	} else {
		printf("# cannot read %s: %s\n", path, strerror(errno));
	}
	buf_free(&content);
	return passed;
}

int
main(int argc, char **argv)
{
	struct buf names = {0};
	const char *path;
	int count = 0, failed = 0;

	for (int i = 1; i < argc; i++)
		if (!list_files(argv[i], &names, &count))
			return EXIT_FAILURE;
	if (count == 0) {
		fputs("fuzz_main: there is no file to run. Name at least one folder that has files.\n", stderr);
		return EXIT_FAILURE;
	}
	printf("1..%d\n", count);
	path = names.data;
	for (int i = 1; i <= count; i++, path += strlen(path) + 1) {
		bool passed = run_file(path);

		failed += !passed;
		printf("%sok %d - %s\n", passed ? "" : "not ", i, path);
		fflush(stdout);
	}
	buf_free(&names);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
