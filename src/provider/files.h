/* provider/files.h: the built-in provider `files`: a directory tree as an MCP server.
 *
 * It speaks MCP 2026-07-28 in the stdio framing (one JSON-RPC message a line, LF) over stream sockets, one per worker, each multiplexed.
 * Same manner as flow: all memory is given once, the owner calls loop_wait() then files_tick(). */
#ifndef POSTERN_PROVIDER_FILES_H
#define POSTERN_PROVIDER_FILES_H

#include "base/span.h"
#include "os/loop.h"

struct files_settings {
	struct span name;           /* of the server in the configuration: authority of its URIs: files://NAME/path */
	struct span version;        /* of Postern */
	int root_fd;                /* directory, O_PATH or O_RDONLY */
	int prompts_fd;             /* directory or -1 */
	bool hidden;
	uint64_t file_bytes_max;    /* largest file read or searched */
	uint64_t line_max;          /* longest message in (request body limit) */
	uint64_t reply_max;         /* longest message out */
	unsigned links_max;         /* workers */
	unsigned calls_max;         /* calls in progress per link */
	uint32_t tokens;            /* JSON tokens per message */
	uint8_t seed[64];
};

size_t files_need(const struct files_settings *s);
/* mem: files_need() bytes, zeroed, aligned to 64. */
struct files *files_place(void *mem, const struct files_settings *s, struct loop *loop);
/* A new stream socket from worker `worker` (index): an older one is closed and its calls dropped. Takes the fd. */
void files_link(struct files *f, unsigned worker, int fd);
/* After each loop_wait(): work in slices, polling of subscribed files. Returns how long the next wait may last in ms (-1: for ever). */
int files_tick(struct files *f);

#endif
