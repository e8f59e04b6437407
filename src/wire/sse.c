#include "wire/sse.h"

/* Where in a line the next byte stands. */
enum {
	S_BOM,    /* matching EF BB BF at the very start */
	S_LINE,   /* a line begins */
	S_NAME,   /* matching the field name */
	S_SPACE,  /* after the colon: one space is dropped */
	S_VALUE
};

/* What the line is, as far as it was read. */
enum { F_DATA, F_EVENT, F_ID, F_RETRY, F_OTHER };

static const char bom[3] = { '\xef', '\xbb', '\xbf' };

void sse_start(struct sse_reader *r, char *mem, size_t cap)
{
	*r = (struct sse_reader){ .data = buf_on(mem, cap), .state = SSE_MORE, .retry_ms = -1, .step = S_BOM };
}

void sse_keep(struct sse_reader *r, char *mem, size_t id_max)
{
	r->id = buf_on(mem, id_max);
	r->next_id = buf_on(mem + id_max, id_max);
}

void sse_next(struct sse_reader *r)
{
	buf_reset(&r->data);
	r->state = SSE_MORE;
}

static struct span field_name(unsigned field)
{
	static const struct span names[] = { { "data", 4 }, { "event", 5 }, { "id", 2 }, { "retry", 5 }, { "", 0 } }; /* F_OTHER */

	return names[field];
}

enum { RETRY_MAX_MS = 86400000, NO_RETRY = -1 };

/* The value of an `event` line is matched against "message" as it comes; MISMATCH marks one that cannot be it any more. */
enum { MISMATCH = UINT8_MAX };

/* A value begins (after the name, with or without a colon). */
static void value_begins(struct sse_reader *r)
{
	r->matched = 0;
	if (r->field == F_ID) {
		buf_reset(&r->next_id);
		r->has_next_id = true;
	}
	r->next_retry = 0;
	if (r->field != F_DATA)
		return;
	if (r->has_data)
		buf_char(&r->data, '\n');
	r->has_data = true;
}

/* Digits only; more than a day is a day. */
static void retry_bytes(struct sse_reader *r, struct span v)
{
	for (size_t i = 0; i < v.n && r->next_retry != NO_RETRY; i++) {
		r->matched = 1;
		r->next_retry = v.p[i] >= '0' && v.p[i] <= '9' ? r->next_retry * 10 + (v.p[i] - '0') : NO_RETRY;
		if (r->next_retry > RETRY_MAX_MS)
			r->next_retry = RETRY_MAX_MS;
	}
}

static void id_bytes(struct sse_reader *r, struct span v)
{
	for (size_t i = 0; i < v.n; i++)
		if ((unsigned char)v.p[i] < 0x20 || v.p[i] == 0x7f)
			r->next_id.full = true;
	buf_put(&r->next_id, v);
}

static void value_bytes(struct sse_reader *r, struct span v)
{
	struct span want = SPAN("message");

	if (r->field == F_DATA) {
		buf_put(&r->data, v);
	} else if (r->field == F_EVENT && r->matched != MISMATCH && v.n > 0) {
		if (v.n <= want.n - r->matched && memcmp(want.p + r->matched, v.p, v.n) == 0)
			r->matched = (uint8_t)(r->matched + v.n);
		else
			r->matched = MISMATCH;
	} else if (r->field == F_ID) {
		id_bytes(r, v);
	} else if (r->field == F_RETRY) {
		retry_bytes(r, v);
	}
}

/* The name is whole: it counts only if every byte of it matched. */
static void name_ends(struct sse_reader *r)
{
	if (r->field != F_OTHER && r->matched != field_name(r->field).n)
		r->field = F_OTHER;
	value_begins(r);
}

/* An empty line: the event is over. Without data it was none. */
static void event_ends(struct sse_reader *r)
{
	bool dispatch = r->has_data && !r->skip;

	if (r->has_next_id) {
		r->has_id = !r->next_id.full && r->next_id.n > 0;
		buf_reset(&r->id);
		buf_put(&r->id, buf_span(&r->next_id));
		r->has_next_id = false;
	}
	r->has_data = false;
	r->skip = false;
	if (dispatch) {
		r->events++;
		r->state = SSE_EVENT;
	} else {
		buf_reset(&r->data);
	}
}

