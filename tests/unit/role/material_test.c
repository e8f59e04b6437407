/* role/material.h: what a configuration names is read and opened, and every complaint says where and what. */
#include "keys.h"
#include "os/clock.h"
#include "role/material.h"
#include "tap.h"

static struct conf c;
static struct material m;
static char errors_mem[CONF_ERRORS_SIZE], warnings_mem[CONF_ERRORS_SIZE];
static int64_t now_ms;

static struct conf_file file_of(const char *path, const char *pointer)
{
	return (struct conf_file){ span_z(path), false, 3, 5, span_z(pointer) };
}

static enum config_end read_it(void)
{
	struct buf errors = buf_on(errors_mem, sizeof errors_mem - 1), warnings = buf_on(warnings_mem, sizeof warnings_mem - 1);
	enum config_end end = material_read(&m, &c, now_ms, &errors, &warnings);

	if (end == CONFIG_RIGHT && !material_open(&m, &c, &errors, &warnings))
		end = CONFIG_UNREADABLE;
	errors_mem[errors.n] = 0;
	warnings_mem[warnings.n] = 0;
	return end;
}

static bool quiet(void) { return !errors_mem[0] && !warnings_mem[0]; }

static bool open_now(int fd) { return fd >= 0 && fcntl(fd, F_GETFD) >= 0; }

/* A listener with two certificates, an upstream with one, a token endpoint with one, a key set, secrets. */
static void all(const char *set)
{
	struct conf_tls_in *t = &c.listeners[0].tls;
	struct conf_tls_out *up, *token;

	memset(&c, 0, sizeof c);
	c.file = SPAN("conf/x.json");
	c.workers = 1;
	c.nlisteners = 1;
	t->on = true;
	t->ncerts = 2;
	t->certs[0] = (struct conf_cert){ file_of(keys_file("p256.crt", 0644), "/a"), file_of(keys_file("p256", 0600), "/b") };
	t->certs[1] = (struct conf_cert){ file_of(keys_file("rsa2048.crt", 0644), "/c"), file_of(keys_file("rsa2048", 0600), "/d") };
	t->client_ca = file_of(keys_file("p384.crt", 0644), "/ca");
	t->client_required = true;
	c.nservers = 1;
	c.servers[0].kind = CONF_HTTP;
	up = &c.servers[0].tls;
	up->on = true;
	up->ca = file_of(keys_made[0], "/up/ca");
	up->name = SPAN("up.example");
	up->has_own = true;
	up->own = (struct conf_cert){ file_of(keys_file("p384.crt", 0644), "/e"), file_of(keys_file("p384", 0600), "/f") };
	c.servers[0].credential.kind = CONF_CLIENT_CREDENTIALS;
	c.servers[0].credential.secret = file_of(keys_put("secret", "s3cret\n", 7, 0600), "/secret");
	token = &c.servers[0].credential.token.tls;
	token->on = true;
	token->ca = file_of(keys_made[0], "/token/ca");
	token->has_own = true;
	token->cnsa = true;
	token->own = up->own;
	c.identity.nissuers = 1;
	c.identity.issuers[0].jwks = file_of(keys_put("set.json", set, strlen(set), 0644), "/jwks");
	c.identity.issuers[0].client_secret = file_of(keys_made[keys_nmade - 2], "/client");
}

#define KEY "{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"k\",\"x\":\"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4\"," \
	"\"y\":\"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM\"}" /* RFC 7517 A.1 */

