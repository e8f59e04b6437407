/* Files of a test: keys and certificates of tests/table/private-keys.txt, in a scratch directory. */
#ifndef TESTS_UNIT_ROLE_KEYS_H
#define TESTS_UNIT_ROLE_KEYS_H

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char keys_dir[64];
static char keys_made[256][96];
static unsigned keys_nmade;

static inline const char *keys_put(const char *name, const void *text, size_t n, unsigned mode)
{
	char *path = keys_made[keys_nmade++];
	int fd;

	snprintf(path, sizeof keys_made[0], "%s/%s", keys_dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, mode);
	if (fd < 0 || write(fd, text, n) != (ssize_t)n || fchmod(fd, mode) != 0)
		exit(99);
	close(fd);
	return path;
}

/* The text of a section; *n its length. */
static inline const char *keys_text(const char *section, size_t *n)
{
	static char file[32 << 10];
	char head[64];
	const char *at, *end;
	FILE *f;

	if (!file[0]) {
		f = fopen("tests/table/private-keys.txt", "r");
		if (!f || fread(file, 1, sizeof file - 1, f) < 1000)
			exit(99);
		fclose(f);
	}
	snprintf(head, sizeof head, "== %s\n", section);
	at = strstr(file, head);
	if (!at)
		exit(99);
	at += strlen(head);
	end = strstr(at, "== ");
	*n = end ? (size_t)(end - at) : strlen(at);
	return at;
}

/* A section as a file of that name. */
static inline const char *keys_file(const char *section, unsigned mode)
{
	size_t n;
	const char *text = keys_text(section, &n);

	return keys_put(section, text, n, mode);
}

static inline void keys_begin(void)
{
	snprintf(keys_dir, sizeof keys_dir, "/tmp/postern-keys-XXXXXX");
	if (!mkdtemp(keys_dir) || chmod(keys_dir, 0755) != 0)
		exit(99);
}

static inline void keys_end(void)
{
	for (unsigned i = 0; i < keys_nmade; i++)
		unlink(keys_made[i]);
	rmdir(keys_dir);
}

#endif
