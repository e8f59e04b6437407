#include "role/material.h"

#include <stdlib.h>

#include "base/carve.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/map.h"
#include "os/sock.h"
#include "role/log.h"

enum { SET_TOKENS = 4096, DAY_MS = 86400000 };

/* What reading works with. */
struct reading {
	struct material *m;
	const struct conf *c;
	struct buf *errors, *warnings;
	int64_t now_ms;
	enum config_end end;
	char text[MATERIAL_ANCHORS_MAX]; /* the largest file */
	_Alignas(64) char table[];
};

/* ---- places and paths ---- */

bool material_path(struct buf *b, const struct conf *c, const struct conf_file *f, const char **why)
{
	const char *dir = getenv("CREDENTIALS_DIRECTORY");

	*why = "the path is too long";
	if (!f->credential)
		return file_beside(b, c->file, f->path);
	if (!dir || dir[0] != '/') {
		*why = "there is no $CREDENTIALS_DIRECTORY; systemd sets it for LoadCredential=";
		buf_put(b, f->path);
		return false;
	}
	buf_put(b, span_z(dir));
	buf_char(b, '/');
	buf_put(b, f->path);
	return !b->full && b->n < FILE_PATH_MAX;
}

void material_place(struct buf *b, const struct conf *c, const struct conf_file *f)
{
	char mem[FILE_PATH_MAX];
	struct buf path = buf_on(mem, sizeof mem);
	const char *why;

	material_path(&path, c, f, &why);
	buf_put(b, c->file);
	buf_char(b, ':');
	buf_u64(b, f->line);
	buf_char(b, ':');
	buf_u64(b, f->column);
	BUF_LIT(b, ": ");
	buf_put(b, f->pointer);
	BUF_LIT(b, ": ");
	buf_put(b, buf_span(&path));
	BUF_LIT(b, ": ");
}

static void complain(struct reading *r, const struct conf_file *f, struct span what)
{
	material_place(r->errors, r->c, f);
	buf_put(r->errors, what);
	buf_char(r->errors, '\n');
	if (r->end == CONFIG_RIGHT)
		r->end = CONFIG_WRONG;
}

static struct buf *warn(struct buf *warnings, const struct conf *c, const struct conf_file *f)
{
	material_place(warnings, c, f);
	return warnings;
}

static bool open_file(const struct conf *c, const struct conf_file *f, int *fd, unsigned *mode, struct buf *errors)
{
	char mem[FILE_PATH_MAX];
	struct buf path = buf_on(mem, sizeof mem);
	const char *why;

	if (material_path(&path, c, f, &why) && file_open_regular(buf_span(&path), fd, mode, &why))
		return true;
	material_place(errors, c, f);
	BUF_LIT(errors, "cannot be opened: ");
	buf_put(errors, span_z(why));
	buf_char(errors, '\n');
	return false;
}

/* The file's text in the reading's memory; absent: it has been said why not. */
static struct span text_of(struct reading *r, const struct conf_file *f, size_t most)
{
	unsigned mode;
	long n;
	int fd;

	if (!open_file(r->c, f, &fd, &mode, r->errors)) {
		r->end = CONFIG_UNREADABLE;
		return span_of(NULL, 0);
	}
	n = file_from_start(fd, r->text, most);
	sock_close(fd);
	if (n >= 0 && (size_t)n < most)
		return span_of(r->text, (size_t)n);
	complain(r, f, n < 0 ? SPAN("cannot be read: the disk failed") : SPAN("it is larger than such a file may be"));
	if (n < 0)
		r->end = CONFIG_UNREADABLE;
	return span_of(NULL, 0);
}

/* Memory of the generation; what material_need() counted is enough. */
static void *take(struct material *m, size_t n)
{
	size_t at = carve_up(m->used);

	if (at > m->mem_size || n > m->mem_size - at)
		return NULL;
	m->used = at + n;
	return (char *)m->mem + at;
}

/* ---- certificates ---- */