static void line_ends(struct sse_reader *r)
{
	if (r->step == S_LINE || (r->step == S_BOM && r->matched == 0)) {
		event_ends(r);
	} else {
		if (r->step == S_NAME)
			name_ends(r);
		if (r->field == F_EVENT)
			r->skip = r->matched != 0 && r->matched != SPAN("message").n;
		if (r->field == F_RETRY && r->matched == 1 && r->next_retry != NO_RETRY)
			r->retry_ms = r->next_retry;
	}
	r->step = S_LINE;
}

static void name_byte(struct sse_reader *r, char c)
{
	struct span want;

	if (c == ':') {
		name_ends(r);
		r->step = S_SPACE;
		return;
	}
	want = field_name(r->field);
	if (r->field != F_OTHER && r->matched < want.n && c == want.p[r->matched])
		r->matched++;
	else
		r->field = F_OTHER;
}

static void line_begins(struct sse_reader *r, char c)
{
	r->step = S_NAME;
	r->matched = 0;
	r->field = c == 'd' ? F_DATA : c == 'e' ? F_EVENT : c == 'i' ? F_ID : c == 'r' ? F_RETRY : F_OTHER;
	if (c == ':')
		r->comments++;
	name_byte(r, c);
}

/* One byte that does not end a line and is not in a value. */
static void plain_byte(struct sse_reader *r, char c)
{
	switch (r->step) {
	case S_BOM:
		if (c == bom[r->matched]) {
			if (++r->matched == sizeof(bom))
				r->step = S_LINE;
		} else if (r->matched == 0) {
			line_begins(r, c);
		} else {
			/* What looked like a mark is the beginning of some unknown field name. */
			r->step = S_NAME;
			r->field = F_OTHER;
			name_byte(r, c);
		}
		return;
	case S_LINE:
		line_begins(r, c);
		return;
	case S_NAME:
		name_byte(r, c);
		return;
	default: /* S_SPACE */
		r->step = S_VALUE;
		if (c != ' ')
			value_bytes(r, span_of(&c, 1));
		return;
	}
}

#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

/* Up to the first CR or LF. JSON text has no byte under 0x20 but white space, so eight at a time mostly pass. */
static size_t value_run(const char *in, size_t n)
{
	size_t i = 0;
	uint64_t eight;

	while (n - i >= 8) {
		memcpy(&eight, in + i, 8);
		if (((eight - EACH(0x0e)) & ~eight & EACH(0x80)) != 0)
			break;
		i += 8;
	}
	while (i < n && in[i] != '\n' && in[i] != '\r')
		i++;
	return i;
}

size_t sse_take(struct sse_reader *r, const char *in, size_t n)
{
	size_t used = 0;

	while (used < n && r->state == SSE_MORE) {
		char c = in[used];

		if (r->after_cr) {
			r->after_cr = false;
			if (c == '\n') {
				used++;
				continue;
			}
		}
		if (c == '\n' || c == '\r') {
			r->after_cr = c == '\r';
			line_ends(r);
			used++;
		} else if (r->step == S_VALUE) {
			size_t run = value_run(in + used, n - used);

			value_bytes(r, span_of(in + used, run));
			used += run;
		} else {
			plain_byte(r, c);
			used++;
		}
		if (r->data.full)
			r->state = SSE_LARGE;
	}
	return used;
}

/* ---- writing ---- */

/* Takes the first line off *rest; CRLF, LF and CR each end one. The last line may be empty. */
static struct span next_line(struct span *rest)
{
	size_t n = value_run(rest->p, rest->n);
	struct span line = span_of(rest->p, n);

	if (n == rest->n)
		*rest = span_of(NULL, 0);
	else
		*rest = span_from(*rest, n + (rest->p[n] == '\r' && n + 1 < rest->n && rest->p[n + 1] == '\n' ? 2 : 1));
	return line;
}

void sse_write(struct buf *b, struct span json)
{
	do {
		struct span line = next_line(&json);

		BUF_LIT(b, "data: ");
		buf_put(b, line);
		BUF_LIT(b, "\n");
	} while (!span_absent(json));
	BUF_LIT(b, "\n");
}

size_t sse_write_size(struct span json)
{
	size_t size = 1;

	do
		size += next_line(&json).n + sizeof("data: \n") - 1;
	while (!span_absent(json));
	return size;
}

void sse_write_id(struct buf *b, struct span id, uint32_t retry_ms)
{
	if (!span_absent(id)) {
		BUF_LIT(b, "id: ");
		buf_put(b, id);
		BUF_LIT(b, "\n");
	}
	if (retry_ms > 0) {
		BUF_LIT(b, "retry: ");
		buf_u64(b, retry_ms);
		BUF_LIT(b, "\n");
	}
}
