/** Tenants, resources, keys, the feed, the audit chain, activity: the running core. */
import type { Migration } from '../migrate.ts'

export const core: Migration = {
  name: '001-core',
  statements: ({ id, bigint }) => [
    // One row: what this deployment is. `root_check` proves that a root secret is the right one.
    `CREATE TABLE deployment (
       id INTEGER PRIMARY KEY, created_at ${bigint} NOT NULL, root_check TEXT NOT NULL, bootstrapped_at ${bigint})`,

    `CREATE TABLE tenants (
       id ${id} PRIMARY KEY, name TEXT NOT NULL, external_id ${id}, metadata TEXT NOT NULL,
       created_at ${bigint} NOT NULL, updated_at ${bigint} NOT NULL, disabled_at ${bigint}, deleted_at ${bigint})`,
    `CREATE UNIQUE INDEX tenants_external_id ON tenants (external_id) WHERE deleted_at IS NULL`,

    `CREATE TABLE resources (
       id ${id} PRIMARY KEY, uri ${id} NOT NULL, name TEXT NOT NULL, scopes TEXT NOT NULL, key_prefix TEXT NOT NULL,
       key_lifetime_seconds ${bigint}, token_lifetime_seconds ${bigint} NOT NULL, token_algorithm TEXT NOT NULL,
       allow_browser_keys INTEGER NOT NULL, cache_seconds INTEGER NOT NULL,
       created_at ${bigint} NOT NULL, updated_at ${bigint} NOT NULL, deleted_at ${bigint})`,
    `CREATE UNIQUE INDEX resources_uri ON resources (uri) WHERE deleted_at IS NULL`,

    `CREATE TABLE peppers (
       version INTEGER PRIMARY KEY, sealed TEXT NOT NULL, state TEXT NOT NULL, created_at ${bigint} NOT NULL)`,

    // `hash` is HMAC-SHA256(pepper, key) or, for imported keys, HMAC-SHA256(pepper, digest), base64url.
    `CREATE TABLE api_keys (
       id ${id} PRIMARY KEY, tenant_id ${id} NOT NULL, resource_id ${id} NOT NULL, owner ${id} NOT NULL,
       name TEXT NOT NULL, environment TEXT NOT NULL, scopes TEXT NOT NULL, prefix TEXT NOT NULL, lookup ${id},
       last4 TEXT, hash ${id} NOT NULL, pepper_version INTEGER NOT NULL, imported_algorithm TEXT,
       ip_allow TEXT NOT NULL, metadata TEXT NOT NULL, bound_resources TEXT, rsn ${bigint} NOT NULL,
       created_at ${bigint} NOT NULL, created_by ${id} NOT NULL, not_before ${bigint}, expires_at ${bigint},
       disabled_at ${bigint}, revoked_at ${bigint}, revoked_reason TEXT,
       rotated_at ${bigint}, rotated_to ${id}, rotated_from ${id},
       last_used_at ${bigint}, last_used_network TEXT)`,
    `CREATE UNIQUE INDEX api_keys_lookup ON api_keys (lookup) WHERE lookup IS NOT NULL`,
    `CREATE UNIQUE INDEX api_keys_imported ON api_keys (hash, resource_id, tenant_id) WHERE lookup IS NULL`,
    `CREATE INDEX api_keys_tenant ON api_keys (tenant_id, id)`,
    `CREATE INDEX api_keys_resource ON api_keys (resource_id, id)`,
    `CREATE INDEX api_keys_owner ON api_keys (owner, id)`,
    `CREATE INDEX api_keys_expires ON api_keys (expires_at) WHERE expires_at IS NOT NULL`,
    `CREATE INDEX api_keys_pepper ON api_keys (pepper_version)`,

    `CREATE TABLE api_key_networks (
       key_id ${id} NOT NULL, network TEXT NOT NULL, first_seen ${bigint} NOT NULL, last_seen ${bigint} NOT NULL,
       uses ${bigint} NOT NULL, PRIMARY KEY (key_id, network))`,

    // The counter that orders the feed: locked last, so that the order of commits is the order of numbers.
    `CREATE TABLE feed_head (
       id INTEGER PRIMARY KEY, seq ${bigint} NOT NULL, epoch TEXT NOT NULL, resume_floor ${bigint} NOT NULL)`,
    `CREATE TABLE feed_rows (
       seq ${bigint} PRIMARY KEY, epoch TEXT NOT NULL, tenant ${id}, kind TEXT NOT NULL, key ${id} NOT NULL,
       effect TEXT NOT NULL, at ${bigint} NOT NULL, drop_after ${bigint} NOT NULL, reason TEXT, actor TEXT NOT NULL)`,
    `CREATE INDEX feed_rows_drop_after ON feed_rows (drop_after)`,
    `CREATE TABLE feed_floors (
       kind TEXT NOT NULL, key ${id} NOT NULL, seq ${bigint} NOT NULL, PRIMARY KEY (kind, key))`,
    `CREATE TABLE token_lifetimes (
       source ${id} NOT NULL, seconds ${bigint} NOT NULL, since ${bigint} NOT NULL, until ${bigint},
       PRIMARY KEY (source, since))`,

    `CREATE TABLE audit_head (id INTEGER PRIMARY KEY, seq ${bigint} NOT NULL, hash TEXT NOT NULL)`,
    `CREATE TABLE audit_events (
       seq ${bigint} PRIMARY KEY, id ${id} NOT NULL, at ${bigint} NOT NULL, tenant ${id}, actor_type TEXT NOT NULL,
       actor_id ${id} NOT NULL, action TEXT NOT NULL, target_type TEXT NOT NULL, target_id ${id} NOT NULL,
       data TEXT NOT NULL, previous_hash TEXT NOT NULL, hash TEXT NOT NULL)`,
    `CREATE INDEX audit_events_tenant ON audit_events (tenant, seq)`,
    `CREATE INDEX audit_events_target ON audit_events (target_id, seq)`,
    `CREATE INDEX audit_events_actor ON audit_events (actor_id, seq)`,

    `CREATE TABLE activity (
       minute ${bigint} NOT NULL, kind TEXT NOT NULL, code TEXT NOT NULL, route TEXT NOT NULL, network TEXT NOT NULL,
       tenant ${id} NOT NULL, credential ${id} NOT NULL, count ${bigint} NOT NULL,
       first_at ${bigint} NOT NULL, last_at ${bigint} NOT NULL,
       PRIMARY KEY (minute, kind, code, route, network, tenant, credential))`,

    // One row a chunk of the answer; a stream has several.
    `CREATE TABLE idempotency (
       id ${id} NOT NULL, chunk INTEGER NOT NULL, body_digest TEXT NOT NULL, status INTEGER NOT NULL,
       sealed TEXT NOT NULL, expires_at ${bigint} NOT NULL, PRIMARY KEY (id, chunk))`,
    `CREATE INDEX idempotency_expires ON idempotency (expires_at)`,
  ],
}
