#include "conf/conf_priv.h"

/* Keys, certificates and secrets: files that are named here and read elsewhere. */

/* ---- files ---- */

static void bad_ref(struct conf_reader *r, uint32_t value, bool secret)
{
	enum json_type type = json_type(&r->json, value);

	if (secret && type == JSON_STRING)
		/* Not shown: it may be the secret. */
		conf_complain(r, value, SPAN("found a string; a secret never stands in this file (it gets copied, shown and kept): write "
			"{\"file\": \"/run/secrets/name\"}, or {\"credential\": \"name\"} for a file in $CREDENTIALS_DIRECTORY"));
	else if (secret)
		conf_complain(r, value, SPAN("a secret is named by {\"file\": \"/run/secrets/name\"}, or by {\"credential\": \"name\"} for a file in "
			"$CREDENTIALS_DIRECTORY, with nothing beside it"));
	else
		conf_complain(r, value, SPAN("a file is named by \"path\" or {\"file\": \"path\"}, or by {\"credential\": \"name\"} for a file in "
			"$CREDENTIALS_DIRECTORY, with nothing beside it"));
}

void conf_file_ref(struct conf_reader *r, uint32_t value, bool secret, struct conf_file *to)
{
	struct span raw = json_raw(&r->json, value), s;
	uint32_t file = conf_member(r, value, "file"), credential = conf_member(r, value, "credential");
	uint32_t at = credential != JSON_NONE ? credential : file;

	conf_line_column(r->json.text, (size_t)(raw.p - r->json.text.p), &to->line, &to->column);
	to->pointer = conf_pointer(r, value);
	if (json_type(&r->json, value) == JSON_STRING && !secret)
		at = value;
	else if (json_size(&r->json, value) != 1 || at == JSON_NONE) {
		bad_ref(r, value, secret);
		return;
	}
	if (!conf_text(r, at, SPAN("a string"), 4000, &s))
		return;
	if (credential != JSON_NONE && (s.n > 255 || memchr(s.p, '/', s.n) != NULL || s.p[0] == '.')) {
		conf_complain(r, at, SPAN("a credential is the name of a file in $CREDENTIALS_DIRECTORY: 1 to 255 bytes, no /, no dot in front"));
		return;
	}
	to->path = s;
	to->credential = credential != JSON_NONE;
}

/* ---- what both ends have ---- */

static void text_profile(struct conf_reader *r, uint32_t value, struct span s, void *to)
{
	static const char *const word[] = { "default", "cnsa" };
	bool cnsa = conf_choice(r, value, s, word, 2, SPAN("the profile is \"default\" or \"cnsa\" (P-384, AES-256-GCM)")) == 1;

	memcpy(to, &cnsa, sizeof cnsa);
}

/* True if both are there. */
static bool pair(struct conf_reader *r, uint32_t object, const struct conf_form *form, uint32_t given)
{
	bool cert = conf_given(form, given, "cert"), key = conf_given(form, given, "key");

	if (cert && !key)
		conf_complain(r, conf_member_name(r, object, "cert"), SPAN("found \"cert\" without \"key\"; name the file with its private key too"));
	if (key && !cert)
		conf_complain(r, conf_member_name(r, object, "key"), SPAN("found \"key\" without \"cert\"; name the file with its certificate too"));
	return cert && key;
}

/* ---- towards clients ---- */

static const struct conf_member certificate_members[] = {
	{ MEMBER(conf_cert, cert, "cert", CONF_FILE_REF), .required = true },
	{ MEMBER(conf_cert, key, "key", CONF_FILE_REF), .required = true },
};
const struct conf_form conf_form_certificate = {
	.where = SPAN_INIT("a certificate of a listener"), .members = certificate_members, .nmembers = COUNT_OF(certificate_members)
};

static void walk_certificates(struct conf_reader *r, uint32_t value, void *to)
{
	struct conf_tls_in *t = to;
	uint32_t n = json_size(&r->json, value);

	if (!conf_expect(r, value, JSON_ARRAY, SPAN("a list [...]")))
		return;
	if (n == 0 || n > CONF_CERTS_MAX) {
		conf_wrong_number(r, value, n, SPAN("certificates; 1 to 8 are possible, such as [{\"cert\": \"gw.pem\", \"key\": \"gw.key\"}]"));
		return;
	}
	for (uint32_t e = json_first(&r->json, value); e != JSON_NONE; e = json_next(&r->json, value, e))
		conf_push(r, &conf_form_certificate, e, &t->certs[t->ncerts++]);
}

