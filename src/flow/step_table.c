#include "flow/step_run.h"

/* The whole path of a request. Moving a row is moving a line; what each may answer and wait for stands in docs/ARCHITECTURE.md. */
const struct step step_table[STEPS] = {
	[STEP_HEAD]     = { "head",     step_head },     /* grammar, Host, Origin, path, method, media types */
	[STEP_AUTH]     = { "auth",     step_auth },     /* who is calling */
	[STEP_BODY]     = { "body",     step_body },     /* bytes of the body, bounded */
	[STEP_ENVELOPE] = { "envelope", step_envelope }, /* JSON, JSON-RPC, _meta, mirrored headers, params */
	[STEP_ROUTE]    = { "route",    step_route },    /* which upstream; unknown names */
	[STEP_POLICY]   = { "policy",   step_policy },   /* whether the caller may */
	[STEP_PARAMS]   = { "params",   step_params },   /* Mcp-Param-* */
	[STEP_SEND]     = { "send",     step_send },     /* the question to the upstream */
	[STEP_REPLY]    = { "reply",    step_reply },    /* waits for it */
	[STEP_ELDER]    = { "elder",    step_elder },    /* an old client's, instead of route to reply: waits for the elder */
	[STEP_FLUSH]    = { "flush",    step_flush },    /* the answer to the client */
	[STEP_CLOSE]    = { "close",    step_close },    /* release and count; always runs */
};
