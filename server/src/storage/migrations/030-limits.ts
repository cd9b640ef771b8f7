/** Plans, the limits that targets have, and what of their quotas is spent. */
import type { Migration } from '../migrate.ts'

export const limits: Migration = {
  name: '030-limits',
  statements: ({ id, bigint }) => [
    // `limits` is JSON: read whole, never searched.
    `CREATE TABLE plans (
       id ${id} PRIMARY KEY, name ${id} NOT NULL, limits TEXT NOT NULL,
       created_at ${bigint} NOT NULL, updated_at ${bigint} NOT NULL)`,
    `CREATE UNIQUE INDEX plans_name ON plans (name)`,

    // `target` is an id, or for an owner the feed's key of a subject. Tenant and resource say who may see it. A key that
    // was made by a rotation counts as the first one of its line.
    `CREATE TABLE limit_targets (
       kind TEXT NOT NULL, target ${id} NOT NULL, counts_as ${id} NOT NULL, tenant_id ${id}, resource_id ${id}, plan_id ${id}, limits TEXT NOT NULL,
       rsn ${bigint} NOT NULL, created_at ${bigint} NOT NULL, updated_at ${bigint} NOT NULL,
       PRIMARY KEY (kind, target))`,
    `CREATE INDEX limit_targets_plan ON limit_targets (plan_id) WHERE plan_id IS NOT NULL`,

    // What was taken out of a quota in a period, in blocks ahead of their use.
    `CREATE TABLE limit_quotas (
       bucket ${id} NOT NULL, period ${id} NOT NULL, reserved ${bigint} NOT NULL, ends_at ${bigint} NOT NULL,
       PRIMARY KEY (bucket, period))`,
    `CREATE INDEX limit_quotas_ends ON limit_quotas (ends_at)`,

    // Levels of buckets over a clean restart; the row of the bucket '' says that it was one.
    `CREATE TABLE limit_levels (bucket ${id} PRIMARY KEY, millitokens ${bigint} NOT NULL, at ${bigint} NOT NULL)`,
  ],
}