static void right(void)
{
	int fds[6];

	all("{\"keys\":[" KEY "]}");
	is_int(read_it(), CONFIG_RIGHT, "all of it is right");
	ok(quiet(), "and nothing is said");
	is_int(m.nkeys, 4, "four private keys");
	is_int(material_keys(&c), 4, "which could be counted before");
	ok(!m.keys[0].of_broker && !m.keys[1].of_broker && !m.keys[2].of_broker && m.keys[3].of_broker, "one is the broker's");
	ok(m.doors[0].ncerts == 2 && m.doors[0].certs[0].key == 0 && m.doors[0].certs[1].key == 1 && m.doors[0].client_required && m.doors[0].clients
		&& m.doors[0].certs[0].leaf.key == X509_P256 && m.doors[0].certs[1].leaf.key == X509_RSA, "the listener's door");
	ok(m.upstreams[0].anchors && m.upstreams[0].own && m.upstreams[0].own->key == 2 && span_eq(m.upstreams[0].name, SPAN("up.example")),
		"the upstream's route");
	ok(m.tokens[0].anchors && m.tokens[0].own && m.tokens[0].own->key == 3 && m.tokens[0].cnsa, "the token endpoint's");
	ok(m.sets[0] && m.sets[0]->n == 1, "the key set");
	ok(span_eq(m.keys[1].leaf, m.doors[0].certs[1].chain[0]), "a key knows its certificate");
	for (unsigned i = 0; i < 4; i++)
		fds[i] = m.keys[i].fd;
	fds[4] = m.secrets[0];
	fds[5] = m.secrets[AUTH_ISSUERS_MAX];
	for (unsigned i = 0; i < 6; i++)
		ok(open_now(fds[i]) && lseek(fds[i], 0, SEEK_CUR) == 0, "a private file is open, and not read");
	ok(m.used <= material_need(&c), "the memory is as much as was said");
	material_drop(&m);
	for (unsigned i = 0; i < 6; i++)
		ok(!open_now(fds[i]), "dropped, it is closed");
	material_drop(&m);
	memset(&c, 0, sizeof c);
	c.nlisteners = 1;
	ok(material_need(&c) == 0 && read_it() == CONFIG_RIGHT && m.nkeys == 0, "a configuration that names nothing needs nothing");
}

static void says(enum config_end end, const char *want, const char *name)
{
	is_int(read_it(), end, name);
	ok(strstr(errors_mem, want), "and it is said where and what");
	if (!strstr(errors_mem, want))
		diag("%s", errors_mem);
	ok(!open_now(m.keys[0].fd) || end == CONFIG_UNREADABLE, "nothing is left open of what is wrong");
	material_drop(&m);
}

static void wrong(void)
{
	static char large[MATERIAL_CHAIN_MAX];
	char want[256];

	all("{\"keys\":[]}");
	says(CONFIG_WRONG, "/jwks: ", "an empty key set");
	all("{\"keys\":[" KEY "]}");
	c.listeners[0].tls.certs[0].cert.path = SPAN("none.pem");
	says(CONFIG_UNREADABLE, "conf/x.json:3:5: /a: conf/none.pem: cannot be opened: No such file or directory\n", "a certificate that is not there");
	all("{\"keys\":[" KEY "]}");
	c.listeners[0].tls.certs[0].key.path = SPAN("none.key");
	c.servers[0].credential.secret.path = SPAN("none.secret");
	says(CONFIG_UNREADABLE, "conf/x.json:3:5: /secret: conf/none.secret: cannot be opened: No such file or directory\n", "a secret that is not there");
	ok(strstr(errors_mem, "conf/x.json:3:5: /b: conf/none.key: cannot be opened"), "all of them are said");
	all("{\"keys\":[" KEY "]}");
	c.listeners[0].tls.certs[0].cert.path = span_z(keys_put("large", large, sizeof large, 0644));
	snprintf(want, sizeof want, "conf/x.json:3:5: /a: %s/large: it is larger than such a file may be\n", keys_dir);
	says(CONFIG_WRONG, want, "a certificate that is too large");
	all("{\"keys\":[" KEY "]}");
	c.listeners[0].tls.certs[0].cert.path = span_z(keys_dir);
	says(CONFIG_UNREADABLE, "it is no regular file\n", "a directory");
	for (unsigned k = 0; k < 2; k++) { /* where a secret would become public */
		size_t n;
		const char *text = keys_text("p256", &n);
		static char both[8192];
		size_t crt = 0;
		const char *first = keys_text("p256.crt", &crt);

		memcpy(both, first, crt);
		memcpy(both + crt, text, n);
		all("{\"keys\":[" KEY "]}");
		*(k == 0 ? &c.listeners[0].tls.certs[0].cert.path : &c.servers[0].tls.ca.path) = span_z(keys_put("both", both, crt + n, 0600));
		says(CONFIG_WRONG, k == 0 ? "/a: " : "/up/ca: ", "a private key in a file for certificates is refused");
		ok(strstr(errors_mem, "private key"), "and it is said why");
	}
	all("{\"keys\":[" KEY "]}");
	c.listeners[0].tls.cnsa = true;
	says(CONFIG_WRONG, "/a: ", "P-256 is not for the profile cnsa");
	ok(strstr(errors_mem, "/c: "), "nor is RSA of 2048 bits");
	all("{\"keys\":[" KEY "]}");
	c.listeners[0].tls.certs[0].key.credential = true;
	unsetenv("CREDENTIALS_DIRECTORY");
	says(CONFIG_UNREADABLE, "there is no $CREDENTIALS_DIRECTORY", "a credential, and no directory of them");
	setenv("CREDENTIALS_DIRECTORY", keys_dir, 1);
	c.listeners[0].tls.certs[0].key.path = SPAN("p256");
	is_int(read_it(), CONFIG_RIGHT, "with one it is found there");
	material_drop(&m);
}

