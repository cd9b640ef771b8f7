/** Signing keys, trusted issuers, and the index by which a token's first sight asks the feed. */
import type { Migration } from '../migrate.ts'

export const signingKeys: Migration = {
  name: '002-signing-keys',
  statements: ({ id, bigint }) => [
    // `sealed_private` is under the root secret, and NULL once the key is gone or revoked.
    `CREATE TABLE signing_keys (
       kid ${id} PRIMARY KEY, algorithm TEXT NOT NULL, state TEXT NOT NULL, public_jwk TEXT NOT NULL,
       sealed_private TEXT, created_at ${bigint} NOT NULL, activates_at ${bigint} NOT NULL,
       activated_at ${bigint}, retired_at ${bigint}, ends_at ${bigint}, ended_at ${bigint},
       revoked_at ${bigint}, revoked_reason TEXT)`,
    // Whatever two nodes decide at once: one key signs, and one waits.
    `CREATE UNIQUE INDEX signing_keys_active ON signing_keys (algorithm) WHERE state = 'active'`,
    `CREATE UNIQUE INDEX signing_keys_next ON signing_keys (algorithm) WHERE state = 'next'`,

    `CREATE TABLE trusted_issuers (
       id ${id} PRIMARY KEY, issuer ${id} NOT NULL, name TEXT NOT NULL, resource_id ${id} NOT NULL,
       audiences TEXT NOT NULL, algorithms TEXT NOT NULL, jwks_uri TEXT, subject_prefix ${id} NOT NULL,
       claims TEXT NOT NULL, longest_token_seconds ${bigint} NOT NULL, revoked_before ${bigint},
       created_at ${bigint} NOT NULL, updated_at ${bigint} NOT NULL, deleted_at ${bigint})`,
    `CREATE UNIQUE INDEX trusted_issuers_issuer ON trusted_issuers (issuer, resource_id)
       WHERE deleted_at IS NULL`,

    `CREATE INDEX feed_rows_key ON feed_rows (key, kind)`,
  ],
}
