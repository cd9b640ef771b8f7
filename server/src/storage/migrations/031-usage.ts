/** What credentials were used for: counts, the last requests of each key, scopes that were used, reports taken. */
import type { Migration } from '../migrate.ts'

export const usage: Migration = {
  name: '031-usage',
  statements: ({ id, bigint }) => [
    // `start` is Unix seconds. Text that is not known is ''. A row for each key, route and hour, however many requests.
    `CREATE TABLE usage_counts (
       grain TEXT NOT NULL, start ${bigint} NOT NULL, credential ${id} NOT NULL, route TEXT NOT NULL,
       result TEXT NOT NULL, tenant ${id} NOT NULL, resource ${id} NOT NULL, client ${id} NOT NULL,
       count ${bigint} NOT NULL,
       PRIMARY KEY (grain, start, credential, route, result, tenant, resource, client))`,
    `CREATE INDEX usage_counts_credential ON usage_counts (credential, grain, start)`,
    `CREATE INDEX usage_counts_tenant ON usage_counts (tenant, grain, start)`,

    `CREATE TABLE usage_requests (
       credential ${id} NOT NULL, seq ${bigint} NOT NULL, at ${bigint} NOT NULL, route TEXT NOT NULL,
       address TEXT NOT NULL, result TEXT NOT NULL, PRIMARY KEY (credential, seq))`,

    `CREATE TABLE usage_scopes (
       credential ${id} NOT NULL, scope TEXT NOT NULL, last_used ${bigint} NOT NULL, PRIMARY KEY (credential, scope))`,

    `CREATE TABLE usage_reports (id ${id} PRIMARY KEY, at ${bigint} NOT NULL)`,
    `CREATE INDEX usage_reports_at ON usage_reports (at)`,
  ],
}
