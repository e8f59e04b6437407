/* The minimal responder, the base of target T1: any request gets the same 400 bytes of JSON. */
#define _GNU_SOURCE
#include "serve.h"

enum { BODY_LEN = 400 };

static char fixed[SERVE_OUT];
static size_t fixed_len;

static size_t answer(char *out, size_t cap, const char *body, size_t body_len)
{
	(void)cap;
	(void)body;
	(void)body_len;
	memcpy(out, fixed, fixed_len);
	return fixed_len;
}

int main(void)
{
	fixed_len = (size_t)snprintf(fixed, sizeof(fixed), "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", BODY_LEN);
	memset(fixed + fixed_len, 'x', BODY_LEN);
	fixed_len += BODY_LEN;
	return serve();
}
