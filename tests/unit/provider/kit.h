/* The provider over real socket pairs, in one process: a temporary tree, links, requests, answers as lines. */
#ifndef TESTS_PROVIDER_KIT_H
#define TESTS_PROVIDER_KIT_H

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/loop.h"
#include "os/sock.h"
#include "provider/files.h"
#include "tap.h"

enum { KIT_LINKS = 2, KIT_BUFFER = 1 << 23 };

static struct files_settings kit_settings;
static struct loop kit_loop;
static struct files *kit_files;
static void *kit_mem;
static int kit_fd[KIT_LINKS];
static char *kit_in[KIT_LINKS];       /* what came and was not taken */
static size_t kit_in_n[KIT_LINKS];
static bool kit_eof[KIT_LINKS];
static char kit_root[64];
static char kit_line[KIT_BUFFER];     /* the last line taken, as a C string */
static unsigned kit_id;

#define META "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\",\"io.modelcontextprotocol/clientCapabilities\":{}}"
#define META_TOKEN(token) "\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\"," \
	"\"io.modelcontextprotocol/clientCapabilities\":{},\"progressToken\":" token "}"

static void die(const char *what)
{
	perror(what);
	exit(99);
}

static const char *at(const char *path)
{
	static char name[4][4096];
	static unsigned turn;
	char *to = name[turn++ % 4];

	snprintf(to, sizeof name[0], "%s/%s", kit_root, path);
	return to;
}

__attribute__((unused)) static void put_bytes(const char *path, const void *bytes, size_t n)
{
	FILE *file = fopen(at(path), "wb");

	if (!file || fwrite(bytes, 1, n, file) != n || fclose(file) != 0)
		die(path);
}

__attribute__((unused)) static void put(const char *path, const char *text) { put_bytes(path, text, strlen(text)); }

__attribute__((unused)) static void make_dir(const char *path)
{
	if (mkdir(at(path), 0755) != 0)
		die(path);
}

__attribute__((unused)) static void kit_tree(void)
{
	snprintf(kit_root, sizeof kit_root, "/tmp/postern-files-XXXXXX");
	if (!mkdtemp(kit_root))
		die("mkdtemp");
}

static void kit_connect(unsigned worker)
{
	int fd[2];

	if (kit_fd[worker] > 0)
		close(kit_fd[worker]);
	if (!sock_pair(fd))
		die("sock_pair");
	kit_fd[worker] = fd[0];
	kit_in_n[worker] = 0;
	kit_eof[worker] = false;
	files_link(kit_files, worker, fd[1]);
}

__attribute__((unused)) static struct files_settings kit_defaults(void)
{
	struct files_settings s = {
		.name = SPAN("docs"), .version = SPAN("9.9"), .root_fd = open(kit_root, O_PATH | O_DIRECTORY | O_CLOEXEC), .prompts_fd = -1,
		.file_bytes_max = 1 << 20, .line_max = 65536, .reply_max = 1 << 21, .links_max = KIT_LINKS, .calls_max = 16, .tokens = 4096,
	};

	memset(s.seed, 7, sizeof s.seed);
	return s;
}

__attribute__((unused)) static void kit_start(struct files_settings s)
{
	size_t need;

	kit_settings = s;
	need = files_need(&kit_settings);
	need = (need + 63) & ~(size_t)63;
	free(kit_mem);
	kit_mem = aligned_alloc(64, need);
	if (!kit_mem || !loop_open(&kit_loop))
		die("start");
	memset(kit_mem, 0, need);
	kit_files = files_place(kit_mem, &kit_settings, &kit_loop);
	for (unsigned i = 0; i < KIT_LINKS; i++) {
		if (!kit_in[i])
			kit_in[i] = malloc(KIT_BUFFER);
		kit_connect(i);
	}
}

