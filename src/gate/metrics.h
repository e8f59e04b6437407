/* gate/metrics.h: what is counted. One block per process in shared memory, one writer each; the desk only reads.
 *
 * Counters are 64-bit and only grow; gauges are set by their owner. Reading races only with single aligned 64-bit stores. */
#ifndef POSTERN_GATE_METRICS_H
#define POSTERN_GATE_METRICS_H

#include "base/buf.h"

/* METRIC(symbol, "prometheus_name{labels}", kind, "help"): lines of one name stand together, the first one's help is used.
 * Kinds: counter, gauge, peak (a gauge of which the largest of all blocks is shown), histogram. Of a histogram's buckets the owner counts
 * each event in exactly one, the smallest that holds it; they are made cumulative when written. */
#define METRICS(METRIC) \
	METRIC(CONNECTIONS, "postern_connections_total", counter, "Client connections accepted") \
	METRIC(CONNECTIONS_OPEN, "postern_connections_open", gauge, "Client connections open now") \
	METRIC(REFUSED_FULL, "postern_refused_total{reason=\"full\"}", counter, "Connections or requests refused because a pool was empty") \
	METRIC(REFUSED_SLOW, "postern_refused_total{reason=\"slow\"}", counter, "") \
	METRIC(REFUSED_HTTP, "postern_refused_total{reason=\"http\"}", counter, "") \
	METRIC(REFUSED_JSON, "postern_refused_total{reason=\"json\"}", counter, "") \
	METRIC(REFUSED_MCP, "postern_refused_total{reason=\"mcp\"}", counter, "") \
	METRIC(TLS_FULL, "postern_tls_handshakes_total{kind=\"full\"}", counter, "TLS handshakes with clients that were completed") \
	METRIC(TLS_RESUMED, "postern_tls_handshakes_total{kind=\"resumed\"}", counter, "") \
	METRIC(TLS_FAILED_NOT_TLS, "postern_tls_failures_total{reason=\"not_tls\"}", counter, "TLS handshakes with clients that failed") \
	METRIC(TLS_FAILED_PROTOCOL, "postern_tls_failures_total{reason=\"protocol\"}", counter, "") \
	METRIC(TLS_FAILED_CERTIFICATE, "postern_tls_failures_total{reason=\"certificate\"}", counter, "") \
	METRIC(TLS_FAILED_SIGNER, "postern_tls_failures_total{reason=\"signer\"}", counter, "") \
	METRIC(TLS_FAILED_LEFT, "postern_tls_failures_total{reason=\"left\"}", counter, "") \
	METRIC(TLS_FAILED_SLOW, "postern_tls_failures_total{reason=\"slow\"}", counter, "") \
	METRIC(SIGNATURES_MADE, "postern_signatures_total{outcome=\"made\"}", counter, "What the keeper was asked for") \
	METRIC(SIGNATURES_NONE, "postern_signatures_total{outcome=\"none\"}", counter, "") \
	METRIC(SIGNATURES_REFUSED, "postern_signatures_total{outcome=\"refused\"}", counter, "") \
	METRIC(TLS_OPEN, "postern_tls_connections_open", gauge, "Client connections whose TLS handshake is over, open now") \
	METRIC(AUTH_ANONYMOUS, "postern_authenticated_total{by=\"anonymous\"}", counter, "Requests whose caller was recognised") \
	METRIC(AUTH_KEY, "postern_authenticated_total{by=\"key\"}", counter, "") \
	METRIC(AUTH_CERTIFICATE, "postern_authenticated_total{by=\"certificate\"}", counter, "") \
	METRIC(AUTH_TOKEN, "postern_authenticated_total{by=\"token\"}", counter, "") \
	METRIC(AUTH_REFUSED_MISSING, "postern_auth_refused_total{reason=\"missing\"}", counter, "Requests whose caller was not recognised") \
	METRIC(AUTH_REFUSED_FORM, "postern_auth_refused_total{reason=\"form\"}", counter, "") \
	METRIC(AUTH_REFUSED_SIGNATURE, "postern_auth_refused_total{reason=\"unverified\"}", counter, "") \
	METRIC(AUTH_REFUSED_AUDIENCE, "postern_auth_refused_total{reason=\"audience\"}", counter, "") \
	METRIC(AUTH_REFUSED_TIME, "postern_auth_refused_total{reason=\"time\"}", counter, "") \
	METRIC(AUTH_REFUSED_BINDING, "postern_auth_refused_total{reason=\"binding\"}", counter, "") \
	METRIC(AUTH_REFUSED_REVOKED, "postern_auth_refused_total{reason=\"revoked\"}", counter, "") \
	METRIC(AUTH_UNAVAILABLE, "postern_auth_refused_total{reason=\"unavailable\"}", counter, "") \
	METRIC(POLICY_REFUSED, "postern_policy_refused_total", counter, "Names that the policy did not allow their caller") \
	METRIC(SCOPE_CHALLENGES, "postern_scope_challenges_total", counter, "Requests that were told to come again with more scopes") \
	METRIC(META_DROPPED_CLIENT, "postern_meta_dropped_total{from=\"client\"}", counter, "Members of _meta and extensions that were left out on the way") \
	METRIC(META_DROPPED_UPSTREAM, "postern_meta_dropped_total{from=\"upstream\"}", counter, "") \
	METRIC(NAMES_LEFT_OUT, "postern_names_left_out_total", counter, "Tools and prompts found at upstreams that cannot be offered under their names") \
	METRIC(REQUESTS_DISCOVER, "postern_requests_total{method=\"server/discover\"}", counter, "MCP requests that passed the checks") \
	METRIC(REQUESTS_TOOLS_LIST, "postern_requests_total{method=\"tools/list\"}", counter, "") \
	METRIC(REQUESTS_TOOLS_CALL, "postern_requests_total{method=\"tools/call\"}", counter, "") \
	METRIC(REQUESTS_PROMPTS_LIST, "postern_requests_total{method=\"prompts/list\"}", counter, "") \
	METRIC(REQUESTS_PROMPTS_GET, "postern_requests_total{method=\"prompts/get\"}", counter, "") \
	METRIC(REQUESTS_RESOURCES_LIST, "postern_requests_total{method=\"resources/list\"}", counter, "") \
	METRIC(REQUESTS_TEMPLATES_LIST, "postern_requests_total{method=\"resources/templates/list\"}", counter, "") \
	METRIC(REQUESTS_RESOURCES_READ, "postern_requests_total{method=\"resources/read\"}", counter, "") \
	METRIC(REQUESTS_COMPLETE, "postern_requests_total{method=\"completion/complete\"}", counter, "") \
	METRIC(REQUESTS_LISTEN, "postern_requests_total{method=\"subscriptions/listen\"}", counter, "") \
	METRIC(REQUESTS_TASKS_GET, "postern_requests_total{method=\"tasks/get\"}", counter, "") \
	METRIC(REQUESTS_TASKS_UPDATE, "postern_requests_total{method=\"tasks/update\"}", counter, "") \
	METRIC(REQUESTS_TASKS_CANCEL, "postern_requests_total{method=\"tasks/cancel\"}", counter, "") \
	METRIC(REQUESTS_OPEN, "postern_requests_open", gauge, "MCP requests in progress now") \
	METRIC(LISTENS_OPEN, "postern_listens_open", gauge, "subscriptions/listen streams open now") \
	METRIC(OLD_INITIALIZE, "postern_old_requests_total{kind=\"initialize\"}", counter, "Requests of clients of older revisions") \
	METRIC(OLD_MESSAGE, "postern_old_requests_total{kind=\"message\"}", counter, "") \
	METRIC(OLD_STREAM, "postern_old_requests_total{kind=\"stream\"}", counter, "") \
	METRIC(OLD_DELETE, "postern_old_requests_total{kind=\"delete\"}", counter, "") \
	METRIC(OLD_OPEN, "postern_old_requests_open", gauge, "Requests of clients of older revisions in progress now, streams too") \
	METRIC(OLD_SLOW, "postern_old_streams_lost_total", counter, "Streams that their client was too slow for") \
	METRIC(ANSWERS_RESULT, "postern_answers_total{outcome=\"result\"}", counter, "Answers to MCP requests") \
	METRIC(ANSWERS_ERROR, "postern_answers_total{outcome=\"error\"}", counter, "") \
	METRIC(ANSWERS_UPSTREAM, "postern_answers_total{outcome=\"upstream_failed\"}", counter, "") \
	METRIC(ANSWERS_CANCELLED, "postern_answers_total{outcome=\"cancelled\"}", counter, "") \
	METRIC(UPSTREAM_CONNECTS, "postern_upstream_connects_total", counter, "Connections opened to upstreams") \
	METRIC(UPSTREAM_OPEN, "postern_upstream_connections_open", gauge, "Connections to upstreams open now") \
	METRIC(UPSTREAM_TLS_FULL, "postern_upstream_tls_handshakes_total{kind=\"full\"}", counter, "TLS handshakes with upstreams that were completed") \
	METRIC(UPSTREAM_TLS_RESUMED, "postern_upstream_tls_handshakes_total{kind=\"resumed\"}", counter, "") \
	METRIC(UPSTREAM_FAULT_CONNECT, "postern_upstream_faults_total{kind=\"connect\"}", counter, "Faults of upstreams") \
	METRIC(UPSTREAM_FAULT_TLS, "postern_upstream_faults_total{kind=\"tls\"}", counter, "") \
	METRIC(UPSTREAM_FAULT_LOST, "postern_upstream_faults_total{kind=\"lost\"}", counter, "") \
	METRIC(UPSTREAM_FAULT_LATE, "postern_upstream_faults_total{kind=\"late\"}", counter, "") \
	METRIC(UPSTREAM_FAULT_BROKEN, "postern_upstream_faults_total{kind=\"broken\"}", counter, "") \
	METRIC(UPSTREAM_FAULT_LARGE, "postern_upstream_faults_total{kind=\"large\"}", counter, "") \
	METRIC(UPSTREAM_FAULT_CREDENTIAL, "postern_upstream_faults_total{kind=\"credential\"}", counter, "") \
	METRIC(LISTS_INCOMPLETE, "postern_lists_incomplete_total", counter, "Lists and discoveries served without an upstream that could not be asked") \
	METRIC(DURATION_LE_1MS, "postern_request_duration_ms_bucket{le=\"1\"}", histogram, "Time from head to answer") \
	METRIC(DURATION_LE_10MS, "postern_request_duration_ms_bucket{le=\"10\"}", histogram, "") \
	METRIC(DURATION_LE_100MS, "postern_request_duration_ms_bucket{le=\"100\"}", histogram, "") \
	METRIC(DURATION_LE_1S, "postern_request_duration_ms_bucket{le=\"1000\"}", histogram, "") \
	METRIC(DURATION_LE_10S, "postern_request_duration_ms_bucket{le=\"10000\"}", histogram, "") \
	METRIC(DURATION_INF, "postern_request_duration_ms_bucket{le=\"+Inf\"}", histogram, "") \
	METRIC(DURATION_SUM, "postern_request_duration_ms_sum", histogram, "") \
	METRIC(DURATION_COUNT, "postern_request_duration_ms_count", histogram, "") \
	METRIC(POOL_REQUESTS_PEAK, "postern_pool_peak{pool=\"requests\"}", peak, "Most slots of a pool in use at once since start") \
	METRIC(POOL_BUFFERS_PEAK, "postern_pool_peak{pool=\"buffers\"}", peak, "") \
	METRIC(POOL_LARGE_PEAK, "postern_pool_peak{pool=\"large\"}", peak, "") \
	METRIC(POOL_CONNECTIONS_PEAK, "postern_pool_peak{pool=\"connections\"}", peak, "") \
	METRIC(POOL_RECORDS_PEAK, "postern_pool_peak{pool=\"records\"}", peak, "")

