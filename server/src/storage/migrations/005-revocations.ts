/** Looking back at what was ended: events of the audit by their id, and by what was done. */
import type { Migration } from '../migrate.ts'

export const revocations: Migration = {
  name: '005-revocations',
  statements: () => [
    `CREATE UNIQUE INDEX audit_events_id ON audit_events (id)`,
    `CREATE INDEX audit_events_action ON audit_events (action, seq)`,
  ],
}
