/** OAuth clients, what users allowed them, and what the OAuth engine keeps between two requests. */
import type { Migration } from '../migrate.ts'

export const clients: Migration = {
  name: '003-clients',
  statements: ({ id, bigint }) => [
    // `settings` and `secrets` are JSON: read whole at each use, never searched. A secret is a SHA-256 digest.
    `CREATE TABLE oauth_clients (
       id ${id} PRIMARY KEY, tenant_id ${id}, kind TEXT NOT NULL, name TEXT NOT NULL, settings TEXT NOT NULL,
       secrets TEXT NOT NULL, rsn ${bigint} NOT NULL, created_at ${bigint} NOT NULL, created_by ${id} NOT NULL,
       updated_at ${bigint} NOT NULL, disabled_at ${bigint}, deleted_at ${bigint})`,
    `CREATE INDEX oauth_clients_tenant ON oauth_clients (tenant_id, id)`,

    // Codes, tokens, grants, sessions of the engine, and what was seen once. No id is stored: `id_hash` is a digest.
    `CREATE TABLE oauth_artifacts (
       model TEXT NOT NULL, id_hash ${id} NOT NULL, payload TEXT NOT NULL, grant_id ${id}, uid_hash ${id},
       user_code_hash ${id}, account_id ${id}, client_id ${id}, tenant_id ${id}, rsn ${bigint} NOT NULL,
       expires_at ${bigint} NOT NULL, consumed_at ${bigint}, PRIMARY KEY (model, id_hash))`,
    `CREATE INDEX oauth_artifacts_grant ON oauth_artifacts (grant_id) WHERE grant_id IS NOT NULL`,
    `CREATE INDEX oauth_artifacts_uid ON oauth_artifacts (uid_hash) WHERE uid_hash IS NOT NULL`,
    `CREATE INDEX oauth_artifacts_user_code ON oauth_artifacts (user_code_hash) WHERE user_code_hash IS NOT NULL`,
    `CREATE INDEX oauth_artifacts_account ON oauth_artifacts (account_id, client_id) WHERE account_id IS NOT NULL`,
    `CREATE INDEX oauth_artifacts_expires ON oauth_artifacts (expires_at)`,

    // What a user allowed a client, remembered so that the next sign-in need not ask again.
    `CREATE TABLE oauth_consents (
       user_id ${id} NOT NULL, client_id ${id} NOT NULL, tenant_id ${id} NOT NULL, scopes TEXT NOT NULL,
       rsn ${bigint} NOT NULL, created_at ${bigint} NOT NULL, updated_at ${bigint} NOT NULL,
       PRIMARY KEY (user_id, client_id, tenant_id))`,
    `CREATE INDEX oauth_consents_client ON oauth_consents (client_id)`,
  ],
}
