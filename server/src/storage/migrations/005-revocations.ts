/**
 * Looking back at what was ended: events of the audit by their id, and by what was done. And which Postgres timeline the
 * feed was written on, so that a restored or replaced server is noticed.
 */
import type { Migration } from '../migrate.ts'

export const revocations: Migration = {
  name: '005-revocations',
  statements: () => [
    `CREATE UNIQUE INDEX audit_events_id ON audit_events (id)`,
    `CREATE INDEX audit_events_action ON audit_events (action, seq)`,
    `ALTER TABLE feed_head ADD COLUMN timeline TEXT`,
  ],
}