static void dates(struct reading *r, const struct conf_file *f, const struct x509_cert *x)
{
	bool early = x->from_ms > r->now_ms, late = x->until_ms <= r->now_ms;
	char mem[40];
	struct buf date = buf_on(mem, sizeof mem), *b;

	if (!early && !late && x->until_ms - r->now_ms >= MATERIAL_SOON_DAYS * (int64_t)DAY_MS)
		return;
	b = warn(r->warnings, r->c, f);
	log_date(&date, early ? x->from_ms : x->until_ms);
	buf_put(b, early ? SPAN("the certificate is not valid before ") : late ? SPAN("the certificate has expired on ")
		: SPAN("the certificate expires on "));
	buf_put(b, span_of(date.p, date.n < 10 ? date.n : 10));
	if (!early && !late) {
		BUF_LIT(b, ", in ");
		buf_i64(b, (x->until_ms - r->now_ms) / DAY_MS);
		BUF_LIT(b, " days");
	}
	buf_char(b, '\n');
}

static void purpose(struct reading *r, const struct conf_file *f, const struct x509_cert *x, bool server, bool cnsa)
{
	if (x->has_eku && !(server ? x->eku_server : x->eku_client))
		buf_put(warn(r->warnings, r->c, f), server ? SPAN("the certificate is not for servers (extendedKeyUsage without serverAuth)\n")
			: SPAN("the certificate is not for clients (extendedKeyUsage without clientAuth)\n"));
	if (cnsa && !(x->key == X509_P384 || (x->key == X509_RSA && x->key_bits >= 3072)))
		complain(r, f, SPAN("the profile \"cnsa\" asks for a certificate on P-384, or RSA of 3072 bits or more"));
}

static bool read_chain(struct reading *r, const struct conf_file *f, struct tls_cert *to)
{
	struct span text = text_of(r, f, MATERIAL_CHAIN_MAX);
	struct buf der;
	static struct x509_cert other;
	enum x509_error e;

	if (span_absent(text))
		return false;
	der = buf_on(take(r->m, X509_CHAIN_MAX * X509_DER_MAX), X509_CHAIN_MAX * X509_DER_MAX);
	e = x509_pem_chain(text, &der, to->chain, X509_CHAIN_MAX, &to->nchain);
	for (unsigned i = 0; e == X509_OK && i < to->nchain; i++)
		e = x509_read(i == 0 ? &to->leaf : &other, to->chain[i]);
	if (e != X509_OK) {
		complain(r, f, x509_error_text(e));
		return false;
	}
	r->m->used -= der.cap - der.n; /* it was the last piece */
	return true;
}

/* A certificate and its key, which gets the next number. */
static void read_cert(struct reading *r, const struct conf_cert *c, struct tls_cert *to, bool server, bool cnsa, bool of_broker)
{
	struct material *m = r->m;

	to->key = m->nkeys;
	m->keys[m->nkeys] = (struct material_key){ &c->key, &c->cert, { NULL, 0 }, of_broker, -1 };
	if (read_chain(r, &c->cert, to)) {
		dates(r, &c->cert, &to->leaf);
		purpose(r, &c->cert, &to->leaf, server, cnsa);
		m->keys[m->nkeys].leaf = to->chain[0];
	}
	m->nkeys++;
}

static const struct x509_anchors *read_anchors(struct reading *r, const struct conf_file *f)
{
	const struct x509_anchors *anchors = NULL;
	struct span text = text_of(r, f, MATERIAL_ANCHORS_MAX);
	enum x509_error e;
	size_t need;
	unsigned n;
	void *mem;

	if (span_absent(text))
		return NULL;
	need = x509_anchors_need(text);
	mem = take(r->m, need);
	e = mem ? x509_anchors_read(text, mem, need, &anchors, &n) : X509_TOO_LONG;
	if (e == X509_OK)
		return anchors;
	complain(r, f, x509_error_text(e));
	return NULL;
}

/* The host of "gw.example" or "gw.example:8443"; empty for an address, which stands in no dNSName. */
static struct span host_name(struct span host)
{
	const char *colon = memchr(host.p, ':', host.n);

	if (host.n == 0 || host.p[0] == '[')
		return span_of(host.p, 0);
	if (colon)
		host.n = (size_t)(colon - host.p);
	for (size_t i = 0; i < host.n; i++)
		if ((host.p[i] < '0' || host.p[i] > '9') && host.p[i] != '.')
			return host;
	return span_of(host.p, 0);
}

