#include "wire/x509.h"

#include "base/text.h"

enum { PEM_LINE_MAX = 76 };

/* The next line, without its end (LF or CRLF). */
static struct span next_line(struct span *text)
{
	size_t n = 0;
	struct span line;

	while (n < text->n && text->p[n] != '\n')
		n++;
	line = span_of(text->p, n);
	*text = span_from(*text, n + 1);
	if (line.n > 0 && line.p[line.n - 1] == '\r')
		line.n--;
	return line;
}

static bool holds(struct span line, struct span word)
{
	for (size_t i = 0; i + word.n <= line.n; i++)
		if (memcmp(line.p + i, word.p, word.n) == 0)
			return true;
	return false;
}

/* Appends the bytes of one line of base64. `last` becomes true when no other line may follow. */
static enum x509_error body_line(struct buf *out, struct span line, bool *last)
{
	if (*last || line.n == 0 || line.n > PEM_LINE_MAX || line.n % 4 != 0)
		return X509_BAD_PEM;
	if (buf_room(out) < line.n / 4 * 3)
		return X509_TOO_LONG;
	if (!b64_decode(out, line))
		return X509_BAD_PEM;
	*last = line.p[line.n - 1] == '=';
	return X509_OK;
}

enum x509_error x509_pem_chain(struct span pem, struct buf *out, struct span *der, unsigned max, unsigned *n)
{
	bool inside = false, last = false;
	size_t from = 0;
	enum x509_error e;

	*n = 0;
	while (pem.n > 0) {
		struct span line = next_line(&pem);

		if (holds(line, SPAN("PRIVATE KEY-----")))
			return X509_PRIVATE;
		if (!span_starts(line, SPAN("-----"))) { /* between blocks: an explanation, which is skipped */
			e = inside ? body_line(out, line, &last) : X509_OK;
			if (e != X509_OK)
				return e;
		} else if (!inside && span_eq(line, SPAN("-----BEGIN CERTIFICATE-----"))) {
			if (*n == max)
				return X509_TOO_MANY;
			inside = true;
			last = false;
			from = out->n;
		} else if (inside && span_eq(line, SPAN("-----END CERTIFICATE-----"))) {
			if (out->n == from)
				return X509_BAD_PEM;
			if (out->n - from > X509_DER_MAX)
				return X509_TOO_LONG;
			inside = false;
			der[(*n)++] = span_of(out->p + from, out->n - from);
		} else {
			return X509_BAD_PEM;
		}
	}
	return inside ? X509_BAD_PEM : *n == 0 ? X509_NO_PEM : X509_OK;
}
