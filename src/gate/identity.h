/* gate/identity.h: who a caller is, once that has been decided: a tenant, roles and scopes as small numbers, and until when.
 *
 * Names of tenants, roles and scopes are those of the configuration, numbered by their place in its lists; a name that the configuration does
 * not know has no number and gives no right. The subject is for records, never for decisions about names. */
#ifndef POSTERN_GATE_IDENTITY_H
#define POSTERN_GATE_IDENTITY_H

#include "base/span.h"

enum {
	IDENTITY_TENANTS_MAX = 64, IDENTITY_ROLES_MAX = 64, IDENTITY_SCOPES_MAX = 64, /* numbers fit a bit mask */
	IDENTITY_SUBJECT_MAX = 128
};

enum identity_kind { IDENTITY_NONE, IDENTITY_ANONYMOUS, IDENTITY_KEY, IDENTITY_CERTIFICATE, IDENTITY_TOKEN, IDENTITY_KINDS };

struct identity {
	uint8_t kind;
	uint8_t tenant;               /* number */
	uint8_t subject_n;
	uint8_t issuer;               /* IDENTITY_TOKEN: number of the issuer */
	uint64_t roles, scopes;       /* a bit a number */
	int64_t until_ms;             /* Unix time: not valid from then on; 0: no end */
	char subject[IDENTITY_SUBJECT_MAX]; /* token: sub or client_id; key: its id; certificate: the name that matched (a long one cut, with its hash). Printable */
};

#endif
