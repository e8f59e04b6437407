/* role/material.h: the files that a configuration names.
 *
 * Public ones (certificates, trust anchors, key sets) are read here, before a generation runs, into memory of their own that all its roles
 * inherit. Private ones (keys, secrets) are opened and not read: their descriptors stay with the parent as long as the generation lives, so
 * that the one role that reads them, behind its walls, can do so again when it is started again.
 *
 * Complaints are lines as those of conf/conf.h, FILE:LINE:COLUMN: POINTER: PATH: what is wrong. Warnings likewise; they stop nothing:
 * certificates that have expired or will within MATERIAL_SOON_DAYS, that do not name what `hosts` names or are for another purpose; private
 * files that everybody may read. */
#ifndef POSTERN_ROLE_MATERIAL_H
#define POSTERN_ROLE_MATERIAL_H

#include "role/config.h"
#include "wire/jwk.h"
#include "wire/tls.h"

enum {
	MATERIAL_KEYS_MAX = CONF_LISTENERS_MAX * CONF_CERTS_MAX + 2 * CONF_SERVERS_MAX + 2 * AUTH_ISSUERS_MAX,
	MATERIAL_SECRETS = AUTH_ISSUERS_MAX + CONF_SERVERS_MAX, /* the client secrets of all issuers, then the secrets of all servers, by number */
	MATERIAL_CHAIN_MAX = 72 << 10,      /* bytes of a file with a certificate and what stands behind it */
	MATERIAL_ANCHORS_MAX = 384 << 10,   /* of one with trust anchors */
	MATERIAL_SOON_DAYS = 30
};

/* A private key: its number is its place. */
struct material_key {
	const struct conf_file *file, *cert;
	struct span leaf;           /* the certificate it must belong to, DER */
	bool of_broker;             /* else of the workers */
	int fd;                     /* -1 before material_open() */
};

struct material {
	void *mem;
	size_t mem_size, used;
	struct tls_door doors[CONF_LISTENERS_MAX];     /* caches and signers are left NULL, here and below */
	struct tls_route upstreams[CONF_SERVERS_MAX];
	struct tls_route tokens[CONF_SERVERS_MAX], keysets[AUTH_ISSUERS_MAX], introspections[AUTH_ISSUERS_MAX]; /* the broker's */
	const struct jwk_set *sets[AUTH_ISSUERS_MAX];  /* from files; NULL: none */
	struct material_key keys[MATERIAL_KEYS_MAX];
	unsigned nkeys;
	int secrets[MATERIAL_SECRETS];                 /* -1: none */
};

/* How many private keys it names. */
unsigned material_keys(const struct conf *c);
/* What material_read() may take for this configuration, in bytes; 0: it names no public file. */
size_t material_need(const struct conf *c);
/* The public files. CONFIG_UNREADABLE: one cannot be read; CONFIG_WRONG: one is not what it should be. Then there is nothing to drop. */
enum config_end material_read(struct material *m, const struct conf *c, int64_t now_unix_ms, struct buf *errors, struct buf *warnings);
/* The private files. False: one cannot be opened; what is open stays so until material_drop(). */
bool material_open(struct material *m, const struct conf *c, struct buf *errors, struct buf *warnings);
void material_drop(struct material *m);

/* FILE:LINE:COLUMN: POINTER: PATH: of a file that the configuration names. */
void material_place(struct buf *b, const struct conf *c, const struct conf_file *f);
/* The path under which it is opened. False: too long, or there is no $CREDENTIALS_DIRECTORY (*why). */
bool material_path(struct buf *b, const struct conf *c, const struct conf_file *f, const char **why);

#endif
