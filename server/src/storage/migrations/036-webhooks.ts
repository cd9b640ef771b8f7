/** Webhooks out: who is told, and what is still to be told or was. The management API learns the scopes for them. */
import { MANAGEMENT_RESOURCE } from '../../kernel/index.ts'
import type { Migration } from '../migrate.ts'

export const webhooks: Migration = {
  name: '036-webhooks',
  statements: ({ id, bigint }) => [
    // `tenant_id` null: events of the whole deployment. `secrets` is JSON; each secret is sealed.
    `CREATE TABLE webhook_endpoints (
       id ${id} PRIMARY KEY, tenant_id ${id}, name TEXT NOT NULL, url TEXT NOT NULL, events TEXT, secrets TEXT NOT NULL,
       created_at ${bigint} NOT NULL, created_by ${id} NOT NULL, updated_at ${bigint} NOT NULL,
       disabled_at ${bigint}, disabled_reason TEXT, failing_since ${bigint}, dropped ${bigint} NOT NULL)`,

    // The outbox and the log in one. While an attempt is under way `next_at` is the end of its lease.
    `CREATE TABLE webhook_deliveries (
       id ${id} PRIMARY KEY, endpoint_id ${id} NOT NULL, event_id ${id} NOT NULL, type TEXT NOT NULL,
       payload TEXT NOT NULL, created_at ${bigint} NOT NULL, state TEXT NOT NULL, attempts INTEGER NOT NULL,
       next_at ${bigint} NOT NULL, last_at ${bigint}, last_status INTEGER, last_error TEXT)`,
    `CREATE INDEX webhook_deliveries_due ON webhook_deliveries (endpoint_id, next_at) WHERE state = 'pending'`,
    `CREATE INDEX webhook_deliveries_log ON webhook_deliveries (endpoint_id, id)`,

    // A deployment that was made before has its scopes in its own row.
    `UPDATE resources SET scopes = REPLACE(scopes, '{"name":"audit:read"',
       '{"name":"webhooks:read","description":"Read webhooks and their deliveries, never their secrets"},{"name":"webhooks:write","description":"Register, change, replay and delete webhooks and their secrets"},{"name":"audit:read"')
       WHERE id = '${MANAGEMENT_RESOURCE}' AND scopes NOT LIKE '%webhooks:read%'`,
  ],
}
