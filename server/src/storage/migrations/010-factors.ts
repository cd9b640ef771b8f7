/** Passkeys, one-time codes, recovery codes, and what is begun in one browser and finished there once. */
import type { Migration } from '../migrate.ts'

export const factors: Migration = {
  name: '010-factors',
  statements: ({ id, bigint }) => [
    // A password of fewer than fifteen characters is taken beside a second factor only.
    `ALTER TABLE users ADD COLUMN password_short ${bigint} NOT NULL DEFAULT 0`,
    `ALTER TABLE users ADD COLUMN email_verified_at ${bigint}`,

    // `credential_id` and `public_key` (COSE) are base64url; `counter` is the authenticator's own.
    `CREATE TABLE passkeys (
       id ${id} PRIMARY KEY, user_id ${id} NOT NULL, credential_id ${id} NOT NULL, public_key TEXT NOT NULL,
       counter ${bigint} NOT NULL, transports TEXT NOT NULL, synced ${bigint} NOT NULL, name TEXT NOT NULL,
       created_at ${bigint} NOT NULL, last_used_at ${bigint})`,
    `CREATE UNIQUE INDEX passkeys_credential ON passkeys (credential_id)`,
    `CREATE INDEX passkeys_user ON passkeys (user_id, id)`,

    // `sealed_secret` is under the root secret. `last_step` only rises, so that no code works twice.
    `CREATE TABLE one_time_codes (
       user_id ${id} PRIMARY KEY, sealed_secret TEXT NOT NULL, last_step ${bigint} NOT NULL,
       failures ${bigint} NOT NULL, created_at ${bigint} NOT NULL, last_used_at ${bigint})`,

    `CREATE TABLE recovery_codes (
       user_id ${id} NOT NULL, code_hash ${id} NOT NULL, used_at ${bigint}, PRIMARY KEY (user_id, code_hash))`,

    // Both hashes are SHA-256 of 256 random bits; taking a ticket deletes it.
    `CREATE TABLE tickets (
       secret_hash ${id} PRIMARY KEY, kind TEXT NOT NULL, browser_hash ${id} NOT NULL, user_id ${id},
       data TEXT NOT NULL, tries ${bigint} NOT NULL, created_at ${bigint} NOT NULL, expires_at ${bigint} NOT NULL)`,
    `CREATE INDEX tickets_expires ON tickets (expires_at)`,
    `CREATE INDEX tickets_user ON tickets (user_id)`,

    // Challenges carry their own proof that we made them; what is kept is which were used.
    `CREATE TABLE spent_challenges (challenge_hash ${id} PRIMARY KEY, expires_at ${bigint} NOT NULL)`,
    `CREATE INDEX spent_challenges_expires ON spent_challenges (expires_at)`,
  ],
}
