/* What our reader makes of a key set and a token, for tests that compare it with others.
 *
 * Standard input, a line each: a key set and a token in hex, parted by a space. Standard output, a line each: `set WHY` for a set that is
 * refused; `token WHY` for a token that is; `ok KID THUMBPRINT` for one whose signature is right, with the key that did it (kid and RFC 7638
 * thumbprint in hex, "-" without a kid). */
#include <stdio.h>
#include <stdlib.h>

#include "wire/jwt.h"

enum { BYTES_MAX = 1 << 17, TOKENS = 1 << 13 };

static struct json_table *table;

static int hex(int c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The bytes up to the white space `*c`. */
static struct span text(char *to, int *c)
{
	size_t n = 0;

	for (*c = getchar(); *c != ' ' && *c != '\n' && *c != EOF; *c = getchar()) {
		int low = getchar();

		if (hex(*c) < 0 || hex(low) < 0 || n == BYTES_MAX) {
			fprintf(stderr, "not hex, or more than %d bytes\n", BYTES_MAX);
			exit(1);
		}
		to[n++] = (char)(hex(*c) << 4 | hex(low));
	}
	return span_of(to, n);
}

static void put(const void *bytes, size_t n)
{
	const unsigned char *p = bytes;

	if (n == 0)
		putchar('-');
	for (size_t i = 0; i < n; i++)
		printf("%02x", p[i]);
}

static void judge(struct span keys, struct span token)
{
	static struct jwk_set set;
	enum jwk_error wrong = jwk_set_read(&set, table, keys);
	const struct jwk *key;
	enum jwt_error e;
	uint8_t thumbprint[32];
	struct jwt t;

	if (wrong != JWK_OK) {
		printf("set %s\n", jwk_error_text(wrong).p);
		return;
	}
	e = jwt_read(&t, table, token, false);
	key = e == JWT_OK ? jwk_find(&set, t.kid) : NULL;
	if (e == JWT_OK)
		e = key != NULL ? jwt_verify(&t, key) : JWT_NO_KEY;
	if (e != JWT_OK) {
		printf("token %s\n", jwt_error_text(e).p);
		return;
	}
	jwk_thumbprint(key, thumbprint);
	printf("ok ");
	put(key->kid, key->kid_n);
	putchar(' ');
	put(thumbprint, sizeof thumbprint);
	putchar('\n');
}

int main(void)
{
	static const uint8_t seed[16] = { 4, 2 };
	static char keys[BYTES_MAX], token[BYTES_MAX];
	void *mem = malloc(json_table_need(TOKENS));
	int c = ' ';

	if (mem == NULL)
		return 1;
	table = json_table_place(mem, TOKENS, seed);
	for (;;) {
		struct span k = text(keys, &c), t;

		if (c == EOF)
			return 0;
		t = c == ' ' ? text(token, &c) : span_of(token, 0);
		judge(k, t);
	}
}
