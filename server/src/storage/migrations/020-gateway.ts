/** Gateway routes, and the sessions that descend from a sign-in on each protected host. */
import type { Migration } from '../migrate.ts'

export const gateway: Migration = {
  name: '020-gateway',
  statements: ({ id, bigint }) => [
    // `rules` is JSON: routes are read whole, compiled, and looked up in memory.
    `CREATE TABLE gateway_routes (
       id ${id} PRIMARY KEY, position ${bigint} NOT NULL, rules TEXT NOT NULL,
       created_at ${bigint} NOT NULL, updated_at ${bigint} NOT NULL)`,

    // `secret_hash` is SHA-256 of the cookie's value and its host. It lives as long as the session it descends from.
    `CREATE TABLE app_sessions (
       secret_hash ${id} PRIMARY KEY, session_id ${id} NOT NULL, host ${id} NOT NULL,
       created_at ${bigint} NOT NULL, expires_at ${bigint} NOT NULL)`,
    `CREATE UNIQUE INDEX app_sessions_place ON app_sessions (session_id, host)`,
    `CREATE INDEX app_sessions_expires ON app_sessions (expires_at)`,

    // Single use: reading one deletes it. `state_hash` binds it to the browser that asked.
    `CREATE TABLE app_codes (
       code_hash ${id} PRIMARY KEY, session_id ${id} NOT NULL, host ${id} NOT NULL, state_hash ${id} NOT NULL,
       return_to TEXT NOT NULL, expires_at ${bigint} NOT NULL)`,
    `CREATE INDEX app_codes_expires ON app_codes (expires_at)`,
  ],
}
