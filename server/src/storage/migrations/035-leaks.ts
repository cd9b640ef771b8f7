/** Keys that were found in public, where, and what was done; what each resource wants done. */
import type { Migration } from '../migrate.ts'

export const leaks: Migration = {
  name: '035-leaks',
  statements: ({ id, bigint }) => [
    `ALTER TABLE resources ADD COLUMN leak_policy TEXT NOT NULL DEFAULT 'revoke'`,
    `ALTER TABLE resources ADD COLUMN leak_notice_seconds ${bigint} NOT NULL DEFAULT 86400`,

    // A row for each key and place. `place_hash` is a digest of the URL: the same report twice is one leak.
    `CREATE TABLE leaks (
       id ${id} PRIMARY KEY, at ${bigint} NOT NULL, tenant_id ${id} NOT NULL, resource_id ${id} NOT NULL,
       key_id ${id} NOT NULL, reporter TEXT NOT NULL, reported_by ${id} NOT NULL, type TEXT NOT NULL,
       source TEXT NOT NULL, url TEXT NOT NULL, place_hash ${id} NOT NULL, action TEXT NOT NULL)`,
    `CREATE UNIQUE INDEX leaks_place ON leaks (key_id, place_hash)`,
    `CREATE INDEX leaks_tenant ON leaks (tenant_id, id)`,
    `CREATE INDEX leaks_resource ON leaks (resource_id, id)`,
  ],
}