static bool named(const struct tls_cert *certs, unsigned n, struct span host)
{
	for (unsigned i = 0; i < n; i++)
		for (unsigned k = 0; k < certs[i].leaf.ndns; k++)
			if (x509_name_matches(certs[i].leaf.dns[k], host))
				return true;
	return false;
}

static void read_door(struct reading *r, const struct conf_listener *l, struct tls_door *to)
{
	struct tls_cert *certs = take(r->m, l->tls.ncerts * sizeof *certs);
	unsigned wrong = r->end;

	for (unsigned i = 0; i < l->tls.ncerts; i++)
		read_cert(r, &l->tls.certs[i], &certs[i], true, l->tls.cnsa, false);
	to->certs = certs;
	to->ncerts = l->tls.ncerts;
	to->cnsa = l->tls.cnsa;
	if (!span_absent(l->tls.client_ca.path)) {
		to->clients = read_anchors(r, &l->tls.client_ca);
		if (to->clients && !x509_anchors_sign(to->clients))
			complain(r, &l->tls.client_ca, SPAN("it has a certificate that is no CA's (basicConstraints), whose owner could call himself anything: "
				"names come from certificates that a CA has signed"));
		to->client_required = l->tls.client_required;
	}
	for (unsigned i = 0; r->end == wrong && i < l->nhosts; i++) {
		struct span host = host_name(l->hosts[i]);
		struct buf *b;

		if (host.n == 0 || named(certs, l->tls.ncerts, host))
			continue;
		b = warn(r->warnings, r->c, &l->tls.certs[0].cert);
		BUF_LIT(b, "no certificate of this listener has the name ");
		buf_put(b, host);
		BUF_LIT(b, ", which is among its `hosts`\n");
	}
}

static void read_route(struct reading *r, const struct conf_tls_out *t, struct tls_route *to, bool of_broker)
{
	if (!t->on)
		return;
	to->anchors = read_anchors(r, &t->ca);
	to->name = t->name;
	to->cnsa = t->cnsa;
	if (t->has_own) {
		struct tls_cert *own = take(r->m, sizeof *own);

		read_cert(r, &t->own, own, false, t->cnsa, of_broker);
		to->own = own;
	}
}

/* ---- key sets ---- */

static const struct jwk_set *read_set(struct reading *r, const struct conf_file *f)
{
	struct jwk_set *set = take(r->m, sizeof *set);
	struct span text = text_of(r, f, JWK_TEXT_MAX + 1);
	uint8_t seed[16];
	enum jwk_error e;

	if (span_absent(text))
		return NULL;
	clock_random(seed, sizeof seed);
	e = jwk_set_read(set, json_table_place(r->table, SET_TOKENS, seed), text);
	if (e == JWK_OK)
		return set;
	complain(r, f, jwk_error_text(e));
	return NULL;
}

/* ---- all of it ---- */

static size_t chain_need(void) { return sizeof(struct tls_cert) + X509_CHAIN_MAX * X509_DER_MAX + 2 * 64; }

static size_t route_need(const struct conf_tls_out *t)
{
	return (t->on ? MATERIAL_ANCHORS_MAX + 64 : 0) + (t->on && t->has_own ? chain_need() : 0);
}

size_t material_need(const struct conf *c)
{
	size_t n = 0;

	for (unsigned i = 0; i < c->nlisteners; i++) {
		const struct conf_tls_in *t = &c->listeners[i].tls;

		if (t->on)
			n += t->ncerts * chain_need() + 64 + (span_absent(t->client_ca.path) ? 0 : MATERIAL_ANCHORS_MAX + 64);
	}
	for (unsigned i = 0; i < c->nservers; i++)
		n += route_need(&c->servers[i].tls) + route_need(&c->servers[i].credential.token.tls);
	for (unsigned i = 0; i < c->identity.nissuers; i++) {
		const struct conf_issuer *s = &c->identity.issuers[i];

		n += route_need(&s->keys.tls) + route_need(&s->introspection.tls);
		if (!span_absent(s->jwks.path))
			n += sizeof(struct jwk_set) + 64;
	}
	return n;
}

static unsigned own(const struct conf_tls_out *t) { return t->on && t->has_own; }