enum metric_id {
#define METRIC(symbol, name, kind, help) METRIC_##symbol,
	METRICS(METRIC)
#undef METRIC
	METRIC_COUNT
};

enum { METRICS_UPSTREAMS = 32 };

struct metrics {
	_Alignas(64) volatile uint64_t v[METRIC_COUNT];
	volatile uint64_t down[METRICS_UPSTREAMS]; /* by place in the configuration; 1: the last that was heard of it was a fault */
};

static inline void metrics_add(struct metrics *m, enum metric_id id, uint64_t by) { m->v[id] += by; }
static inline void metrics_sub(struct metrics *m, enum metric_id id, uint64_t by) { m->v[id] -= by; }
static inline void metrics_peak(struct metrics *m, enum metric_id id, uint64_t now)
{
	if (now > m->v[id])
		m->v[id] = now;
}

/* The owner of the block has died: what it held open is not open any more. Counters and peaks stay. */
void metrics_forget(struct metrics *m);
/* Prometheus text exposition 0.0.4, counters and gauges summed over the blocks. */
void metrics_write(struct buf *b, const struct metrics *const *blocks, size_t nblocks);
/* postern_upstream_down, for servers of these names and the blocks of one generation. */
void metrics_write_upstreams(struct buf *b, const struct metrics *const *blocks, size_t nblocks, const struct span *names, size_t nnames);

#endif