static void kit_take(unsigned worker)
{
	while (kit_in_n[worker] < KIT_BUFFER && !kit_eof[worker]) {
		long got = sock_read(kit_fd[worker], kit_in[worker] + kit_in_n[worker], KIT_BUFFER - kit_in_n[worker]);

		if (got == SOCK_AGAIN)
			return;
		if (got <= 0)
			kit_eof[worker] = true;
		else
			kit_in_n[worker] += (size_t)got;
	}
}

/* One turn of the provider, and what it sent. Returns what files_tick() did. */
static int kit_turn(int wait_ms)
{
	int next;

	if (!loop_wait(&kit_loop, wait_ms))
		die("loop_wait");
	next = files_tick(kit_files);
	for (unsigned i = 0; i < KIT_LINKS; i++)
		kit_take(i);
	return next;
}

__attribute__((unused)) static void kit_send(unsigned worker, const char *bytes, size_t n)
{
	while (n > 0) {
		long wrote = sock_write(kit_fd[worker], bytes, n);

		if (wrote == SOCK_AGAIN) {
			kit_turn(0);
			continue;
		}
		if (wrote <= 0)
			die("kit_send");
		bytes += wrote;
		n -= (size_t)wrote;
	}
}

__attribute__((unused)) static void kit_say(unsigned worker, const char *line)
{
	kit_send(worker, line, strlen(line));
	kit_send(worker, "\n", 1);
}

/* The next line from a worker's link, waiting for it at most ~20 s of turns; "" if it never comes. */
__attribute__((unused)) static const char *kit_next(unsigned worker)
{
	for (int quiet = 0; quiet < 200;) {
		char *lf = memchr(kit_in[worker], '\n', kit_in_n[worker]);
		int wait;

		if (lf) {
			size_t n = (size_t)(lf - kit_in[worker]);

			memcpy(kit_line, kit_in[worker], n);
			kit_line[n] = 0;
			kit_in_n[worker] -= n + 1;
			memmove(kit_in[worker], lf + 1, kit_in_n[worker]);
			return kit_line;
		}
		if (kit_eof[worker])
			break;
		wait = kit_turn(0);
		if (wait != 0 && kit_in_n[worker] == 0) {
			kit_turn(wait < 0 || wait > 100 ? 100 : wait);
			quiet++;
		}
	}
	kit_line[0] = 0;
	return kit_line;
}

/* Request and answer, with ids of our own; params is the inside of params without _meta, "" for none. */
__attribute__((unused)) static const char *ask_on(unsigned worker, const char *method, const char *params)
{
	static char text[1 << 17];

	snprintf(text, sizeof text, "{\"jsonrpc\":\"2.0\",\"id\":%u,\"method\":\"%s\",\"params\":{%s%s" META "}}", ++kit_id, method, params,
		*params ? "," : "");
	kit_say(worker, text);
	return kit_next(worker);
}

__attribute__((unused)) static const char *ask(const char *method, const char *params) { return ask_on(0, method, params); }

__attribute__((unused)) static const char *call(const char *tool, const char *arguments)
{
	static char text[1 << 16];

	snprintf(text, sizeof text, "\"name\":\"%s\",\"arguments\":%s", tool, arguments);
	return ask("tools/call", text);
}

/* True if nothing comes in `turns` idle turns. */
__attribute__((unused)) static bool kit_silent(unsigned worker, int turns)
{
	for (int i = 0; i < turns; i++)
		if (kit_turn(0) == 0)
			i--;
	return kit_in_n[worker] == 0;
}

__attribute__((unused)) static bool has(const char *line, const char *part)
{
	bool found = strstr(line, part) != NULL;

	if (!found)
		diag("no %s in: %.1500s", part, line);
	return found;
}

__attribute__((unused)) static void kit_clear(void)
{
	char command[256];

	snprintf(command, sizeof command, "chmod -R u+rwX '%s' && rm -rf '%s'", kit_root, kit_root);
	if (system(command) != 0)
		die(command);
}

#endif
