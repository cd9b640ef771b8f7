/** Providers of which people may bring their sign-in, and who they are there. */
import type { Migration } from '../migrate.ts'

export const upstream: Migration = {
  name: '012-upstream',
  statements: ({ id, bigint }) => [
    // `sealed_secret` is under the root secret.
    `CREATE TABLE sign_in_providers (
       id ${id} PRIMARY KEY, name TEXT NOT NULL, kind TEXT NOT NULL, issuer ${id} NOT NULL, client_id TEXT NOT NULL,
       sealed_secret TEXT NOT NULL, created_at ${bigint} NOT NULL, updated_at ${bigint} NOT NULL,
       disabled_at ${bigint})`,
    `CREATE TABLE upstream_identities (
       provider_id ${id} NOT NULL, subject ${id} NOT NULL, user_id ${id} NOT NULL, email TEXT NOT NULL,
       created_at ${bigint} NOT NULL, last_used_at ${bigint}, PRIMARY KEY (provider_id, subject))`,
    `CREATE INDEX upstream_identities_user ON upstream_identities (user_id)`,
  ],
}
