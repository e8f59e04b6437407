/* Bodies in every cut, in small and large buffers: the payload comes out whole and in one piece, what follows it stays. */
#include <stdlib.h>

#include "flow/flow_priv.h"
#include "tap.h"

static struct flow *f;
static struct loop loop;
static struct metrics metrics;
static struct flow_settings set = { .nlisteners = 1, .connections = 1, .requests = 1, .listens = 1, .large = 1, .tokens = 64, .links = 1,
	.body_max = 70000, .reply_max = 1000, .metrics = &metrics };

/* Feeds `wire` in pieces of at most `piece` bytes behind `lead` bytes of head. Returns the state; the payload goes to `out`. */
static enum http_body_state feed(enum http_framing framing, uint64_t length, const char *wire, size_t n, size_t lead, size_t piece, char *out,
    size_t *out_n, char *rest, size_t *rest_n, bool *grew)
{
	struct http_head h = { .framing = framing, .length = length };
	struct intake i;
	struct buffer *b = buffer_take(f, FLOW_SMALL), *large = NULL;
	size_t at = 0;

	memset(b->p, 'h', lead);
	b->n = (uint32_t)lead;
	intake_start(&i, b, (uint32_t)lead, &h, set.body_max);
	*grew = false;
	for (;;) {
		intake_decode(&i);
		if (i.body.state != HTTP_BODY_MORE || at == n)
			break;
		uint32_t want = intake_want(&i);
		if (want == 0) {
			if (!intake_grow(&i, f, &large))
				break;
			*grew = true;
			continue;
		}
		size_t take = piece < want ? piece : want;
		take = take < n - at ? take : n - at;
		memcpy(i.b->p + i.b->n, wire + at, take);
		i.b->n += (uint32_t)take;
		at += take;
	}
	struct span p = intake_payload(&i), r = intake_rest(&i);
	memcpy(out, p.p, p.n);
	*out_n = p.n;
	*rest_n = r.n;
	memcpy(rest, r.p, r.n);
	for (size_t k = 0; k < lead; k++)
		if (b->p[k] != 'h')
			ok(false, "the head was touched");
	buffer_give(f, large);
	buffer_give(f, b);
	return i.body.state;
}

int main(void)
{
	static char out[200000], rest[200000], big[100000], chunked[120000];
	size_t n, rn;
	bool grew;
	unsigned wrong = 0;
	void *mem = aligned_alloc(64, (flow_need(&set) + 63) & ~(size_t)63);

	if (!mem)
		return 1;
	memset(mem, 0, flow_need(&set));
	loop.now_ms = 1000;
	f = flow_place(mem, &set, &loop);

	static const char length[] = "0123456789POST";
	static const char chunks[] = "1\r\n0\r\n4\r\n1234\r\n5\r\n56789\r\n0\r\n\r\nPOST";
	for (size_t piece = 1; piece <= sizeof chunks; piece++) {
		wrong += feed(HTTP_LENGTH, 10, length, 14, 33, piece, out, &n, rest, &rn, &grew) != HTTP_BODY_DONE || n != 10 || memcmp(out, "0123456789", 10) != 0;
		wrong += rn > 4 || memcmp(rest, "POST", rn) != 0 || grew;
		wrong += feed(HTTP_CHUNKED, 0, chunks, sizeof chunks - 1, 33, piece, out, &n, rest, &rn, &grew) != HTTP_BODY_DONE || n != 10 ||
			memcmp(out, "0123456789", 10) != 0;
		wrong += rn > 4 || memcmp(rest, "POST", rn) != 0 || grew;
		for (size_t cut = 0; cut < sizeof chunks - 5; cut++)
			wrong += feed(HTTP_CHUNKED, 0, chunks, cut, 33, piece, out, &n, rest, &rn, &grew) != HTTP_BODY_MORE;
	}
	is_int(wrong, 0, "short bodies in every cut");

	for (size_t i = 0; i < sizeof big; i++)
		big[i] = (char)('a' + i % 26);
	static const size_t sizes[] = { 16384 - 33 - 1, 16384 - 33, 16384 - 33 + 1, 16384, 30000, 69999, 70000 };
	wrong = 0;
	for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++)
		for (size_t piece = 7; piece < 40000; piece = piece * 3 + 1) {
			wrong += feed(HTTP_LENGTH, sizes[s], big, sizes[s], 33, piece, out, &n, rest, &rn, &grew) != HTTP_BODY_DONE || n != sizes[s] ||
				memcmp(out, big, n) != 0 || rn != 0;
			size_t c = 0, k;
			for (size_t at = 0; at < sizes[s]; at += k) {
				k = 1 + (at * 31 + piece) % 3000;
				k = k < sizes[s] - at ? k : sizes[s] - at;
				c += (size_t)sprintf(chunked + c, "%zx\r\n", k);
				memcpy(chunked + c, big + at, k);
				memcpy(chunked + c + k, "\r\n", 2);
				c += k + 2;
			}
			memcpy(chunked + c, "0\r\n\r\nNEXT", 9);
			wrong += feed(HTTP_CHUNKED, 0, chunked, c + 9, 33, piece, out, &n, rest, &rn, &grew) != HTTP_BODY_DONE || n != sizes[s] ||
				memcmp(out, big, n) != 0 || memcmp(rest, "NEXT", rn) != 0;
		}
	is_int(wrong, 0, "bodies that move to a large buffer");
	is_int(feed(HTTP_LENGTH, 70001, big, 100, 33, 50, out, &n, rest, &rn, &grew), HTTP_BODY_LARGE, "a byte over the limit, declared");
	is_int(feed(HTTP_CHUNKED, 0, "11171\r\n", 7, 33, 50, out, &n, rest, &rn, &grew), HTTP_BODY_LARGE, "and in one chunk");
	is_int(feed(HTTP_CHUNKED, 0, "5 \r\n", 4, 33, 50, out, &n, rest, &rn, &grew), HTTP_BODY_BROKEN, "broken chunks");

	struct buffer *only = buffer_take(f, FLOW_SMALL + 1);
	ok(only != NULL, "there is one large buffer");
	is_int(feed(HTTP_LENGTH, 30000, big, 30000, 33, 5000, out, &n, rest, &rn, &grew), HTTP_BODY_MORE, "and none: the body stops, nothing breaks");
	ok(!grew, "it did not grow");
	buffer_give(f, only);
	is_int(f->small.used + f->large.used, 0, "all buffers are back");
	free(mem);
	return done_testing();
}
