#include "cmd/key.h"

#include <stdio.h>

#include "cmd/load.h"
#include "gate/auth.h"
#include "os/clock.h"
#include "os/file.h"
#include "wire/crypto.h"
#include "wire/json_write.h"
#include "wire/jwt.h"

static const char usage[] =
	"usage: postern key new [--id NAME] [--tenant NAME] [--role NAME]...\n"
	"  Makes an API key. Prints the key, this once, and the line for \"keys\" in the configuration, which has only its SHA-256.\n"
	"  exit: 0 printed, 2 wrong usage, 3 no randomness, or it cannot be printed\n";

enum { RANDOM = 32, ROLES_MAX = 64, OUT_SIZE = 8192 };

struct request {
	struct span id, tenant, roles[ROLES_MAX];
	unsigned nroles;
};

static bool name_ok(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		char l = span_lower(s.p[i]);

		if (!(l >= 'a' && l <= 'z') && !(l >= '0' && l <= '9') && strchr("._:-", l) == NULL)
			return false;
	}
	return s.n > 0 && s.n <= 64;
}

static bool options(struct request *q, int argc, char **argv)
{
	for (int i = 2; i < argc; i += 2) {
		struct span option = span_z(argv[i]), value = i + 1 < argc ? span_z(argv[i + 1]) : SPAN("");
		struct span *to = span_eq(option, SPAN("--id")) ? &q->id : span_eq(option, SPAN("--tenant")) ? &q->tenant : NULL;

		if (span_eq(option, SPAN("--role")) && q->nroles < ROLES_MAX)
			to = &q->roles[q->nroles++];
		if (to == NULL) {
			fprintf(stderr, "postern key: unknown option or argument: %s\n", argv[i]);
			return false;
		}
		if (!name_ok(value)) {
			fprintf(stderr, "postern key: behind %s stands a name of 1 to 64 letters A-Z a-z, digits, . _ : and -\n", argv[i]);
			return false;
		}
		*to = value;
	}
	return true;
}

static void line(struct buf *b, const struct request *q, const uint8_t sha256[CRYPTO_HASH])
{
	BUF_LIT(b, "{\"id\": \"");
	if (!span_absent(q->id)) {
		buf_put(b, q->id);
	} else {
		BUF_LIT(b, "key-");
		buf_hex(b, sha256, 4);
	}
	BUF_LIT(b, "\", \"sha256\": \"");
	buf_hex(b, sha256, CRYPTO_HASH);
	BUF_LIT(b, "\", \"tenant\": ");
	json_write_string(b, span_absent(q->tenant) ? SPAN("local") : q->tenant);
	BUF_LIT(b, ", \"roles\": [");
	for (unsigned i = 0; i < q->nroles; i++) {
		if (i > 0)
			BUF_LIT(b, ", ");
		json_write_string(b, q->roles[i]);
	}
	if (q->nroles == 0)
		BUF_LIT(b, "\"reader\"");
	BUF_LIT(b, "]}\n");
}

static int make(const struct request *q)
{
	uint8_t random[RANDOM], sha256[CRYPTO_HASH];
	char mem[OUT_SIZE];
	struct buf out = buf_on(mem, sizeof mem);
	bool written;

	if (!clock_random(random, sizeof random)) {
		fprintf(stderr, "postern key: the kernel gives no random bytes\n");
		return EXIT_ENVIRONMENT;
	}
	BUF_LIT(&out, "postern_");
	base64url_write(&out, span_of((const char *)random, sizeof random));
	crypto_sha256(out.p, out.n, sha256);
	crypto_wipe(random, sizeof random);
	buf_char(&out, '\n');
	line(&out, q, sha256);
	/* Not through stdio, whose buffer would keep the key. */
	written = !out.full && file_write(1, buf_span(&out));
	crypto_wipe(mem, sizeof mem);
	if (!written) {
		fprintf(stderr, "postern key: standard output takes nothing; the key is lost, make another\n");
		return EXIT_ENVIRONMENT;
	}
	fprintf(stderr, "The first line is the key. It is not stored and not shown again; its holder sends \"Authorization: Bearer postern_...\".\n"
		"The second goes into \"identity\": {\"keys\": [...]}; a rule of \"policy\" says what its roles may use.\n");
	return EXIT_OK;
}

int cmd_key(int argc, char **argv)
{
	struct request q = { 0 };

	if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
		fputs(usage, stdout);
		return EXIT_OK;
	}
	if (argc < 2 || strcmp(argv[1], "new") != 0) {
		fprintf(stderr, "postern key: %s\n%s", argc < 2 ? "what with it? \"new\" is missing" : "only \"new\" is known", usage);
		return EXIT_USAGE;
	}
	if (argc == 3 && (strcmp(argv[2], "--help") == 0 || strcmp(argv[2], "-h") == 0)) {
		fputs(usage, stdout);
		return EXIT_OK;
	}
	if (!options(&q, argc, argv)) {
		fputs(usage, stderr);
		return EXIT_USAGE;
	}
	return make(&q);
}
