/** How old credentials may become, whether keys may replace themselves, and what was warned of already. */
import type { Migration } from '../migrate.ts'

export const rotation: Migration = {
  name: '037-rotation',
  statements: ({ id, bigint }) => [
    `ALTER TABLE resources ADD COLUMN key_max_age_seconds ${bigint}`,
    `ALTER TABLE resources ADD COLUMN rotation_notice_seconds ${bigint} NOT NULL DEFAULT 1209600`,
    `ALTER TABLE resources ADD COLUMN self_rotation TEXT NOT NULL DEFAULT 'off'`,

    `CREATE TABLE rotation_warnings (
       credential ${id} NOT NULL, state TEXT NOT NULL, at ${bigint} NOT NULL, PRIMARY KEY (credential, state))`,
    `CREATE INDEX rotation_warnings_at ON rotation_warnings (at)`,
  ],
}