static void text_client(struct conf_reader *r, uint32_t value, struct span s, void *to)
{
	static const char *const word[] = { "optional", "required" };
	bool required = conf_choice(r, value, s, word, 2, SPAN("a client's certificate is \"required\" or \"optional\"")) == 1;

	memcpy(to, &required, sizeof required);
}

static void tls_in_whole(struct conf_reader *r, uint32_t object, void *to, uint32_t given);

static const struct conf_member tls_in_members[] = {
	{ MEMBER(conf_tls_in, certs[0].cert, "cert", CONF_FILE_REF) },
	{ MEMBER(conf_tls_in, certs[0].key, "key", CONF_FILE_REF) },
	{ WHOLE("certificates", CONF_LIST), .walk = walk_certificates },
	{ MEMBER(conf_tls_in, client_ca, "client_ca", CONF_FILE_REF) },
	{ MEMBER(conf_tls_in, client_required, "client", CONF_STRING), .most = 32, .text = text_client },
	{ MEMBER(conf_tls_in, cnsa, "profile", CONF_STRING), .most = 32, .text = text_profile },
};
const struct conf_form conf_form_tls_in = {
	.where = SPAN_INIT("tls of a listener"), .members = tls_in_members, .nmembers = COUNT_OF(tls_in_members), .whole = tls_in_whole
};

static void tls_in_whole(struct conf_reader *r, uint32_t object, void *to, uint32_t given)
{
	struct conf_tls_in *t = to;
	const struct conf_form *f = &conf_form_tls_in;
	bool one = conf_given(f, given, "cert") || conf_given(f, given, "key"), list = conf_given(f, given, "certificates");

	if (one && list)
		conf_complain(r, object, SPAN("found \"cert\" or \"key\" and \"certificates\"; write one certificate, or the list"));
	else if (!one && !list)
		conf_complain(r, object, SPAN("member \"cert\" is missing; write \"cert\": \"gw.pem\", \"key\": \"gw.key\", or a list \"certificates\" of such pairs"));
	else if (one && pair(r, object, f, given))
		t->ncerts = 1;
	if (!conf_given(f, given, "client_ca") && conf_given(f, given, "client"))
		conf_complain(r, conf_member_name(r, object, "client"), SPAN("found \"client\" without \"client_ca\"; name the file with the certificates of "
			"those who issue certificates to clients, or take it out"));
	if (!conf_given(f, given, "client"))
		t->client_required = conf_given(f, given, "client_ca");
}

/* ---- towards others ---- */

static void tls_out_whole(struct conf_reader *r, uint32_t object, void *to, uint32_t given);

static const struct conf_member tls_out_members[] = {
	{ MEMBER(conf_tls_out, ca, "ca", CONF_FILE_REF), .required = true,
	  .hint = SPAN_INIT("nobody is trusted unless a file says so, such as \"ca\": \"ca.pem\"") },
	{ MEMBER(conf_tls_out, name, "name", CONF_STRING), .most = 253, .text = conf_text_dns },
	{ MEMBER(conf_tls_out, own.cert, "cert", CONF_FILE_REF) },
	{ MEMBER(conf_tls_out, own.key, "key", CONF_FILE_REF) },
	{ MEMBER(conf_tls_out, cnsa, "profile", CONF_STRING), .most = 32, .text = text_profile },
};
const struct conf_form conf_form_tls_out = {
	.where = SPAN_INIT("tls of a url"), .members = tls_out_members, .nmembers = COUNT_OF(tls_out_members), .whole = tls_out_whole
};

static void tls_out_whole(struct conf_reader *r, uint32_t object, void *to, uint32_t given)
{
	struct conf_tls_out *t = to;

	t->has_own = pair(r, object, &conf_form_tls_out, given);
	/* A host that is a name has become the default before. */
	if (t->on && span_absent(t->name) && !conf_given(&conf_form_tls_out, given, "name"))
		conf_complain(r, object, SPAN("member \"name\" is missing; the host of the url is an IP address, and certificates are known by a name, such "
			"as \"name\": \"time.internal\""));
}
