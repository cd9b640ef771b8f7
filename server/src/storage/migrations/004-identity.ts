/** Users, their memberships of tenants, and their sessions. */
import type { Migration } from '../migrate.ts'

export const identity: Migration = {
  name: '004-identity',
  statements: ({ id, bigint }) => [
    // `username_key` and `email_key` are what is compared; what stands beside them is what was written.
    `CREATE TABLE users (
       id ${id} PRIMARY KEY, username TEXT, username_key ${id}, email TEXT, email_key ${id}, name TEXT NOT NULL,
       metadata TEXT NOT NULL, password_hash TEXT, password_set_at ${bigint},
       created_at ${bigint} NOT NULL, updated_at ${bigint} NOT NULL, disabled_at ${bigint})`,
    `CREATE UNIQUE INDEX users_username ON users (username_key) WHERE username_key IS NOT NULL`,
    `CREATE UNIQUE INDEX users_email ON users (email_key) WHERE email_key IS NOT NULL`,

    `CREATE TABLE memberships (
       user_id ${id} NOT NULL, tenant_id ${id} NOT NULL, roles TEXT NOT NULL, created_at ${bigint} NOT NULL,
       updated_at ${bigint} NOT NULL, PRIMARY KEY (user_id, tenant_id))`,
    `CREATE INDEX memberships_tenant ON memberships (tenant_id, user_id)`,

    // `secret_hash` is SHA-256 of the cookie's value, which is nowhere else.
    `CREATE TABLE sessions (
       id ${id} PRIMARY KEY, user_id ${id} NOT NULL, secret_hash ${id} NOT NULL, rsn ${bigint} NOT NULL,
       auth_time ${bigint} NOT NULL, acr TEXT NOT NULL, amr TEXT NOT NULL,
       created_at ${bigint} NOT NULL, created_network TEXT NOT NULL, user_agent TEXT NOT NULL,
       expires_at ${bigint} NOT NULL, last_used_at ${bigint} NOT NULL, last_used_network TEXT NOT NULL,
       ended_at ${bigint})`,
    `CREATE UNIQUE INDEX sessions_secret ON sessions (secret_hash)`,
    `CREATE INDEX sessions_user ON sessions (user_id, id)`,
    `CREATE INDEX sessions_expires ON sessions (expires_at)`,
    `CREATE INDEX sessions_last_used ON sessions (last_used_at)`,
  ],
}
