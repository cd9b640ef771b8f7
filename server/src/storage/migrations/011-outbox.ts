/** E-mails that wait to be sent, or, in development, to be read. */
import type { Migration } from '../migrate.ts'

export const outbox: Migration = {
  name: '011-outbox',
  statements: ({ id, bigint }) => [
    // `sealed` is under the root secret: an e-mail may hold a link that signs somebody in.
    `CREATE TABLE outbox (
       id ${id} PRIMARY KEY, sealed TEXT NOT NULL, tries ${bigint} NOT NULL, created_at ${bigint} NOT NULL,
       next_try_at ${bigint} NOT NULL)`,
    `CREATE INDEX outbox_next_try ON outbox (next_try_at)`,
  ],
}
