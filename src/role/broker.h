/* role/broker.h: the process that asks authorization servers and holds the secrets for it. The engine is flow/broker.h, the walls are
 * role/enter.h. There is one per generation, only where the configuration needs it: a key set by url, introspection, or credentials. */
#ifndef POSTERN_ROLE_BROKER_H
#define POSTERN_ROLE_BROKER_H

#include "conf/conf.h"
#include "flow/broker.h"
#include "role/enter.h"

/* Secret files in one row: the client secrets of all issuers, then those of all servers, by their numbers. */
enum { BROKER_SECRETS = AUTH_ISSUERS_MAX + CONF_SERVERS_MAX };

/* What its TLS connections go by, by the same numbers; NULL: plain. Made by whoever reads the public files. */
struct broker_routes {
	const struct tls_route *keys[AUTH_ISSUERS_MAX], *introspection[AUTH_ISSUERS_MAX], *token[CONF_SERVERS_MAX];
};

bool broker_wanted(const struct conf *c);
/* The file of secret number i (see above): absent path: none is needed. */
const struct conf_file *broker_secret_file(const struct conf *c, unsigned i);
/* Everything of the settings that the configuration decides. routes NULL: all plain (then only for broker_need() and the like of no use). */
void broker_from(const struct conf *c, const struct broker_routes *routes, uint32_t asks, struct broker_settings *s);
/* How many descriptors it may hold open besides those kept and the loop. */
unsigned broker_files(const struct conf *c);

struct broker_start {
	const struct conf *conf;
	const struct broker_routes *routes;
	struct entry *entry;          /* role, name, channel, pids and log filled in */
	int secrets[BROKER_SECRETS];  /* regular files, open for reading; -1: none. Read after the jail is shut */
	uint32_t asks;                /* broker_client_asks() of a worker of this configuration */
	const uint8_t *seed;          /* 64 bytes */
};
_Noreturn void broker_run(struct broker_start *p);

#endif