static void warns(const char *want, const char *name)
{
	is_int(read_it(), CONFIG_RIGHT, name);
	ok(strstr(warnings_mem, want), "and it is said");
	if (!strstr(warnings_mem, want))
		diag("%s", warnings_mem);
	material_drop(&m);
}

static void warnings(void)
{
	const int64_t day = 86400000, years = 365 * day;
	int64_t now = now_ms;

	all("{\"keys\":[" KEY "]}");
	now_ms = now + 101 * years;
	warns("/a: ", "long after their time certificates are read");
	ok(strstr(warnings_mem, "the certificate has expired on 2126-1"), "with the date");
	now_ms = now - 10 * years;
	warns("the certificate is not valid before 2026-1", "long before it as well");
	now_ms = now;
	is_int(read_it(), CONFIG_RIGHT, "now");
	now_ms = m.doors[0].certs[0].leaf.until_ms - 29 * day - 1;
	material_drop(&m);
	warns("the certificate expires on 2126-1", "29 days before the end");
	ok(strstr(warnings_mem, ", in 29 days\n"), "with how many there are");
	now_ms -= 2 * day;
	is_int(read_it(), CONFIG_RIGHT, "31 days before it");
	ok(quiet(), "nothing is said");
	material_drop(&m);
	now_ms = now;
	c.listeners[0].nhosts = 3;
	c.listeners[0].hosts[0] = SPAN("gw.example:8443");
	c.listeners[0].hosts[1] = SPAN("127.0.0.1:8443");
	c.listeners[0].hosts[2] = SPAN("[::1]");
	warns("/a: ", "a host that no certificate names");
	ok(strstr(warnings_mem, "has the name gw.example, which") && !strstr(warnings_mem, "127.0.0.1") && !strstr(warnings_mem, "::1"), "addresses are not looked for");
	c.listeners[0].nhosts = 0;
	chmod(keys_made[keys_nmade - 2], 0644);
	warns("/secret: ", "a secret that everybody may read");
	chmod(keys_made[keys_nmade - 2], 0640);
	is_int(read_it(), CONFIG_RIGHT, "one that a group may read");
	ok(quiet(), "is for the operator to know");
	material_drop(&m);
}

int main(void)
{
	keys_begin();
	now_ms = clock_unix_ms();
	right();
	wrong();
	warnings();
	keys_end();
	return done_testing();
}