unsigned material_keys(const struct conf *c)
{
	unsigned n = 0;

	for (unsigned i = 0; i < c->nlisteners; i++)
		n += c->listeners[i].tls.on ? c->listeners[i].tls.ncerts : 0;
	for (unsigned i = 0; i < c->nservers; i++)
		n += own(&c->servers[i].tls) + own(&c->servers[i].credential.token.tls);
	for (unsigned i = 0; i < c->identity.nissuers; i++)
		n += own(&c->identity.issuers[i].keys.tls) + own(&c->identity.issuers[i].introspection.tls);
	return n;
}

static void read_all(struct reading *r)
{
	const struct conf *c = r->c;
	struct material *m = r->m;

	for (unsigned i = 0; i < c->nlisteners; i++)
		if (c->listeners[i].tls.on)
			read_door(r, &c->listeners[i], &m->doors[i]);
	for (unsigned i = 0; i < c->nservers; i++) {
		read_route(r, &c->servers[i].tls, &m->upstreams[i], false);
		read_route(r, &c->servers[i].credential.token.tls, &m->tokens[i], true);
	}
	for (unsigned i = 0; i < c->identity.nissuers; i++) {
		const struct conf_issuer *s = &c->identity.issuers[i];

		read_route(r, &s->keys.tls, &m->keysets[i], true);
		read_route(r, &s->introspection.tls, &m->introspections[i], true);
		if (!span_absent(s->jwks.path))
			m->sets[i] = read_set(r, &s->jwks);
	}
}

enum config_end material_read(struct material *m, const struct conf *c, int64_t now_unix_ms, struct buf *errors, struct buf *warnings)
{
	size_t size = sizeof(struct reading) + json_table_need(SET_TOKENS);
	struct reading *r;
	enum config_end end;

	memset(m, 0, sizeof *m);
	for (unsigned i = 0; i < MATERIAL_SECRETS; i++)
		m->secrets[i] = -1;
	m->mem_size = material_need(c);
	if (m->mem_size == 0)
		return CONFIG_RIGHT;
	m->mem = map_private(m->mem_size);
	r = map_private(size);
	if (!m->mem || !r) {
		BUF_LIT(errors, "no memory to read certificates and key sets\n");
		map_drop(r, size);
		material_drop(m);
		return CONFIG_UNREADABLE;
	}
	r->m = m;
	r->c = c;
	r->errors = errors;
	r->warnings = warnings;
	r->now_ms = now_unix_ms;
	r->end = CONFIG_RIGHT;
	read_all(r);
	end = r->end;
	map_drop(r, size);
	if (end != CONFIG_RIGHT)
		material_drop(m);
	return end;
}

static bool open_private(const struct conf *c, const struct conf_file *f, int *fd, struct buf *errors, struct buf *warnings)
{
	unsigned mode = 0;
	struct buf *b;

	if (span_absent(f->path))
		return true;
	if (!open_file(c, f, fd, &mode, errors))
		return false;
	if (mode & 04) {
		b = warn(warnings, c, f);
		BUF_LIT(b, "every user of this machine may read this secret; take the right away (chmod o= )\n");
	}
	return true;
}

bool material_open(struct material *m, const struct conf *c, struct buf *errors, struct buf *warnings)
{
	bool right = true;

	for (unsigned i = 0; i < m->nkeys; i++)
		right = open_private(c, m->keys[i].file, &m->keys[i].fd, errors, warnings) && right;
	for (unsigned i = 0; i < c->identity.nissuers; i++)
		right = open_private(c, &c->identity.issuers[i].client_secret, &m->secrets[i], errors, warnings) && right;
	for (unsigned i = 0; i < c->nservers; i++)
		right = open_private(c, &c->servers[i].credential.secret, &m->secrets[AUTH_ISSUERS_MAX + i], errors, warnings) && right;
	return right;
}

void material_drop(struct material *m)
{
	for (unsigned i = 0; i < m->nkeys; i++)
		if (m->keys[i].fd >= 0)
			sock_close(m->keys[i].fd);
	for (unsigned i = 0; i < MATERIAL_SECRETS; i++)
		if (m->secrets[i] >= 0)
			sock_close(m->secrets[i]);
	map_drop(m->mem, m->mem_size);
	m->mem = NULL;
	m->mem_size = 0;
	m->nkeys = 0;
	for (unsigned i = 0; i < MATERIAL_SECRETS; i++)
		m->secrets[i] = -1;
}
